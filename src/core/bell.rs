//! A bell: a thread sleeps by it until something has happened.
//!
//! The word counts the rings in its upper bits; the lowest bit says that somebody sleeps. A sleeper takes a ticket
//! (the word as it is), looks whether there is work, and sleeps only if the word is still its ticket: a ring in
//! between has changed the word. The ring that finds the sleeping bit set takes it away and is the only one that
//! pays for the system call: in a burst that is the first.

use super::sync::{Futex, Ordering};
use std::time::{Duration, Instant};

const SLEEPING: u32 = 1;
const ONE_RING: u32 = 2;

/// How long a thread that has just had events looks away before it sleeps by the bell. It drains faster than a loop
/// makes events: without this it would fall asleep between two of a burst, and each would pay for a wake-up (8 us of
/// the loop instead of 0.1). The first event of a burst is not delayed; those that follow are, by this much at most.
pub(crate) const LINGER: Duration = Duration::from_micros(100);

pub(crate) struct Bell(Futex);

#[derive(Clone, Copy)]
pub(crate) struct Ticket(u32);

impl Bell {
    pub(crate) fn new() -> Bell {
        Bell(Futex::new(0))
    }

    /// Take it before looking for work.
    pub(crate) fn ticket(&self) -> Ticket {
        // Acquire: the look for work comes after it, and sees what was done before the rings it counts.
        Ticket(self.0.load(Ordering::Acquire) & !SLEEPING)
    }

    /// Says that there is work. What was done before is seen by the thread that wakes.
    pub(crate) fn ring(&self) {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let rung = (word & !SLEEPING).wrapping_add(ONE_RING);
            // Release: pairs with the Acquire in `ticket`.
            match self.0.compare_exchange_weak(word, rung, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        if word & SLEEPING != 0 {
            self.0.wake_all();
        }
    }

    /// Sleeps until a ring that came after the ticket, or until the deadline. May return early.
    pub(crate) fn sleep(&self, ticket: Ticket, deadline: Option<Instant>) {
        let timeout = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if timeout == Some(Duration::ZERO) {
            return;
        }
        let asleep = ticket.0 | SLEEPING;
        // Relaxed: no data is handed over by going to sleep. Another sleeper may have set the bit already.
        match self.0.compare_exchange(ticket.0, asleep, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => {}
            Err(now) if now == asleep => {}
            Err(_) => return,
        }
        self.0.wait(asleep, timeout);
    }
}
