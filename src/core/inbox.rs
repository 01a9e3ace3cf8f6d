//! Requests that wait for a ready point, in the order in which they came.

use super::attention::{Attention, MAIL};
use super::message::Message;
use super::reply::Answerer;
use super::status::{Error, Status};
use super::sync::Mutex;
use std::collections::VecDeque;

/// How many requests may wait at once: a sender that floods is refused, and memory stays bounded.
pub(crate) const MOST_WAITING: usize = 4096;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ask {
    Signal(super::attention::Signal),
    Set,
    Get,
    Invoke,
    Message,
}

pub(crate) struct Request {
    pub(crate) ask: Ask,
    pub(crate) message: Message,
    pub(crate) answerer: Answerer,
    /// The deltas as they were before a set request changed them: restored if the rest of it is refused.
    pub(crate) undo: Vec<(super::timer::Delta, f64)>,
}

struct State {
    waiting: VecDeque<Request>,
    open: bool,
}

pub(crate) struct Inbox(Mutex<State>);

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox(Mutex::new(State { waiting: VecDeque::new(), open: true }))
    }

    /// Lets requests wait again, at the begin of a run.
    pub(crate) fn open(&self) {
        self.0.lock().open = true;
    }

    /// Leaves a request to the next ready point. One that is refused is answered.
    pub(crate) fn push(&self, request: Request, attention: &Attention<'_>) {
        let refusal = {
            let mut state = self.0.lock();
            if !state.open {
                Error::new(Status::Expired, "the job has ended")
            } else if state.waiting.len() >= MOST_WAITING {
                Error::new(Status::Full, format!("{MOST_WAITING} requests are waiting for a ready point already"))
            } else {
                state.waiting.push_back(request);
                drop(state);
                // After it waits: else a ready point in between would look, and find nothing.
                return attention.raise(MAIL);
            }
        };
        request.answerer.answer(Err(refusal));
    }

    /// Serves what waits and was not withdrawn, at most `room` requests; what is left waits for the next round.
    pub(crate) fn serve(&self, attention: &Attention<'_>, room: &mut usize, mut serve: impl FnMut(Request)) {
        while *room > 0 {
            let Some(request) = self.pop() else { return };
            *room -= 1;
            if request.answerer.begin() {
                serve(request);
            }
        }
        attention.raise(MAIL);
    }

    fn pop(&self) -> Option<Request> {
        self.0.lock().waiting.pop_front()
    }

    /// Refuses all that comes from now on; what waits is answered by its drop: expired.
    pub(crate) fn close(&self) {
        let left = {
            let mut state = self.0.lock();
            state.open = false;
            std::mem::take(&mut state.waiting)
        };
        drop(left);
    }
}
