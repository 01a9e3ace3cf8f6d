//! An imap: items out of a source, through a function on several threads, results back to one taker.
//!
//! Everything goes in blocks of items (see `desk`). Whoever has nothing to do takes the source for a moment, fetches a
//! block, runs it and lays it on the desk: workers as long as there is room, the taker when it finds nothing to take.
//! So the taker runs the first item itself, before anybody could be woken; and a stream of items so short that they
//! are not worth a worker's wake-up is the taker's alone.
//!
//! How many items make a block is measured: they are to last some microseconds. The first block is one item.
//!
//! Pause, abort and stop are seen between items. A block that was broken off lies on the desk until somebody
//! continues it. Workers never wait in an imap: one that finds nothing to do goes back to the pool, and is called again.

use super::attention::{is_running, ABORT, PAUSE, STOP};
use super::crew::{Crew, Help};
use super::desk::{Desk, Leave, Source};
use super::handler::Handler;
use super::inside::{Inside, Wait};
use super::seat::{self, Seat};
use super::status::{Result, Status};
use super::stream::{Block, Pulled, Stream};
use super::sync::{Apart, Arc, AtomicU64, Ordering};
use super::table;
use super::turn::Turn;
use crate::sys::FloatEnv;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
use std::sync::Weak;
use std::time::{Duration, Instant};

/// A block lasts so long: to hand one over costs the two threads about a microsecond.
const BLOCK_NANOSECONDS: u64 = 20_000;
/// A block has at most so many times the items of the one before.
const GROWTH: usize = 8;
/// Longer blocks than this save nothing more.
const MOST_ITEMS: usize = 512;
/// What may be in flight must last so long, or a single item so long, to be worth a worker's wake-up (some 8 us).
const WORTH_HELP_NANOSECONDS: u64 = 40_000;
const LONG_ITEM_NANOSECONDS: u64 = 4_000;
/// How often a worker looks whether the source is free before it goes away.
const PATIENCE: u32 = 200;

/// What the user chose.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    /// Threads that take part, the taker included. From 1 on.
    pub(crate) threads: usize,
    /// Items a block; 0: by measured time.
    pub(crate) chunk: usize,
    /// A failed item does not end the imap.
    pub(crate) go_on: bool,
    pub(crate) retries: u64,
    /// At most so many items are fetched and not taken. From 1 on.
    pub(crate) in_flight: usize,
    pub(crate) ordered: bool,
    /// Progress is stored: results taken, of so many when that is known.
    pub(crate) progress: Option<Option<u64>>,
    pub(crate) spin: Option<Duration>,
}

pub(crate) struct Imap<S: Stream> {
    me: Weak<Imap<S>>,
    /// The handle of the job.
    pub(super) job: u64,
    pub(super) policy: Policy,
    pub(crate) stream: S,
    /// How the thread that made it computes with floating-point numbers.
    env: FloatEnv,
    /// Items from this index on are not to be run: one before it has failed, or nothing is to be run any more.
    limit: AtomicU64,
    /// What is asked of the job, and goes on all the same: the taker's last ready point said so.
    tolerated: AtomicU32,
    /// How many maps and imaps its items are inside of, itself included.
    pub(super) depth: AtomicU32,
    /// Items that failed for good.
    failures: AtomicU64,
    closed: AtomicBool,
    /// Whose turn it is to call the source.
    source: Apart<Turn>,
    pace: Apart<Pace>,
    pub(super) desk: Apart<Desk<S::Room>>,
}

/// What changes from block to block.
struct Pace {
    /// The index of the item that is fetched next. Belongs to the turn.
    next: AtomicU64,
    /// How many items the last block had. Belongs to the turn.
    last: AtomicUsize,
    /// Sixteenths of a nanosecond an item, lately. 0: not known yet.
    cost: AtomicU64,
    /// Workers that were called and have not gone away.
    called: AtomicUsize,
}

impl<S: Stream> Imap<S> {
    pub(crate) fn new(handler: &Handler, policy: Policy, stream: S) -> Arc<Imap<S>> {
        let pace = Pace {
            next: AtomicU64::new(0),
            last: AtomicUsize::new(1),
            cost: AtomicU64::new(0),
            called: AtomicUsize::new(0),
        };
        let desk = Desk::new(policy.in_flight, policy.ordered, handler.attention());
        Arc::new_cyclic(|me| Imap {
            me: me.clone(),
            job: handler.handle(),
            policy,
            stream,
            env: FloatEnv::of_this_thread(),
            limit: AtomicU64::new(u64::MAX),
            tolerated: AtomicU32::new(0),
            depth: AtomicU32::new(1),
            failures: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            source: Apart::new(Turn::new()),
            pace: Apart::new(pace),
            desk: Apart::new(desk),
        })
    }

    pub(crate) fn closed(&self) -> &AtomicBool {
        &self.closed
    }

    pub(crate) fn is_closed(&self) -> bool {
        // Relaxed: who takes a result at this very moment is as good as one who took it before.
        self.closed.load(Ordering::Relaxed)
    }

    // Relaxed for limit, cost, called: numbers by themselves; what belongs to them is handed over at the desk.

    pub(super) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Nothing is run any more, from the next item on.
    pub(super) fn halt(&self) {
        self.limit.store(0, Ordering::Relaxed);
    }

    pub(super) fn cost_nanoseconds(&self) -> Option<u64> {
        match self.pace.cost.load(Ordering::Relaxed) {
            0 => None,
            cost => Some(cost / 16),
        }
    }

    /// What is asked of the job now is tolerated until that changes.
    pub(super) fn tolerate(&self, control: u32) {
        self.tolerated.store(control & (PAUSE | ABORT | STOP), Ordering::Relaxed);
    }

    /// Whether the next item may be begun, by a worker of the crew when there is one.
    #[inline(always)]
    fn may_go_on(&self, crew: Option<&Arc<Crew>>) -> bool {
        table::nothing_pending(self.job) || self.may_go_on_though_pending(crew)
    }

    /// What is pending may be no business of an item's.
    #[cold]
    fn may_go_on_though_pending(&self, crew: Option<&Arc<Crew>>) -> bool {
        if crate::sys::forked() || crew.is_some_and(|crew| crew.wants_workers()) {
            return false;
        }
        let Some(attention) = table::find_attention(self.job) else { return false };
        let control = attention.control();
        is_running(control) && control & (PAUSE | ABORT | STOP) == self.tolerated.load(Ordering::Relaxed)
    }

    /// Whether no item is to be begun any more, nor tried again. Asked of the control word itself: a map inside an item has
    /// looked at that, and attention is raised after it has changed.
    fn is_to_end(&self) -> bool {
        let Some(attention) = table::find_attention(self.job) else { return true };
        let control = attention.control();
        let asked = control & (ABORT | STOP) & !self.tolerated.load(Ordering::Relaxed);
        crate::sys::forked() || !is_running(control) || asked != 0
    }

    pub(super) fn inside(&self) -> Inside {
        Inside::of(self.id())
    }

    fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// To be held by whoever calls [`Imap::close`]: refused when it would wait for itself.
    pub(crate) fn before_close(&self) -> Result<Wait> {
        Wait::new(self.id())
    }

    // Fetching.

    /// How many items the next block should have.
    fn block_items(&self) -> usize {
        if self.policy.chunk > 0 {
            return self.policy.chunk;
        }
        let Some(cost) = self.cost_nanoseconds() else { return 1 };
        // Several blocks a thread, so that the one that is being taken keeps nobody waiting for room, and the last ones
        // are shared. Growing with care: one cheap item does not vouch for a hundred dear ones.
        let blocks = if self.is_worth_help() { 4 * self.policy.threads } else { 2 };
        let share = self.policy.in_flight / blocks;
        let left = self.stream.left(self.pace.next.load(Ordering::Relaxed)) / (2 * self.policy.threads as u64);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let grown = GROWTH * self.pace.last.load(Ordering::Relaxed);
        ((BLOCK_NANOSECONDS / cost.max(1)) as usize).min(MOST_ITEMS).min(share).min(left).min(grown).max(1)
    }

    /// Fetches a block, if nobody else is at the source.
    pub(super) fn try_fetch(&self, most: usize, crew: Option<&Arc<Crew>>) -> Fetched<S::Room> {
        let wake = || {
            self.desk.nudge();
            self.call_for_help(false, crew);
        };
        self.source.try_take(|| self.fetch(most, crew), wake).unwrap_or(Fetched::Busy)
    }

    pub(super) fn source_is_busy(&self) -> bool {
        self.source.is_taken()
    }

    /// Says that the caller goes away because another is at the source. False: it is not any more.
    pub(super) fn starve(&self) -> bool {
        self.source.starve()
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    fn fetch(&self, most: usize, crew: Option<&Arc<Crew>>) -> Fetched<S::Room> {
        if !self.may_go_on(crew) {
            return Fetched::NotNow;
        }
        let limit = self.limit();
        let (used, count) = match self.desk.reserve(self.block_items().min(most), limit) {
            Leave::Continue(block) => return Fetched::Block(block),
            Leave::Fetch(used, count) => (used, count),
            Leave::NotNow => return Fetched::NotNow,
        };
        // Relaxed: the turn orders it.
        let first = self.pace.next.load(Ordering::Relaxed);
        let mut block = match self.block(used, count) {
            Ok(block) => block,
            Err(status) => {
                self.desk.give_back(count, Source::Failed { index: first, code: status as i32 }, None);
                return Fetched::NotNow;
            }
        };
        let (got, pulled) = self.stream.pull(&mut block.room, first, count, || self.may_go_on(crew));
        let next = first + got as u64;
        self.pace.next.store(next, Ordering::Relaxed);
        self.pace.last.store(got.max(1), Ordering::Relaxed);
        (block.first, block.count) = (first, got);
        if got == count && pulled == Pulled::All {
            return Fetched::Block(block);
        }
        let source = Source::of(pulled, next);
        if got == 0 {
            self.desk.give_back(count, source, Some(block));
            return Fetched::NotNow;
        }
        self.desk.give_back(count - got, source, None);
        Fetched::Block(block)
    }

    /// A block with room for so many items.
    fn block(
        &self,
        used: Option<Box<Block<S::Room>>>,
        count: usize,
    ) -> std::result::Result<Box<Block<S::Room>>, Status> {
        let mut block = match used {
            Some(mut block) => {
                if !self.stream.fits(&block.room, count) {
                    block.room = self.stream.room(count).map_err(|error| error.status)?;
                }
                block
            }
            None => {
                let room = self.stream.room(count).map_err(|error| error.status)?;
                Box::new(Block::new(room))
            }
        };
        block.clear();
        Ok(block)
    }

    // Running.

    /// Runs what has not run of a block, as far as that may be.
    pub(super) fn run(&self, block: &mut Block<S::Room>, crew: Option<&Arc<Crew>>) {
        // Stored at the end only: beside an empty function a store an item would show.
        let (mut at, count) = (block.ran, block.count);
        while at < count {
            let index = block.first + at as u64;
            if index >= self.limit() || !self.may_go_on(crew) {
                break;
            }
            let mut status = self.stream.run(&mut block.room, at, index);
            if status != 0 {
                status = self.run_again(block, at, status);
            }
            at += 1;
            if status != 0 {
                block.failed.push((at - 1, status));
                if self.ends(block, index, status) {
                    break;
                }
            }
        }
        block.ran = at;
    }

    /// Tries a failed item again. A pause lets it: it is in the middle of an item.
    #[cold]
    fn run_again(&self, block: &mut Block<S::Room>, at: usize, mut status: i32) -> i32 {
        let index = block.first + at as u64;
        let mut left = self.policy.retries;
        while status != 0 && left > 0 && !self.is_to_end() {
            status = self.stream.run(&mut block.room, at, index);
            left -= 1;
        }
        status
    }

    /// An item has failed: whether the rest of its block is not to be run.
    #[cold]
    fn ends(&self, block: &mut Block<S::Room>, index: u64, status: i32) -> bool {
        let asks_to_end = status == Status::Aborted as i32 || status == Status::Stopped as i32;
        if asks_to_end && self.is_to_end() {
            // It was broken off, as it should be.
            return false;
        }
        self.failures.fetch_add(1, Ordering::Relaxed);
        if self.policy.go_on {
            return false;
        }
        // In order, those before it are still wanted.
        self.limit.fetch_min(if self.policy.ordered { index + 1 } else { 0 }, Ordering::Relaxed);
        block.is_cut = true;
        true
    }

    /// So many items were run in this time.
    pub(super) fn measured(&self, items: usize, since: Instant) -> Instant {
        let now = Instant::now();
        if items > 0 {
            let spent = now.duration_since(since).as_nanos().min(u128::from(u64::MAX / 16)) as u64;
            let cost = (spent * 16 / items as u64).max(1);
            let before = self.pace.cost.load(Ordering::Relaxed);
            // Downwards at once: the first item pays for cold caches. Upwards half way: a hiccup is no habit.
            let smooth = if before == 0 || cost < before { cost } else { before / 2 + cost / 2 };
            self.pace.cost.store(smooth.max(1), Ordering::Relaxed);
        }
        now
    }

    // Help.

    /// Whether a worker that is woken would still find enough to do.
    fn is_worth_help(&self) -> bool {
        self.cost_nanoseconds().is_some_and(|cost| {
            cost >= LONG_ITEM_NANOSECONDS || cost * self.policy.in_flight as u64 >= WORTH_HELP_NANOSECONDS
        })
    }

    /// Calls a worker, when there is enough to do, or when the taker cannot do it. Who was called calls the next.
    pub(super) fn call_for_help(&self, urgently: bool, crew: Option<&Arc<Crew>>) {
        let most = self.policy.threads - 1;
        if self.pace.called.load(Ordering::Relaxed) >= most
            || !(urgently || self.is_worth_help())
            || !self.desk.has_room()
        {
            return;
        }
        let Some(me) = self.me.upgrade() else { return };
        // A worker must not ask the handler, which may be waiting for its end.
        let asked = if crew.is_none() { table::find(self.job).map(|handler| handler.crew(false)) } else { None };
        let Some(crew) = crew.or(asked.as_ref()) else { return };
        if let Some(spin) = self.policy.spin {
            crew.set_spin(spin);
        }
        let one_more = |called| (called < most).then_some(called + 1);
        if self.pace.called.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok() {
            crew.call(me);
        }
    }

    fn take_part(&self, crew: &Arc<Crew>) {
        let mut since = Instant::now();
        let mut tries = 0;
        loop {
            let mut block = match self.try_fetch(usize::MAX, Some(crew)) {
                Fetched::Block(block) => block,
                Fetched::Busy if tries < PATIENCE => {
                    tries += 1;
                    std::hint::spin_loop();
                    continue;
                }
                Fetched::Busy if !self.starve() => continue,
                Fetched::Busy | Fetched::NotNow => return,
            };
            tries = 0;
            let before = block.ran;
            self.run(&mut block, Some(crew));
            since = self.measured(block.ran - before, since);
            self.lay(block);
            if crew.wants_workers() {
                return;
            }
        }
    }

    /// Lays a block on the desk. Not in a child that an item made by fork: the desk's lock may be held there for ever.
    pub(super) fn lay(&self, block: Box<Block<S::Room>>) {
        if !crate::sys::forked() {
            self.desk.lay(block);
        }
    }

    /// Nobody calls the user's functions when it returns, and nobody will.
    pub(crate) fn close(&self, is_taker: bool) {
        self.closed.store(true, Ordering::Relaxed);
        self.halt();
        self.desk.close();
        self.desk.wait_until_left(is_taker);
        drop(self.desk.clear());
        if is_taker {
            self.stream.release();
        }
    }
}

impl<S: Stream> Help for Imap<S> {
    fn help(&self, crew: &Arc<Crew>, index: u32) {
        /// Also when park's own part of it panics: a free must not wait for ever.
        struct Leave<'a, S: Stream>(&'a Imap<S>);
        impl<S: Stream> Drop for Leave<'_, S> {
            fn drop(&mut self) {
                if !crate::sys::forked() {
                    self.0.desk.leave();
                }
            }
        }
        if !crew.wants_workers() && self.desk.enter() {
            let _leave = Leave(self);
            let _inside = self.inside();
            self.env.apply();
            self.call_for_help(false, Some(crew));
            let local = self.stream.enter(index);
            {
                let depth = self.depth.load(Ordering::Relaxed);
                let _seat = seat::take(Seat { handle: self.job, depth, index, local });
                self.take_part(crew);
            }
            self.stream.leave(index, local);
        }
        self.pace.called.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What came of an attempt to fetch items.
pub(super) enum Fetched<R> {
    Block(Box<Block<R>>),
    /// Another thread is at the source.
    Busy,
    /// There is no room, nothing more comes, or nothing is to be run now.
    NotNow,
}
