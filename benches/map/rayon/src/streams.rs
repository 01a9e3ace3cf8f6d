//! Results that come one by one: what one would write for `imap` with crossbeam, and with a ring of one's own.
//!
//! All run items 0 .. n on their own threads, hand every result with its index to the thread that called, and never have
//! more than `bound` of them in flight. They return the sum of the results: that each came through.

use crate::Task;
use crossbeam_channel::bounded;
use crossbeam_utils::{Backoff, CachePadded};
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::*};
use std::thread;

#[derive(Clone, Copy)]
struct Done {
    index: i64,
    result: u64,
}

fn run(task: &Task, index: i64) -> Done {
    let mut result = 0u64;
    let input = task.input.wrapping_offset((index * task.input_stride) as isize);
    // SAFETY: the bench's own item, with a place for its result.
    unsafe { (task.function)(std::ptr::null_mut(), input.cast(), (&raw mut result).cast::<c_void>(), index, task.user) };
    Done { index, result }
}

/// As completed, through one crossbeam channel, `batch` results a message.
fn channel<const BATCH: usize>(task: &Task, bound: usize, threads: usize) -> u64 {
    let next = AtomicI64::new(0);
    let (send, receive) = bounded::<([Done; BATCH], usize)>((bound / BATCH).max(1));
    let mut sum = 0u64;
    thread::scope(|scope| {
        for _ in 0..threads {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || loop {
                let from = next.fetch_add(BATCH as i64, Relaxed);
                let many = (task.n - from).clamp(0, BATCH as i64) as usize;
                if many == 0 {
                    return;
                }
                let mut results = [Done { index: 0, result: 0 }; BATCH];
                for (k, place) in results[..many].iter_mut().enumerate() {
                    *place = run(task, from + k as i64);
                }
                if send.send((results, many)).is_err() {
                    return;
                }
            });
        }
        drop(send);
        for (results, many) in receive {
            for done in &results[..many] {
                sum = sum.wrapping_add(std::hint::black_box(*done).result).wrapping_add(done.index as u64);
            }
        }
    });
    sum
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

/// In order: item i comes from worker i mod `threads`, through that worker's ring.
fn rings(task: &Task, bound: usize, threads: usize) -> u64 {
    let size = (bound / threads).next_power_of_two();
    let rings: Vec<Ring> = (0..threads).map(|_| Ring::new(size)).collect();
    let mut sum = 0u64;
    thread::scope(|scope| {
        for (worker, ring) in rings.iter().enumerate() {
            scope.spawn(move || {
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
            });
        }
        let mut written = vec![0; threads];
        let mut read = vec![0; threads];
        let mut worker = 0;
        for _ in 0..task.n {
            let ring = &rings[worker];
            if written[worker] == read[worker] {
                // Before it waits, the consumer gives back what it has read.
                for (ring, read) in rings.iter().zip(&read) {
                    ring.read.store(*read, Release);
                }
                await_that(|| ring.written.load(Acquire) != read[worker]);
                written[worker] = ring.written.load(Acquire);
            }
            // SAFETY: the producer has written this place.
            let done = unsafe { (*ring.places[read[worker] & (size - 1)].get()).assume_init() };
            read[worker] += 1;
            if read[worker] & (size / 4 - 1) == 0 {
                ring.read.store(read[worker], Release);
            }
            sum = sum.wrapping_add(std::hint::black_box(done).result).wrapping_add(done.index as u64);
            worker = if worker + 1 == threads { 0 } else { worker + 1 };
        }
    });
    sum
}

/// # Safety
/// `task` is the bench's own.
#[no_mangle]
pub unsafe extern "C" fn stream_channel_64(task: *const Task, bound: i64, threads: i64) -> u64 {
    // SAFETY: as the caller says.
    channel::<64>(unsafe { &*task }, bound as usize, threads as usize)
}

/// # Safety
/// `task` is the bench's own.
#[no_mangle]
pub unsafe extern "C" fn stream_channel_1(task: *const Task, bound: i64, threads: i64) -> u64 {
    // SAFETY: as the caller says.
    channel::<1>(unsafe { &*task }, bound as usize, threads as usize)
}

/// # Safety
/// `task` is the bench's own.
#[no_mangle]
pub unsafe extern "C" fn stream_rings(task: *const Task, bound: i64, threads: i64) -> u64 {
    // SAFETY: as the caller says.
    rings(unsafe { &*task }, bound as usize, threads as usize)
}
