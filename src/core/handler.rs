//! A handler: one job, with all that belongs to it.

use super::attention::{
    is_halted, is_running, Attention, Signal, ABORT, DELIVER, EVERY_CHECKPOINT, EVERY_PROGRESS, STOP,
};
use super::catch;
use super::checkpoint::Checkpoints;
use super::client::{Client, EventFn, Place};
use super::control::Control;
use super::curve::Curve;
use super::deadline::Deadline;
use super::estimate::Estimate;
use super::event::{Event, JobState, Kind, Level, Progress};
use super::hub::{Best, Hub, ToTell};
use super::inbox::Inbox;
use super::lifecycle::Run;
use super::map::Maps;
use super::notify::Notifier;
use super::pulse::Pulse;
use super::seat;
use super::service::{Service, Task};
use super::status::{Error, Result, Status};
use super::sync::{Arc, AtomicBool, AtomicU64, Condvar, Mutex, Ordering};
use super::table::{Row, MOST_HANDLERS};
use super::timer::{Delta, Timers};
use super::value::Value;
use super::variable::{MessageFn, Variables};
use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The stack of a computation thread that park makes: Fortran's automatic arrays overflow a small one. Pages
/// that are not used are never committed.
pub(crate) const DEFAULT_STACK_BYTES: usize = 64 << 20;

pub(crate) struct Handler {
    row: Row,
    name: String,
    pub(super) run: Mutex<Run>,
    /// A run has ended.
    pub(super) ended: Condvar,
    pub(super) hub: Hub,
    pub(super) inbox: Inbox,
    pub(super) service: Service,
    pub(super) timers: Timers,
    pub(super) estimate: Mutex<Estimate>,
    pub(super) variables: Variables,
    pub(super) methods: Mutex<HashMap<String, MessageFn>>,
    pub(super) on_ready: Mutex<HashMap<String, MessageFn>>,
    pub(super) on_signal: Mutex<HashMap<String, MessageFn>>,
    pub(crate) checkpoints: Checkpoints,
    pub(super) deadline: Mutex<Deadline>,
    /// The number of the computation thread; 0 while nothing runs.
    pub(super) computing: AtomicU64,
    /// The computation thread is inside a callback that park called.
    pub(super) in_callback: AtomicBool,
    /// Requests with a reply callback that have no reply yet.
    pub(super) awaiting_callbacks: Arc<AtomicUsize>,
    stack_bytes: AtomicUsize,
    pub(super) maps: Maps,
    pub(super) control: Control,
    born: Instant,
    pub(super) pulse: Pulse,
    pub(super) notifier: OnceLock<Arc<Notifier>>,
    last_error: Mutex<String>,
}

impl Handler {
    pub(crate) fn new(name: &str) -> Result<Arc<Handler>> {
        let row = Row::claim()
            .ok_or_else(|| Error::new(Status::Full, format!("there are {MOST_HANDLERS} handlers already")))?;
        let handler = Arc::new(Handler {
            row,
            name: name.to_owned(),
            run: Mutex::new(Run::default()),
            ended: Condvar::new(),
            hub: Hub::new(),
            inbox: Inbox::new(),
            service: Service::new(),
            timers: Timers::new(),
            estimate: Mutex::new(Estimate::default()),
            variables: Variables::new(),
            methods: Mutex::new(HashMap::new()),
            on_ready: Mutex::new(HashMap::new()),
            on_signal: Mutex::new(HashMap::new()),
            checkpoints: Checkpoints::new(),
            deadline: Mutex::new(Deadline::new()),
            computing: AtomicU64::new(0),
            in_callback: AtomicBool::new(false),
            awaiting_callbacks: Arc::new(AtomicUsize::new(0)),
            stack_bytes: AtomicUsize::new(DEFAULT_STACK_BYTES),
            maps: Maps::new(),
            control: Control::new(),
            born: Instant::now(),
            pulse: Pulse::new(),
            notifier: OnceLock::new(),
            last_error: Mutex::new(String::new()),
        });
        Service::start(&handler)?;
        handler.row.publish(&handler);
        Ok(handler)
    }

    /// Ends the handler: whoever waits is answered, clients are told, callbacks are dropped.
    pub(crate) fn free(self: Arc<Self>) -> Result<()> {
        if self.service.is_this_thread() {
            return Err(Error::new(Status::Reentrant, "a handler cannot be freed on its own service thread"));
        }
        self.claim_end()?;
        self.row.withdraw();
        // After the handle has gone, so that no signal is caught anew.
        let _ = catch::release(self.handle(), 0);
        self.join_computation();
        self.maps.close();
        // A save that is on its way comes through, and its event is delivered.
        self.checkpoints.close();
        self.inbox.close();
        self.deliver(|place| matches!(place, Place::Computation(_)));
        self.service.stop();
        // All is answered; now it is said.
        self.close_control();
        for client in self.hub.close() {
            client.close();
        }
        // Callbacks may hold user data whose destroy functions call back: they go with no lock held.
        let tables = [&self.methods, &self.on_ready, &self.on_signal].map(|table| std::mem::take(&mut *table.lock()));
        drop(tables);
        Ok(())
    }

    pub(crate) fn handle(&self) -> u64 {
        self.row.handle()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn attention(&self) -> Attention<'static> {
        self.row.attention()
    }

    pub(crate) fn variables(&self) -> &Variables {
        &self.variables
    }

    pub(crate) fn note_error(&self, text: &str) {
        text.clone_into(&mut self.last_error.lock());
    }

    pub(crate) fn last_error(&self) -> String {
        self.last_error.lock().clone()
    }

    pub(crate) fn stack_bytes(&self) -> usize {
        // Relaxed: a number by itself.
        self.stack_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn set_stack_bytes(&self, bytes: usize) {
        self.stack_bytes.store(bytes, Ordering::Relaxed);
    }

    // Threads.

    /// Whether the calling thread is the computation thread of a run.
    pub(crate) fn is_computing_here(&self) -> bool {
        // Relaxed: a thread always sees its own store, and no other thread has its number.
        self.computing.load(Ordering::Relaxed) == crate::sys::thread_number()
    }

    /// Whether the calling thread is one of those that a wait would wait for.
    pub(super) fn would_wait_for_itself(&self) -> bool {
        self.is_computing_here() || self.service.is_this_thread() || seat::is_in_item_of(self.handle())
    }

    /// Refuses every thread but the computation thread.
    pub(crate) fn check_computing(&self) -> Result<()> {
        if self.is_computing_here() {
            Ok(())
        } else if is_running(self.attention().control()) {
            Err(Error::new(Status::WrongThread, "only the computation thread may call this"))
        } else {
            Err(Error::new(Status::NotRunning, "no computation is attached or started"))
        }
    }

    /// As [`Handler::check_computing`], and refuses callbacks as well.
    pub(crate) fn check_computing_outside_callbacks(&self) -> Result<()> {
        self.check_computing()?;
        if self.in_callback.load(Ordering::Relaxed) {
            return Err(Error::new(Status::Reentrant, "not from inside a callback of this handler"));
        }
        Ok(())
    }

    /// Calls user code from a ready point.
    pub(super) fn calling<T>(&self, call: impl FnOnce() -> T) -> T {
        /// Also when park's own part of the call panics.
        struct Leave<'a>(&'a AtomicBool, bool);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.store(self.1, Ordering::Relaxed);
            }
        }
        // Relaxed: only the computation thread reads it.
        let _leave = Leave(&self.in_callback, self.in_callback.swap(true, Ordering::Relaxed));
        call()
    }

    /// The calling thread runs items of an imap until the mark is dropped: if it is the computation thread, it is inside a
    /// callback.
    pub(super) fn enter_callback(self: &Arc<Self>) -> CallbackMark {
        // Relaxed: only the computation thread reads it.
        let here = self.is_computing_here() && !self.in_callback.swap(true, Ordering::Relaxed);
        CallbackMark(here.then(|| self.clone()))
    }

    /// A callback returned nonzero.
    pub(super) fn stop_from_callback(&self) {
        self.attention().signal(Signal::Stop);
    }

    // Events.

    pub(super) fn tell(&self, to_tell: ToTell) {
        if to_tell.computation {
            self.attention().raise(DELIVER);
        }
        if to_tell.service {
            self.service.ring();
        }
        match &to_tell.queues[..] {
            [] => {}
            [client] => client.tell(),
            // Each may sleep, and waking one takes 8 us: the service thread does it, and the loop pays for one.
            _ => {
                self.service.send(Task::Call(Box::new(move || to_tell.queues.iter().for_each(|client| client.tell()))))
            }
        }
    }

    pub(super) fn emit(&self, kind: Kind, fill: impl FnOnce(&mut Event)) {
        let to_tell = self.hub.emit(kind, || {
            let mut event = self.event(kind);
            fill(&mut event);
            event
        });
        self.tell(to_tell);
    }

    /// An event that says how far the job is.
    pub(super) fn event(&self, kind: Kind) -> Event {
        let (done, total) = self.row.progress();
        Event { progress: Progress { done, total, seconds_left: None }, job_state: self.state(), ..Event::new(kind) }
    }

    pub(crate) fn cut_off_event(&self) -> Event {
        let text = "too many events waited: no more come".to_owned();
        Event { status: Status::CutOff, text, ..self.event(Kind::CutOff) }
    }

    pub(crate) fn log(&self, level: Level, text: impl Into<String>) {
        let text = text.into();
        self.emit(Kind::Log, |event| {
            event.level = level;
            event.text = text;
        });
    }

    /// Adds a client. One that comes when something has happened already gets join first.
    pub(crate) fn subscribe(&self, mask: i32, place: Place) -> Result<Arc<Client>> {
        let (client, to_tell) = self.hub.add(mask, place, || self.join_event())?;
        self.tell(to_tell);
        Ok(client)
    }

    /// Changes what a client wants; see [`Hub::rejoin`].
    pub(crate) fn rejoin(&self, client: &Client, mask: i32) -> (u64, Option<Event>) {
        self.hub.rejoin(client, mask, || self.join_event())
    }

    fn join_event(&self) -> Event {
        let mut join = self.event(Kind::Join);
        join.progress.seconds_left = self.estimate.lock().seconds_left(join.progress.total);
        join
    }

    pub(crate) fn subscribe_callback(&self, mask: i32, on_service: bool, call: EventFn) -> Result<i64> {
        let place = if on_service { Place::Service(call) } else { Place::Computation(call) };
        Ok(self.subscribe(mask, place)?.id)
    }

    pub(crate) fn unsubscribe(&self, id: i64) -> Result<()> {
        match self.hub.remove(id) {
            Some(_) => Ok(()),
            None => Err(Error::new(Status::Unknown, format!("id: there is no callback {id}"))),
        }
    }

    // The best so far.

    pub(crate) fn improved(&self, value: f64, state: &[u8]) -> Result<()> {
        if !seat::is_in_item_of(self.handle()) {
            self.check_computing()?;
        }
        if !value.is_finite() {
            return Err(Error::argument(format!("value: {value} is not finite")));
        }
        let at_once = self.timers.seconds(Delta::Improved) == 0.0;
        let now = at_once || self.timers.is_due(Delta::Improved);
        self.tell(self.hub.improve(value, state, now, || self.event(Kind::Improved)));
        if now && !at_once {
            self.timers.start(Delta::Improved);
        }
        Ok(())
    }

    /// Sends the best that was kept back.
    pub(super) fn flush_improved(&self) {
        if let Some(to_tell) = self.hub.flush(|| self.event(Kind::Improved)) {
            self.timers.start(Delta::Improved);
            self.tell(to_tell);
        }
    }

    pub(crate) fn best(&self) -> Option<Best> {
        self.hub.best()
    }

    pub(crate) fn curve(&self) -> Curve {
        self.hub.curve()
    }

    // Progress.

    pub(crate) fn progress(&self, done: f64, total: f64) -> Result<()> {
        self.check_computing()?;
        self.row.store_progress(done, total);
        if done.is_finite() && total.is_finite() {
            return Ok(());
        }
        self.refuse_progress()
    }

    /// Refuses the numbers that were just stored, because they are not finite.
    pub(crate) fn refuse_progress(&self) -> Result<()> {
        let (done, total) = self.row.take_progress_back();
        let (name, number) = if done.is_finite() { ("total", total) } else { ("done", done) };
        Err(Error::argument(format!("{name}: {number} is not finite")))
    }

    /// Items of a map are done: progress never goes back, whichever thread comes last.
    pub(super) fn raise_progress(&self, done: u64) {
        self.row.raise_progress(done as f64);
    }

    /// A map counts from here on.
    pub(super) fn begin_progress(&self, total: u64) {
        self.row.store_progress(0.0, total as f64);
    }

    pub(super) fn stored_progress(&self) -> (f64, f64) {
        self.row.progress()
    }

    pub(super) fn note_shown_progress(&self, shown: (f64, f64)) {
        self.row.note_shown(shown);
    }

    pub(super) fn clear_progress(&self) {
        self.row.note_shown((0.0, 0.0));
        self.row.take_progress_back();
    }

    pub(crate) fn set_units(&self, units: &str) {
        self.hub.set_units(units);
    }

    pub(crate) fn units(&self) -> Option<Arc<str>> {
        self.hub.units()
    }

    /// How far the job is, and how much it does in a second.
    pub(crate) fn foreseen(&self) -> (Progress, Option<f64>) {
        let (done, total) = self.row.progress();
        let estimate = self.estimate.lock();
        (Progress { done, total, seconds_left: estimate.seconds_left(total) }, estimate.rate())
    }

    // Deltas.

    pub(crate) fn delta(&self, delta: Delta) -> f64 {
        self.timers.seconds(delta)
    }

    /// Changes a delta from now on; returns what it was.
    pub(crate) fn set_delta(&self, delta: Delta, seconds: f64) -> Result<f64> {
        delta.check(seconds)?;
        let level = match delta {
            Delta::Progress => EVERY_PROGRESS,
            Delta::Checkpoint => EVERY_CHECKPOINT,
            Delta::Improved => 0,
        };
        let before = self.timers.set_seconds(delta, seconds, || {
            if seconds == 0.0 {
                self.attention().raise(level);
            } else {
                self.attention().withdraw(level);
            }
        });
        // The service thread may be asleep until the old one is due.
        self.service.ring();
        Ok(before)
    }

    /// The deltas as a get request shows them.
    pub(super) fn delta_value(&self, name: &str) -> Option<Value> {
        Delta::from_name(name).map(|delta| Value::F64(self.delta(delta)))
    }

    // State.

    pub(crate) fn state(&self) -> JobState {
        let control = self.attention().control();
        if !is_running(control) {
            return self.last_state();
        }
        if control & (ABORT | STOP) != 0 {
            JobState::Stopping
        } else if is_halted(control) {
            JobState::Paused
        } else {
            JobState::Running
        }
    }

    /// From now on it is looked whether the loop still comes by.
    pub(crate) fn watch_pulse(&self) {
        if self.pulse.want() {
            self.service.ring();
        }
    }

    /// How long there was no ready point, as far as it is known; see [`Pulse`].
    pub(crate) fn idle(&self) -> Result<Duration> {
        let control = self.attention().control();
        if !is_running(control) {
            return Err(Error::new(Status::NotRunning, "no computation is attached or started"));
        }
        self.watch_pulse();
        Ok(if is_halted(control) { Duration::ZERO } else { self.pulse.age() })
    }
}

/// See [`Handler::enter_callback`].
pub(super) struct CallbackMark(Option<Arc<Handler>>);

impl Drop for CallbackMark {
    fn drop(&mut self) {
        if let Some(handler) = &self.0 {
            handler.in_callback.store(false, Ordering::Relaxed);
        }
    }
}

/// What the user registers. What was there before is dropped, with its user data, when no lock is held.
impl Handler {
    pub(crate) fn set_method(&self, name: &str, call: MessageFn) {
        let before = self.methods.lock().insert(name.to_owned(), call);
        drop(before);
    }

    pub(crate) fn method_names(&self) -> Vec<String> {
        sorted_names(&[&self.methods])
    }

    /// The messages that somebody handles.
    pub(crate) fn signal_names(&self) -> Vec<String> {
        sorted_names(&[&self.on_ready, &self.on_signal])
    }

    /// How long ago it was made.
    pub(crate) fn up(&self) -> Duration {
        self.born.elapsed()
    }

    /// When the run's last checkpoint was, in seconds since 1970, and whether it was saved.
    pub(crate) fn last_checkpoint(&self) -> Option<(f64, bool)> {
        self.run.lock().last_save
    }

    pub(crate) fn set_on_ready(&self, name: &str, call: MessageFn) {
        let before = self.on_ready.lock().insert(name.to_owned(), call);
        drop(before);
    }

    pub(crate) fn set_on_signal(&self, name: &str, call: MessageFn) {
        let before = self.on_signal.lock().insert(name.to_owned(), call);
        drop(before);
    }
}

fn sorted_names(tables: &[&Mutex<HashMap<String, MessageFn>>]) -> Vec<String> {
    let mut names: Vec<String> =
        tables.iter().flat_map(|table| table.lock().keys().cloned().collect::<Vec<_>>()).collect();
    names.sort();
    names.dedup();
    names
}
