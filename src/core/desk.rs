//! The desk of an imap: where those who run items hand blocks over to the one who takes the results.
//!
//! # The protocol
//!
//! A block is owned by whoever holds the box, so no item is ever seen by two threads at once, and one lock guards
//! what is lying on the desk. The lock is taken a few times a block, not an item, and a block lasts some microseconds.
//!
//! What needs care is sleeping. The taker sleeps on the control word when there is nothing to take and nothing to do,
//! so that whatever is asked of the job wakes it as well:
//!
//! - it says that it watches the word, then looks at the desk, and says there, in the same step, that it sleeps;
//! - whoever lays down something that can be taken finds that said, takes it back, and nudges after it is down.
//!
//! A nudge between the watching and the sleep changes the word, so the sleep does not begin. Were the desk looked at
//! before, or the nudge given before the block is down, the taker could sleep for ever with a result on the desk: the
//! loom models show both. In a stream of short items nobody sleeps, and nobody pays for a nudge.

use super::attention::Attention;
use super::stream::{Block, Pulled};
use super::sync::{AtomicU64, Condvar, Mutex, MutexGuard, Ordering};
use std::collections::VecDeque;
use std::time::Instant;

/// What became of the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    Open,
    Ended,
    /// It failed instead of yielding the item of this index.
    Failed {
        index: u64,
        code: i32,
    },
}

/// What the taker finds.
pub(crate) enum Found<R> {
    /// A block that is done: the next one.
    Done(Box<Block<R>>),
    /// A block that was broken off, to be continued.
    Broken(Box<Block<R>>),
    /// Nothing now.
    Nothing,
    /// All that was fetched was taken, and nothing more comes.
    Over,
    Closed,
}

/// What one who wants to fetch items gets.
pub(crate) enum Leave<R> {
    /// A block that was used before, if there is one, and how many items may be fetched.
    Fetch(Option<Box<Block<R>>>, usize),
    /// First a block that was broken off is to be continued.
    Continue(Box<Block<R>>),
    /// As many are in flight as may be, or nothing more is to be fetched.
    NotNow,
}

struct State<R> {
    done: VecDeque<Box<Block<R>>>,
    /// Broken off by a pause or an end.
    broken: Vec<Box<Block<R>>>,
    /// For use again.
    idle: Vec<Box<Block<R>>>,
    source: Source,
    /// Items fetched whose block has not come back from the taker.
    in_flight: usize,
    /// Ordered: the index of the item that is to be taken next.
    next: u64,
    /// Threads that may be inside the user's functions, the taker not counted.
    inside: usize,
    /// The taker may be.
    taker_inside: bool,
    /// Somebody waits until they have left.
    awaited: bool,
    asleep: bool,
    closed: bool,
}

pub(crate) struct Desk<R> {
    state: Mutex<State<R>>,
    bound: usize,
    ordered: bool,
    attention: Attention<'static>,
    /// One of those who are awaited has gone out of the user's functions.
    left: Condvar,
    /// Counts what was laid down: for who looks without the lock.
    news: AtomicU64,
}

impl<R> State<R> {
    fn can_take(&self, ordered: bool) -> bool {
        self.done.front().is_some_and(|block| !ordered || block.first == self.next)
    }

    fn find(&mut self, ordered: bool, limit: u64) -> Found<R> {
        if self.closed {
            return Found::Closed;
        }
        if self.can_take(ordered) {
            if let Some(block) = self.done.pop_front() {
                self.next = block.first + block.count as u64;
                return Found::Done(block);
            }
        }
        if let Some(at) = self.broken_below(limit) {
            return Found::Broken(self.broken.swap_remove(at));
        }
        if self.is_over() {
            Found::Over
        } else {
            Found::Nothing
        }
    }

    fn is_over(&self) -> bool {
        self.source != Source::Open && self.in_flight == 0
    }

    /// The first of the blocks that were broken off, when it is to be continued.
    fn broken_below(&self, limit: u64) -> Option<usize> {
        let lowest = (0..self.broken.len()).min_by_key(|&at| self.broken[at].first)?;
        (self.broken[lowest].next_index() < limit).then_some(lowest)
    }
}

impl<R> Desk<R> {
    pub(crate) fn new(bound: usize, ordered: bool, attention: Attention<'static>) -> Desk<R> {
        let state = State {
            done: VecDeque::new(),
            broken: Vec::new(),
            idle: Vec::new(),
            source: Source::Open,
            in_flight: 0,
            next: 0,
            inside: 0,
            taker_inside: false,
            awaited: false,
            asleep: false,
            closed: false,
        };
        Desk { state: Mutex::new(state), bound, ordered, attention, left: Condvar::new(), news: AtomicU64::new(0) }
    }

    // Fetching. By whoever holds the source.

    /// Leave to fetch up to `most` items, unless there is a limit to what is to be run.
    pub(crate) fn reserve(&self, most: usize, limit: u64) -> Leave<R> {
        let mut state = self.state.lock();
        if let Some(at) = state.broken_below(limit) {
            return Leave::Continue(state.broken.swap_remove(at));
        }
        let count = most.min(self.bound - state.in_flight);
        if count == 0 || limit != u64::MAX || state.source != Source::Open {
            return Leave::NotNow;
        }
        state.in_flight += count;
        Leave::Fetch(state.idle.pop(), count)
    }

    /// Of the items that leave was given for, `unused` were not fetched. `spare`: a block that holds none.
    pub(crate) fn give_back(&self, unused: usize, source: Source, spare: Option<Box<Block<R>>>) {
        let mut state = self.state.lock();
        state.in_flight -= unused;
        state.idle.extend(spare);
        if source != Source::Open {
            state.source = source;
        }
        let over = state.is_over();
        self.unlock_and_tell(state, over);
    }

    // Handing over. By whoever ran the items.

    /// Lays down a block that is done, or broken off.
    pub(crate) fn lay(&self, block: Box<Block<R>>) {
        let mut state = self.state.lock();
        let news = if !block.is_done() {
            state.broken.push(block);
            true
        } else if self.ordered {
            // Most come nearly in order.
            let at = state.done.iter().rposition(|before| before.first < block.first).map_or(0, |before| before + 1);
            state.done.insert(at, block);
            at == 0 && state.can_take(true)
        } else {
            state.done.push_back(block);
            true
        };
        self.unlock_and_tell(state, news);
    }

    fn unlock_and_tell(&self, mut state: MutexGuard<'_, State<R>>, news: bool) {
        let wake = news && std::mem::take(&mut state.asleep);
        drop(state);
        if news {
            // Relaxed: who sees it looks under the lock.
            self.news.fetch_add(1, Ordering::Relaxed);
        }
        if wake {
            self.attention.nudge();
        }
    }

    // Taking. By the one taker.

    /// Puts back the block that was taken, and takes the next. Unless one is done, or there will be none, the taker is
    /// inside until it takes again or leaves.
    pub(crate) fn take(&self, used: Option<Box<Block<R>>>, limit: u64) -> Found<R> {
        let mut state = self.state.lock();
        state.asleep = false;
        if let Some(block) = used {
            state.in_flight -= block.count;
            state.idle.push(block);
        }
        let found = state.find(self.ordered, limit);
        state.taker_inside = matches!(found, Found::Broken(_) | Found::Nothing);
        if matches!(found, Found::Closed) {
            self.unlock_and_leave(state);
        }
        found
    }

    /// Changes when something was laid down.
    pub(crate) fn news(&self) -> u64 {
        self.news.load(Ordering::Relaxed)
    }

    /// Sleeps until there may be something to take or to do, or until the deadline. `look` is asked once
    /// more before, with the control word.
    pub(crate) fn sleep(&self, limit: u64, deadline: Option<Instant>, look: impl FnOnce(u32) -> bool) {
        let seen = self.attention.watch();
        {
            let mut state = self.state.lock();
            let something =
                state.closed || state.can_take(self.ordered) || state.broken_below(limit).is_some() || state.is_over();
            if something {
                return;
            }
            state.asleep = true;
        }
        if !look(seen) {
            self.attention.sleep_until(seen, deadline);
        }
    }

    /// Wakes the taker, if it sleeps.
    pub(crate) fn nudge(&self) {
        let state = self.state.lock();
        self.unlock_and_tell(state, true);
    }

    pub(crate) fn source(&self) -> Source {
        self.state.lock().source
    }

    /// Whether it is worth to call for help: at least half of what may be in flight is not.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.state.lock();
        !state.closed
            && (!state.broken.is_empty() || (state.source == Source::Open && state.in_flight * 2 <= self.bound))
    }

    // The end.

    /// One more thread may call the user's functions. False: no more, it is closed.
    pub(crate) fn enter(&self) -> bool {
        let mut state = self.state.lock();
        if !state.closed {
            state.inside += 1;
        }
        !state.closed
    }

    pub(crate) fn leave(&self) {
        let mut state = self.state.lock();
        state.inside -= 1;
        self.unlock_and_leave(state);
    }

    /// The taker goes back to its caller with nothing taken.
    pub(crate) fn leave_taker(&self) {
        let mut state = self.state.lock();
        state.taker_inside = false;
        self.unlock_and_leave(state);
    }

    fn unlock_and_leave(&self, state: MutexGuard<'_, State<R>>) {
        // To notify is a system call, whether somebody waits or not.
        let awaited = state.awaited;
        drop(state);
        if awaited {
            self.left.notify_all();
        }
    }

    /// Nobody enters any more. Returns false when it was closed before.
    pub(crate) fn close(&self) -> bool {
        let mut state = self.state.lock();
        let first = !std::mem::replace(&mut state.closed, true);
        self.unlock_and_tell(state, true);
        first
    }

    /// Waits until nobody can be inside the user's functions, the taker not counted when it is the one who waits.
    pub(crate) fn wait_until_left(&self, is_taker: bool) {
        let mut state = self.state.lock();
        while state.inside > 0 || (state.taker_inside && !is_taker) {
            state.awaited = true;
            state = self.left.wait(state, None);
        }
    }

    /// All blocks that hold items, in order.
    pub(crate) fn clear(&self) -> Vec<Box<Block<R>>> {
        let mut state = self.state.lock();
        state.idle = Vec::new();
        let mut blocks: Vec<_> = std::mem::take(&mut state.done).into();
        blocks.append(&mut state.broken);
        drop(state);
        blocks.sort_by_key(|block| block.first);
        blocks
    }
}

impl Source {
    /// What `pull` said, when the item that it did not yield has this index.
    pub(crate) fn of(pulled: Pulled, index: u64) -> Source {
        match pulled {
            Pulled::All => Source::Open,
            Pulled::End => Source::Ended,
            Pulled::Failed(code) => Source::Failed { index, code },
        }
    }
}
