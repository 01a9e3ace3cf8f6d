//! The thread that writes checkpoints while the loop goes on. One is under way at a time.

use super::buffer::{Gather, Keep};
use super::copy::{room_for, Full, Share};
use super::draft::{Plan, Saved};
use super::layout::Source;
use super::vault::Vault;
use super::writer::Content;
use crate::core::status::{Error, Result, Status};
use crate::core::sync::{Condvar, Mutex, MutexGuard};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Called on the saver's thread, once: it must not wait for the saver.
pub(crate) type Done = Box<dyn FnOnce(Result<Saved>) + Send>;

#[derive(Default)]
struct State {
    job: Option<(Plan, Full, Done)>,
    /// From its begin until `Done` has returned.
    is_saving: bool,
    /// Whether old generations are to be looked after.
    untidy: bool,
    closing: bool,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    vault: Arc<Vault>,
    state: Mutex<State>,
    changed: Condvar,
    keep: Arc<Keep>,
    closing: AtomicBool,
}

/// Dropped, it finishes the save that is under way.
pub(crate) struct Saver(Arc<Shared>);

impl Saver {
    pub(crate) fn new(vault: Arc<Vault>) -> Saver {
        Saver(Arc::new(Shared {
            vault,
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
            keep: Arc::new(Keep::new()),
            closing: AtomicBool::new(false),
        }))
    }

    pub(crate) fn vault(&self) -> &Arc<Vault> {
        &self.0.vault
    }

    /// Waits until no save is on its way; `false` when the time was up first.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> bool {
        // A time too far away to tell is none.
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.0.state.lock();
        while state.is_saving {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return false;
            }
            state = self.0.changed.wait(state, left);
        }
        true
    }

    /// Copies what the sources hold, one for each entry as they were planned, and writes it in the background; returns when
    /// it is copied. Waits for the save that is under way first: there is one buffer. An error here: nothing was begun, and
    /// `done` is not called.
    pub(crate) fn save_copy(&self, plan: Plan, sources: &[&dyn Source], share: Share<'_>, done: Done) -> Result<()> {
        self.start()?;
        let mut state = self.idle();
        let (empty, full) = room_for(plan.layout(), &self.0.keep)?;
        let gather = Gather::new(plan.layout(), sources);
        state.is_saving = true;
        state.job = Some((plan, full, done));
        drop(state);
        self.0.changed.notify_all();
        empty.fill(&gather, share);
        Ok(())
    }

    /// Writes what the sources hold, without a copy; when it returns, all is on the medium.
    pub(crate) fn save(&self, plan: Plan, sources: &[&dyn Source]) -> Result<Saved> {
        self.start()?;
        self.idle().is_saving = true;
        self.0.catch_up();
        let saved = self.0.survive(|| plan.commit(Content::Sources(sources)));
        self.0.end();
        saved
    }

    /// Waits for the save that is under way.
    fn idle(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.state.lock();
        while state.is_saving {
            state = self.0.changed.wait(state, None);
        }
        state
    }

    /// Starts the thread, at the first save.
    fn start(&self) -> Result<()> {
        let mut state = self.0.state.lock();
        if state.thread.is_some() {
            return Ok(());
        }
        let shared = self.0.clone();
        let started = crate::sys::with_signals_blocked(|| {
            std::thread::Builder::new().name("park-saver".into()).spawn(move || {
                let _uncancelled = crate::sys::CancelDisabled::new();
                shared.work();
            })
        });
        let told = |error| Error::new(Status::System, format!("the thread that saves could not be started: {error}"));
        state.thread = Some(started.map_err(told)?);
        Ok(())
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        let thread = {
            let mut state = self.0.state.lock();
            state.closing = true;
            state.thread.take()
        };
        // One too many may stay. More would add up, when process after process saves once and ends.
        if self.0.vault.excess() <= 1 {
            // Relaxed: it only ends early what need not be done.
            self.0.closing.store(true, Ordering::Relaxed);
        }
        self.0.changed.notify_all();
        // It catches panics itself; there is nothing to learn from the result.
        thread.map(JoinHandle::join);
    }
}

impl Shared {
    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some((plan, full, done)) = state.job.take() {
                drop(state);
                self.catch_up();
                let saved = self.survive(|| plan.commit(Content::Copied(&full)));
                // The buffer is free before anybody is told.
                drop(full);
                let _ = catch_unwind(AssertUnwindSafe(|| done(saved)));
                self.end();
                state = self.state.lock();
            } else if state.untidy && (!state.closing || self.vault.excess() > 1) {
                state.untidy = false;
                drop(state);
                self.tidy();
                state = self.state.lock();
            } else if state.closing {
                return;
            } else {
                state = self.changed.wait(state, None);
            }
        }
    }

    fn tidy(&self) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.vault.tidy(&self.closing)));
    }

    /// Looks after old generations before there are more: saves that follow each other at once leave no other time.
    fn catch_up(&self) {
        if self.vault.excess() > 1 {
            self.tidy();
        }
    }

    /// A save is over, well or not.
    fn end(&self) {
        let mut state = self.state.lock();
        (state.is_saving, state.untidy) = (false, true);
        drop(state);
        self.changed.notify_all();
    }

    /// A panic becomes an error.
    fn survive(&self, work: impl FnOnce() -> Result<Saved>) -> Result<Saved> {
        let panicked = |_| Err(Error::new(Status::Panic, "park itself failed while it saved: please report it"));
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked)
    }
}
