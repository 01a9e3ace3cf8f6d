//! What an imap runs: a source of items, a function of an item, and the memory between them.

use super::status::Result;

/// What a source said when it was asked for items.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pulled {
    /// As many as were asked for.
    All,
    /// It has no more.
    End,
    /// It failed, with this code.
    Failed(i32),
}

/// A source and a function. The engine calls `pull` on one thread at a time, in the order of the indices, and `run`
/// once an item (once more for each retry), on any of its threads.
pub(crate) trait Stream: Send + Sync + 'static {
    /// Memory for some items and their results. It belongs to one thread at a time.
    type Room: Send + 'static;

    fn room(&self, items: usize) -> Result<Self::Room>;

    /// Whether so many items fit, and do not leave much memory unused.
    fn fits(&self, room: &Self::Room, items: usize) -> bool;

    /// How many items there are from this index on, at most.
    fn left(&self, index: u64) -> u64;

    /// Fetches at most `count` items into the first places of the room; the first one has the index `first`. Asks
    /// `go_on` between items. Returns how many there are.
    fn pull(&self, room: &mut Self::Room, first: u64, count: usize, go_on: impl Fn() -> bool) -> (usize, Pulled);

    /// Runs the item at a place of the room. 0: done.
    fn run(&self, room: &mut Self::Room, at: usize, index: u64) -> i32;

    /// A thread begins to take part: what its hook returns is the thread's local state.
    fn enter(&self, index: u32) -> usize;

    /// It ceases to.
    fn leave(&self, index: u32, local: usize);

    /// No thread takes part any more: what is the user's is let go of.
    fn release(&self);
}

/// Some items in a row, and what became of them. Handed from thread to thread whole: whoever holds it owns it, and while
/// it runs the items nobody else writes to the same cache line.
#[repr(align(128))]
pub(crate) struct Block<R> {
    /// The index of its first item.
    pub(crate) first: u64,
    /// How many items were fetched.
    pub(crate) count: usize,
    /// How many of them have run, in order.
    pub(crate) ran: usize,
    /// The places of those that failed, in order, and their statuses. All others that have run are done.
    pub(crate) failed: Vec<(usize, i32)>,
    /// The last item that has run ended the imap.
    pub(crate) is_cut: bool,
    pub(crate) room: R,
}

impl<R> Block<R> {
    pub(crate) fn new(room: R) -> Block<R> {
        Block { first: 0, count: 0, ran: 0, failed: Vec::new(), is_cut: false, room }
    }

    /// For other items.
    pub(crate) fn clear(&mut self) {
        (self.count, self.ran, self.is_cut) = (0, 0, false);
        self.failed.clear();
    }

    /// The index of the first item that has not run.
    pub(crate) fn next_index(&self) -> u64 {
        self.first + self.ran as u64
    }

    /// All its items have run, or one has failed and the rest never will.
    pub(crate) fn is_done(&self) -> bool {
        self.is_cut || self.ran == self.count
    }

    /// The status of the item at this place, if it has run.
    #[inline(always)]
    pub(crate) fn status(&self, at: usize) -> Option<i32> {
        if at >= self.ran {
            return None;
        }
        if self.failed.is_empty() {
            return Some(0);
        }
        let found = self.failed.binary_search_by_key(&at, |&(failed, _)| failed);
        Some(found.map_or(0, |place| self.failed[place].1))
    }
}
