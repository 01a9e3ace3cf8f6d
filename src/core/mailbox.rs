//! A mailbox: what a thread is asked to do, and the bell that it sleeps by.
//!
//! Who sends leaves the task first and rings then. The thread takes its ticket first and looks then: a task that it
//! misses has a ring after the ticket, which keeps it awake. A mailbox that is closed takes no more tasks, so none is
//! left behind when the thread has gone.

use super::bell::{Bell, LINGER};
use super::sync::{sleep, Mutex};
use std::time::Instant;

struct State<T> {
    tasks: Vec<T>,
    closed: bool,
}

pub(crate) struct Mailbox<T> {
    state: Mutex<State<T>>,
    bell: Bell,
}

/// When the thread is to look again.
pub(crate) enum Rest {
    /// In a moment: there was work, and more of it may be coming.
    Linger,
    /// When it is rung for, or at this time.
    Until(Option<Instant>),
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Mailbox<T> {
        Mailbox { state: Mutex::new(State { tasks: Vec::new(), closed: false }), bell: Bell::new() }
    }

    /// Leaves a task; it is returned when the mailbox is closed.
    pub(crate) fn send(&self, task: T) -> Result<(), T> {
        {
            let mut state = self.state.lock();
            if state.closed {
                return Err(task);
            }
            state.tasks.push(task);
        }
        self.bell.ring();
        Ok(())
    }

    /// Lets the thread look again.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }

    /// Takes no more tasks; the thread does those that it has, and ends.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.bell.ring();
    }

    /// The thread's own loop: performs the tasks, looks for other work each time, and rests.
    pub(crate) fn serve(&self, mut perform: impl FnMut(T), mut look: impl FnMut() -> Rest) {
        loop {
            let ticket = self.bell.ticket();
            let (tasks, closed) = {
                let mut state = self.state.lock();
                (std::mem::take(&mut state.tasks), state.closed)
            };
            tasks.into_iter().for_each(&mut perform);
            let rest = look();
            if closed {
                return;
            }
            match rest {
                Rest::Linger => sleep(LINGER),
                Rest::Until(deadline) => self.bell.sleep(ticket, deadline),
            }
        }
    }
}
