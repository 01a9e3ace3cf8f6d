//! Runs: how one begins, how it ends, and what is kept of it.

use super::attention::{has_ended, Signal};
use super::catch;
use super::client::Place;
use super::estimate::Estimate;
use super::event::{Bytes, JobState, Kind, Level};
use super::handler::Handler;
use super::reply::Answerer;
use super::status::{Error, Result, Status};
use super::sync::{Arc, MutexGuard, Ordering};
use super::timer::Delta;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// The exit codes that `park_exit_code` speaks of. 85 is HTCondor's "checkpointed, run me again".
pub(crate) const EXIT_CHECKPOINTED: i32 = 85;
pub(crate) const EXIT_ABORTED: i32 = 86;
const EXIT_FAILED: i32 = 1;

/// What is kept of a run that has ended.
#[derive(Clone)]
pub(crate) struct Outcome {
    pub(crate) status: Status,
    pub(crate) reason: String,
    pub(crate) result: Option<Bytes>,
    /// A stop's checkpoint was saved.
    saved: bool,
}

/// How far a stop has come.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Stop {
    #[default]
    NotAsked,
    /// The loop was told that a checkpoint is due, and goes on until it has saved.
    Saving,
    /// The checkpoint is done, well or not: the loop may end.
    Done { saved: bool },
}

/// The run that is going on, and the outcome of the last one.
#[derive(Default)]
pub(crate) struct Run {
    /// From attach or start until all of the end is done.
    pub(super) active: bool,
    /// On a thread of park's.
    by_start: bool,
    /// The handler is being freed.
    freed: bool,
    /// The outcome is known, the last events are on their way.
    finishing: bool,
    outcome: Option<Outcome>,
    thread: Option<std::thread::JoinHandle<()>>,
    began: Option<Instant>,
    pub(super) halted_for: Duration,
    pub(super) stop: Stop,
    /// What ready told the loop last, when that was to end.
    pub(super) told: Option<Status>,
    /// The loop asks `checkpoint_due`: it saves by itself.
    pub(super) polls: bool,
    pub(super) checkpoint_due: bool,
    /// It is due because somebody asked for it, not because of the time.
    pub(super) save_asked: bool,
    /// Pause and resume requests that were served: answered when the thread has halted, or goes on.
    pub(super) await_turn: Vec<Answerer>,
    /// Checkpoint requests that wait for the loop's own save.
    pub(super) await_save: Vec<Answerer>,
    failure: Option<String>,
    result: Option<Bytes>,
    /// The last checkpoint: when, in seconds since 1970, and whether it was saved.
    pub(super) last_save: Option<(f64, bool)>,
    /// The progress of the last progress event.
    pub(super) shown: Option<(f64, f64)>,
}

impl Run {
    /// The time in which the loop was not halted.
    pub(super) fn active_time(&self) -> Duration {
        self.began.map_or(Duration::ZERO, |began| began.elapsed().saturating_sub(self.halted_for))
    }
}

thread_local! {
    /// The handler that this thread computes for, where the loop's own calls find it without a lock.
    static COMPUTING: Cell<Option<Arc<Handler>>> = const { Cell::new(None) };
}

/// Takes the handler with this handle, if the calling thread computes for it. To be put back.
pub(crate) fn take_computing(handle: u64) -> Option<Arc<Handler>> {
    let taken = COMPUTING.try_with(Cell::take).ok().flatten()?;
    if taken.handle() != handle {
        // A thread can compute for several handlers; the last one attached is kept here.
        put_computing_back(taken);
        return None;
    }
    Some(taken).filter(|handler| handler.is_computing_here())
}

pub(crate) fn put_computing_back(handler: Arc<Handler>) {
    if handler.is_computing_here() {
        let _ = COMPUTING.try_with(|place| place.set(Some(handler)));
    }
}

impl Handler {
    /// Waits while the last events of a run are on their way: who has seen them may begin anew.
    fn settled_run(&self) -> Result<MutexGuard<'_, Run>> {
        let mut run = self.run.lock();
        while run.finishing && !self.is_computing_here() {
            run = self.ended.wait(run, None);
        }
        if run.active {
            return Err(Error::new(Status::Busy, "a computation of this handler is running"));
        }
        if run.freed {
            return Err(Error::new(Status::InvalidHandle, "job: it is being freed by another thread"));
        }
        Ok(run)
    }

    /// Claims the end of a handler that is not running: no run begins any more.
    pub(super) fn claim_end(&self) -> Result<()> {
        if self.is_computing_here() && self.in_callback.load(Ordering::Relaxed) {
            return Err(Error::new(Status::Reentrant, "not from inside a callback of this handler"));
        }
        self.settled_run()?.freed = true;
        Ok(())
    }

    /// Claims the next run; returns the outcome of the last one, which is forgotten.
    fn claim_run(&self) -> Result<Option<Outcome>> {
        if self.service.is_this_thread() {
            return Err(Error::new(Status::WrongThread, "the service thread cannot compute"));
        }
        let mut run = self.settled_run()?;
        let outcome = run.outcome.take();
        let thread = run.thread.take();
        *run = Run { active: true, ..Run::default() };
        drop(run);
        self.inbox.open();
        if let Some(thread) = thread {
            // It has ended but for its last instructions.
            let _ = thread.join();
        }
        Ok(outcome)
    }

    /// The calling thread becomes the computation thread of a run that was claimed.
    fn begin(self: &Arc<Self>) {
        self.run.lock().began = Some(Instant::now());
        *self.estimate.lock() = Estimate::default();
        self.checkpoints.restart();
        self.deadline.lock().restart();
        self.hub.forget_best();
        self.clear_progress();
        self.computing.store(crate::sys::thread_number(), Ordering::Relaxed);
        put_computing_back(self.clone());
        self.pulse.take_mark();
        self.attention().begin();
        self.timers.start(Delta::Progress);
        self.timers.start(Delta::Checkpoint);
        self.timers.stop(Delta::Improved);
        self.service.ring();
        self.emit(Kind::Start, |_| {});
    }

    pub(crate) fn attach(self: &Arc<Self>) -> Result<()> {
        self.claim_run()?;
        self.begin();
        Ok(())
    }

    pub(crate) fn detach(&self) -> Result<()> {
        self.check_computing_outside_callbacks()?;
        if self.run.lock().by_start {
            return Err(Error::new(Status::Reentrant, "a run that park_start began ends when its service returns"));
        }
        self.finish(Status::Ok as i32);
        Ok(())
    }

    /// Runs a service on a thread of its own.
    pub(crate) fn start(self: &Arc<Self>, service: Box<dyn FnOnce() -> i32 + Send>, resume: bool) -> Result<()> {
        if resume && self.checkpoints.callback().is_none() && self.checkpoints.saver().is_none() {
            let text = "resume: there is neither a checkpoint directory nor a checkpoint callback to restore with";
            return Err(Error::argument(text));
        }
        let last_outcome = self.claim_run()?;
        // The run is on from here, for everybody: a signal that comes before the thread does must count.
        let has_ended_before = has_ended(self.attention().control());
        self.attention().begin();
        // Held while the thread is made: it cannot end, and be followed by another, before its handle is kept.
        let mut run = self.run.lock();
        run.by_start = true;
        let handler = self.clone();
        let spawned =
            std::thread::Builder::new().name("park-compute".into()).stack_size(self.stack_bytes()).spawn(move || {
                let _uncancelled = crate::sys::CancelDisabled::new();
                handler.compute(service, resume);
            });
        match spawned {
            Ok(thread) => {
                run.thread = Some(thread);
                Ok(())
            }
            Err(error) => {
                *run = Run { outcome: last_outcome, ..Run::default() };
                drop(run);
                self.attention().take_back_begin(has_ended_before);
                if has_ended_before {
                    self.inbox.close();
                }
                self.ended.notify_all();
                let bytes = self.stack_bytes();
                let text =
                    format!("the computation thread with a stack of {bytes} bytes could not be started: {error}");
                Err(Error::new(Status::System, text))
            }
        }
    }

    fn compute(self: &Arc<Self>, service: Box<dyn FnOnce() -> i32 + Send>, resume: bool) {
        self.begin();
        if resume {
            match self.restore() {
                Ok(Status::NoCheckpoint) => self.log(Level::Info, "no checkpoint to resume from: from the beginning"),
                Ok(_) => {}
                Err(error) => {
                    // The callback may have said it better, by park_fail.
                    self.run.lock().failure.get_or_insert(error.text);
                    drop(service);
                    self.finish(Status::Failed as i32);
                    return;
                }
            }
        }
        let code = service();
        self.finish(code);
    }

    /// Ends the run: 0 is complete, a stop reason is that, anything else has failed.
    fn finish(&self, code: i32) {
        // What is saved is told before the end is.
        self.checkpoints.settle();
        let outcome = {
            let mut run = self.run.lock();
            let status = match (Status::from_number(code), &run.failure) {
                (_, Some(_)) => Status::Failed,
                // Told to end, it ended: whether it says so or not.
                (Some(Status::Ok), _) => run.told.unwrap_or(Status::Ok),
                (Some(status @ (Status::Aborted | Status::Stopped)), _) => status,
                _ => Status::Failed,
            };
            let saved = run.stop == Stop::Done { saved: true };
            // An abort after a stop makes the end come sooner; it does not take back what the stop has saved.
            let status = if saved && status == Status::Aborted { Status::Stopped } else { status };
            let reason = match status {
                Status::Aborted => "aborted".to_owned(),
                Status::Stopped if saved => "stopped after a checkpoint".to_owned(),
                Status::Stopped => "stopped without a checkpoint".to_owned(),
                Status::Failed => run.failure.take().unwrap_or_else(|| format!("the service returned {code}")),
                _ => String::new(),
            };
            let outcome = Outcome { status, reason, result: run.result.take(), saved };
            run.outcome = Some(outcome.clone());
            outcome
        };
        self.show_progress();
        self.flush_improved();
        // From here on nothing is served any more: requests are answered `Expired`, signals refused. Who hears of it and
        // begins anew waits for the rest.
        self.run.lock().finishing = true;
        let unsaved = std::mem::take(&mut self.run.lock().await_save);
        drop(unsaved);
        self.inbox.close();
        self.attention().end();
        catch::forget_times(self.handle());
        let kind = match outcome.status {
            Status::Ok => Kind::Complete,
            Status::Failed => Kind::Error,
            _ => Kind::Abort,
        };
        self.emit(kind, |event| {
            event.status = outcome.status;
            event.text.clone_from(&outcome.reason);
            if kind == Kind::Complete {
                event.bytes.clone_from(&outcome.result);
            }
        });
        self.calling(|| self.deliver(|place| matches!(place, Place::Computation(_))));
        self.computing.store(0, Ordering::Relaxed);
        drop(take_computing(self.handle()));
        let mut run = self.run.lock();
        run.finishing = false;
        run.active = false;
        drop(run);
        self.ended.notify_all();
    }

    /// Waits for the end of the run; says how it ended.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Result<Outcome> {
        if self.would_wait_for_itself() {
            return Err(Error::new(Status::WrongThread, "this thread would wait for itself"));
        }
        let mut run = self.run.lock();
        while run.active {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Error::new(Status::Timeout, "the computation is still running"));
            }
            run = self.ended.wait(run, left);
        }
        run.outcome.clone().ok_or_else(|| Error::new(Status::NotRunning, "no computation has ever run"))
    }

    /// The outcome of the last run; none while one is going on.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.run.lock().outcome.clone()
    }

    pub(super) fn last_state(&self) -> JobState {
        match self.outcome().map(|outcome| outcome.status) {
            None => JobState::Idle,
            Some(Status::Ok) => JobState::Complete,
            Some(Status::Failed) => JobState::Failed,
            Some(_) => JobState::Aborted,
        }
    }

    pub(crate) fn exit_code(&self) -> i32 {
        match self.outcome() {
            None => EXIT_FAILED,
            Some(outcome) => match outcome.status {
                Status::Ok => 0,
                Status::Stopped if outcome.saved => EXIT_CHECKPOINTED,
                Status::Stopped | Status::Aborted => EXIT_ABORTED,
                _ => EXIT_FAILED,
            },
        }
    }

    pub(crate) fn set_result(&self, result: &[u8]) -> Result<()> {
        self.check_computing()?;
        self.run.lock().result = Some(Arc::from(result));
        Ok(())
    }

    /// The run will end as failed, for this reason.
    pub(crate) fn fail(&self, reason: &str) -> Result<()> {
        self.check_computing()?;
        self.run.lock().failure = Some(reason.to_owned());
        Ok(())
    }

    pub(super) fn join_computation(&self) {
        let thread = self.run.lock().thread.take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    /// A signal that needs no reply.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        match self.attention().signal(signal) {
            Status::Ok => Ok(()),
            status => Err(Error::new(status, "the job has ended")),
        }
    }
}
