//! A turn: what one thread at a time may do, and nobody waits for.
//!
//! Who finds it taken does something else, or says that it starves and goes to sleep. Who lets it go looks whether somebody
//! starves, and wakes. Each sees what the one before did.
//!
//! # The race
//!
//! Who starves says so, then looks once more whether the turn is free; who lets go does that, then looks whether somebody
//! starves. The look at the turn is a read-modify-write, as letting go is: if it comes first, letting go reads what it
//! wrote, and sees that somebody starves; if it comes second, it sees that the turn is free. The loom model
//! `nobody_starves_beside_a_free_turn` fails when either ordering is weakened.

use super::sync::{AtomicBool, Ordering};

pub(crate) struct Turn {
    taken: AtomicBool,
    starved: AtomicBool,
}

impl Turn {
    pub(crate) fn new() -> Turn {
        Turn { taken: AtomicBool::new(false), starved: AtomicBool::new(false) }
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }

    /// Does `act`, if nobody else does. Then `wake` is called, if somebody starved meanwhile.
    pub(crate) fn try_take<R>(&self, act: impl FnOnce() -> R, wake: impl FnOnce()) -> Option<R> {
        /// Also when `act` panics.
        struct LetGo<'a>(&'a AtomicBool);
        impl Drop for LetGo<'_> {
            fn drop(&mut self) {
                // Acquire: see above. Release: who takes it next sees what was done.
                self.0.swap(false, Ordering::AcqRel);
            }
        }
        if self.is_taken() || self.taken.swap(true, Ordering::Acquire) {
            return None;
        }
        let taken = LetGo(&self.taken);
        let result = act();
        drop(taken);
        // Relaxed: letting go has seen it; see above.
        if self.starved.load(Ordering::Relaxed) && self.starved.swap(false, Ordering::Relaxed) {
            wake();
        }
        Some(result)
    }

    /// Says that the caller will sleep because it is taken. False: it is not any more.
    pub(crate) fn starve(&self) -> bool {
        self.starved.store(true, Ordering::Relaxed);
        // Release: see above.
        self.taken.fetch_or(false, Ordering::Release)
    }
}
