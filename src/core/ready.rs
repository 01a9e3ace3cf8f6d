//! The ready point: where the computation thread meets what is asked of it.

use super::attention::{
    ABORT, CHECKPOINT, CHECKPOINT_TIME, DELIVER, EVERY_CHECKPOINT, EVERY_PROGRESS, MAIL, PAUSE, PROGRESS, STOP,
};
use super::catch;
use super::client::Place;
use super::event::{Kind, Level};
use super::handler::Handler;
use super::lifecycle::Stop;
use super::message::Message;
use super::point::{self, Computation};
use super::status::{Error, Result, Status};
use std::time::Instant;

/// What a handler does at one ready point.
struct Visit<'a> {
    handler: &'a Handler,
    halted: Option<Instant>,
}

impl Computation for Visit<'_> {
    fn serve(&mut self, edges: u32, room: &mut usize) {
        let handler = self.handler;
        handler.pulse.take_mark();
        if edges & PROGRESS != 0 {
            handler.deadline.lock().reach();
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
            handler.save_in_time();
        }
        if edges & DELIVER != 0 {
            handler.calling(|| handler.deliver(|place| matches!(place, Place::Computation(_))));
        }
        if self.halted.is_some() && handler.attention().control() & PAUSE != 0 && handler.workers_stand_still() {
            // It is halted already, and stays so; a worker that was let go in between stands again.
            handler.answer_turn();
        }
    }

    fn verdict(&mut self, control: u32) -> Status {
        self.handler.verdict(control)
    }

    /// A loop that saves by itself, and is to do it now, cannot while it is halted; nor can a map come to its end.
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
        // Let go for a save, nothing in the control word has changed that would wake the workers.
        self.handler.attention().nudge();
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
        for signal in catch::untold(self.handle()) {
            self.log(Level::Info, signal);
        }
        let every = attention.control() & (EVERY_PROGRESS | EVERY_CHECKPOINT);
        if every & EVERY_PROGRESS != 0 {
            self.show_progress();
        }
        if every & EVERY_CHECKPOINT != 0 {
            self.save_in_time();
        }
        let verdict = point::pass(&attention, &mut Visit { handler: self, halted: None });
        self.answer_turn();
        if verdict != Status::Ok {
            self.run.lock().told = Some(verdict);
        }
        verdict
    }

    /// A save was asked for that the computation must go on for: to save by itself, or to come to the end of a map.
    pub(super) fn loop_must_save(&self) -> bool {
        let run = self.run.lock();
        run.save_asked && (run.polls || self.maps.save_waits())
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
        let stop = self.run.lock().stop;
        match stop {
            Stop::Done { .. } => Status::Stopped,
            // It is not said to be over before all is on the medium.
            Stop::Saving if self.land_for_stop() => self.verdict(self.attention().control()),
            Stop::Saving => Status::Ok,
            Stop::NotAsked => {
                if !self.can_save() {
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

    /// Serves a checkpoint request.
    pub(super) fn save_for(&self, answerer: super::reply::Answerer) {
        if !self.can_save() {
            let text =
                "the job has no way to save: neither a protected array with a directory nor a checkpoint callback, \
                        and it does not ask park_checkpoint_due";
            return answerer.answer(Err(Error::new(Status::Refused, text)));
        }
        self.run.lock().await_save.push(answerer);
        self.save_as_asked();
    }
}
