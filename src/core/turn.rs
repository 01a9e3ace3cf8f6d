//! Turns: what one thread at a time may have, and nobody waits for.
//!
//! Who finds it taken does something else, or says that it starves and goes to sleep. Who lets it go looks whether somebody
//! starves, and wakes.
//!
//! # The race
//!
//! Who starves says so, then looks once more whether the turn is free; who lets go does that, then looks whether somebody
//! starves. There is a fence between the two steps of each, so one of them sees the other. The loom model
//! `nobody_starves_beside_a_free_turn` fails without either.

use super::sync::{fence, AtomicBool, Mutex, Ordering};

pub(crate) struct Turn<T> {
    held: Mutex<T>,
    starved: AtomicBool,
}

impl<T> Turn<T> {
    pub(crate) fn new(value: T) -> Turn<T> {
        Turn { held: Mutex::new(value), starved: AtomicBool::new(false) }
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.held.try_lock().is_none()
    }

    /// Uses it, if it is free. Then `wake` is called, if somebody starved meanwhile.
    pub(crate) fn try_use<R>(&self, with: impl FnOnce(&mut T) -> R, wake: impl FnOnce()) -> Option<R> {
        let result = with(&mut *self.held.try_lock()?);
        // SeqCst: see above. Relaxed the rest: what is handed over is in the lock.
        fence(Ordering::SeqCst);
        if self.starved.load(Ordering::Relaxed) && self.starved.swap(false, Ordering::Relaxed) {
            wake();
        }
        Some(result)
    }

    /// Says that the caller will sleep because it is taken. False: it is not any more.
    pub(crate) fn starve(&self) -> bool {
        self.starved.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.is_taken()
    }
}
