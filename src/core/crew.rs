//! The crew: a handler's workers, and the board on which maps ask them for help.
//!
//! The threads are park's own, made at the first map that needs them and joined when the handler is freed. (rayon's pool
//! would hold the very same threads: a caller from outside cannot take part in its loops, and entering it costs 30 us.)
//!
//! # Who stands still
//!
//! `stance` says how they stand still. Only threads that are in one map stand still for a request: one that is in an item
//! and calls a map in it goes on until that item is done, so nobody waits for a lock that somebody holds who stands
//! still. In a pause all stand still, because whatever waits then waits for the resume anyway.

use super::alarm::{Alarm, Ticket};
use super::attention::{asked_in, Attention, EDGES, LEVELS, PAUSE};
use super::handler::Handler;
use super::rhythm::Rhythm;
use super::seat::{self, Seat};
use super::stance::Stance;
use super::status::{Error, Result, Status};
use super::sync::{Arc, AtomicU32, AtomicU64, Mutex, Ordering};
use super::tally::Tally;
use super::work::{Attend, Work};
use crate::sys::FloatEnv;
use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long an idle worker looks for the next map before it sleeps, unless asked otherwise. A loop that calls one map
/// after the other finds it awake; a processor is not burnt.
pub(crate) const DEFAULT_SPIN: Duration = Duration::from_micros(50);
/// How long the caller looks out for the last items of others before it sleeps.
const TAIL_SPIN: Duration = Duration::from_micros(50);

/// What a worker can be called to for a while, and leaves when it is wanted elsewhere: an imap.
pub(crate) trait Help: Send + Sync {
    /// Takes part, on the worker with this index, until there is nothing to do or [`Crew::wants_workers`].
    fn help(&self, crew: &Arc<Crew>, index: u32);
}

pub(crate) struct Crew {
    handle: u64,
    pub(super) attention: Attention<'static>,
    size: u32,
    stack_bytes: usize,
    board: Mutex<Vec<Arc<Work>>>,
    /// How many maps are on the board.
    maps: AtomicU32,
    /// Calls that no worker has answered.
    calls: Mutex<VecDeque<Arc<dyn Help>>>,
    alarm: Alarm,
    pub(super) rhythm: Rhythm,
    /// Workers that look for work, awake.
    looking: AtomicU32,
    spin: AtomicU64,
    closing: AtomicBool,
    pub(super) stance: Stance,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Crew {
    /// A crew of so many threads, the caller's included. When there are not so many to be had, the reason is told
    /// too.
    pub(crate) fn new(handler: &Handler, size: u32) -> (Arc<Crew>, Option<Error>) {
        let mut threads = Vec::new();
        let wanted = size;
        let mut problem = None;
        let crew = Arc::new(Crew {
            handle: handler.handle(),
            attention: handler.attention(),
            size,
            stack_bytes: handler.stack_bytes(),
            board: Mutex::new(Vec::new()),
            maps: AtomicU32::new(0),
            calls: Mutex::new(VecDeque::new()),
            alarm: Alarm::new(),
            rhythm: Rhythm::new(),
            looking: AtomicU32::new(0),
            spin: AtomicU64::new(DEFAULT_SPIN.as_nanos() as u64),
            closing: AtomicBool::new(false),
            stance: Stance::new(),
            threads: Mutex::new(Vec::new()),
        });
        for index in 1..wanted {
            let worker = crew.clone();
            let started = crate::sys::with_signals_blocked(|| {
                let builder = std::thread::Builder::new().name(format!("park-worker-{index}"));
                builder.stack_size(worker.stack_bytes).spawn(move || {
                    let _uncancelled = crate::sys::CancelDisabled::new();
                    worker.work(index);
                })
            });
            match started {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    let text = format!("{} of {wanted} threads for maps: {error}", threads.len() + 1);
                    problem = Some(Error::new(Status::System, text));
                    break;
                }
            }
        }
        *crew.threads.lock() = threads;
        (crew, problem)
    }

    /// How many threads it has, the caller's included.
    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// Whether it is as the handler now wants one.
    pub(crate) fn is_like(&self, size: u32, stack_bytes: usize) -> bool {
        self.size == size && self.stack_bytes == stack_bytes
    }

    pub(crate) fn set_spin(&self, spin: Duration) {
        // Relaxed: a number by itself.
        self.spin.store(u64::try_from(spin.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Lets the threads end, and waits for it. No map is going on.
    pub(crate) fn close(self: &Arc<Self>) {
        self.closing.store(true, Ordering::Release);
        self.alarm.announce();
        self.alarm.wake(u32::MAX);
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            // A panic in it was reported already.
            let _ = thread.join();
        }
        // They leave at once; whoever called must know that nobody comes.
        let calls = std::mem::take(&mut *self.calls.lock());
        calls.into_iter().for_each(|call| call.help(self, 0));
    }

    // The board.

    /// Whether somebody is awake and looks for work.
    pub(crate) fn is_looking(&self) -> bool {
        self.looking.load(Ordering::Relaxed) > 0
    }

    /// Asks for help with a map.
    pub(super) fn publish(&self, work: &Arc<Work>) {
        self.board.lock().push(work.clone());
        self.maps.fetch_add(1, Ordering::Relaxed);
        self.announce();
        self.wake_one();
        if work.depth > 1 {
            // The computation thread may wait for the end of an outer map, asleep.
            self.attention.nudge();
        }
    }

    pub(super) fn announce(&self) {
        self.alarm.announce();
    }

    /// Wakes one; who was woken wakes the next.
    pub(super) fn wake_one(&self) {
        self.alarm.wake(1);
    }

    /// Wakes one who has nothing to do though there is work.
    pub(super) fn wake_sleeper(&self) {
        if self.alarm.asleep() > 0 && !self.is_looking() {
            self.alarm.announce();
            self.alarm.wake(1);
        }
    }

    /// Takes a map off the board, if its caller is alone in it.
    fn withdraw(&self, work: &Arc<Work>) -> bool {
        let mut board = self.board.lock();
        if !work.is_alone() {
            return false;
        }
        board.retain(|other| !Arc::ptr_eq(other, work));
        self.maps.fetch_sub(1, Ordering::Relaxed);
        true
    }

    /// Finds a map that needs help, the newest first: an inner one holds up an outer one. Those which have nothing to
    /// give right now are told that somebody is hungry.
    fn find(&self, deeper_than: u32) -> Option<Arc<Work>> {
        let board = self.board.lock();
        for work in board.iter().rev().filter(|work| work.depth > deeper_than) {
            if !work.has_something_to_steal() {
                work.tally.say_hungry();
            } else if work.join() {
                return Some(work.clone());
            }
        }
        None
    }

    // Calls.

    /// Some worker that has nothing to do will help. Does not wait.
    pub(super) fn call(&self, help: Arc<dyn Help>) {
        self.calls.lock().push_back(help);
        self.announce();
        self.wake_one();
    }

    /// Answers a call. The worker counts itself in before anybody can find that it has taken the call.
    fn answer(&self) -> Option<Arc<dyn Help>> {
        let mut calls = self.calls.lock();
        let call = calls.pop_front()?;
        self.stance.start_moving();
        Some(call)
    }

    /// Whether those who answered a call are to leave it: a map's caller waits for help, or nobody is to be inside an item.
    pub(super) fn wants_workers(&self) -> bool {
        self.maps.load(Ordering::Relaxed) > 0 || self.stance.is_held() || self.closing.load(Ordering::Relaxed)
    }

    /// Whether no worker does anything, nor will before it is asked.
    pub(super) fn is_idle(&self) -> bool {
        let calls = self.calls.lock();
        calls.is_empty() && self.stance.is_still()
    }

    // Workers.

    fn work(self: &Arc<Self>, index: u32) {
        crate::sys::sleep_precisely();
        let _seat = seat::take(Seat { handle: self.handle, depth: 0, index, local: 0 });
        let mut has_helped = false;
        // In a child made by fork, by an item of its own, it is the only thread.
        while !self.closing.load(Ordering::Acquire) && !crate::sys::forked() {
            let ticket = self.alarm.ticket();
            if let Some(work) = self.find(0) {
                self.help(work, index);
                has_helped = true;
                continue;
            }
            if let Some(call) = self.answer() {
                let help = std::panic::AssertUnwindSafe(|| call.help(self, index));
                let helped = std::panic::catch_unwind(help);
                drop((helped, call));
                self.stance.stop_moving(&self.attention);
                continue;
            }
            // Closing is announced, too.
            if self.closing.load(Ordering::Acquire) || self.looks_out(ticket, self.spin()) {
                continue;
            }
            let expectation = if has_helped { self.rhythm.expectation() } else { None };
            has_helped = false;
            self.alarm.sleep(ticket, expectation.map(|(pause, _)| pause));
            if let Some((_, window)) = expectation {
                if !self.looks_out(ticket, window) {
                    self.alarm.sleep(ticket, None);
                }
            }
        }
    }

    fn spin(&self) -> Duration {
        Duration::from_nanos(self.spin.load(Ordering::Relaxed))
    }

    /// Looks out for news, awake. Returns whether there are any.
    fn looks_out(&self, ticket: Ticket, limit: Duration) -> bool {
        let since = Instant::now();
        self.looking.fetch_add(1, Ordering::Relaxed);
        while self.alarm.ticket() == ticket && since.elapsed() < limit {
            for _ in 0..20 {
                std::hint::spin_loop();
                if self.alarm.ticket() != ticket {
                    break;
                }
            }
        }
        self.looking.fetch_sub(1, Ordering::Relaxed);
        self.alarm.ticket() != ticket
    }

    fn help(&self, work: Arc<Work>, index: u32) {
        self.stance.start_moving();
        // A panic ends the map, which tells of it.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let (handler, depth) = (&work.handler, work.depth);
            if self.stance.is_held() {
                self.stand_while_asked(handler, &work.tally, depth);
            }
            work.help(index, &mut |tally| self.stand_while_asked(handler, tally, depth));
        }));
        drop(work);
        self.stance.stop_moving(&self.attention);
    }

    fn is_asked_to_stand(&self, handler: &Handler, tally: &Tally, depth: u32, control: u32) -> bool {
        if tally.has_ended() {
            return false;
        }
        if let Some(reason) = handler.must_end_map(tally.policy(), control) {
            tally.end(reason);
            return false;
        }
        (control & PAUSE != 0 && !handler.loop_must_save()) || (depth == 1 && self.stance.is_held())
    }

    /// What a worker does at a ready point inside a map, and whoever calls a map inside an item: it stands still while
    /// it is asked to, and ends the map when the run is to end.
    pub(super) fn stand_while_asked(&self, handler: &Handler, tally: &Tally, depth: u32) {
        // The computation thread is not counted.
        let counted = seat::current().index != 0;
        self.stance.stand(&self.attention, counted, |control| self.is_asked_to_stand(handler, tally, depth, control));
    }

    // The caller of a map.

    /// Does what others give back, helps where it may, and waits, until all items are dealt with.
    pub(super) fn finish(&self, work: &Arc<Work>, index: u32, may_help: bool, attend: Attend<'_>) {
        let mut seen = None;
        let mut since = Instant::now();
        loop {
            // An item made this process by fork: nobody else is here, and nothing can be waited for.
            if crate::sys::forked() || self.withdraw(work) {
                return;
            }
            work.tally.say_hungry();
            let ticket = self.alarm.ticket();
            if work.has_something_to_steal() {
                work.take_part(index, false, attend);
                continue;
            }
            // In no item, the computation thread can help with maps inside of this one, unless it is to halt.
            if may_help && self.attention.control() & PAUSE == 0 {
                if let Some(inner) = self.find(work.depth) {
                    let (handler, depth) = (inner.handler.clone(), inner.depth);
                    let env = FloatEnv::of_this_thread();
                    inner.help(index, &mut |tally| self.stand_while_asked(&handler, tally, depth));
                    env.apply();
                    since = Instant::now();
                    continue;
                }
            }
            while self.alarm.ticket() == ticket && !work.is_alone() {
                let control = self.attention.control();
                if seen != Some(control) {
                    // The control word changes first, then attention is raised: only the former cannot be missed.
                    if control & (EDGES | LEVELS) != 0 {
                        attend(&work.tally);
                    }
                    // As it was before: what came meanwhile is attended to the next time. A pause always is. Edges are
                    // taken by the computation thread between its items, and by nobody else.
                    seen = Some(if may_help { control & !(EDGES | PAUSE) } else { control & !PAUSE });
                }
                if since.elapsed() < TAIL_SPIN {
                    for _ in 0..10 {
                        if work.is_alone() {
                            break;
                        }
                        std::hint::spin_loop();
                    }
                    continue;
                }
                let word = self.attention.watch();
                if self.alarm.ticket() == ticket && !work.is_alone() && Some(asked_in(word)) == seen {
                    self.attention.sleep(word);
                }
            }
        }
    }
}

/// How many threads a map has, unless the program says: what the environment says, else what the machine and the
/// container let this process have.
pub(crate) fn default_size() -> u32 {
    let from_environment = ["PARK_NUM_THREADS", "SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"].iter().find_map(|name| {
        let text = std::env::var(name).ok()?;
        // OpenMP's may be a list, one number a level.
        let first = text.split(',').next()?.trim();
        first.parse::<u32>().ok().filter(|&count| (1..=MOST_THREADS).contains(&count))
    });
    // std looks at the affinity mask, and at the cgroups' quotas, version 1 and 2.
    from_environment.unwrap_or_else(|| {
        std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1))
    })
}

pub(crate) const MOST_THREADS: u32 = 4096;

/// A refusal of a number of threads.
pub(crate) fn check_size(count: i64) -> Result<u32> {
    u32::try_from(count)
        .ok()
        .filter(|&count| count <= MOST_THREADS)
        .ok_or_else(|| Error::argument(format!("count: {count} is not a number of threads from 0 to {MOST_THREADS}")))
}
