//! The taker of an imap: takes the results, one by one, and runs items itself while there is nothing to take.

use super::attention::asked_in;
use super::desk::{Found, Source};
use super::handler::{CallbackMark, Handler};
use super::imap::{Fetched, Imap};
use super::inside::Inside;
use super::seat::{self, Seat, Taken};
use super::status::{Error, Result, Status};
use super::stream::{Block, Stream};
use super::sync::{Arc, Ordering};
use super::table;
use super::tally::{self, Tally};
use std::collections::VecDeque;
use std::time::Instant;

/// How often the taker looks for a result that others are about to have before it sleeps: some microseconds.
const PATIENCE: u32 = 500;

/// What the taker comes back with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// There is a result: see [`Taker::current`].
    Result,
    /// There is none, and none will be.
    Ended(Status),
}

/// The item that ended it, and its status.
#[derive(Clone, Copy)]
pub(crate) struct Culprit {
    pub(crate) index: u64,
    pub(crate) code: i32,
}

pub(crate) struct Taker<S: Stream> {
    imap: Arc<Imap<S>>,
    handler: Arc<Handler>,
    /// What is being taken, and how far.
    block: Option<Box<Block<S::Room>>>,
    at: usize,
    ended: Option<Status>,
    pub(crate) culprit: Option<Culprit>,
    /// After an early end: what was fetched and not taken.
    rest: Option<VecDeque<Box<Block<S::Room>>>>,
    /// The control word of the last ready point.
    seen: u32,
    /// How many results were in the blocks that are done with.
    taken: u64,
    /// What the hook returned when this thread ran its first item, and the thread's index.
    local: Option<(u32, usize)>,
    /// The desk counts it among those who may be inside the user's functions.
    is_inside: bool,
}

impl<S: Stream> Taker<S> {
    pub(crate) fn new(imap: Arc<Imap<S>>, handler: Arc<Handler>) -> Taker<S> {
        if let Some(total) = imap.policy.progress {
            handler.begin_progress(total.unwrap_or(0));
        }
        Taker {
            imap,
            handler,
            block: None,
            at: 0,
            ended: None,
            culprit: None,
            rest: None,
            seen: 0,
            taken: 0,
            local: None,
            is_inside: false,
        }
    }

    pub(crate) fn imap(&self) -> &Arc<Imap<S>> {
        &self.imap
    }

    /// The result that comes next: the memory, the place in it, index and status. Nothing when `next` has to be asked
    /// first. Looks at nothing else: between items somebody must.
    #[inline(always)]
    pub(crate) fn current(&self) -> Option<(&S::Room, usize, u64, i32)> {
        let block = self.block.as_ref()?;
        let status = block.status(self.at)?;
        Some((&block.room, self.at, block.first + self.at as u64, status))
    }

    /// The results of the block in hand, when all that is left of it is done: the memory, the index of its first item, the
    /// place of the next result and the place after the last.
    pub(crate) fn at_hand(&self) -> Option<(&S::Room, u64, usize, usize)> {
        let block = self.block.as_ref().filter(|block| block.failed.is_empty() && self.ended.is_none())?;
        Some((&block.room, block.first, self.at, block.ran))
    }

    /// Of the results at hand those before this place were taken.
    pub(crate) fn took(&mut self, at: usize) {
        self.at = at;
    }

    /// The current result was taken.
    #[inline(always)]
    pub(crate) fn advance(&mut self) {
        self.at += 1;
    }

    /// A ready point, then the next result, which is waited for until the deadline.
    pub(crate) fn next(&mut self, deadline: Option<Instant>) -> Result<Next> {
        if let Some(status) = self.ended {
            return Ok(Next::Ended(status));
        }
        let next = self.find(deadline);
        // Not in a child that an item made by fork: as in `Imap::lay`.
        if std::mem::take(&mut self.is_inside) && !crate::sys::forked() {
            self.imap.desk.leave_taker();
        }
        if let Ok(Next::Ended(status)) = next {
            self.ended = Some(status);
            self.leave();
        }
        next
    }

    /// Why it ended as failed.
    pub(crate) fn reason(&self) -> String {
        match (self.culprit, self.imap.desk.source()) {
            (Some(Culprit { index, code }), Source::Failed { index: missing, .. }) if index == missing => {
                format!("source: it returned {code} instead of item {index}")
            }
            (Some(Culprit { index, code }), _) => format!("item {index}: the function returned {code}"),
            (None, _) => format!("{} items failed", self.imap.failures()),
        }
    }

    fn find(&mut self, deadline: Option<Instant>) -> Result<Next> {
        let mut has_spun = false;
        loop {
            if crate::sys::forked() {
                return Err(Error::new(Status::Forked, "an item made this process by fork: it has no workers"));
            }
            match self.look()? {
                Status::Ok => {}
                status => return Ok(Next::Ended(status)),
            }
            if let Some(next) = self.take_current() {
                return Ok(next);
            }
            self.note_progress();
            let news = self.imap.desk.news();
            let most = self.items_in_time(deadline);
            let limit = if most == 0 { 0 } else { self.imap.limit() };
            let found = self.imap.desk.take(self.block.take(), limit);
            self.is_inside = matches!(found, Found::Broken(_) | Found::Nothing);
            let fetched = match found {
                Found::Done(block) => {
                    (self.block, self.at) = (Some(block), 0);
                    self.imap.call_for_help(false, None);
                    continue;
                }
                Found::Over => return Ok(Next::Ended(self.over())),
                Found::Closed => return Err(Error::new(Status::Closed, "the imap was freed")),
                Found::Broken(block) => Fetched::Block(block),
                Found::Nothing if most == 0 => Fetched::NotNow,
                Found::Nothing => self.fetch(most),
            };
            let is_busy = matches!(fetched, Fetched::Busy);
            if let Fetched::Block(block) = fetched {
                self.run(block);
                has_spun = false;
            } else if !has_spun && most > 0 {
                self.imap.call_for_help(false, None);
                self.spin(news, is_busy);
                has_spun = true;
            } else {
                self.imap.call_for_help(most == 0, None);
                if deadline.is_some_and(|at| at <= Instant::now()) {
                    return Err(Error::new(Status::Timeout, "there is no result yet"));
                }
                let something = |word| asked_in(word) != self.seen || (is_busy && !self.imap.starve());
                self.imap.desk.sleep(limit, deadline, something);
                has_spun = false;
            }
        }
    }

    /// Looks out for what others are about to bring, for some microseconds.
    fn spin(&self, news: u64, source_is_busy: bool) {
        for _ in 0..PATIENCE {
            if self.imap.desk.news() != news
                || !table::nothing_pending(self.imap.job)
                || (source_is_busy && !self.imap.source_is_busy())
            {
                return;
            }
            std::hint::spin_loop();
        }
    }

    /// What is in hand.
    fn take_current(&mut self) -> Option<Next> {
        let (_, _, index, status) = self.current()?;
        let block = self.block.as_ref()?;
        if block.is_cut && self.at + 1 == block.ran {
            self.at += 1;
            self.culprit = Some(Culprit { index, code: status });
            return Some(Next::Ended(Status::Failed));
        }
        Some(Next::Result)
    }

    fn note_progress(&mut self) {
        if let (Some(block), Some(_)) = (&self.block, self.imap.policy.progress) {
            self.taken += block.count as u64;
            self.handler.raise_progress(self.taken);
        }
    }

    /// How many items may be run until the deadline. Who may only look runs none, unless nobody else can.
    fn items_in_time(&self, deadline: Option<Instant>) -> usize {
        let Some(at) = deadline else { return usize::MAX };
        let left = at.saturating_duration_since(Instant::now()).as_nanos();
        let items = match self.imap.cost_nanoseconds() {
            _ if left == 0 => 0,
            None => 1,
            Some(cost) => (left / u128::from(cost.max(1))).min(1 << 20) as usize,
        };
        if self.imap.policy.threads == 1 {
            items.max(1)
        } else {
            items
        }
    }

    fn fetch(&mut self, most: usize) -> Fetched<S::Room> {
        let _within = self.within();
        self.imap.try_fetch(most, None)
    }

    fn run(&mut self, mut block: Box<Block<S::Room>>) {
        let since = Instant::now();
        let before = block.ran;
        {
            let _within = self.within();
            self.imap.run(&mut block, None);
        }
        self.imap.measured(block.ran - before, since);
        self.imap.lay(block);
    }

    /// The calling thread is inside the user's functions until it is dropped.
    fn within(&mut self) -> Within {
        let outer = seat::current();
        let outer = if outer.handle == self.imap.job { (outer.depth, outer.index) } else { (0, 0) };
        let (depth, index) = (outer.0 + 1, outer.1);
        // Relaxed: workers that come see it by the crew's lock.
        self.imap.depth.store(depth, Ordering::Relaxed);
        let inside = self.imap.inside();
        let local = match self.local {
            Some((_, local)) => local,
            None => {
                let local = self.imap.stream.enter(index);
                self.local = Some((index, local));
                local
            }
        };
        let seat = seat::take(Seat { handle: self.imap.job, depth, index, local });
        Within { _inside: inside, _seat: seat, _callback: self.handler.enter_callback() }
    }

    /// This thread runs no more items.
    fn leave(&mut self) {
        if let Some((index, local)) = self.local.take() {
            self.imap.stream.leave(index, local);
        }
    }

    /// A ready point.
    fn look(&mut self) -> Result<Status> {
        if table::nothing_pending(self.imap.job) {
            return Ok(Status::Ok);
        }
        if table::find(self.imap.job).is_none() {
            return Err(Error::new(Status::Closed, "the handler of the imap was freed"));
        }
        // What comes after this is looked at again.
        let before = self.handler.attention().control();
        let status =
            if seat::is_in_item_of(self.imap.job) { self.stand() } else { self.handler.ready_beside_workers()? };
        self.seen = before;
        if status == Status::Ok {
            self.imap.tolerate(before);
        }
        Ok(status)
    }

    /// A ready point inside an item of a map or another imap.
    fn stand(&self) -> Status {
        let tally = Tally::new(tally::Policy::default(), self.imap.job, self.handler.attention());
        self.handler.crew(false).stand_while_asked(&self.handler, &tally, seat::current().depth + 1);
        tally.into_notes().end.unwrap_or(Status::Ok)
    }

    /// All is taken.
    fn over(&mut self) -> Status {
        if let Source::Failed { index, code } = self.imap.desk.source() {
            self.culprit = Some(Culprit { index, code });
            return Status::Failed;
        }
        if self.imap.failures() > 0 {
            Status::Failed
        } else {
            Status::End
        }
    }

    /// After an early end: goes on to the next item that was fetched and not taken, and returns whether there is one.
    /// It is [`Taker::current`] when it has run.
    pub(crate) fn next_of_rest(&mut self) -> Result<Rest> {
        if self.ended.is_none() {
            return Err(Error::new(Status::Busy, "the imap has not ended: take its results by park_imap_next"));
        }
        if self.rest.is_none() {
            self.imap.halt();
            self.imap.desk.wait_until_left(true);
            self.rest = Some(self.imap.desk.clear().into());
        }
        loop {
            if let Some(block) = &self.block {
                if self.at < block.ran {
                    return Ok(Rest::Result);
                }
                if self.at < block.count {
                    self.at += 1;
                    return Ok(Rest::NotRun(block.first + self.at as u64 - 1));
                }
            }
            match self.rest.as_mut().and_then(VecDeque::pop_front) {
                Some(block) => (self.block, self.at) = (Some(block), 0),
                None => {
                    self.block = None;
                    return Ok(Rest::Over);
                }
            }
        }
    }
}

impl<S: Stream> Drop for Taker<S> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// See [`Taker::within`].
struct Within {
    _callback: CallbackMark,
    _seat: Taken,
    _inside: Inside,
}

/// What is left of an imap that ended early.
pub(crate) enum Rest {
    /// The current item has run.
    Result,
    /// The item of this index was fetched, and has not run.
    NotRun(u64),
    Over,
}
