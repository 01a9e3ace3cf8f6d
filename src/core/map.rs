//! Maps: many items, done by the calling thread and the crew, and a ready point all along.
//!
//! A map begins on the calling thread alone, which costs nothing but a look at the clock. The crew is asked for help as
//! soon as what is left is worth it: by what items of this function cost the last time, or else by what the first ones
//! cost now. So two empty items cost no more than two calls, and two dear ones are shared before the first begins.

use super::attention::{ABORT, CHECKPOINT, CHECKPOINT_TIME, STOP};
use super::crew::{default_size, Crew, DEFAULT_SPIN};
use super::event::Level;
use super::handler::Handler;
use super::lifecycle::Stop;
use super::pace::Pace;
use super::seat::{self, Seat};
use super::status::{Error, Result, Status};
use super::sync::{Arc, AtomicU32, AtomicU64, Mutex, Ordering};
use super::tally::{joined, Body, Notes, Policy, Span, Tally};
use super::work::{Attend, Plan, Work};
use std::sync::atomic::AtomicBool;
use std::sync::OnceLock;
use std::time::Duration;

/// What is left must be worth so many nanoseconds before the crew is asked: when somebody is awake, and when somebody
/// must be woken first, which takes the caller 8 us and the sleeper another 30.
const WORTH_ASKING: f32 = 2_000.0;
const WORTH_WAKING: f32 = 40_000.0;
/// Items of one piece of work are counted in 32 bits.
const MOST_AT_ONCE: u64 = u32::MAX as u64;

#[derive(Clone, Default)]
pub(crate) struct Options {
    /// How many threads take part, the caller included; 0: all.
    pub(crate) threads: u32,
    /// How many items are taken at once; `None`: as measured.
    pub(crate) chunk: Option<u32>,
    pub(crate) go_on: bool,
    pub(crate) retries: u32,
    pub(crate) counts_progress: bool,
    pub(crate) checkpoints: bool,
    pub(crate) check: bool,
    pub(crate) spin: Option<Duration>,
    /// How many items of an imap may be fetched and not taken.
    pub(crate) in_flight: Option<u32>,
    /// Results of an imap come as they are completed.
    pub(crate) as_completed: bool,
    /// The crew takes part however little there is to do.
    pub(crate) always_shared: bool,
}

/// What became of the items of the last map, in spans.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub(crate) enum Fate {
    /// Never begun.
    Left = 1,
    Failed = 2,
    /// In parallel and one after the other they came out differently.
    Differs = 3,
}

impl Fate {
    pub(crate) const ALL: [Fate; 3] = [Fate::Left, Fate::Failed, Fate::Differs];
}

#[derive(Default)]
struct Record([Vec<Span>; 3]);

/// What a handler keeps for its maps.
pub(crate) struct Maps {
    crew: Mutex<Option<Arc<Crew>>>,
    /// The size that was asked for; 0: the default.
    wanted: AtomicU32,
    default_size: OnceLock<u32>,
    costs: Costs,
    record: Mutex<Record>,
    /// Read and written by the computation thread.
    record_is_empty: AtomicBool,
    /// The computation thread is in a map.
    active: AtomicBool,
    /// That map is not fit for a checkpoint.
    torn: AtomicBool,
    /// A save came due inside it.
    save_waits: AtomicBool,
}

impl Maps {
    pub(super) fn new() -> Maps {
        Maps {
            crew: Mutex::new(None),
            wanted: AtomicU32::new(0),
            default_size: OnceLock::new(),
            costs: Costs::new(),
            record: Mutex::new(Record::default()),
            record_is_empty: AtomicBool::new(true),
            active: AtomicBool::new(false),
            torn: AtomicBool::new(false),
            save_waits: AtomicBool::new(false),
        }
    }

    pub(super) fn close(&self) {
        let crew = self.crew.lock().take();
        if let Some(crew) = crew {
            crew.close();
        }
    }

    fn size(&self) -> u32 {
        match self.wanted.load(Ordering::Relaxed) {
            0 => *self.default_size.get_or_init(default_size),
            size => size,
        }
    }

    fn active_crew(&self) -> Option<Arc<Crew>> {
        // Relaxed: the computation thread reads what it wrote.
        self.active.load(Ordering::Relaxed).then(|| self.crew.lock().clone()).flatten()
    }

    /// Whether a save has to wait for the end of a map. Then it comes at the next ready point.
    pub(super) fn puts_off_saving(&self) -> bool {
        let torn = self.torn.load(Ordering::Relaxed);
        if torn {
            self.save_waits.store(true, Ordering::Relaxed);
        }
        torn
    }
}

/// What an item of each loop cost the last time, in nanoseconds; and of each function, where the loop is a new one: what
/// its dearest items cost of late, because to wake somebody for nothing takes 8 us, and not to wake him half of the time.
struct Costs([(AtomicU64, AtomicU32); COSTS]);
const COSTS: usize = 128;

/// A loop is known by its function, its data and how long it is, roughly.
struct LoopKey {
    function: u64,
    all: u64,
}

impl LoopKey {
    fn of(body: &dyn Body, count: u64) -> LoopKey {
        // Multiplied, so that the upper bits depend on all.
        let mixed = |word: u64| word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (function, data) = body.frame().identity();
        let function = mixed(function as u64);
        LoopKey { function, all: mixed(function ^ (data as u64).rotate_left(7) ^ u64::from(count.ilog2()) << 57) }
    }
}

impl Costs {
    fn new() -> Costs {
        Costs([const { (AtomicU64::new(0), AtomicU32::new(0)) }; COSTS])
    }

    // Relaxed: guesses, taken from whichever map comes first.

    fn get(&self, key: u64) -> Option<f32> {
        let (place, cost) = &self.0[(key >> 32) as usize % COSTS];
        (place.load(Ordering::Relaxed) == key).then(|| f32::from_bits(cost.load(Ordering::Relaxed)))
    }

    fn set(&self, key: u64, nanoseconds: f32) {
        let (place, cost) = &self.0[(key >> 32) as usize % COSTS];
        place.store(key, Ordering::Relaxed);
        cost.store(nanoseconds.to_bits(), Ordering::Relaxed);
    }

    fn expected(&self, key: &LoopKey) -> Option<f32> {
        self.get(key.all).or_else(|| self.get(key.function))
    }

    fn note(&self, key: &LoopKey, nanoseconds: f32) {
        self.set(key.all, nanoseconds);
        let faded = self.get(key.function).map_or(0.0, |before| 0.9 * before + 0.1 * nanoseconds);
        self.set(key.function, faded.max(nanoseconds));
    }
}

/// A map that is going on, as far as the calling thread goes.
struct Course<'a> {
    handler: &'a Arc<Handler>,
    options: &'a Options,
    plan: Plan,
    index: u32,
}

impl Handler {
    /// How many threads do a map, the caller included.
    pub(crate) fn workers(&self) -> u32 {
        let size = self.maps.size();
        // A crew that cannot be replaced now has threads whose index is beyond the size that is wanted.
        let in_map = self.maps.active.load(Ordering::Relaxed);
        match &*self.maps.crew.lock() {
            Some(crew) if crew.size() > size && (in_map || !crew.is_idle()) => crew.size(),
            _ => size,
        }
    }

    /// Sets it, from the next map on; 0: the default.
    pub(crate) fn set_workers(&self, count: u32) {
        self.maps.wanted.store(count, Ordering::Relaxed);
    }

    /// The spans of the last map's items that met this fate.
    pub(crate) fn items(&self, fate: Fate, at: usize) -> Option<Span> {
        self.maps.record.lock().0[fate as usize - 1].get(at).copied()
    }

    /// Notes which items of the last map came out differently.
    pub(crate) fn note_differing(&self, spans: Vec<Span>) {
        self.maps.record_is_empty.store(false, Ordering::Relaxed);
        self.maps.record.lock().0[Fate::Differs as usize - 1] = spans;
    }

    pub(super) fn crew(&self, may_replace: bool) -> Arc<Crew> {
        let mut place = self.maps.crew.lock();
        let size = self.maps.size();
        if let Some(crew) = &*place {
            if !may_replace || crew.is_like(size, self.stack_bytes()) || !crew.is_idle() {
                return crew.clone();
            }
            crew.close();
        }
        let (crew, problem) = Crew::new(self, size);
        *place = Some(crew.clone());
        drop(place);
        if let Some(problem) = problem {
            self.log(Level::Warning, problem.text);
        }
        crew
    }

    /// Whether no worker is inside an item.
    pub(super) fn workers_stand_still(&self) -> bool {
        self.maps.active_crew().is_none_or(|crew| crew.stance.is_still())
    }

    /// Serves while no worker is inside an item.
    pub(super) fn standing_still<T>(&self, serve: impl FnOnce() -> T) -> T {
        let crew = self.maps.active_crew();
        let _held = crew.as_ref().map(|crew| crew.stance.hold(crew.attention));
        serve()
    }

    /// Refuses a thread that may not call a map now.
    pub(crate) fn check_may_map(&self) -> Result<()> {
        if seat::is_in_item_of(self.handle()) {
            return Ok(());
        }
        self.check_computing_outside_callbacks()
    }

    /// A ready point outside maps while workers may be inside items of an imap: they stand still where they must.
    pub(super) fn ready_beside_workers(&self) -> Result<Status> {
        // Relaxed: only the computation thread reads it.
        self.check_computing_outside_callbacks()?;
        self.maps.active.store(true, Ordering::Relaxed);
        let verdict = self.attend();
        self.maps.active.store(false, Ordering::Relaxed);
        Ok(verdict)
    }

    /// Why a map must end early, if it must.
    pub(super) fn must_end_map(&self, policy: Policy, control: u32) -> Option<Status> {
        if control & ABORT != 0 {
            return Some(Status::Aborted);
        }
        if control & STOP == 0 || policy.outlives_stop {
            return None;
        }
        // A job with a way to save goes on to the end of the map: its memory is whole only there.
        (policy.checkpoints || !self.can_save()).then_some(Status::Stopped)
    }

    /// Does the items from 0 to `count`. `Ok` is 0 or why it ended early.
    pub(crate) fn map<B: Body + Clone + 'static>(
        self: &Arc<Self>,
        body: &B,
        count: u64,
        options: &Options,
    ) -> Result<Status> {
        let seat = seat::current();
        let inner = seat.handle == self.handle() && seat.depth > 0;
        if inner {
            let notes = self.course(body, count, options, seat.depth + 1, seat.index, &mut |tally| {
                self.crew(false).stand_while_asked(self, tally, seat.depth + 1);
            });
            return verdict_of(&notes);
        }
        self.check_computing_outside_callbacks()?;
        let notes = {
            let _going_on = GoingOn::new(self, options);
            if options.counts_progress {
                self.begin_progress(count);
            }
            self.course(body, count, options, 1, 0, &mut |tally| self.attend_in_map(tally))
        };
        let verdict = verdict_of(&notes);
        if let Ok(told @ (Status::Aborted | Status::Stopped)) = verdict {
            self.run.lock().told = Some(told);
        }
        self.keep(notes);
        verdict
    }

    /// What the computation thread does at a ready point inside a map.
    fn attend_in_map(&self, tally: &Tally) {
        // First, so that no item begins after a save that is the last.
        self.end_if_asked(tally);
        let verdict = {
            let _seat = seat::leave();
            self.in_callback.store(false, Ordering::Relaxed);
            let verdict = self.attend();
            self.in_callback.store(true, Ordering::Relaxed);
            verdict
        };
        if verdict != Status::Ok {
            tally.end(verdict);
        }
        self.end_if_asked(tally);
    }

    fn end_if_asked(&self, tally: &Tally) {
        if let Some(reason) = self.must_end_map(tally.policy(), self.attention().control()) {
            tally.end(reason);
        }
    }

    /// Keeps what became of the items, for whoever asks. Without a lock when all is well, as it was before.
    fn keep(&self, notes: Notes) {
        let spans = [joined(notes.left), joined(notes.failed), Vec::new()];
        let is_empty = spans.iter().all(Vec::is_empty);
        if !is_empty || !self.maps.record_is_empty.load(Ordering::Relaxed) {
            self.maps.record.lock().0 = spans;
            self.maps.record_is_empty.store(is_empty, Ordering::Relaxed);
        }
    }

    fn course<B: Body + Clone + 'static>(
        self: &Arc<Self>,
        body: &B,
        count: u64,
        options: &Options,
        depth: u32,
        index: u32,
        attend: Attend<'_>,
    ) -> Notes {
        let outlives_stop = !super::table::nothing_pending(self.handle()) && self.run.lock().stop == Stop::Saving;
        let policy =
            Policy { go_on: options.go_on, retries: options.retries, checkpoints: options.checkpoints, outlives_stop };
        let mut tally = Tally::new(policy, self.handle(), self.attention());
        if !super::table::nothing_pending(self.handle()) {
            attend(&tally);
        }
        // The crew may be a larger one, of before.
        let threads = match options.threads {
            0 => self.maps.size(),
            threads => threads.min(self.maps.size()),
        };
        let (chunk, counts_progress) = (options.chunk, options.counts_progress && depth == 1);
        let plan = Plan { depth, threads, chunk, counts_progress };
        let course = Course { handler: self, options, plan, index };
        let local = body.frame().enter(index);
        let taken = seat::take(Seat { handle: self.handle(), depth, index, local });
        let mut begin = 0;
        while begin < count {
            if tally.has_ended() {
                tally.leave((begin, count));
                break;
            }
            let end = count.min(begin + MOST_AT_ONCE);
            tally = course.run(body, tally, (begin, end), attend);
            begin = end;
        }
        drop(taken);
        body.frame().leave(index, local);
        tally.into_notes()
    }
}

impl Course<'_> {
    fn run<B: Body + Clone + 'static>(&self, body: &B, tally: Tally, (begin, end): Span, attend: Attend<'_>) -> Tally {
        let costs = &self.handler.maps.costs;
        let loop_key = LoopKey::of(body, end - begin);
        let expected = costs.expected(&loop_key);
        let one_by_one = body.is_one_by_one();
        let mut pace = Pace::new(self.plan.chunk);
        let (mut at, mut timed) = (begin, 0);
        while at < end {
            if tally.has_ended() {
                tally.leave((at, end));
                break;
            }
            let left = end - at;
            if left > 1 && self.plan.threads > 1 && self.is_worth_sharing(left, &pace, expected) {
                let (tally, cost) = self.share(Box::new(body.clone()), tally, (at, end), attend);
                costs.note(&loop_key, if pace.knows() { pace.cost().max(cost) } else { cost });
                return tally;
            }
            let mut look = tally.look();
            look.every = pace.unlooked(one_by_one);
            let reached = tally.run(body, &look, (at, at + u64::from(pace.chunk(left as u32))));
            // One item alone cannot be shared: no need to know what it costs before it is done.
            if end - reached != 1 || pace.knows() || look.is_wanted() {
                pace.did((reached - begin) as u32 - timed);
                timed = (reached - begin) as u32;
            }
            if self.plan.counts_progress {
                self.handler.raise_progress(tally.count(reached - at));
            }
            at = reached;
            if look.is_wanted() && !tally.has_ended() {
                if crate::sys::forked() {
                    tally.end(Status::Forked);
                    break;
                }
                attend(&tally);
                pace.restart();
            }
        }
        costs.note(&loop_key, pace.mean_cost());
        tally
    }

    fn is_worth_sharing(&self, left: u64, pace: &Pace, expected: Option<f32>) -> bool {
        if self.options.always_shared {
            return true;
        }
        let cost = match expected {
            _ if pace.knows() => pace.cost(),
            Some(cost) => cost,
            // Never seen: the crew may come for nothing once.
            None => return true,
        };
        let total = cost * left as f32;
        total > WORTH_WAKING || (total > WORTH_ASKING && self.crew_is_awake())
    }

    fn crew_is_awake(&self) -> bool {
        self.handler.maps.crew.lock().as_ref().is_some_and(|crew| crew.is_looking())
    }

    /// Does the items together with the crew. Returns what an item cost, too.
    fn share(&self, body: Box<dyn Body>, tally: Tally, items: Span, attend: Attend<'_>) -> (Tally, f32) {
        let crew = self.handler.crew(self.plan.depth == 1);
        if self.plan.depth == 1 || self.options.spin.is_some() {
            crew.set_spin(self.options.spin.unwrap_or(DEFAULT_SPIN));
        }
        let work = Arc::new(Work::new((self.handler, &crew), body, tally, items, self.index, &self.plan));
        crew.publish(&work);
        if self.plan.depth == 1 {
            crew.rhythm.begin();
        }
        let cost = work.take_part(self.index, false, attend);
        crew.finish(&work, self.index, self.plan.depth == 1, attend);
        if crate::sys::forked() {
            // Its other threads are not in this process, and may have taken its locks with them.
            std::mem::forget(work);
            let tally = Tally::new(Policy::default(), self.handler.handle(), self.handler.attention());
            tally.end(Status::Forked);
            return (tally, cost);
        }
        if self.plan.depth == 1 {
            crew.rhythm.end();
        }
        let (mut work, mut tries) = (work, 0);
        loop {
            // Who left the map a moment ago may not have let go of it yet.
            match Arc::try_unwrap(work) {
                Ok(work) => return (work.tally, cost),
                Err(held) => work = held,
            }
            tries += 1;
            if tries < 1000 {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }
}

fn verdict_of(notes: &Notes) -> Result<Status> {
    if notes.end == Some(Status::Panic) {
        return Err(Error::new(Status::Panic, "park met a panic of its own: please report it"));
    }
    if notes.end == Some(Status::Forked) {
        return Err(Error::new(Status::Forked, "an item made this process by fork: it has no workers"));
    }
    if let Some(reason @ (Status::Aborted | Status::Stopped)) = notes.end {
        return Ok(reason);
    }
    match notes.first {
        None => Ok(Status::Ok),
        Some((item, code)) => Err(Error::new(Status::Failed, format!("item {item}: the function returned {code}"))),
    }
}

/// From the begin to the end of a map of the computation thread, also when park's own part of it panics.
struct GoingOn<'a>(&'a Handler);

impl<'a> GoingOn<'a> {
    // Relaxed: only the computation thread reads them.
    fn new(handler: &'a Handler, options: &Options) -> GoingOn<'a> {
        handler.in_callback.store(true, Ordering::Relaxed);
        handler.maps.active.store(true, Ordering::Relaxed);
        handler.maps.torn.store(!options.checkpoints, Ordering::Relaxed);
        GoingOn(handler)
    }
}

impl Drop for GoingOn<'_> {
    fn drop(&mut self) {
        self.0.in_callback.store(false, Ordering::Relaxed);
        self.0.maps.active.store(false, Ordering::Relaxed);
        self.0.maps.torn.store(false, Ordering::Relaxed);
        if self.0.maps.save_waits.load(Ordering::Relaxed) {
            self.0.maps.save_waits.store(false, Ordering::Relaxed);
            let asked = self.0.run.lock().save_asked;
            self.0.attention().raise(if asked { CHECKPOINT } else { CHECKPOINT_TIME });
        }
    }
}
