//! A mailbox: what a thread is asked to do, and the bell that it sleeps by.
//!
//! Who sends leaves the task first and rings then. The thread takes its ticket first and looks then: a task that it
//! misses has a ring after the ticket, which keeps it awake.
//!
//! A mailbox that is closed loses no task either: who sends leaves the task and then looks whether it is closed; the
//! thread sees that it is closed and then looks for tasks, for the last time. With the fences between, at least one of
//! the two sees what the other did. (The models show the order of the steps. The fences they cannot: their queue is a
//! mutex, which orders more than crossbeam's channel promises.)

use super::bell::{Bell, LINGER};
use super::sync::{fence, sleep, AtomicBool, Ordering, Queue};
use std::time::Instant;

pub(crate) struct Mailbox<T> {
    tasks: Queue<T>,
    closed: AtomicBool,
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
        Mailbox { tasks: Queue::new(), closed: AtomicBool::new(false), bell: Bell::new() }
    }

    /// Leaves a task. When the mailbox is closed, a task is returned that the sender must see to: this one or another.
    pub(crate) fn send(&self, task: T) -> Option<T> {
        self.tasks.push(task);
        self.bell.ring();
        // SeqCst: between leaving the task and looking whether it is closed; see above.
        fence(Ordering::SeqCst);
        if self.closed.load(Ordering::Relaxed) {
            return self.tasks.pop();
        }
        None
    }

    /// Lets the thread look again.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }

    /// The thread does the tasks that it has, and ends.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.bell.ring();
    }

    /// The thread's own loop: looks for work of its own, which is the more urgent, performs the tasks, and rests.
    pub(crate) fn serve(&self, mut look: impl FnMut() -> Rest, mut perform: impl FnMut(T)) {
        loop {
            let ticket = self.bell.ticket();
            let closed = self.closed.load(Ordering::Relaxed);
            // SeqCst: between seeing that it is closed and looking for tasks; see above.
            fence(Ordering::SeqCst);
            let rest = look();
            while let Some(task) = self.tasks.pop() {
                perform(task);
            }
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
