//! A turn: what one thread at a time may do, and nobody waits for.
//!
//! Who finds it taken does something else, or says that it starves and goes to sleep. Who lets it go looks whether somebody
//! starves, and wakes. Taking it is an Acquire and letting it go a Release, so each sees what the one before did.
//!
//! # The race
//!
//! Who starves says so, then looks once more whether the turn is free; who lets go does that, then looks whether somebody
//! starves. Both looks are read-modify-writes: they see the newest, and what was done before it, so one of the two sees the
//! other. The loom model `nobody_starves_beside_a_free_turn` fails when either look is a plain load.

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
                self.0.swap(false, Ordering::AcqRel);
            }
        }
        if self.is_taken() || self.taken.swap(true, Ordering::Acquire) {
            return None;
        }
        let taken = LetGo(&self.taken);
        let result = act();
        drop(taken);
        // AcqRel: see above.
        if self.starved.swap(false, Ordering::AcqRel) {
            wake();
        }
        Some(result)
    }

    /// Says that the caller will sleep because it is taken. False: it is not any more.
    pub(crate) fn starve(&self) -> bool {
        // AcqRel: see above.
        self.starved.swap(true, Ordering::AcqRel);
        self.taken.fetch_or(false, Ordering::AcqRel)
    }
}
