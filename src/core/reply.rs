//! Exactly one answer to each request.
//!
//! The two ends of a request: an [`Answerer`], held by whoever serves it, and, for a sender that waits, an
//! [`Awaiter`]. The answerer answers once, by value; dropped without an answer (the job ended, the handler was freed,
//! the server panicked), it answers `Expired`. A sender whose time is up withdraws the request, so that it has no
//! effect; it cannot when the request is being served at that moment, and is told so.

use super::message::Message;
use super::status::{Error, Result, Status};
use super::sync::{Arc, AtomicU32, Condvar, Mutex, Ordering};
use std::time::Instant;

/// What comes back: the reply's values, or why not.
pub(crate) type Answer = Result<Message>;

enum State {
    Waiting,
    Serving,
    Answered(Answer),
    Gone,
}

struct Cell {
    state: Mutex<State>,
    changed: Condvar,
}

/// By which a sender that does not wait withdraws its request.
#[derive(Clone)]
pub(crate) struct Claim(Arc<AtomicU32>);

const UNCLAIMED: u32 = 0;
const SERVED: u32 = 1;
const WITHDRAWN: u32 = 2;

impl Claim {
    pub(crate) fn new() -> Claim {
        Claim(Arc::new(AtomicU32::new(UNCLAIMED)))
    }

    /// One of the two wins, whichever thread comes first; the one who serves may ask again.
    fn make(&self, mine: u32) -> bool {
        // Relaxed: it says nothing but itself.
        match self.0.compare_exchange(UNCLAIMED, mine, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => true,
            Err(made) => made == mine,
        }
    }

    /// The request has no effect any more. False: it is being served, or was.
    pub(crate) fn withdraw(&self) -> bool {
        self.make(WITHDRAWN)
    }
}

enum To {
    Cell(Arc<Cell>),
    Call(Box<dyn FnOnce(Answer) + Send>, Claim),
    Nobody,
}

pub(crate) struct Answerer(To);

pub(crate) struct Awaiter(Arc<Cell>);

/// An answerer, and the awaiter of its answer.
pub(crate) fn pair() -> (Answerer, Awaiter) {
    let cell = Arc::new(Cell { state: Mutex::new(State::Waiting), changed: Condvar::new() });
    (Answerer(To::Cell(cell.clone())), Awaiter(cell))
}

impl Answerer {
    /// An answerer that hands the answer to `call`. A request that is withdrawn by the claim is answered all the same.
    pub(crate) fn calling(claim: Claim, call: impl FnOnce(Answer) + Send + 'static) -> Answerer {
        Answerer(To::Call(Box::new(call), claim))
    }

    /// Begins to serve. False: the sender has withdrawn, and nothing must be done.
    pub(crate) fn begin(&self) -> bool {
        let cell = match &self.0 {
            To::Cell(cell) => cell,
            To::Call(_, claim) => return claim.make(SERVED),
            To::Nobody => return true,
        };
        let mut state = cell.state.lock();
        if let State::Waiting = *state {
            *state = State::Serving;
        }
        matches!(*state, State::Serving)
    }

    pub(crate) fn answer(mut self, answer: Answer) {
        self.send(answer);
    }

    fn send(&mut self, answer: Answer) {
        match std::mem::replace(&mut self.0, To::Nobody) {
            To::Nobody => {}
            To::Call(call, _) => call(answer),
            To::Cell(cell) => {
                let mut state = cell.state.lock();
                if !matches!(*state, State::Gone) {
                    *state = State::Answered(answer);
                    cell.changed.notify_all();
                }
            }
        }
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        self.send(Err(Error::new(Status::Expired, "the job ended before it served the request")));
    }
}

impl Awaiter {
    /// Waits for the answer until the deadline, for ever without one.
    pub(crate) fn wait(self, deadline: Option<Instant>) -> Answer {
        let mut state = self.0.state.lock();
        loop {
            if let State::Answered(_) = *state {
                let State::Answered(answer) = std::mem::replace(&mut *state, State::Gone) else { unreachable!() };
                return answer;
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                let text = match std::mem::replace(&mut *state, State::Gone) {
                    State::Serving => {
                        "the time was up while the request was being served: it may still have its effect"
                    }
                    _ => "the time was up before a ready point: the request is withdrawn and has no effect",
                };
                return Err(Error::new(Status::Timeout, text));
            }
            state = self.0.changed.wait(state, left);
        }
    }
}
