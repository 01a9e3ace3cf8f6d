//! A save: from the copy to the moment when all is on the medium.

use super::attention::{asked_in, ABORT, CHECKPOINT_TIME};
use super::checkpoint::{Flight, OwnFiles};
use super::event::{Kind, Level};
use super::handler::Handler;
use super::lifecycle::Stop;
use super::message::Message;
use super::reply::Answerer;
use super::snapshot::Snapshot;
use super::status::{Error, Result, Status};
use super::store::{Draft, Saved, Source};
use super::sync::{coarse_time, Arc, Mutex, Ordering};
use super::table;
use super::timer::Delta;
use super::value::Value;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

/// To start a thread takes 30 us: it is to have so much to copy that this does not count. And more threads than so many
/// do not make memory faster.
const WORTH_A_THREAD: u64 = 8 << 20;
const MOST_THREADS: u64 = 16;

/// Who waits for a save, from its begin.
pub(super) struct Waiting {
    answerers: Vec<Answerer>,
    for_stop: bool,
    pub(super) began: Instant,
}

/// How a save goes on. Computation thread.
impl Handler {
    /// From here on who asks for a checkpoint waits for the next one.
    pub(super) fn begin_save(&self) -> Waiting {
        let mut run = self.run.lock();
        run.checkpoint_due = false;
        run.save_asked = false;
        Waiting {
            answerers: std::mem::take(&mut run.await_save),
            // A loop that was told to end, and saves after it, has saved for the stop all the same.
            for_stop: run.stop == Stop::Saving || run.told == Some(Status::Stopped),
            began: Instant::now(),
        }
    }

    /// Waits until no save is on its way. `false`: an abort came first.
    pub(super) fn land(&self) -> bool {
        let attention = self.attention();
        loop {
            let word = attention.watch();
            if !self.checkpoints.flight.lock().under_way {
                return true;
            }
            if asked_in(word) & ABORT != 0 {
                return false;
            }
            attention.sleep(word);
        }
    }

    /// Waits for the save that a stop waits for, if it is on its way. `false`: there is none.
    pub(super) fn land_for_stop(&self) -> bool {
        let flight = self.checkpoints.flight.lock();
        let waits = flight.under_way && flight.for_stop;
        drop(flight);
        if waits {
            self.land();
        }
        waits
    }

    /// Copies, and lets the saver write; or writes from where it is, and waits.
    pub(super) fn hand_over(&self, waiting: Waiting, made: Result<Option<(Draft, Snapshot)>>) -> Result<()> {
        let (draft, snapshot) = match made {
            Ok(Some(made)) => made,
            Ok(None) => return self.conclude_here(waiting, Ok(None)),
            Err(error) => return self.conclude_here(waiting, Err(error)),
        };
        let began = waiting.began;
        match self.set_out(draft, &snapshot, waiting) {
            Ok(()) => {
                self.note_stall(began);
                Ok(())
            }
            Err((waiting, saved)) => self.conclude_here(waiting, saved.map(Some)),
        }
    }

    /// `Err`: it is over already, well or not.
    fn set_out(
        &self,
        draft: Draft,
        snapshot: &Snapshot,
        waiting: Waiting,
    ) -> std::result::Result<(), (Waiting, Result<Saved>)> {
        let sources: Vec<&dyn Source> = snapshot.sources.iter().map(|source| &**source).collect();
        let in_place = self.checkpoints.is_in_place();
        let planned = self.vault().and_then(|saver| {
            let plan = draft.plan(&snapshot.description, &snapshot.entries)?;
            Ok((saver, plan))
        });
        let (saver, plan) = match planned {
            Ok(planned) => planned,
            Err(error) => return Err((waiting, Err(error))),
        };
        if in_place {
            let saved = saver.save(plan, &sources);
            return Err((waiting, saved));
        }
        let threads = (plan.bytes() / WORTH_A_THREAD).clamp(1, MOST_THREADS).min(self.workers().into()) as usize;
        // It is there as long as it computes.
        let Some(handler) = table::find(self.handle()) else {
            return Err((waiting, Err(Error::new(Status::Expired, "the handler is being freed"))));
        };
        let waiting = Arc::new(Mutex::new(Some(waiting)));
        {
            let mut flight = self.checkpoints.flight.lock();
            flight.under_way = true;
            flight.for_stop = waiting.lock().as_ref().is_some_and(|waiting| waiting.for_stop);
        }
        let carried = waiting.clone();
        let begun = saver.save_copy(
            plan,
            &sources,
            &|parts, copy| share(threads, parts, copy),
            Box::new(move |saved| {
                let waiting = carried.lock().take();
                waiting.into_iter().for_each(|waiting| handler.landed(waiting, saved.clone()));
            }),
        );
        let Err(error) = begun else { return Ok(()) };
        *self.checkpoints.flight.lock() = Flight::default();
        let taken = waiting.lock().take();
        Err((taken.expect("nothing was begun, so nobody took it"), Err(error)))
    }

    /// A save is over that the loop has waited for.
    pub(super) fn conclude_here(&self, waiting: Waiting, saved: Result<Option<Saved>>) -> Result<()> {
        let began = waiting.began;
        let told = saved.as_ref().map(|_| ()).map_err(|error| Error::new(error.status, error.text.clone()));
        if let Err(error) = &told {
            self.note_error(&error.text);
            // What the user has written for it goes with it.
            *self.checkpoints.own_files.lock() = OwnFiles::Nowhere;
        }
        self.conclude(waiting, saved);
        self.note_stall(began);
        told
    }

    /// The loop stood still for a checkpoint since then.
    fn note_stall(&self, began: Instant) {
        self.checkpoints.budget.lock().add(began.elapsed());
        self.timers.start(Delta::Checkpoint);
    }
}

/// How it ends: on the computation thread, or on the saver's.
impl Handler {
    /// A save has come through, or failed on its way.
    fn landed(&self, waiting: Waiting, saved: Result<Saved>) {
        self.conclude(waiting, saved.map(Some));
        let put_off = std::mem::take(&mut *self.checkpoints.flight.lock()).put_off;
        if put_off {
            self.attention().raise(CHECKPOINT_TIME);
        }
        self.attention().nudge();
    }

    /// Says how a save ended to all who wait for it.
    fn conclude(&self, waiting: Waiting, saved: Result<Option<Saved>>) {
        self.checkpoints.budget.lock().took(waiting.began.elapsed());
        let well = saved.is_ok();
        self.run.lock().last_save = Some((coarse_time(), well));
        if waiting.for_stop {
            let mut run = self.run.lock();
            if well || run.stop == Stop::Saving {
                run.stop = Stop::Done { saved: well };
            }
        }
        let (status, text, mut reply) =
            (if well { Status::Ok } else { Status::Failed }, String::new(), Message::default());
        let text = match saved {
            Ok(None) => text,
            Ok(Some(saved)) => {
                let file = saved.file.display().to_string();
                reply.put("generation", Value::I64(saved.generation as i64));
                reply.put("file", Value::Text(file.clone()));
                reply.put("bytes", Value::I64(saved.bytes as i64));
                reply.put("seconds", Value::F64(saved.seconds));
                file
            }
            Err(error) => {
                self.log(Level::Error, error.text.clone());
                error.text
            }
        };
        *self.checkpoints.failure.lock() = (!well).then(|| text.clone());
        for answerer in waiting.answerers {
            answerer.answer(if well { Ok(reply.clone()) } else { Err(Error::new(Status::Failed, text.clone())) });
        }
        self.emit(Kind::Checkpoint, |event| {
            event.status = status;
            event.text = text;
        });
    }
}

/// Does the parts on so many threads, this one among them.
fn share(threads: usize, parts: usize, part: &(dyn Fn(usize) + Sync)) {
    let next = AtomicUsize::new(0);
    // Relaxed: the scope orders what the threads did before it ends.
    let take_part = || loop {
        match next.fetch_add(1, Ordering::Relaxed) {
            index if index < parts => part(index),
            _ => return,
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(parts) {
            let started = crate::sys::with_signals_blocked(|| {
                std::thread::Builder::new().name("park-copy".into()).spawn_scoped(scope, || {
                    let _uncancelled = crate::sys::CancelDisabled::new();
                    take_part();
                })
            });
            if started.is_err() {
                // Those who are there do it.
                break;
            }
        }
        take_part();
    });
}
