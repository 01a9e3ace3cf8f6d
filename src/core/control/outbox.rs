//! What other threads leave for the endpoint's thread.

use crate::core::reply::Answer;
use crate::core::sync::{AtomicBool, Condvar, Mutex, Ordering};
use mio::Waker;
use std::time::{Duration, Instant};

/// The job's answer to a request of a client.
pub(super) struct Answered {
    pub(super) peer: u64,
    pub(super) call: u64,
    pub(super) answer: Answer,
}

pub(super) struct Outbox {
    answers: Mutex<Vec<Answered>>,
    waker: Waker,
    stop: AtomicBool,
    /// For a thread that rests: it does not listen to its clients meanwhile.
    rest: Mutex<()>,
    stopped: Condvar,
}

impl Outbox {
    pub(super) fn new(waker: Waker) -> Outbox {
        Outbox {
            answers: Mutex::new(Vec::new()),
            waker,
            stop: AtomicBool::new(false),
            rest: Mutex::new(()),
            stopped: Condvar::new(),
        }
    }

    pub(super) fn post(&self, answered: Answered) {
        let was_empty = {
            let mut answers = self.answers.lock();
            answers.push(answered);
            answers.len() == 1
        };
        if was_empty {
            self.wake();
        }
    }

    pub(super) fn take(&self) -> Vec<Answered> {
        std::mem::take(&mut *self.answers.lock())
    }

    pub(super) fn wake(&self) {
        // It fails only when the kernel has no memory: the thread then sees it when it wakes for something else.
        let _ = self.waker.wake();
    }

    pub(super) fn stop(&self) {
        {
            // Under the lock: a thread that has just found it unset is asleep before it is told.
            let _resting = self.rest.lock();
            // Relaxed: the lock and the join order the rest.
            self.stop.store(true, Ordering::Relaxed);
        }
        self.stopped.notify_all();
        self.wake();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Sleeps for this time, or until it is stopped.
    pub(super) fn rest(&self, time: Duration) {
        let end = Instant::now() + time;
        let mut guard = self.rest.lock();
        while !self.is_stopped() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            guard = self.stopped.wait(guard, Some(left));
        }
    }
}
