//! The locks and atomics of the core: std's, or loom's when a model runs.

#[cfg(loom)]
pub(crate) use loom::sync::{
    atomic::{fence, AtomicU32, AtomicU64, Ordering},
    Arc,
};
#[cfg(not(loom))]
pub(crate) use std::sync::{
    atomic::{fence, AtomicU32, AtomicU64, Ordering},
    Arc,
};

use std::time::Duration;

#[cfg(loom)]
use loom::sync as imp;
#[cfg(not(loom))]
use std::sync as imp;

pub(crate) use imp::MutexGuard;

/// A mutex that a panic does not poison: what it guards is whole after every statement, and a panic is reported
/// to the caller as a status, so the handler must stay usable.
pub(crate) struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    #[cfg(not(loom))]
    pub(crate) const fn new(value: T) -> Mutex<T> {
        Mutex(imp::Mutex::new(value))
    }
    #[cfg(loom)]
    pub(crate) fn new(value: T) -> Mutex<T> {
        Mutex(imp::Mutex::new(value))
    }

    /// The lock, when nobody has it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    #[cfg(not(loom))]
    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A condition variable for [`Mutex`].
pub(crate) struct Condvar(imp::Condvar);

impl Condvar {
    pub(crate) fn new() -> Condvar {
        Condvar(imp::Condvar::new())
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    /// Waits until notified, or until `timeout` has passed when there is one.
    #[cfg(not(loom))]
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>, timeout: Option<Duration>) -> MutexGuard<'a, T> {
        match timeout {
            None => self.0.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner),
            Some(limit) => self.0.wait_timeout(guard, limit).unwrap_or_else(std::sync::PoisonError::into_inner).0,
        }
    }

    /// In a model time does not pass: a wait with a limit may end at once or when notified, so both are explored
    /// by the models themselves, which call this without one.
    #[cfg(loom)]
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>, timeout: Option<Duration>) -> MutexGuard<'a, T> {
        match timeout {
            None => self.0.wait(guard).unwrap(),
            Some(_) => guard,
        }
    }
}

/// A word that threads can sleep on.
pub(crate) struct Futex {
    word: AtomicU32,
    #[cfg(loom)]
    lock: imp::Mutex<()>,
    #[cfg(loom)]
    woken: imp::Condvar,
}

#[cfg(not(loom))]
impl Futex {
    pub(crate) const fn new(value: u32) -> Futex {
        Futex { word: AtomicU32::new(value) }
    }

    /// Sleeps while the word holds `expected`, at most `timeout`. May return early.
    pub(crate) fn wait(&self, expected: u32, timeout: Option<Duration>) {
        crate::sys::futex_wait(&self.word, expected, timeout);
    }

    /// Wakes all sleepers. Async-signal-safe.
    pub(crate) fn wake_all(&self) {
        crate::sys::futex_wake(&self.word, u32::MAX);
    }

    /// Wakes at most so many sleepers.
    pub(crate) fn wake(&self, most: u32) {
        crate::sys::futex_wake(&self.word, most);
    }
}

/// The kernel's promise, as a model: compare and sleep are one step with respect to a wake.
#[cfg(loom)]
impl Futex {
    pub(crate) fn new(value: u32) -> Futex {
        Futex { word: AtomicU32::new(value), lock: imp::Mutex::new(()), woken: imp::Condvar::new() }
    }

    pub(crate) fn wait(&self, expected: u32, _timeout: Option<Duration>) {
        let guard = self.lock.lock().unwrap();
        if self.word.load(Ordering::SeqCst) == expected {
            drop(self.woken.wait(guard).unwrap());
        }
    }

    pub(crate) fn wake_all(&self) {
        drop(self.lock.lock().unwrap());
        self.woken.notify_all();
    }

    pub(crate) fn wake(&self, _most: u32) {
        self.wake_all();
    }
}

impl std::ops::Deref for Futex {
    type Target = AtomicU32;
    fn deref(&self) -> &AtomicU32 {
        &self.word
    }
}
