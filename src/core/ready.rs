//! The ready point: where the computation thread meets what is asked of it.

use super::attention::{
    ABORT, CHECKPOINT, CHECKPOINT_TIME, DELIVER, EVERY_CHECKPOINT, EVERY_PROGRESS, MAIL, PAUSE, PROGRESS, STOP,
};
use super::client::Place;
use super::event::{Kind, Level};
use super::handler::Handler;
use super::lifecycle::Stop;
use super::message::Message;
use super::point::{self, Computation};
use super::status::{Error, Result, Status};
use super::sync::coarse_time;
use super::timer::Delta;
use std::time::Instant;

/// What a handler does at one ready point.
struct Visit<'a> {
    handler: &'a Handler,
    halted: Option<Instant>,
}

impl Computation for Visit<'_> {
    fn serve(&mut self, edges: u32, room: &mut usize) {
        let handler = self.handler;
        if edges & PROGRESS != 0 {
            handler.show_progress();
        }
        if edges & MAIL != 0 {
            handler.standing_still(|| {
                handler.inbox.serve(&handler.attention(), room, |request| handler.serve_request(request));
            });
        }
        if edges & CHECKPOINT != 0 {
            handler.save_as_asked();
        } else if edges & CHECKPOINT_TIME != 0 {
            handler.save();
        }
        if edges & DELIVER != 0 {
            handler.calling(|| handler.deliver(|place| matches!(place, Place::Computation(_))));
        }
        if self.halted.is_some() && handler.attention().control() & PAUSE != 0 {
            // It is halted already, and stays so.
            handler.answer_turn();
        }
    }

    fn verdict(&mut self, control: u32) -> Status {
        self.handler.verdict(control)
    }

    /// A loop that saves by itself, and is to do it now, cannot while it is halted.
    fn can_halt(&self) -> bool {
        !self.handler.loop_must_save()
    }

    fn others_stand_still(&self) -> bool {
        self.handler.workers_stand_still()
    }

    fn halted(&mut self) {
        self.halted = Some(Instant::now());
        self.handler.emit(Kind::Paused, |_| {});
        self.handler.answer_turn();
    }

    fn goes_on(&mut self) {
        if let Some(since) = self.halted.take() {
            self.handler.run.lock().halted_for += since.elapsed();
        }
        self.handler.emit(Kind::Resumed, |_| {});
    }
}

impl Handler {
    /// A ready point with something to do. `Ok`, or why the loop must end.
    pub(crate) fn ready(&self) -> Result<Status> {
        self.check_computing_outside_callbacks()?;
        Ok(self.attend())
    }

    /// Does what is asked for. Computation thread, outside callbacks and between the items of a map.
    pub(super) fn attend(&self) -> Status {
        let attention = self.attention();
        let every = attention.control() & (EVERY_PROGRESS | EVERY_CHECKPOINT);
        if every & EVERY_PROGRESS != 0 {
            self.show_progress();
        }
        if every & EVERY_CHECKPOINT != 0 {
            self.save();
        }
        let verdict = point::pass(&attention, &mut Visit { handler: self, halted: None });
        self.answer_turn();
        if verdict != Status::Ok {
            self.run.lock().told = Some(verdict);
        }
        verdict
    }

    /// The loop saves by itself, and is to do it now.
    pub(super) fn loop_must_save(&self) -> bool {
        let run = self.run.lock();
        run.polls && run.save_asked
    }

    /// Answers pause and resume requests: the state is now what they asked for, or what later ones did.
    fn answer_turn(&self) {
        let waiting = std::mem::take(&mut self.run.lock().await_turn);
        for answerer in waiting {
            answerer.answer(Ok(Message::default()));
        }
    }

    /// Whether the loop must end. A stop lets it save first.
    fn verdict(&self, control: u32) -> Status {
        if control & ABORT != 0 {
            return Status::Aborted;
        }
        if control & STOP == 0 {
            return Status::Ok;
        }
        let (stop, polls) = {
            let run = self.run.lock();
            (run.stop, run.polls)
        };
        match stop {
            Stop::Done { .. } => Status::Stopped,
            Stop::Saving => Status::Ok,
            Stop::NotAsked => {
                let saves_itself = self.checkpoint.lock().is_none();
                if saves_itself && !polls {
                    self.run.lock().stop = Stop::Done { saved: false };
                    return Status::Stopped;
                }
                self.run.lock().stop = Stop::Saving;
                self.save_as_asked();
                self.verdict(control)
            }
        }
    }

    // Progress.

    pub(super) fn progress_has_changed(&self) -> bool {
        Some(self.stored_progress()) != self.run.lock().shown
    }

    /// A progress event, unless the last one said the same.
    pub(super) fn show_progress(&self) {
        let now = self.stored_progress();
        let active = {
            let mut run = self.run.lock();
            if run.shown == Some(now) || (run.shown.is_none() && now == (0.0, 0.0)) {
                return;
            }
            run.shown = Some(now);
            self.note_shown_progress(now);
            run.active_time()
        };
        let seconds_left = {
            let mut estimate = self.estimate.lock();
            estimate.add(active, now.0);
            estimate.seconds_left(now.1)
        };
        self.emit(Kind::Progress, |event| event.progress.seconds_left = seconds_left);
    }

    // Checkpoints.

    /// Saves because somebody asked for it: also while paused.
    fn save_as_asked(&self) {
        self.run.lock().save_asked = true;
        self.save();
    }

    /// Saves by the callback, or tells the loop that it is time to.
    fn save(&self) {
        let callback = self.checkpoint.lock().clone();
        match callback {
            None => self.run.lock().checkpoint_due = true,
            Some(_) if self.maps.puts_off_saving() => {}
            Some(save) => {
                let code = self.standing_still(|| self.calling(|| save(false)));
                self.saved(code == 0, || format!("the checkpoint callback returned {code}: nothing was saved"));
            }
        }
    }

    /// A save is done, well or not: says so to all who wait for it.
    fn saved(&self, well: bool, complaint: impl FnOnce() -> String) {
        self.timers.start(Delta::Checkpoint);
        let waiting = {
            let mut run = self.run.lock();
            run.checkpoint_due = false;
            run.save_asked = false;
            run.last_save = Some((coarse_time(), well));
            if run.stop == Stop::Saving {
                run.stop = Stop::Done { saved: well };
            }
            std::mem::take(&mut run.await_save)
        };
        let text = if well { String::new() } else { complaint() };
        if !well {
            self.note_error(&text);
            self.log(Level::Error, text.clone());
        }
        for answerer in waiting {
            answerer.answer(if well { Ok(Message::default()) } else { Err(Error::new(Status::Failed, text.clone())) });
        }
        self.emit(Kind::Checkpoint, |event| {
            event.status = if well { Status::Ok } else { Status::Failed };
            event.text = text;
        });
    }

    /// Serves a checkpoint request.
    pub(super) fn save_for(&self, answerer: super::reply::Answerer) {
        {
            let mut run = self.run.lock();
            if !run.polls && self.checkpoint.lock().is_none() {
                drop(run);
                let text = "the job has no checkpoint callback and does not ask park_checkpoint_due";
                return answerer.answer(Err(Error::new(Status::Refused, text)));
            }
            run.await_save.push(answerer);
        }
        self.save_as_asked();
    }

    /// The poll form: whether the loop is to save now.
    pub(crate) fn checkpoint_due(&self) -> Result<bool> {
        self.check_computing()?;
        let mut run = self.run.lock();
        run.polls = true;
        Ok(run.checkpoint_due)
    }

    /// The poll form: the loop has saved, or could not.
    pub(crate) fn checkpoint_done(&self, well: bool) -> Result<()> {
        self.check_computing()?;
        {
            let mut run = self.run.lock();
            // A loop that was told to end, and saves after it, has saved for the stop all the same.
            if well && run.told == Some(Status::Stopped) {
                run.stop = Stop::Done { saved: true };
            }
        }
        self.saved(well, || "the loop could not save its checkpoint".to_owned());
        Ok(())
    }

    /// Restores by the callback.
    pub(crate) fn restore(&self) -> Result<Status> {
        self.check_computing_outside_callbacks()?;
        let callback = self.checkpoint.lock().clone();
        let Some(restore) = callback else {
            return Ok(Status::NoCheckpoint);
        };
        match self.calling(|| restore(true)) {
            0 => Ok(Status::Ok),
            code if code == Status::NoCheckpoint as i32 => Ok(Status::NoCheckpoint),
            code => Err(Error::new(Status::Failed, format!("the checkpoint callback returned {code} on restore"))),
        }
    }
}
