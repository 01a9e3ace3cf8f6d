//! A map that several threads do together.
//!
//! Each thread that takes part has a slot with a range of items. It does its own from the front, in chunks of some
//! microseconds, and when there are none it steals half of the richest one's from the back. The caller begins with all
//! of them; a worker that comes has half of what is left at once, however late it comes.
//!
//! A chunk in hand cannot be stolen. That would be a flaw when items suddenly become dear: the chunk was cut for cheap
//! ones. So a thread that finds nothing to steal says that it is hungry, and whoever holds a chunk sees that between
//! two items and gives back what it has not begun.
//!
//! # How it ends
//!
//! A thread leaves when its own range is empty and there is nothing to steal. So when the caller has nothing left and is
//! the only one in the map, all items are done. Threads join under the board's lock only, so the caller finds out under
//! that lock, and takes the map off the board in the same breath: nobody joins after it. Leaving is a Release, and
//! finding out that nobody is left an Acquire: what the items wrote is seen by the caller.

use super::attention::{ABORT, PAUSE, STOP};
use super::crew::Crew;
use super::handler::Handler;
use super::pace::Pace;
use super::range::{Items, Range};
use super::seat::{self, Seat};
use super::sync::{Arc, AtomicU32, Ordering};
use super::tally::{Body, Look, Span, Tally};
use crate::sys::FloatEnv;

/// Below so many nanoseconds of work it is not worth to be told that somebody is hungry.
const WORTH_SHARING: f32 = 1_000.0;
/// Below it, not to wake anybody.
pub(crate) const WORTH_WAKING: f32 = 16_000.0;

/// Two cache lines: processors fetch them in pairs.
#[repr(align(128))]
struct Slot(Range);

pub(crate) struct Work {
    pub(super) handler: Arc<Handler>,
    crew: Arc<Crew>,
    pub(super) body: Box<dyn Body>,
    pub(super) tally: Tally,
    /// The number of the first item; ranges count from it.
    base: u64,
    slots: Box<[Slot]>,
    /// The threads that take part, besides the caller.
    joined: AtomicU32,
    most_joined: u32,
    pub(super) depth: u32,
    chunk: Option<u32>,
    pub(super) counts_progress: bool,
    env: FloatEnv,
}

/// How a map is to be done.
pub(crate) struct Plan {
    pub(crate) depth: u32,
    pub(crate) threads: u32,
    pub(crate) chunk: Option<u32>,
    pub(crate) counts_progress: bool,
}

/// What a thread does when attention is wanted, between two items: it may stand still, and may end the map.
pub(super) type Attend<'a> = &'a mut dyn FnMut(&Tally);

impl Work {
    /// All items are the caller's, who sits at `caller`.
    pub(super) fn new(
        (handler, crew): (&Arc<Handler>, &Arc<Crew>),
        body: Box<dyn Body>,
        tally: Tally,
        (begin, end): Span,
        caller: u32,
        plan: &Plan,
    ) -> Work {
        let items = (end - begin) as u32;
        let range = |index| Slot(Range::new(if index == caller { (0, items) } else { (0, 0) }));
        Work {
            handler: handler.clone(),
            crew: crew.clone(),
            body,
            tally,
            base: begin,
            slots: (0..crew.size()).map(range).collect(),
            joined: AtomicU32::new(0),
            most_joined: plan.threads.min(items).saturating_sub(1),
            depth: plan.depth,
            chunk: plan.chunk,
            counts_progress: plan.counts_progress,
            env: FloatEnv::of_this_thread(),
        }
    }

    pub(super) fn has_something_to_steal(&self) -> bool {
        !self.tally.has_ended() && self.slots.iter().any(|slot| slot.0.left() > 0)
    }

    /// Lets a thread in. Under the board's lock.
    pub(super) fn join(&self) -> bool {
        // Relaxed: the lock orders it.
        let room = self.joined.load(Ordering::Relaxed) < self.most_joined;
        if room {
            self.joined.fetch_add(1, Ordering::Relaxed);
        }
        room
    }

    pub(super) fn has_room(&self) -> bool {
        self.joined.load(Ordering::Relaxed) < self.most_joined
    }

    /// Whether the caller is alone in it.
    pub(super) fn is_alone(&self) -> bool {
        // Acquire: what those who left have written is seen.
        self.joined.load(Ordering::Acquire) == 0
    }

    /// What a thread does that has joined, at `index`.
    pub(super) fn help(&self, index: u32, attend: Attend<'_>) {
        /// Also when park's own part of it panics: the caller must not wait for ever.
        struct Leave<'a>(&'a Work);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    self.0.tally.end(super::status::Status::Panic);
                }
                let attention = self.0.handler.attention();
                // Release: see above. From here on the map may be gone.
                self.0.joined.fetch_sub(1, Ordering::Release);
                attention.nudge();
            }
        }
        let _leave = Leave(self);
        self.env.apply();
        if self.slots[index as usize].0.left() > 0 || self.steal_for(index) {
            if self.has_something_to_steal() && self.has_room() {
                self.crew.wake_one();
            }
            let local = self.body.frame().enter(index);
            {
                let _seat = seat::take(Seat { handle: self.handler.handle(), depth: self.depth, index, local });
                self.take_part(index, index == 0, attend);
            }
            self.body.frame().leave(index, local);
        }
    }

    /// Does items until there are none to be had. The calling thread is in its seat. Returns what an item cost it. A guest,
    /// which is the computation thread in a map of another's, goes home in a pause: it must halt there. What it has not
    /// begun is for the others to steal, or for itself when it comes again.
    pub(super) fn take_part(&self, index: u32, is_guest: bool, attend: Attend<'_>) -> f32 {
        let range = &self.slots[index as usize].0;
        let mut look = self.tally.look();
        let mut pace = Pace::new(self.chunk);
        let one_by_one = self.body.is_one_by_one();
        if self.is_to_go(&look, is_guest) {
            return pace.mean_cost();
        }
        self.attend_if_wanted(&look, index, attend);
        loop {
            // Rising costs: once that is seen, the dearest first, so that none is begun when the others are done.
            let mut last_first = false;
            loop {
                last_first = last_first || pace.wants_the_last_first();
                let claimed = if last_first { range.claim_last() } else { range.claim(pace.chunk(range.left())) };
                let Some((begin, end)) = claimed else { break };
                if self.tally.has_ended() {
                    self.leave(begin, end);
                    // All the rest at once: billions of items may be left.
                    if let Some((begin, end)) = range.claim(u32::MAX) {
                        self.leave(begin, end);
                    }
                    continue;
                }
                look.every = pace.unlooked(one_by_one);
                let reached =
                    self.tally.run(&*self.body, &look, (self.base + u64::from(begin), self.base + u64::from(end)));
                let reached = (reached - self.base) as u32;
                pace.did(reached - begin);
                if self.counts_progress {
                    self.handler.raise_progress(self.tally.count(u64::from(reached - begin)));
                }
                if reached < end {
                    self.give_back(range, (reached, end), last_first);
                }
                if look.is_wanted() {
                    if self.is_to_go(&look, is_guest) {
                        return pace.mean_cost();
                    }
                    if self.tally.take_hungry() {
                        self.feed(range.left() as f32 * pace.cost());
                    }
                    if self.attend_if_wanted(&look, index, attend) {
                        pace.restart();
                    }
                } else if range.left() as f32 * pace.cost() > WORTH_WAKING && self.has_room() {
                    self.crew.wake_sleeper();
                }
            }
            if !self.steal_for(index) {
                return pace.mean_cost();
            }
            pace.restart();
        }
    }

    /// Whether this thread has to leave though there is something to do: in a child made by fork it is the only one.
    fn is_to_go(&self, look: &Look<'_>, is_guest: bool) -> bool {
        look.attention_is_wanted()
            && (crate::sys::forked() || (is_guest && self.handler.attention().control() & PAUSE != 0))
    }

    /// Gives back what was claimed and not done.
    fn give_back(&self, range: &Range, items: Items, last_first: bool) {
        if !last_first {
            range.give_back(items.0);
        } else if self.tally.has_ended() {
            // A single item that failed, or was broken off.
            self.leave(items.0, items.1);
        }
    }

    fn leave(&self, begin: u32, end: u32) {
        self.tally.leave((self.base + u64::from(begin), self.base + u64::from(end)));
    }

    /// Tells the hungry that there is something, unless it is too little.
    fn feed(&self, nanoseconds: f32) {
        if nanoseconds > WORTH_SHARING {
            self.crew.announce();
            self.handler.attention().nudge();
        }
        if nanoseconds > WORTH_WAKING {
            self.crew.wake_one();
        }
    }

    /// Steals half of what the richest one has.
    fn steal_for(&self, index: u32) -> bool {
        while !self.tally.has_ended() {
            let left = |slot: &&Slot| slot.0.left();
            let Some(richest) = self.slots.iter().max_by_key(left).filter(|slot| left(slot) > 0) else { return false };
            if let Some(items) = richest.0.steal() {
                self.slots[index as usize].0.refill(items);
                return true;
            }
        }
        false
    }

    /// Attends when something is asked for that concerns this thread. Returns whether it did.
    fn attend_if_wanted(&self, look: &Look<'_>, index: u32, attend: Attend<'_>) -> bool {
        if !look.attention_is_wanted() {
            return false;
        }
        // Whatever else is asked for is for the computation thread, between the items of its own map.
        let is_for_all =
            || self.handler.attention().control() & (PAUSE | ABORT | STOP) != 0 || self.crew.stance.is_held();
        let wanted = (index == 0 && self.depth == 1) || is_for_all();
        if wanted {
            attend(&self.tally);
        }
        wanted
    }
}
