//! A range of items that belongs to one thread, and from which others steal.
//!
//! Both bounds are halves of one word, so every change is one compare-and-swap of the whole truth:
//!
//! - the owner *claims* items from the front, and alone may *give back* what it claimed so and did not do;
//! - it may also claim the last one, which it must do;
//! - a thief *steals* the later half from the back, and makes it its own range.
//!
//! An item is in exactly one range, or in the hands of exactly one thread. That a word may come back to an earlier
//! value does no harm: whatever happened in between, the items that it names are in the range now, and a thief that
//! compared too early takes just those. All orderings are Relaxed: only the words' own order counts. What an item
//! reads was written before the map was published, and what it wrote is handed over when its thread leaves the map;
//! both have their own orderings (see `work`). The loom model `each_item_is_done_once` checks it, and fails when a
//! bound is stored without the compare.

use super::sync::{AtomicU64, Ordering};

/// Items from the first number up to, and without, the second.
pub(crate) type Items = (u32, u32);

pub(crate) struct Range(AtomicU64);

fn pack((begin, end): Items) -> u64 {
    u64::from(begin) << 32 | u64::from(end)
}

fn unpack(word: u64) -> Items {
    ((word >> 32) as u32, word as u32)
}

impl Range {
    pub(crate) fn new(items: Items) -> Range {
        Range(AtomicU64::new(pack(items)))
    }

    /// How many items there are; it may change at once.
    pub(crate) fn left(&self) -> u32 {
        let (begin, end) = unpack(self.0.load(Ordering::Relaxed));
        end.saturating_sub(begin)
    }

    fn change(&self, change: impl Fn(Items) -> Option<Items>) -> Option<Items> {
        let change = |word| change(unpack(word)).map(pack);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).ok().map(unpack)
    }

    /// Takes at most `most` items from the front. Owner.
    pub(crate) fn claim(&self, most: u32) -> Option<Items> {
        let middle = |(begin, end): Items| begin + most.min(end - begin);
        let before = self.change(|items| (items.0 < items.1).then(|| (middle(items), items.1)))?;
        Some((before.0, middle(before)))
    }

    /// Takes the last item. Owner.
    pub(crate) fn claim_last(&self) -> Option<Items> {
        let (_, end) = self.change(|items| (items.0 < items.1).then(|| (items.0, items.1 - 1)))?;
        Some((end - 1, end))
    }

    /// Puts back the items of the last claim from `begin` on. Owner.
    pub(crate) fn give_back(&self, begin: u32) {
        // Thieves move the end only, and never below the end of the claim.
        self.change(|(_, end)| Some((begin, end)));
    }

    /// Takes the later half from the back.
    pub(crate) fn steal(&self) -> Option<Items> {
        let middle = |(begin, end): Items| begin + (end - begin) / 2;
        let before = self.change(|items| (items.0 < items.1).then(|| (items.0, middle(items))))?;
        Some((middle(before), before.1))
    }

    /// Makes the range, which is empty, that of other items. Owner.
    pub(crate) fn refill(&self, items: Items) {
        // No compare is needed: nobody changes an empty range.
        self.0.store(pack(items), Ordering::Relaxed);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::core::sync::Arc;
    use loom::thread;

    fn work(range: &Range, most: u32, mut give_back: bool) -> Vec<u32> {
        let mut done = Vec::new();
        while let Some((begin, end)) = range.claim(most) {
            let stop = if give_back && end - begin > 1 { begin + 1 } else { end };
            if stop < end {
                give_back = false;
                range.give_back(stop);
            }
            done.extend(begin..stop);
        }
        done
    }

    #[test]
    fn loom_each_item_is_done_once() {
        loom::model(|| {
            let ranges = Arc::new([Range::new((0, 4)), Range::new((0, 0))]);
            let thief = {
                let ranges = ranges.clone();
                thread::spawn(move || {
                    let mut done = Vec::new();
                    for _ in 0..2 {
                        if let Some(items) = ranges[0].steal() {
                            ranges[1].refill(items);
                            done.extend(work(&ranges[1], 1, false));
                        }
                    }
                    done
                })
            };
            let mut done = work(&ranges[0], 2, true);
            // What the thief has not done, the owner steals back.
            while let Some(items) = ranges[1].steal() {
                done.extend(items.0..items.1);
            }
            done.extend(thief.join().unwrap());
            done.extend(work(&ranges[0], 4, false));
            done.sort_unstable();
            assert_eq!(done, [0, 1, 2, 3]);
        });
    }
}
