//! The locks and atomics of the core: std's, or, when a model runs, loom's or shuttle's.
//!
//! A model replaces what waits or what orders: mutexes, condition variables, atomics, and the three things of the
//! platform's (futex, descriptor, sleep). `Arc` is std's in any case: models are not about it.

#[cfg(loom)]
use loom::sync as imp;
#[cfg(shuttle)]
use shuttle::sync as imp;
#[cfg(not(model))]
use std::sync as imp;

pub(crate) use imp::atomic::{fence, AtomicBool, AtomicU32, AtomicU64, Ordering};
pub(crate) use imp::MutexGuard;
pub(crate) use platform::{coarse_time, sleep, CancelDisabled, Flag, Futex, Queue};
pub(crate) use std::sync::Arc;

use std::sync::PoisonError;
use std::time::Duration;

/// What is written often by several threads, apart from what they read beside it: two cache lines, for processors fetch
/// them in pairs.
#[repr(align(128))]
pub(crate) struct Apart<T>(T);

impl<T> Apart<T> {
    pub(crate) fn new(value: T) -> Apart<T> {
        Apart(value)
    }
}

impl<T> std::ops::Deref for Apart<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

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

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(not(model))]
    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks without ever sleeping *on the lock*, for locks that the loop takes as well: whoever unlocks a mutex on which
    /// somebody sleeps pays for the wake-up (8 us), and that is not to be the loop.
    #[cfg(not(model))]
    pub(crate) fn lock_patiently(&self) -> MutexGuard<'_, T> {
        const SPINS: u32 = 200;
        const PAUSE: Duration = Duration::from_micros(20);
        loop {
            for _ in 0..SPINS {
                match self.0.try_lock() {
                    Ok(guard) => return guard,
                    Err(std::sync::TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                    Err(std::sync::TryLockError::WouldBlock) => std::hint::spin_loop(),
                }
            }
            // The holder may have lost its processor, perhaps to this thread.
            std::thread::sleep(PAUSE);
        }
    }

    #[cfg(model)]
    pub(crate) fn lock_patiently(&self) -> MutexGuard<'_, T> {
        self.lock()
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
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>, timeout: Option<Duration>) -> MutexGuard<'a, T> {
        match timeout {
            None => self.0.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => self.0.wait_timeout(guard, limit).unwrap_or_else(PoisonError::into_inner).0,
        }
    }
}

impl std::ops::Deref for Futex {
    type Target = AtomicU32;
    fn deref(&self) -> &AtomicU32 {
        &self.word
    }
}

#[cfg(not(model))]
mod platform {
    use super::{AtomicU32, Duration};
    pub(crate) use crate::sys::{coarse_time, CancelDisabled, Flag};
    pub(crate) use std::thread::sleep;

    /// What many threads put in, and one takes out. The channel is crossbeam's: a sender never waits for anybody. Its
    /// blocking receive is not used: on few processors its spinning and yielding has a long tail.
    pub(crate) struct Queue<T> {
        sender: crossbeam_channel::Sender<T>,
        receiver: crossbeam_channel::Receiver<T>,
    }

    impl<T> Queue<T> {
        pub(crate) fn new() -> Queue<T> {
            let (sender, receiver) = crossbeam_channel::unbounded();
            Queue { sender, receiver }
        }

        pub(crate) fn push(&self, item: T) {
            // The receiver lives as long as the sender: in the same struct.
            let _ = self.sender.send(item);
        }

        pub(crate) fn pop(&self) -> Option<T> {
            self.receiver.try_recv().ok()
        }
    }

    /// A word that threads can sleep on.
    pub(crate) struct Futex {
        pub(super) word: AtomicU32,
    }

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
}

/// The kernel's promises, as a model. In a model time does not pass: there are no deadlines in it.
#[cfg(model)]
mod platform {
    use super::{imp, AtomicBool, AtomicU32, Duration, Ordering};
    use std::io::Result;

    pub(crate) struct Queue<T>(imp::Mutex<std::collections::VecDeque<T>>);

    impl<T> Queue<T> {
        pub(crate) fn new() -> Queue<T> {
            Queue(imp::Mutex::new(std::collections::VecDeque::new()))
        }

        pub(crate) fn push(&self, item: T) {
            self.0.lock().unwrap().push_back(item);
        }

        pub(crate) fn pop(&self) -> Option<T> {
            self.0.lock().unwrap().pop_front()
        }
    }

    pub(crate) struct CancelDisabled;

    impl CancelDisabled {
        pub(crate) fn new() -> CancelDisabled {
            CancelDisabled
        }
    }

    /// Compare and sleep are one step with respect to a wake.
    pub(crate) struct Futex {
        pub(super) word: AtomicU32,
        lock: imp::Mutex<()>,
        woken: imp::Condvar,
    }

    impl Futex {
        pub(crate) fn new(value: u32) -> Futex {
            Futex { word: AtomicU32::new(value), lock: imp::Mutex::new(()), woken: imp::Condvar::new() }
        }

        pub(crate) fn wait(&self, expected: u32, _timeout: Option<Duration>) {
            let guard = self.lock.lock().unwrap();
            // Relaxed: the kernel promises no more to the thread that sleeps.
            if self.word.load(Ordering::Relaxed) == expected {
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

    /// Its descriptor is 1 while it is raised, and else 0.
    pub(crate) struct Flag(AtomicBool);

    impl Flag {
        pub(crate) fn new() -> Result<Flag> {
            Ok(Flag(AtomicBool::new(false)))
        }

        pub(crate) fn descriptor(&self) -> i32 {
            self.0.load(Ordering::SeqCst).into()
        }

        pub(crate) fn raise(&self) {
            self.0.store(true, Ordering::SeqCst);
        }

        pub(crate) fn lower(&self) {
            self.0.store(false, Ordering::SeqCst);
        }
    }

    pub(crate) fn coarse_time() -> f64 {
        0.0
    }

    pub(crate) fn sleep(_time: Duration) {
        #[cfg(loom)]
        loom::thread::yield_now();
        #[cfg(shuttle)]
        shuttle::thread::yield_now();
    }
}
