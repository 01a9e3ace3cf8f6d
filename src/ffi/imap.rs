//! Imaps.

use super::callback;
use super::constants::*;
use super::convert::{check_out, deadline};
use super::guard::{with_handler, with_none};
use super::mapping;
use super::options::{given, Given};
use super::program::{Origin, Program};
use super::taking::{bytes_at_hand, forget, keep, take_at_hand, with_taker, Out, IMAPS};
use crate::core::handler::Handler;
use crate::core::imap::{Imap, Policy};
use crate::core::status::{Error, Result, Status};
use crate::core::sync::{Arc, Mutex};
use crate::core::taker::{Next, Rest, Taker};
use crate::sys;
use std::ffi::{c_int, c_void};

/// How many items may be in flight unless the options say.
const IN_FLIGHT: usize = 1024;

fn size(bytes: i64, argument: &str) -> Result<usize> {
    usize::try_from(bytes)
        .ok()
        .filter(|&bytes| bytes <= isize::MAX as usize / (u32::MAX as usize))
        .ok_or_else(|| Error::argument(format!("{argument}: {bytes} is negative, or more than memory can hold")))
}

/// Makes an imap of what was checked; `total` is how many items there are, where that is known.
fn make(handler: &Arc<Handler>, given: &Given, program: Program, total: Option<u64>) -> Result<*mut park_imap> {
    handler.check_may_map()?;
    let options = &given.options;
    let most = handler.workers().max(1) as usize;
    let policy = Policy {
        threads: if options.threads == 0 { most } else { most.min(options.threads as usize) },
        chunk: options.chunk.map_or(0, |chunk| chunk as usize),
        go_on: options.go_on,
        retries: options.retries.into(),
        in_flight: options.in_flight.map_or(IN_FLIGHT, |items| items as usize),
        ordered: !options.as_completed,
        progress: options.counts_progress.then_some(total),
        spin: options.spin,
    };
    let (job, result_bytes) = (handler.handle(), program.result_bytes);
    let imap = Imap::new(handler, policy, program);
    let handle = IMAPS.add(imap.clone())?;
    keep(handle, job, result_bytes, Taker::new(imap, handler.clone()));
    Ok(handle)
}

/// ======== Imaps ========
///
/// Makes an imap: items that a source yields go through `fn`, on this thread and on the job's workers at once, and
/// their results are taken one by one by park_imap_next. Nothing is fetched before the first of these calls, and never
/// more than PARK_OPTION_IN_FLIGHT items (1024) that were not taken as results, so a source without end runs in
/// constant memory.
///
/// `source(job, item, index, source_user)` writes an item of `item_bytes` bytes; it is called by one thread at a time,
/// but by any that takes part. `fn(job, item, result, index, user)` reads it and writes a result of `result_bytes`
/// bytes; what is in there before is of no meaning. Items and results lie one behind the other at addresses like those
/// of an array that begins at a multiple of 64. Either size may be 0. `options` NULL is the defaults; its array of
/// statuses and its checking mode are not for imaps.
///
/// `fn`, `user`, `source`, `source_user` are used until park_imap_free returns. What may be called inside them,
/// threads, floating-point environment and Fortran's rules are as for park_map; so is who may call this: the
/// computation thread outside callbacks, or inside an item of a map or of another imap of this job. The thread that
/// makes the imap is the one that takes the results.
///
/// Returns NULL on error, and park_last_error(job, ...) says why: `fn` or `source` NULL, a size that is negative or
/// more than memory can hold, `options` not a live handle, nothing attached or started, the wrong thread, a callback.
#[no_mangle]
pub unsafe extern "C" fn park_imap_new(
    job: *mut park_handler,
    options: *mut park_options,
    r#fn: park_map_fn,
    user: *mut c_void,
    source: park_source_fn,
    source_user: *mut c_void,
    item_bytes: i64,
    result_bytes: i64,
) -> *mut park_imap {
    with_handler(job, |handler| {
        let function = callback::function(r#fn, "fn")?;
        let origin = Origin::Pull { source: callback::function(source, "source")?, user: source_user };
        let (item_bytes, result_bytes) = (size(item_bytes, "item_bytes")?, size(result_bytes, "result_bytes")?);
        let given = given(options)?;
        let hooks = Mutex::new(given.hooks.clone());
        make(handler, &given, Program { job, function, user, origin, item_bytes, result_bytes, hooks }, None)
    })
}

/// As park_imap_new, from the same threads, of an array: item i is at `in` + i `in_stride`, for i below `n`. `fn`
/// reads it in its place, so the array must stay until park_imap_free returns. `in` may be NULL, then `fn` gets NULL
/// and has the index alone.
///
/// NULL on error as there; also a negative `n` or `in_stride`, or an array that no memory can hold.
#[no_mangle]
pub unsafe extern "C" fn park_imap_array(
    job: *mut park_handler,
    options: *mut park_options,
    r#fn: park_map_fn,
    user: *mut c_void,
    r#in: *const c_void,
    in_stride: i64,
    n: i64,
    result_bytes: i64,
) -> *mut park_imap {
    with_handler(job, |handler| {
        let function = callback::function(r#fn, "fn")?;
        let count = mapping::count(n)?;
        let stride = mapping::stride(r#in, in_stride, count, "in")?;
        let result_bytes = size(result_bytes, "result_bytes")?;
        let given = given(options)?;
        let (origin, hooks) = (Origin::Array { base: r#in.cast(), stride, count }, Mutex::new(given.hooks.clone()));
        make(handler, &given, Program { job, function, user, origin, item_bytes: 0, result_bytes, hooks }, Some(count))
    })
}

/// `extern "C"`, with the arguments of park_imap_next, so that the compiler can jump to it.
#[cold]
#[inline(never)]
unsafe extern "C" fn next_slowly(
    imap: *mut park_imap,
    timeout: f64,
    out_result: *mut c_void,
    out_index: *mut i64,
    out_status: *mut c_int,
) -> c_int {
    let out = Out { result: out_result, index: out_index, status: out_status };
    with_taker(imap, |taker, bytes| match taker.next(deadline(timeout)?)? {
        Next::Result => {
            // SAFETY: the caller's promise.
            unsafe { out.take(taker, bytes) };
            Ok(PARK_OK)
        }
        Next::Ended(status) => {
            if let Some(culprit) = taker.culprit {
                // SAFETY: the caller's promise.
                unsafe { out.tell(culprit.index, culprit.code) };
            }
            if status == Status::Failed {
                return Err(Error::new(status, taker.reason()));
            }
            Ok(status as c_int)
        }
    })
}

/// Takes the next result: copies it to `out_result`, which has room for the result_bytes of the imap, and writes the
/// item's index and what `fn` returned for it. Each output may be NULL. On the thread that made the imap, outside
/// callbacks of the imap.
///
/// Results come in the order of the items, or as they are completed with PARK_OPTION_AS_COMPLETED. While none is there
/// this thread runs items itself: so the first result does not wait for another thread, and short items are not worth
/// one. It waits at most `timeout` seconds (0: not at all, PARK_FOREVER: without end), and then begins no item that
/// would take longer, by what items took so far: it can be late by one item. With 0 it runs none, unless there is no
/// other thread to run them.
///
/// It is a ready point, as park_ready: it halts while the job is paused, and serves requests while no worker is inside
/// an item. It costs some 3 ns when a result is there; time is not looked at.
///
/// PARK_OK: there is a result. PARK_END: there are no more. PARK_ABORTED, PARK_STOPPED: the run is to end;
/// park_imap_rest has what is left. PARK_FAILED: an item failed, and *out_index and *out_status tell which and how (in
/// order, all before it were taken); or the source did, and they tell which item is missing and its code; or with
/// PARK_OPTION_GO_ON, at the end, at least one did. Each of these stays: it is returned again. PARK_TIMEOUT: there is
/// none yet. PARK_CLOSED: another thread has freed the imap, or the handler was freed. PARK_WRONG_THREAD,
/// PARK_REENTRANT, PARK_NOT_RUNNING: not from here. PARK_INVALID_ARGUMENT: `timeout`.
#[no_mangle]
pub unsafe extern "C" fn park_imap_next(
    imap: *mut park_imap,
    timeout: f64,
    out_result: *mut c_void,
    out_index: *mut i64,
    out_status: *mut c_int,
) -> c_int {
    let out = Out { result: out_result, index: out_index, status: out_status };
    // SAFETY: the caller's promise.
    unsafe {
        if take_at_hand(imap, out) {
            return PARK_OK;
        }
        next_slowly(imap, timeout, out_result, out_index, out_status)
    }
}

/// As park_imap_next, on the same thread, several at once: waits for one result, then takes what is there, at most
/// `most` results, into arrays, of which each may be NULL. *out_count is how many they are; it is 0 unless the status
/// is PARK_OK.
///
/// Statuses as there; PARK_INVALID_ARGUMENT also for a `most` below 1, or an `out_count` that is NULL or not aligned.
#[no_mangle]
pub unsafe extern "C" fn park_imap_take(
    imap: *mut park_imap,
    timeout: f64,
    most: i64,
    out_count: *mut i64,
    out_results: *mut c_void,
    out_indices: *mut i64,
    out_statuses: *mut c_int,
) -> c_int {
    let checked = with_none(|| {
        check_out(out_count, "out_count")?;
        if most < 1 {
            return Err(Error::argument(format!("most: {most} is below 1")));
        }
        Ok(PARK_OK)
    });
    if checked != PARK_OK {
        return checked;
    }
    let mut out = Out { result: out_results, index: out_indices, status: out_statuses };
    // SAFETY: aligned and not NULL; that it may be written is the caller's promise.
    unsafe { out_count.write(0) };
    // SAFETY: the caller's promise.
    let status = unsafe { park_imap_next(imap, timeout, out.result, out.index, out.status) };
    if status != PARK_OK {
        return status;
    }
    let (mut count, bytes) = (1, bytes_at_hand());
    out = out.next(bytes);
    // SAFETY: the arrays have `most` places, by the caller's promise.
    while count < most && unsafe { take_at_hand(imap, out) } {
        out = out.next(bytes);
        count += 1;
    }
    // SAFETY: as above.
    unsafe { out_count.write(count) };
    PARK_OK
}

/// After park_imap_next has said that the imap ended early: what was fetched from the source, and not taken, one by
/// one in the order of the items. *out_status is 0 and *out_result the result when the item is done; PARK_NOT_RUN when
/// it was never begun; else what `fn` returned. So every item that the source yielded is told exactly once. Each
/// output may be NULL. The first call waits for items that run. On the thread that made the imap.
///
/// PARK_OK: there is one. PARK_END: there are no more. PARK_BUSY: the imap has not ended. PARK_WRONG_THREAD,
/// PARK_REENTRANT: not from here.
#[no_mangle]
pub unsafe extern "C" fn park_imap_rest(
    imap: *mut park_imap,
    out_result: *mut c_void,
    out_index: *mut i64,
    out_status: *mut c_int,
) -> c_int {
    let out = Out { result: out_result, index: out_index, status: out_status };
    with_taker(imap, |taker, bytes| {
        match taker.next_of_rest()? {
            // SAFETY: the caller's promise.
            Rest::Result => unsafe { out.take(taker, bytes) },
            // SAFETY: the caller's promise.
            Rest::NotRun(index) => unsafe { out.tell(index, PARK_NOT_RUN) },
            Rest::Over => return Ok(PARK_END),
        }
        Ok(PARK_OK)
    })
}

/// Frees an imap, at whatever point it is. NULL does nothing and is PARK_OK. Any thread, but not from inside `fn`, the
/// source or a hook of this imap.
///
/// No item is begun any more; it waits for those that run, so the caller must not hold a lock that they need. When it
/// returns, the imap's functions and their data are not used again. Another thread that waits in park_imap_next gets
/// PARK_CLOSED. An imap that outlives its run, or its handler, must be freed all the same.
///
/// PARK_REENTRANT: from inside a function of this imap, or while an item of this imap frees the one that the calling
/// thread is inside of; it is as it was.
#[no_mangle]
pub unsafe extern "C" fn park_imap_free(imap: *mut park_imap) -> c_int {
    if imap.is_null() && !sys::forked() {
        return PARK_OK;
    }
    with_none(|| {
        let _wait = IMAPS.find(imap)?.before_close()?;
        let found = IMAPS.remove(imap)?;
        found.close(forget(imap));
        Ok(PARK_OK)
    })
}
