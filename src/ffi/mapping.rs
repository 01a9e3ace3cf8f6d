//! Maps.

use super::callback::function;
use super::constants::*;
use super::convert::{check_out, choice};
use super::guard::{with_handler, with_mapping};
use super::items::{Common, For, Map};
use super::options::{given, Given, Memory};
use crate::core::event::Level;
use crate::core::handler::Handler;
use crate::core::map::{Fate, Options};
use crate::core::status::{Error, Result, Status};
use crate::core::tally::Body;
use std::ffi::{c_int, c_void};
use std::sync::{Arc, OnceLock};

/// ======== Maps ========
///
/// Calls `fn` for each of `n` items, counted from 0, on this thread and on the job's workers at once. Item i reads
/// at `in` plus i times `in_stride`, and writes at `out` plus i times `out_stride`; strides are bytes, 0 is allowed,
/// and either array may be NULL. Computation thread outside callbacks, or inside an item of another map of this job,
/// on whatever thread that is.
///
/// All is done when it returns 0. Which thread does which item is not known beforehand; what each item gets is, so
/// the results are the same bits with any number of threads, if `fn` depends on its arguments only. How much a
/// thread takes at a time is measured.
///
/// A map is a ready point all along: between two items it halts while the job is paused, serves requests on the
/// calling thread while no other is inside an item, delivers events to the callbacks of this thread, and ends early
/// on PARK_ABORT and PARK_STOP. A job that has a way to save (park_on_checkpoint, or it asks park_checkpoint_due) is
/// not torn: checkpoints and a stop wait for the end of the map, unless PARK_OPTION_CHECKPOINTS says that they need
/// not. Inside `fn`, park_improved, park_log, park_signal and maps of the same job may be called; park_ready,
/// park_detach and park_handler_free return PARK_REENTRANT, PARK_WRONG_THREAD or PARK_BUSY (park_ready says 0 while
/// nothing is pending); what waits for the job, PARK_WRONG_THREAD.
///
/// The workers take no asynchronous signal and compute with this thread's floating-point rounding and traps; flags
/// that they raise are not brought back. Fortran: `fn` is a module procedure with bind(C); compile with -frecursive
/// or -fopenmp, for gfortran makes large local arrays static otherwise, and with them all threads would share them.
/// PARK_MAP_CHECK=1 in the environment finds such faults: each map whose memory park knows then runs twice, in
/// parallel and one item after the other, and items that differ are told in the log and by park_map_items; what
/// stays in memory is from the second.
///
/// PARK_ABORTED, PARK_STOPPED: it ended early, and park_map_items tells which items were left. PARK_FAILED: an item
/// failed; park_last_error has the first one's number. PARK_DIFFERS: the checking mode found items that differ.
/// PARK_INVALID_ARGUMENT: `fn` is NULL, `n` or a stride negative, arrays that no memory can hold. PARK_NOT_RUNNING,
/// PARK_WRONG_THREAD, PARK_REENTRANT: not from here. PARK_NO_MEMORY: the checking mode cannot keep two copies of what
/// the map writes. PARK_FORKED also when `fn` made a child by fork and returns there: the child has no workers.
#[no_mangle]
pub unsafe extern "C" fn park_map(
    job: *mut park_handler,
    r#fn: park_map_fn,
    user: *mut c_void,
    r#in: *const c_void,
    in_stride: i64,
    out: *mut c_void,
    out_stride: i64,
    n: i64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { park_map_with(job, std::ptr::null_mut(), r#fn, user, r#in, in_stride, out, out_stride, n) }
}

/// As park_map, with options; NULL is the defaults. Threads and statuses as there; PARK_INVALID_HANDLE also for
/// `options`; PARK_INVALID_ARGUMENT also for an array of statuses that has not `n` elements. With PARK_OPTION_GO_ON,
/// PARK_FAILED comes when all others are done.
#[no_mangle]
pub unsafe extern "C" fn park_map_with(
    job: *mut park_handler,
    options: *mut park_options,
    r#fn: park_map_fn,
    user: *mut c_void,
    r#in: *const c_void,
    in_stride: i64,
    out: *mut c_void,
    out_stride: i64,
    n: i64,
) -> c_int {
    with_mapping(job, |handler| {
        let call = function(r#fn, "fn")?;
        let count = count(n)?;
        let input_stride = stride(r#in, in_stride, count, "in")?;
        let output_stride = stride(out, out_stride, count, "out")?;
        let given = given(options)?;
        let common = common(handler, (job, call as usize, user), &given, count)?;
        let map = Map { common, call, input: r#in, input_stride, output: out, output_stride };
        let written = Memory { data: out.cast(), bytes: output_stride * count as usize };
        // SAFETY: the arrays are the caller's promise.
        unsafe { run(handler, map, count, &given, written, output_stride) }
    })
}

/// Calls `fn` for stretches that together are the items from `begin` up to, and without, `end`, on this thread and
/// on the job's workers at once: a stretch takes some microseconds, so a tight loop over it costs nothing more. All
/// else as park_map.
///
/// Statuses as park_map's; PARK_INVALID_ARGUMENT: `fn` is NULL, `end` is below `begin`, or there are
/// more than 2^63 - 1 items. Computation thread, or
/// inside an item.
#[no_mangle]
pub unsafe extern "C" fn park_for(
    job: *mut park_handler,
    begin: i64,
    end: i64,
    r#fn: park_for_fn,
    user: *mut c_void,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { park_for_with(job, std::ptr::null_mut(), begin, end, r#fn, user) }
}

/// As park_for, with options; NULL is the defaults. Threads and statuses as in park_map_with. Items are counted from
/// `begin` on in the array of statuses and in park_map_items: the first one is 0.
#[no_mangle]
pub unsafe extern "C" fn park_for_with(
    job: *mut park_handler,
    options: *mut park_options,
    begin: i64,
    end: i64,
    r#fn: park_for_fn,
    user: *mut c_void,
) -> c_int {
    with_mapping(job, |handler| {
        let call = function(r#fn, "fn")?;
        if end < begin {
            return Err(Error::argument(format!("end: {end} is below begin, {begin}")));
        }
        let count = end.abs_diff(begin);
        if i64::try_from(count).is_err() {
            return Err(Error::argument(format!("end: from {begin} to {end} are more items than 64 bits can number")));
        }
        let given = given(options)?;
        let common = common(handler, (job, call as usize, user), &given, count)?;
        let written = Memory { data: std::ptr::null_mut(), bytes: 0 };
        // SAFETY: the memory is the caller's promise.
        unsafe { run(handler, For { common, call, begin }, count, &given, written, 0) }
    })
}

/// The items of the last map that the computation thread called, by what became of them: `which` is PARK_ITEMS_LEFT,
/// PARK_ITEMS_FAILED or PARK_ITEMS_DIFFER. They come as spans in order, `at` counting from 0 on: from *out_begin up
/// to, and without, *out_end. Any thread. In the checking mode of a park_for, and of memory that
/// park_options_memory names, PARK_ITEMS_DIFFER has bytes of the memory instead.
///
/// PARK_UNKNOWN: there are no more. PARK_INVALID_ARGUMENT: `which`, or an output that is NULL or not aligned.
#[no_mangle]
pub unsafe extern "C" fn park_map_items(
    job: *mut park_handler,
    which: c_int,
    at: i64,
    out_begin: *mut i64,
    out_end: *mut i64,
) -> c_int {
    with_handler(job, |handler| {
        let fate = choice(which, &Fate::ALL, |fate| fate as c_int, "which")?;
        check_out(out_begin, "out_begin")?;
        check_out(out_end, "out_end")?;
        let span = usize::try_from(at).ok().and_then(|at| handler.items(fate, at));
        let span = span.ok_or_else(|| Error::new(Status::Unknown, format!("at: there is no span {at}")))?;
        // SAFETY: aligned and not NULL; that they may be written is the caller's promise.
        unsafe {
            out_begin.write(span.0 as i64);
            out_end.write(span.1 as i64);
        }
        Ok(PARK_OK)
    })
}

pub(super) fn count(n: i64) -> Result<u64> {
    u64::try_from(n).map_err(|_| Error::argument(format!("n: {n} is negative")))
}

/// Checks an array as far as it can be; NULL has the stride 0.
pub(super) fn stride<T>(array: *const T, stride: i64, count: u64, argument: &str) -> Result<usize> {
    let bytes =
        usize::try_from(stride).map_err(|_| Error::argument(format!("{argument}_stride: {stride} is negative")))?;
    if array.is_null() {
        return Ok(0);
    }
    let all = usize::try_from(count).ok().and_then(|count| count.checked_mul(bytes));
    if all.is_none_or(|all| all > isize::MAX as usize) {
        return Err(Error::argument(format!("n: {count} items of {argument} are more than memory can hold")));
    }
    Ok(bytes)
}

fn common(
    handler: &Handler,
    (job, function, user): (*mut park_handler, usize, *mut c_void),
    given: &Given,
    count: u64,
) -> Result<Common> {
    let statuses = given.statuses;
    if !statuses.data.is_null() {
        // A call that will be refused must not touch them: a map that runs may be using them.
        handler.check_may_map()?;
        if statuses.count as u64 != count {
            let text = format!("statuses: they are {}, the items {count}", statuses.count);
            return Err(Error::argument(text));
        }
        for index in 0..statuses.count {
            // SAFETY: inside the array, which may be written by the user's promise; no other map uses it.
            unsafe { statuses.data.add(index).write(PARK_NOT_RUN) };
        }
    }
    Ok(Common { job, function, user, hooks: given.hooks.clone(), statuses: statuses.data })
}

/// # Safety
/// `written`, or the memory that was given, may be read and written.
unsafe fn run<B: Body + Clone + 'static>(
    handler: &Arc<Handler>,
    body: B,
    count: u64,
    given: &Given,
    written: Memory,
    bytes_an_item: usize,
) -> Result<c_int> {
    let status = if given.options.check || always_checks() {
        let (memory, unit) = if given.memory.data.is_null() { (written, bytes_an_item) } else { (given.memory, 1) };
        // SAFETY: the caller's promise.
        unsafe { run_checked(handler, body, count, &given.options, memory, unit.max(1)) }
    } else {
        handler.map(&body, count, &given.options)
    };
    status.map(|status| status as c_int)
}

fn always_checks() -> bool {
    static ALWAYS: OnceLock<bool> = OnceLock::new();
    *ALWAYS.get_or_init(|| std::env::var_os("PARK_MAP_CHECK").is_some_and(|value| value == "1"))
}

/// Runs the map in parallel, puts the memory back, runs it item by item, and compares in units of `unit` bytes.
///
/// # Safety
/// `memory` may be read and written.
unsafe fn run_checked<B: Body + Clone + 'static>(
    handler: &Arc<Handler>,
    body: B,
    count: u64,
    options: &Options,
    memory: Memory,
    unit: usize,
) -> Result<Status> {
    let shared = Options { always_shared: true, ..options.clone() };
    if memory.data.is_null() || memory.bytes == 0 {
        return handler.map(&body, count, &shared);
    }
    handler.check_may_map()?;
    let copy = || -> Result<Vec<u8>> {
        let mut copy = Vec::new();
        let problem = |_| Error::new(Status::NoMemory, format!("no memory to compare {} bytes", memory.bytes));
        copy.try_reserve_exact(memory.bytes).map_err(problem)?;
        // SAFETY: the caller's promise; no map writes to it now.
        copy.extend_from_slice(unsafe { std::slice::from_raw_parts(memory.data, memory.bytes) });
        Ok(copy)
    };
    let (before, mut parallel) = (copy()?, copy()?);
    let status = handler.map(&body, count, &shared)?;
    if status != Status::Ok {
        return Ok(status);
    }
    // SAFETY: as above.
    parallel.copy_from_slice(unsafe { std::slice::from_raw_parts(memory.data, memory.bytes) });
    // SAFETY: as above; `before` is as long.
    unsafe { std::ptr::copy_nonoverlapping(before.as_ptr(), memory.data, memory.bytes) };
    let alone = Options { threads: 1, ..options.clone() };
    let status = handler.map(&body, count, &alone)?;
    if status != Status::Ok {
        // It ended early: the whole result is the parallel one.
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(parallel.as_ptr(), memory.data, memory.bytes) };
        return Ok(status);
    }
    // SAFETY: as above.
    let serial = unsafe { std::slice::from_raw_parts(memory.data, memory.bytes) };
    let differing: Vec<(u64, u64)> = (0u64..)
        .zip(parallel.chunks(unit).zip(serial.chunks(unit)))
        .filter(|(_, (parallel, serial))| parallel != serial)
        .map(|(index, _)| (index, index + 1))
        .collect();
    let Some(&(first, _)) = differing.first() else { return Ok(Status::Ok) };
    let what = if unit == 1 { "bytes" } else { "items" };
    let text = format!(
        "checking mode: {} of {} {what} came out differently in parallel, the first is {first}. Is there memory that all \
         threads share? (gfortran: -frecursive)",
        differing.len(),
        memory.bytes / unit
    );
    handler.note_differing(crate::core::tally::joined(differing));
    handler.log(Level::Error, text.clone());
    Err(Error::new(Status::Differs, text))
}
