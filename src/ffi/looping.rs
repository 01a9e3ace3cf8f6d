//! What a loop calls.

use super::constants::*;
use super::convert::{check_out, choice, copy_out, slice, text};
use super::guard::{with_computing, with_handler};
use crate::core::status::{Error, Status};
use crate::core::table::{self, Stored};
use crate::core::timer::Delta;
use std::ffi::{c_char, c_int, c_void};

/// ======== Inside the loop ========
///
/// A ready point: the job's memory is consistent, and what others asked for can be done. Computation thread.
///
/// With nothing pending it costs one load and one compare. Otherwise it does, here, all that waits: delivers events to
/// callbacks, serves requests, saves a checkpoint by the callback, halts while paused (and serves requests meanwhile).
///
/// 0: go on. PARK_ABORTED, PARK_STOPPED: end the loop now; every later call says so again, until the run ends.
/// PARK_NOT_RUNNING: nothing is attached or started. PARK_WRONG_THREAD: another thread computes (told only when
/// something is pending; else it is 0 there too). PARK_REENTRANT: from a callback.
#[no_mangle]
pub extern "C" fn park_ready(job: *mut park_handler) -> c_int {
    if table::nothing_pending(job as u64) {
        return PARK_OK;
    }
    ready_with_something_pending(job)
}

/// `extern "C"`, so that the compiler can jump to it: it cannot unwind.
#[cold]
#[inline(never)]
extern "C" fn ready_with_something_pending(job: *mut park_handler) -> c_int {
    with_handler(job, |handler| handler.ready().map(|status| status as c_int))
}

/// Says how far the loop is: `done` of `total`, in the units of park_set_units; `total` 0 or less says that it is not
/// known. Two plain stores: call it as often as you like. Computation thread.
///
/// PARK_INVALID_ARGUMENT: a number that is not finite; the progress is then what was shown last. PARK_NOT_RUNNING:
/// nothing is attached or started. PARK_WRONG_THREAD: another thread computes (told only when something is pending).
#[no_mangle]
pub extern "C" fn park_progress(job: *mut park_handler, done: f64, total: f64) -> c_int {
    match table::store_progress(job as u64, done, total) {
        Stored::Well => PARK_OK,
        Stored::NotYet => progress_with_something_pending(job, done, total),
        Stored::NotFinite => progress_not_finite(job),
    }
}

#[cold]
#[inline(never)]
extern "C" fn progress_with_something_pending(job: *mut park_handler, done: f64, total: f64) -> c_int {
    with_handler(job, |handler| handler.progress(done, total).map(|()| PARK_OK))
}

#[cold]
#[inline(never)]
extern "C" fn progress_not_finite(job: *mut park_handler) -> c_int {
    with_handler(job, |handler| handler.refuse_progress().map(|()| PARK_OK))
}

/// Sets the units of the progress, as "steps"; copied. Any thread. PARK_INVALID_ARGUMENT: `units` NULL or not UTF-8.
#[no_mangle]
pub unsafe extern "C" fn park_set_units(job: *mut park_handler, units: *const c_char) -> c_int {
    with_handler(job, |handler| {
        // SAFETY: the text is the caller's promise.
        handler.set_units(unsafe { text(units, "units") }?);
        Ok(PARK_OK)
    })
}

/// Says that there is a new best: its value, and `bytes` bytes of state that belong to it, which are copied.
/// Computation thread. park takes the caller's word that it is better. With improved_delta 0 the event goes out at
/// once; otherwise the newest waits for its time, and the last one is always sent before the run's final event.
///
/// PARK_INVALID_ARGUMENT: `value` not finite, `bytes` negative, or `state` NULL with bytes. PARK_NOT_RUNNING,
/// PARK_WRONG_THREAD.
#[no_mangle]
pub unsafe extern "C" fn park_improved(job: *mut park_handler, value: f64, state: *const c_void, bytes: i64) -> c_int {
    with_computing(job, |handler| {
        // SAFETY: the bytes are the caller's promise.
        let state = unsafe { slice(state.cast::<u8>(), bytes, ("state", "bytes")) }?;
        handler.improved(value, state).map(|()| PARK_OK)
    })
}

/// The best so far of this run or, between runs, of the last one, also after an abort. Any thread.
///
/// Writes the value to `out_value` (NULL: not wanted) and at most `bytes` bytes of the state to `buffer`. Returns the
/// size of the state in bytes; NULL and 0 ask for the size alone. PARK_UNKNOWN: there is none yet.
/// PARK_INVALID_ARGUMENT: `bytes` negative, or `buffer` NULL with bytes.
#[no_mangle]
pub unsafe extern "C" fn park_best(
    job: *mut park_handler,
    out_value: *mut f64,
    buffer: *mut c_void,
    bytes: i64,
) -> i64 {
    with_handler(job, |handler| {
        let best = handler.best().ok_or_else(|| Error::new(Status::Unknown, "there is no best yet"))?;
        if !out_value.is_null() {
            check_out(out_value, "out_value")?;
        }
        // SAFETY: the buffer is the caller's promise.
        let size = unsafe { copy_out(&best.bytes, buffer.cast::<u8>(), bytes, ("buffer", "bytes")) }?;
        if !out_value.is_null() {
            // SAFETY: aligned, and writable by the caller's promise.
            unsafe { out_value.write(best.value) };
        }
        Ok(size)
    })
}

/// Sets a delta, in seconds, from now on: `which` is PARK_PROGRESS_DELTA, PARK_CHECKPOINT_DELTA or
/// PARK_IMPROVED_DELTA. 0 means at every ready point (improved: at once). Any thread; a PARK_SET request does the same
/// by the names "progress_delta", "checkpoint_delta" and "improved_delta". PARK_INVALID_ARGUMENT: `which`, or
/// `seconds` negative or not finite.
#[no_mangle]
pub extern "C" fn park_set_delta(job: *mut park_handler, which: c_int, seconds: f64) -> c_int {
    with_handler(job, |handler| {
        let delta = choice(which, &Delta::ALL, |delta| delta as c_int, "which")?;
        handler.set_delta(delta, seconds).map(|_| PARK_OK)
    })
}

/// A delta, in seconds; `which` as in park_set_delta. Any thread. A negative number is a status:
/// PARK_INVALID_ARGUMENT: `which`.
#[no_mangle]
pub extern "C" fn park_delta(job: *mut park_handler, which: c_int) -> f64 {
    with_handler(job, |handler| Ok(handler.delta(choice(which, &Delta::ALL, |delta| delta as c_int, "which")?)))
}
