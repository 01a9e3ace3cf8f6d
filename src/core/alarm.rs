//! How idle workers learn of work: those that are awake by a count, those that sleep by the kernel.
//!
//! Waking a sleeper costs the one who wakes it some 8 us, a count that changes costs nothing. So the two are apart:
//! `announce` changes the count, `wake` calls the kernel, and only when somebody sleeps.
//!
//! # The race
//!
//! A worker says that it sleeps and then looks at the count again; who announces changes the count and then looks
//! who sleeps. Both looks come after a read-modify-write of the same two words, so at least one of them sees the
//! other: either the worker finds news, or it is woken. The loom model `no_announcement_is_slept_through` checks it,
//! and fails when either looks before it has said its own.

use super::sync::{AtomicU32, Futex, Ordering};
use std::time::Duration;

pub(crate) struct Alarm {
    news: Futex,
    asleep: AtomicU32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u32);

impl Alarm {
    pub(crate) fn new() -> Alarm {
        Alarm { news: Futex::new(0), asleep: AtomicU32::new(0) }
    }

    /// Take it before looking for work; when it has changed there is news.
    pub(crate) fn ticket(&self) -> Ticket {
        // Acquire: pairs with `announce`.
        Ticket(self.news.load(Ordering::Acquire))
    }

    /// How many sleep, roughly.
    pub(crate) fn asleep(&self) -> u32 {
        self.asleep.load(Ordering::Relaxed)
    }

    /// Says that there is work. Those who sleep must be woken as well.
    pub(crate) fn announce(&self) {
        // AcqRel: see the race above.
        self.news.fetch_add(1, Ordering::AcqRel);
    }

    /// After `announce`: wakes at most `most` sleepers.
    pub(crate) fn wake(&self, most: u32) {
        // A read-modify-write, because it must not be early: see the race above.
        if self.asleep.fetch_add(0, Ordering::AcqRel) > 0 {
            self.news.wake(most);
        }
    }

    /// Sleeps until news that came after the ticket, at most for `limit`. May return early.
    pub(crate) fn sleep(&self, ticket: Ticket, limit: Option<Duration>) {
        // AcqRel: see the race above.
        self.asleep.fetch_add(1, Ordering::AcqRel);
        if self.ticket() == ticket {
            self.news.wait(ticket.0, limit);
        }
        // Relaxed: who still counts this one as asleep makes one system call too many.
        self.asleep.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::core::sync::Arc;
    use loom::thread;

    /// A worker that slept through it would never end: loom reports the deadlock.
    #[test]
    fn loom_no_announcement_is_slept_through() {
        loom::model(|| {
            let shared = Arc::new((Alarm::new(), AtomicU32::new(0)));
            let worker = {
                let shared = shared.clone();
                thread::spawn(move || loop {
                    let ticket = shared.0.ticket();
                    if shared.1.load(Ordering::Relaxed) == 1 {
                        return;
                    }
                    shared.0.sleep(ticket, None);
                })
            };
            shared.1.store(1, Ordering::Relaxed);
            shared.0.announce();
            shared.0.wake(1);
            worker.join().unwrap();
        });
    }
}
