//! Results that come one by one: what one would write for `imap` with crossbeam, and with a ring of one's own.
//!
//! All run items 0 .. n on their own threads, hand every result with its index to the thread that asks, and never have
//! more than `bound` of them in channel or ring.

use crate::Task;
use crossbeam_channel::{bounded, Receiver, Sender};
use crossbeam_utils::{Backoff, CachePadded};
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::*};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

#[derive(Clone, Copy, Default)]
struct Done {
    index: i64,
    result: u64,
}

fn run(task: &Task, index: i64) -> Done {
    let mut result = 0u64;
    let input = task.input.wrapping_offset((index * task.input_stride) as isize);
    // SAFETY: the bench's own item, with a place for its result.
    unsafe {
        (task.function)(std::ptr::null_mut(), input.cast(), (&raw mut result).cast::<c_void>(), index, task.user)
    };
    Done { index, result }
}

/// As completed, through one crossbeam channel, `BATCH` results a message.
struct Channel<const BATCH: usize> {
    receive: Option<Receiver<([Done; BATCH], usize)>>,
    batch: [Done; BATCH],
    many: usize,
    at: usize,
    threads: Vec<JoinHandle<()>>,
}

impl<const BATCH: usize> Channel<BATCH> {
    fn open(task: Task, bound: usize, threads: usize) -> Channel<BATCH> {
        let next = Arc::new(AtomicI64::new(0));
        let (send, receive) = bounded::<([Done; BATCH], usize)>((bound / BATCH).max(1));
        let work = move |send: Sender<([Done; BATCH], usize)>, next: Arc<AtomicI64>| loop {
            let task = &task;
            let from = next.fetch_add(BATCH as i64, Relaxed);
            let many = (task.n - from).clamp(0, BATCH as i64) as usize;
            let mut results = [Done::default(); BATCH];
            for (k, place) in results[..many].iter_mut().enumerate() {
                *place = run(task, from + k as i64);
            }
            if many == 0 || send.send((results, many)).is_err() {
                return;
            }
        };
        let threads = (0..threads)
            .map(|_| {
                let (send, next) = (send.clone(), next.clone());
                thread::spawn(move || work(send, next))
            })
            .collect();
        Channel { receive: Some(receive), batch: [Done::default(); BATCH], many: 0, at: 0, threads }
    }

    #[inline]
    fn next(&mut self) -> Option<Done> {
        if self.at == self.many {
            (self.batch, self.many) = self.receive.as_ref()?.recv().ok()?;
            self.at = 0;
        }
        let done = self.batch[self.at];
        self.at += 1;
        Some(done)
    }
}

impl<const BATCH: usize> Drop for Channel<BATCH> {
    fn drop(&mut self) {
        self.receive = None; // senders give up
        self.threads.drain(..).for_each(|thread| thread.join().expect("a worker"));
    }
}

/// One producer, one consumer, each with a copy of the other's position that it refreshes only when it must.
struct Ring {
    places: Box<[UnsafeCell<MaybeUninit<Done>>]>,
    written: CachePadded<AtomicUsize>,
    read: CachePadded<AtomicUsize>,
}

// SAFETY: a place belongs to the producer until `written` passes it, then to the consumer until `read` does.
unsafe impl Sync for Ring {}

impl Ring {
    fn new(size: usize) -> Ring {
        Ring {
            places: (0..size).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
            written: CachePadded::new(AtomicUsize::new(0)),
            read: CachePadded::new(AtomicUsize::new(0)),
        }
    }
}

fn await_that(condition: impl Fn() -> bool) {
    let backoff = Backoff::new();
    while !condition() {
        backoff.snooze();
    }
}

/// In order: item i comes from worker i mod `threads`, through that worker's ring. To be read to its end.
struct Rings {
    rings: Arc<Vec<Ring>>,
    size: usize,
    written: Vec<usize>,
    read: Vec<usize>,
    worker: usize,
    left: i64,
    threads: Vec<JoinHandle<()>>,
}

impl Rings {
    fn open(task: Task, bound: usize, threads: usize) -> Rings {
        let size = (bound / threads).next_power_of_two();
        let rings: Arc<Vec<Ring>> = Arc::new((0..threads).map(|_| Ring::new(size)).collect());
        let work = move |worker: usize, ring: &Ring| {
            let task = &task;
            let (mut written, mut read) = (0, 0);
            for index in (worker as i64..task.n).step_by(threads) {
                let done = run(task, index);
                if written - read == size {
                    await_that(|| ring.read.load(Acquire) != read);
                    read = ring.read.load(Acquire);
                }
                // SAFETY: the consumer has left this place.
                unsafe { (*ring.places[written & (size - 1)].get()).write(done) };
                written += 1;
                ring.written.store(written, Release);
            }
        };
        let handles = (0..threads)
            .map(|worker| {
                let rings = rings.clone();
                thread::spawn(move || work(worker, &rings[worker]))
            })
            .collect();
        Rings {
            rings,
            size,
            written: vec![0; threads],
            read: vec![0; threads],
            worker: 0,
            left: task.n,
            threads: handles,
        }
    }

    #[inline]
    fn next(&mut self) -> Option<Done> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let worker = self.worker;
        let ring = &self.rings[worker];
        if self.written[worker] == self.read[worker] {
            // Before it waits, the consumer gives back what it has read.
            for (ring, read) in self.rings.iter().zip(&self.read) {
                ring.read.store(*read, Release);
            }
            await_that(|| ring.written.load(Acquire) != self.read[worker]);
            self.written[worker] = ring.written.load(Acquire);
        }
        // SAFETY: the producer has written this place.
        let done = unsafe { (*ring.places[self.read[worker] & (self.size - 1)].get()).assume_init() };
        self.read[worker] += 1;
        if self.read[worker] & (self.size / 4 - 1) == 0 {
            ring.read.store(self.read[worker], Release);
        }
        self.worker = if worker + 1 == self.written.len() { 0 } else { worker + 1 };
        Some(done)
    }
}

impl Drop for Rings {
    fn drop(&mut self) {
        self.threads.drain(..).for_each(|thread| thread.join().expect("a worker"));
    }
}

/// For C: open, take each result by a call, as with any library, close.
macro_rules! exported {
    ($stream:ty, $open:ident, $next:ident, $close:ident) => {
        /// # Safety
        /// `task` is the bench's own.
        #[no_mangle]
        pub unsafe extern "C" fn $open(task: *const Task, bound: i64, threads: i64) -> *mut c_void {
            // SAFETY: as the caller says.
            let stream = <$stream>::open(unsafe { *task }, bound as usize, threads as usize);
            Box::into_raw(Box::new(stream)).cast()
        }

        /// # Safety
        /// `stream` is open; the places can be written.
        #[no_mangle]
        pub unsafe extern "C" fn $next(stream: *mut c_void, index: *mut i64, result: *mut u64) -> c_int {
            // SAFETY: as the caller says.
            let next = unsafe { (*stream.cast::<$stream>()).next() };
            let Some(done) = next else { return 1 };
            // SAFETY: as the caller says.
            unsafe { (*index, *result) = (done.index, done.result) };
            0
        }

        /// # Safety
        /// `stream` is open, and is not used again.
        #[no_mangle]
        pub unsafe extern "C" fn $close(stream: *mut c_void) {
            // SAFETY: as the caller says.
            drop(unsafe { Box::from_raw(stream.cast::<$stream>()) });
        }
    };
}

exported!(Channel<64>, channel_64_open, channel_64_next, channel_64_close);
exported!(Channel<1>, channel_1_open, channel_1_next, channel_1_close);
exported!(Rings, rings_open, rings_next, rings_close);
