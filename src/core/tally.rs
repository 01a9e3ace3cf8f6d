//! What becomes of the items of a map: who failed, what was left, why it ended; and how one stretch of them is run.

use super::attention::{Attention, ABORT, STOP};
use super::status::Status;
use super::sync::{AtomicU32, AtomicU64, Mutex, Ordering};
use super::table;

/// Items from the first number up to, and without, the second.
pub(crate) type Span = (u64, u64);

/// What a map does, one item or one stretch of items at a time.
pub(crate) trait Body: Send + Sync {
    /// Does items from `begin` on: all of them, or until one fails, or until `look` says so after one.
    fn run(&self, begin: u64, end: u64, look: &Look<'_>) -> Reached;

    /// Whether the user's function is called for each item, and not for a stretch of `look.every` at most.
    fn is_one_by_one(&self) -> bool;

    /// What it shares with bodies of other kinds.
    fn frame(&self) -> &dyn Frame;
}

/// What is around the items of a map, whatever they are.
pub(crate) trait Frame {
    /// Tells loops apart, for what their items cost: the addresses of the function and of its data.
    fn identity(&self) -> (usize, usize);

    /// A thread begins to take part: its hook's result is the thread's local state.
    fn enter(&self, index: u32) -> usize;

    /// It ceases to.
    fn leave(&self, index: u32, local: usize);
}

/// How far a body came.
pub(crate) struct Reached {
    /// The first item that is not done.
    pub(crate) at: u64,
    /// 0, or what the user's function returned for the items from `at` on.
    pub(crate) code: i32,
    /// How many items failed together.
    pub(crate) failed: u64,
}

/// What a body looks at between items.
pub(crate) struct Look<'a> {
    handle: u64,
    signal: &'a AtomicU32,
    /// After how many items.
    pub(crate) every: u64,
}

impl Look<'_> {
    /// Whether somebody wants something: the body is to return.
    #[inline(always)]
    pub(crate) fn is_wanted(&self) -> bool {
        // Relaxed: a hint; what it hints at is looked at with care.
        self.signal.load(Ordering::Relaxed) != 0 || !table::nothing_pending(self.handle)
    }

    pub(crate) fn attention_is_wanted(&self) -> bool {
        !table::nothing_pending(self.handle)
    }
}

/// What is done about items that fail.
#[derive(Clone, Copy, Default)]
pub(crate) struct Policy {
    /// The other items are done all the same.
    pub(crate) go_on: bool,
    /// How often an item is tried again.
    pub(crate) retries: u32,
    /// Between any two items the job's memory is fit for a checkpoint.
    pub(crate) checkpoints: bool,
    /// The loop was told to stop, and is on its way to a checkpoint: the map is part of that way.
    pub(crate) outlives_stop: bool,
}

/// Somebody has nothing to do.
const HUNGRY: u32 = 1;
/// The map is to end.
const END: u32 = 2;

#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) left: Vec<Span>,
    pub(crate) failed: Vec<Span>,
    /// The first item that failed, by number, and its code.
    pub(crate) first: Option<(u64, i32)>,
    /// Why the map ended early.
    pub(crate) end: Option<Status>,
}

pub(crate) struct Tally {
    policy: Policy,
    handle: u64,
    attention: Attention<'static>,
    signal: AtomicU32,
    done: AtomicU64,
    notes: Mutex<Notes>,
}

impl Tally {
    pub(crate) fn new(policy: Policy, handle: u64, attention: Attention<'static>) -> Tally {
        let (signal, done) = (AtomicU32::new(0), AtomicU64::new(0));
        Tally { policy, handle, attention, signal, done, notes: Mutex::new(Notes::default()) }
    }

    pub(crate) fn look(&self) -> Look<'_> {
        Look { handle: self.handle, signal: &self.signal, every: 1 }
    }

    pub(crate) fn into_notes(self) -> Notes {
        self.notes.into_inner()
    }

    pub(crate) fn policy(&self) -> Policy {
        self.policy
    }

    // Relaxed throughout: the signals are hints, and what they lead to is ordered by the notes' lock, by the board's
    // and by the way in which threads leave a map.

    pub(crate) fn say_hungry(&self) {
        self.signal.fetch_or(HUNGRY, Ordering::Relaxed);
    }

    pub(crate) fn take_hungry(&self) -> bool {
        self.signal.load(Ordering::Relaxed) & HUNGRY != 0
            && self.signal.fetch_and(!HUNGRY, Ordering::Relaxed) & HUNGRY != 0
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.signal.load(Ordering::Relaxed) & END != 0
    }

    /// Ends the map; the first reason counts.
    pub(crate) fn end(&self, reason: Status) {
        self.notes.lock().end.get_or_insert(reason);
        self.signal.fetch_or(END, Ordering::Relaxed);
    }

    /// Items that nobody will do.
    pub(crate) fn leave(&self, span: Span) {
        if span.0 < span.1 {
            self.notes.lock().left.push(span);
        }
    }

    /// Counts items as dealt with; returns how many are by now.
    pub(crate) fn count(&self, items: u64) -> u64 {
        self.done.fetch_add(items, Ordering::Relaxed) + items
    }

    /// Runs items; returns the first one that was not dealt with, when a look is wanted or the map has ended.
    pub(crate) fn run(&self, body: &dyn Body, look: &Look<'_>, (begin, end): Span) -> u64 {
        let (mut at, mut tries) = (begin, 0);
        loop {
            let reached = body.run(at, end, look);
            if reached.code == 0 {
                return reached.at;
            }
            if reached.at != at {
                (at, tries) = (reached.at, 0);
            }
            // In a child made by fork nothing is noted: a lock may have been held.
            if crate::sys::forked() || self.is_broken_off(reached.code) {
                return at;
            }
            // An item has as many tries as it takes, but not when the run is to end.
            if tries < self.policy.retries && !self.has_ended() && self.attention.control() & ABORT == 0 {
                tries += 1;
                continue;
            }
            self.note_failure(at, reached.failed, reached.code);
            (at, tries) = (at + reached.failed, 0);
            // The body looks after items that are done only.
            if at >= end || self.has_ended() || look.is_wanted() {
                return at;
            }
        }
    }

    /// An item that was broken off because the run is to end has not failed.
    fn is_broken_off(&self, code: i32) -> bool {
        let control = self.attention.control();
        let broken_off = (code == Status::Aborted as i32 && control & ABORT != 0)
            || (code == Status::Stopped as i32 && control & STOP != 0);
        if broken_off {
            self.end(if code == Status::Aborted as i32 { Status::Aborted } else { Status::Stopped });
        }
        broken_off
    }

    fn note_failure(&self, at: u64, items: u64, code: i32) {
        let mut notes = self.notes.lock();
        if notes.first.is_none_or(|first| at < first.0) {
            notes.first = Some((at, code));
        }
        match notes.failed.last_mut() {
            Some(last) if last.1 == at => last.1 += items,
            _ => notes.failed.push((at, at + items)),
        }
        if !self.policy.go_on {
            notes.end.get_or_insert(Status::Failed);
            self.signal.fetch_or(END, Ordering::Relaxed);
        }
    }
}

/// Joins spans that touch, in order.
pub(crate) fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if last.1 >= span.0 => last.1 = last.1.max(span.1),
            _ => joined.push(span),
        }
    }
    joined
}
