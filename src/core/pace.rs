//! How many items a thread takes at a time: measured, not asked.
//!
//! A chunk is to take some microseconds: long enough that the claim and the clock cost nothing beside it, short
//! enough that what is not begun can still be stolen. It begins with one item and grows eightfold at most, so that
//! one cheap item does not vouch for a thousand dear ones.

use crate::sys::{nanoseconds_of_a_tick, ticks};

const CHUNK_NANOSECONDS: f32 = 40_000.0;
/// Below it halving what is left buys nothing.
const NOT_WORTH_SHARING: f32 = 1_000.0;
const GROWTH: u32 = 8;
/// So many times in a row is no accident.
const RISES: u32 = 3;
/// Between two looks for what others want: so long, but no more items than this when they are called one by one.
const LOOK_NANOSECONDS: f32 = 4_000.0;
const MOST_UNLOOKED: u64 = 128;

pub(crate) struct Pace {
    fixed: Option<u32>,
    last: u32,
    /// Nanoseconds an item, of the last chunk.
    cost: f32,
    since: u64,
    tick: f32,
    items: u64,
    nanoseconds: f32,
    /// How many chunks in a row were dearer than the one before.
    rises: u32,
}

impl Pace {
    /// `fixed`: as many items a chunk, whatever they cost.
    pub(crate) fn new(fixed: Option<u32>) -> Pace {
        let (since, tick) = (ticks(), nanoseconds_of_a_tick());
        Pace { fixed, last: 0, cost: CHUNK_NANOSECONDS, since, tick, items: 0, nanoseconds: 0.0, rises: 0 }
    }

    /// How many items to take when so many are left.
    pub(crate) fn chunk(&self, left: u32) -> u32 {
        if let Some(fixed) = self.fixed {
            return fixed.min(left);
        }
        if self.last == 0 {
            return 1;
        }
        let in_time = (CHUNK_NANOSECONDS / self.cost) as u32;
        let share = if left as f32 * self.cost > NOT_WORTH_SHARING { left / 2 } else { left };
        in_time.min(self.last.saturating_mul(GROWTH)).min(share).max(1)
    }

    /// So many items were done since the last call.
    pub(crate) fn did(&mut self, items: u32) {
        let now = ticks();
        if items > 0 {
            // Another processor's counter may be a little behind. At least a fraction of a nanosecond: a division follows.
            let spent = now.saturating_sub(self.since) as f32 * self.tick;
            let cost = (spent / items as f32).max(0.1);
            self.rises = if self.last > 0 && cost > self.cost { self.rises + 1 } else { 0 };
            self.cost = cost;
            self.last = items;
            self.items += u64::from(items);
            self.nanoseconds += spent;
        }
        self.since = now;
    }

    /// The time since the last call was not spent on items.
    pub(crate) fn restart(&mut self) {
        self.since = ticks();
    }

    pub(crate) fn cost(&self) -> f32 {
        self.cost
    }

    /// Whether the dear items seem to come last, and each is long: then they had better come first.
    pub(crate) fn wants_the_last_first(&self) -> bool {
        self.rises >= RISES && self.fixed.is_none() && self.cost > CHUNK_NANOSECONDS
    }

    /// Nanoseconds an item, of all chunks.
    pub(crate) fn mean_cost(&self) -> f32 {
        self.nanoseconds / self.items.max(1) as f32
    }

    /// Whether anything was measured yet.
    pub(crate) fn knows(&self) -> bool {
        self.last > 0
    }

    /// How many items may be done without a look for what others want.
    pub(crate) fn unlooked(&self, one_by_one: bool) -> u64 {
        let items = (LOOK_NANOSECONDS / self.cost) as u64;
        match self.fixed {
            // A stretch as long as was asked for.
            Some(fixed) if !one_by_one => u64::from(fixed),
            _ if self.last == 0 => 1,
            _ if one_by_one => items.clamp(1, MOST_UNLOOKED),
            _ => items.max(1),
        }
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    fn pace(last: u32, cost: f32) -> Pace {
        Pace { last, cost, ..Pace::new(None) }
    }

    #[test]
    fn chunks_take_some_microseconds_and_grow_with_care() {
        assert_eq!(Pace::new(None).chunk(1000), 1);
        assert_eq!(pace(1, 2.0).chunk(1_000_000), 8);
        assert_eq!(pace(4096, 2.0).chunk(1_000_000), 20_000);
        assert_eq!(pace(10, 1000.0).chunk(1_000_000), 40);
        assert_eq!(pace(1, 50_000.0).chunk(100), 1);
    }

    #[test]
    fn the_last_items_are_shared_unless_they_are_nothing() {
        assert_eq!(pace(10, 1000.0).chunk(8), 4);
        assert_eq!(pace(10, 1000.0).chunk(1), 1);
        assert_eq!(pace(4096, 2.0).chunk(300), 300);
        assert_eq!(Pace { fixed: Some(7), ..pace(1, 1.0) }.chunk(100), 7);
        assert_eq!(Pace { fixed: Some(7), ..pace(1, 1.0) }.chunk(5), 5);
    }
}
