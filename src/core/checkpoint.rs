//! Checkpoints: what is saved, and how it goes from the loop's memory to the medium.
//!
//! There are three ways, alone or together. The loop saves by itself when it is told to (the poll form); the user's
//! callback saves; or park does: what is protected, into the directory that it was given. With a directory all three
//! make one generation: files that the callback or the loop writes to [`Handler::checkpoint_path`] belong to it.
//!
//! Park's own way has two halves. On the computation thread, while everything stands still, the protected memory is
//! copied. Then the loop goes on, and the saver's thread writes; when all is on the medium it says so to everybody who
//! waits. Those belong to one save from its begin: a request that comes while a save is on its way is answered by the
//! next one.

use super::budget::Budget;
use super::event::Level;
use super::handler::Handler;
use super::protect::Protected;
use super::snapshot::Snapshot;
use super::status::{Error, Result, Status};
use super::store::{Draft, Saver, Vault};
use super::sync::{Arc, AtomicBool, Mutex, Ordering};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Saves (false) or restores (true) what the user wants saved; returns a status as the user gave it.
pub(crate) type CheckpointFn = Arc<dyn Fn(bool) -> i32 + Send + Sync>;

/// A save whose bytes are copied.
#[derive(Default)]
pub(super) struct Flight {
    pub(super) under_way: bool,
    /// A stop waits for it.
    pub(super) for_stop: bool,
    /// Another one came due meanwhile.
    pub(super) put_off: bool,
}

/// Where the user's own files are.
#[derive(Default)]
pub(super) enum OwnFiles {
    #[default]
    Nowhere,
    /// They become part of this generation.
    Saving(Draft),
    Restored(PathBuf),
}

pub(crate) struct Checkpoints {
    callback: Mutex<Option<CheckpointFn>>,
    pub(crate) protected: Protected,
    saver: Mutex<Option<Arc<Saver>>>,
    in_place: AtomicBool,
    pub(super) flight: Mutex<Flight>,
    /// Why the last save failed, if it did.
    pub(super) failure: Mutex<Option<String>>,
    pub(super) budget: Mutex<Budget>,
    pub(super) own_files: Mutex<OwnFiles>,
    /// Why there was no place for them, of late.
    pub(super) no_place: Mutex<Option<String>>,
    /// When the loop was told to save.
    told: Mutex<Option<Instant>>,
}

impl Checkpoints {
    pub(super) fn new() -> Checkpoints {
        Checkpoints {
            callback: Mutex::new(None),
            protected: Protected::new(),
            saver: Mutex::new(None),
            in_place: AtomicBool::new(false),
            flight: Mutex::new(Flight::default()),
            failure: Mutex::new(None),
            budget: Mutex::new(Budget::new()),
            own_files: Mutex::new(OwnFiles::Nowhere),
            no_place: Mutex::new(None),
            told: Mutex::new(None),
        }
    }

    pub(super) fn callback(&self) -> Option<CheckpointFn> {
        self.callback.lock().clone()
    }

    pub(super) fn saver(&self) -> Option<Arc<Saver>> {
        self.saver.lock().clone()
    }

    pub(super) fn is_in_place(&self) -> bool {
        // Relaxed: a choice by itself.
        self.in_place.load(Ordering::Relaxed)
    }

    pub(crate) fn set_in_place(&self, in_place: bool) {
        self.in_place.store(in_place, Ordering::Relaxed);
    }

    pub(crate) fn set_share(&self, share: f64) {
        self.budget.lock().set_share(share);
    }

    /// The longest time that a save took until it was on the medium.
    pub(super) fn longest_save(&self) -> Option<Duration> {
        self.budget.lock().longest()
    }

    /// A run begins.
    pub(super) fn restart(&self) {
        self.budget.lock().restart();
        *self.told.lock() = None;
        *self.own_files.lock() = OwnFiles::Nowhere;
    }

    /// Waits until nothing is on its way to the medium.
    pub(super) fn settle(&self) {
        if let Some(saver) = self.saver() {
            saver.wait(None);
        }
    }

    fn close_directory(&self) {
        self.settle();
        *self.own_files.lock() = OwnFiles::Nowhere;
        let saver = self.saver.lock().take();
        drop(saver);
    }

    /// Gives up the directory, and everything that the user registered. A save that is on its way is finished first.
    pub(super) fn close(&self) {
        self.close_directory();
        let callback = self.callback.lock().take();
        drop((callback, self.protected.clear()));
    }
}

/// What the user registers.
impl Handler {
    pub(crate) fn set_checkpoint(&self, call: CheckpointFn) {
        let before = self.checkpoints.callback.lock().replace(call);
        drop(before);
    }

    /// Changes what is protected: any thread while nothing runs, then the computation thread alone.
    pub(crate) fn check_may_protect(&self) -> Result<()> {
        match self.check_computing_outside_callbacks() {
            Err(error) if error.status == Status::NotRunning => Ok(()),
            checked => checked,
        }
    }

    /// Opens the directory of the checkpoints, in the place of the one before; `None` closes that.
    pub(crate) fn set_checkpoint_directory(self: &Arc<Self>, directory: Option<(&Path, usize)>) -> Result<()> {
        self.check_may_protect()?;
        self.checkpoints.close_directory();
        let Some((path, keep)) = directory else { return Ok(()) };
        let handler = Arc::downgrade(self);
        let warn = move |text: String| {
            if let Some(handler) = handler.upgrade() {
                handler.log(Level::Warning, text);
            }
        };
        let saver = Arc::new(Saver::new(Vault::open(path, keep, Box::new(warn))?));
        // A run may have begun meanwhile.
        self.check_may_protect()?;
        *self.checkpoints.saver.lock() = Some(saver);
        Ok(())
    }

    pub(super) fn vault(&self) -> Result<Arc<Saver>> {
        let none = || Error::new(Status::Unknown, "this job has no checkpoint directory: see park_checkpoint_dir");
        self.checkpoints.saver().ok_or_else(none)
    }

    /// Whether the job has any way to save.
    pub(super) fn can_save(&self) -> bool {
        self.saves_by_itself() || self.run.lock().polls || self.checkpoints.callback.lock().is_some()
    }

    /// Whether park saves what is protected.
    fn saves_by_itself(&self) -> bool {
        self.checkpoints.saver.lock().is_some() && !self.checkpoints.protected.is_empty()
    }

    /// Whether the loop is to be told, and then saves.
    fn loop_saves(&self) -> bool {
        self.checkpoints.callback.lock().is_none() && (self.run.lock().polls || !self.saves_by_itself())
    }
}

/// When to save. Computation thread.
impl Handler {
    /// How long to wait with a save that is only due, for its share of the run's time.
    pub(super) fn wait_with_saving(&self) -> Duration {
        let run = self.run.lock().active_time();
        self.checkpoints.budget.lock().wait(run)
    }

    /// Saves because the time is up. While one is on its way it is put off until that has come through; beyond its share
    /// of the time it is left to the next time.
    pub(super) fn save_in_time(&self) {
        if !self.wait_with_saving().is_zero() {
            return;
        }
        {
            let mut flight = self.checkpoints.flight.lock();
            if flight.under_way {
                flight.put_off = true;
                return;
            }
        }
        let _ = self.save();
    }

    /// Saves because somebody asked for it: also while paused.
    pub(super) fn save_as_asked(&self) {
        self.run.lock().save_asked = true;
        let _ = self.save();
    }

    /// Saves, or tells the loop that it is to. Errors are told to everybody already.
    fn save(&self) -> Result<()> {
        if self.loop_saves() {
            self.run.lock().checkpoint_due = true;
            return Ok(());
        }
        if self.maps.puts_off_saving() {
            return Ok(());
        }
        let waiting = self.begin_save();
        if !self.land() {
            let error = Error::new(Status::Aborted, "an abort was asked for before the checkpoint was begun");
            return self.conclude_here(waiting, Err(error));
        }
        let callback = self.checkpoints.callback();
        // From the first function of the user's to the last byte of the copy: it is all of one moment.
        self.standing_still(|| {
            let made = self.ask_user(callback);
            self.hand_over(waiting, made)
        })
    }

    /// Lets the user's callback save, and takes the snapshot.
    fn ask_user(&self, callback: Option<CheckpointFn>) -> Result<Option<(Draft, Snapshot)>> {
        if let Some(saver) = self.checkpoints.saver() {
            *self.checkpoints.own_files.lock() = OwnFiles::Saving(saver.vault().draft());
        }
        let code = callback.map_or(0, |save| self.calling(|| save(false)));
        if code != 0 {
            let why = self.checkpoints.no_place.lock().take().unwrap_or_else(|| "nothing was saved".into());
            let text = format!("the checkpoint callback returned {code}: {why}");
            return Err(Error::new(Status::Failed, text));
        }
        self.snapshot()
    }

    /// The loop has saved its own, or could not.
    pub(crate) fn checkpoint_done(&self, well: bool) -> Result<()> {
        self.check_computing()?;
        let told = self.checkpoints.told.lock().take();
        let mut waiting = self.begin_save();
        waiting.began = told.unwrap_or(waiting.began);
        if !well {
            let why = self.checkpoints.no_place.lock().take().map_or_else(String::new, |why| format!(": {why}"));
            let error = Error::new(Status::Failed, format!("the loop could not save its checkpoint{why}"));
            let _ = self.conclude_here(waiting, Err(error));
            return Ok(());
        }
        if !self.land() {
            let error = Error::new(Status::Aborted, "an abort was asked for before the checkpoint was begun");
            return self.conclude_here(waiting, Err(error));
        }
        self.standing_still(|| {
            let made = self.snapshot();
            self.hand_over(waiting, made)
        })
    }

    /// The poll form: whether the loop is to save now.
    pub(crate) fn checkpoint_due(&self) -> Result<bool> {
        self.check_computing()?;
        let mut run = self.run.lock();
        run.polls = true;
        if run.checkpoint_due {
            self.checkpoints.told.lock().get_or_insert_with(Instant::now);
        }
        Ok(run.checkpoint_due)
    }

    /// Saves at once.
    pub(crate) fn checkpoint_now(&self) -> Result<()> {
        self.check_computing_outside_callbacks()?;
        if self.loop_saves() {
            let text = match self.run.lock().polls {
                true => "the loop saves by itself: it calls park_checkpoint_done",
                false => "the job has no way to save: neither a protected array with a directory nor a callback",
            };
            return Err(Error::new(Status::Refused, text));
        }
        self.save()
    }
}
