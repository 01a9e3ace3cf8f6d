//! Imaps.

use super::callback;
use super::constants::*;
use super::convert::{check_out, deadline};
use super::guard::{with_handler, with_none, Returned};
use super::items::Hooks;
use super::mapping;
use super::options::{given, Given};
use super::registry::Registry;
use crate::core::handler::Handler;
use crate::core::imap::{Imap, Policy};
use crate::core::status::{Error, Result, Status};
use crate::core::stream::{Pulled, Stream};
use crate::core::sync::Arc;
use crate::core::table;
use crate::core::taker::{Next, Rest, Taker};
use crate::sys;
use std::cell::RefCell;
use std::ffi::{c_int, c_void};

/// Memory that is aligned for whatever a C compiler aligns, and for a cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Rooms up to this size are kept though they are larger than needed.
const SMALL_BYTES: usize = 64 << 10;

/// Memory for some items and their results.
struct Room {
    capacity: usize,
    items: Vec<Line>,
    results: Vec<Line>,
}

fn lines(bytes: usize) -> Result<Vec<Line>> {
    let count = bytes.div_ceil(size_of::<Line>());
    let mut lines = Vec::new();
    lines
        .try_reserve_exact(count)
        .map_err(|_| Error::new(Status::NoMemory, format!("no memory for {bytes} bytes of items or results")))?;
    lines.resize(count, Line([0; 64]));
    Ok(lines)
}

/// Where items come from.
enum Origin {
    Pull {
        source: unsafe extern "C-unwind" fn(*mut park_handler, *mut c_void, i64, *mut c_void) -> c_int,
        user: *mut c_void,
    },
    /// An array of so many items; NULL when only their number is of interest.
    Array { base: *const u8, stride: usize, count: u64 },
}

type ItemFn = unsafe extern "C-unwind" fn(*mut park_handler, *const c_void, *mut c_void, i64, *mut c_void) -> c_int;

/// What C gave to run.
struct Program {
    job: *mut park_handler,
    function: ItemFn,
    user: *mut c_void,
    origin: Origin,
    item_bytes: usize,
    result_bytes: usize,
    hooks: Option<Arc<Hooks>>,
}

// SAFETY: the pointers are only handed back to the user's own functions, on the threads that their documentation
// names; that they may be used there is what the user promises by making the imap.
unsafe impl Send for Program {}
// SAFETY: as above.
unsafe impl Sync for Program {}

impl Stream for Program {
    type Room = Room;

    fn room(&self, items: usize) -> Result<Room> {
        Ok(Room { capacity: items, items: lines(self.item_bytes * items)?, results: lines(self.result_bytes * items)? })
    }

    fn fits(&self, room: &Room, items: usize) -> bool {
        let bytes = (self.item_bytes + self.result_bytes) * room.capacity;
        items <= room.capacity && (bytes <= SMALL_BYTES || room.capacity / 4 < items)
    }

    fn left(&self, index: u64) -> u64 {
        match self.origin {
            Origin::Array { count, .. } => count - index,
            Origin::Pull { .. } => u64::MAX,
        }
    }

    fn pull(&self, room: &mut Room, first: u64, count: usize, go_on: impl Fn() -> bool) -> (usize, Pulled) {
        match self.origin {
            Origin::Array { count: all, .. } => {
                let left = all - first;
                (count.min(left as usize), if left <= count as u64 { Pulled::End } else { Pulled::All })
            }
            Origin::Pull { source, user } => {
                let base: *mut u8 = room.items.as_mut_ptr().cast();
                for at in 0..count {
                    if at > 0 && !go_on() {
                        return (at, Pulled::All);
                    }
                    // SAFETY: the room has places for `count` items of this size; the function and its data are the
                    // caller's promise.
                    let code = unsafe {
                        source(self.job, base.add(at * self.item_bytes).cast(), (first + at as u64) as i64, user)
                    };
                    match code {
                        PARK_OK => {}
                        PARK_END => return (at, Pulled::End),
                        code => return (at, Pulled::Failed(code)),
                    }
                }
                (count, Pulled::All)
            }
        }
    }

    #[inline(always)]
    fn run(&self, room: &mut Room, at: usize, index: u64) -> i32 {
        let item: *const u8 = match self.origin {
            Origin::Pull { .. } => room.items.as_ptr().cast::<u8>().wrapping_add(at * self.item_bytes),
            Origin::Array { base, .. } if base.is_null() => base,
            Origin::Array { base, stride, .. } => base.wrapping_add(index as usize * stride),
        };
        // SAFETY: `at` is a place of the room, and the engine lets one thread at a time have it; the array, the function
        // and its data are the caller's promise.
        unsafe {
            let result = room.results.as_mut_ptr().cast::<u8>().add(at * self.result_bytes);
            (self.function)(self.job, item.cast(), result.cast(), index as i64, self.user)
        }
    }

    fn enter(&self, index: u32) -> usize {
        self.hooks.as_ref().map_or(0, |hooks| hooks.begin(self.job, index))
    }

    fn leave(&self, index: u32, local: usize) {
        if let Some(hooks) = &self.hooks {
            hooks.end(self.job, index, local);
        }
    }
}

static IMAPS: Registry<Arc<Imap<Program>>> = Registry::new("imap", 4);

/// An imap that the calling thread made. The taker is away while it is busy.
struct Made {
    handle: u64,
    job: u64,
    result_bytes: usize,
    taker: Option<Box<Taker<Program>>>,
}

thread_local! {
    /// The one that was used last is the first.
    static MADE: RefCell<Vec<Made>> = const { RefCell::new(Vec::new()) };
}

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
    let taker = Some(Box::new(Taker::new(imap, handler.clone())));
    MADE.with(|made| {
        let mut made = made.borrow_mut();
        // Those that another thread has freed.
        made.retain(|one| one.taker.as_ref().is_none_or(|taker| !taker.imap().is_closed()));
        made.insert(0, Made { handle: handle as u64, job, result_bytes, taker });
    });
    Ok(handle)
}

/// ======== Imaps ========
///
/// Makes an imap: items that a source yields go through `fn`, on this thread and on the job's workers at once, and their results
/// are taken one by one by park_imap_next. Nothing is fetched before the first of these calls, and never more than
/// PARK_OPTION_IN_FLIGHT items (1024) that were not taken as results, so a source without end runs in constant memory.
///
/// `source(job, item, index, source_user)` writes an item of `item_bytes` bytes; it is called by one thread at a time, but by any that
/// takes part. `fn(job, item, result, index, user)` reads it and writes a result of `result_bytes` bytes; what is in there before is
/// of no meaning. Items and results lie one behind the other at addresses like those of an array that begins at a multiple of 64.
/// Either size may be 0. `options` NULL is the defaults; its array of statuses and its checking mode are not for imaps.
///
/// `fn`, `user`, `source`, `source_user` are used until park_imap_free returns. What may be called inside them, threads, floating-point
/// environment and Fortran's rules are as for park_map; so is who may call this: the computation thread outside callbacks, or inside
/// an item of a map or of another imap of this job. The thread that makes the imap is the one that takes the results.
///
/// Returns NULL on error, and park_last_error(job, ...) says why: `fn` or `source` NULL, a size that is negative or more than memory can
/// hold, `options` not a live handle, nothing attached or started, the wrong thread, a callback.
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
        let hooks = given.hooks.clone();
        make(handler, &given, Program { job, function, user, origin, item_bytes, result_bytes, hooks }, None)
    })
}

/// As park_imap_new, of an array: item i is at `in` + i `in_stride`, for i below `n`. `fn` reads it in its place, so the array must stay
/// until park_imap_free returns. `in` may be NULL, then `fn` gets NULL and has the index alone.
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
        let (origin, hooks) = (Origin::Array { base: r#in.cast(), stride, count }, given.hooks.clone());
        make(handler, &given, Program { job, function, user, origin, item_bytes: 0, result_bytes, hooks }, Some(count))
    })
}

/// Where a caller wants a result.
#[derive(Clone, Copy)]
struct Out {
    result: *mut c_void,
    index: *mut i64,
    status: *mut c_int,
}

impl Out {
    /// Says which item it is about, and what became of it.
    ///
    /// # Safety
    /// What is not NULL may be written.
    #[inline(always)]
    unsafe fn put(self, index: u64, status: c_int) {
        // SAFETY: the caller's promise.
        unsafe {
            if !self.index.is_null() {
                self.index.write_unaligned(index as i64);
            }
            if !self.status.is_null() {
                self.status.write_unaligned(status);
            }
        }
    }

    /// Hands out the current result of a taker whose results have `bytes` bytes.
    ///
    /// # Safety
    /// As `put`; the result has room for `bytes` bytes.
    #[inline(always)]
    unsafe fn take(self, taker: &mut Taker<Program>, bytes: usize) {
        let Some((room, at, index, status)) = taker.current() else { return };
        // SAFETY: the room has a result of `bytes` at this place; the rest is the caller's promise.
        unsafe {
            let from = room.results.as_ptr().cast::<u8>().add(at * bytes);
            if self.result.is_null() {
            } else if bytes == size_of::<u64>() {
                // The commonest size, without a call.
                self.result.cast::<u64>().write_unaligned(from.cast::<u64>().read_unaligned());
            } else {
                std::ptr::copy_nonoverlapping(from, self.result.cast(), bytes);
            }
            self.put(index, status);
        }
        taker.advance();
    }

    /// The place of the next result in arrays.
    fn next(self, bytes: usize) -> Out {
        Out {
            result: if self.result.is_null() { self.result } else { self.result.wrapping_byte_add(bytes) },
            index: if self.index.is_null() { self.index } else { self.index.wrapping_add(1) },
            status: if self.status.is_null() { self.status } else { self.status.wrapping_add(1) },
        }
    }
}

/// Whether a result that needs no care is there, of this imap, while nothing is asked of the job.
#[inline(always)]
fn is_at_hand(made: &Made, imap: *mut park_imap) -> bool {
    made.handle == imap as u64
        && table::nothing_pending(made.job)
        && made.taker.as_ref().is_some_and(|taker| {
            !taker.imap().is_closed() && taker.current().is_some_and(|(_, _, _, status)| status == 0)
        })
}

/// Takes a result that is at hand. Without a lock, and without the care that user code would need: none is called.
///
/// # Safety
/// As [`Out::take`].
#[inline(always)]
unsafe fn take_at_hand(imap: *mut park_imap, out: Out) -> bool {
    let taken = MADE.try_with(|made| {
        let mut made = made.borrow_mut();
        let Some(first) = made.first_mut().filter(|first| is_at_hand(first, imap)) else { return false };
        let bytes = first.result_bytes;
        let Some(taker) = &mut first.taker else { return false };
        // SAFETY: the caller's promise.
        unsafe { out.take(taker, bytes) };
        true
    });
    taken == Ok(true)
}

/// Calls `body` with the taker, which is taken out of its place meanwhile, since it may call the user's functions, and with
/// the size of a result.
fn with_taker<R: Returned>(imap: *mut park_imap, body: impl FnOnce(&mut Taker<Program>, usize) -> Result<R>) -> R {
    with_none(|| {
        let at = |made: &mut Vec<Made>| made.iter().position(|one| one.handle == imap as u64);
        let live = IMAPS.find(imap)?;
        let (mut taker, job, bytes) = MADE.with(|made| {
            let mut made = made.borrow_mut();
            let Some(place) = at(&mut made) else {
                return Err(Error::new(Status::WrongThread, "only the thread that made the imap may take its results"));
            };
            made.swap(0, place);
            let taker = made[0].taker.take();
            let taker =
                taker.ok_or_else(|| Error::new(Status::Reentrant, "not from inside a callback of this imap"))?;
            Ok((taker, made[0].job, made[0].result_bytes))
        })?;
        drop(live);
        let result = body(&mut taker, bytes);
        if let (Err(error), Some(handler)) = (&result, table::find(job)) {
            handler.note_error(&error.text);
        }
        let homeless = MADE.with(|made| {
            let mut made = made.borrow_mut();
            match at(&mut made) {
                Some(place) => made[place].taker.replace(taker),
                // It was freed meanwhile, by a callback.
                None => Some(taker),
            }
        });
        // Outside of the borrow: its hooks may call back.
        drop(homeless);
        result
    })
}

#[cold]
#[inline(never)]
unsafe fn next_slowly(imap: *mut park_imap, timeout: f64, out: Out) -> c_int {
    with_taker(imap, |taker, bytes| match taker.next(deadline(timeout)?)? {
        Next::Result => {
            // SAFETY: the caller's promise.
            unsafe { out.take(taker, bytes) };
            Ok(PARK_OK)
        }
        Next::Ended(status) => {
            if let Some(culprit) = taker.culprit {
                // SAFETY: the caller's promise.
                unsafe { out.put(culprit.index, culprit.code) };
            }
            if status == Status::Failed {
                return Err(Error::new(status, taker.reason()));
            }
            Ok(status as c_int)
        }
    })
}

/// Takes the next result: copies it to `out_result`, which has room for the result_bytes of the imap, and writes the item's index and
/// what `fn` returned for it. Each output may be NULL. On the thread that made the imap, outside callbacks of the imap.
///
/// Results come in the order of the items, or as they are completed with PARK_OPTION_AS_COMPLETED. While none is there this thread
/// runs items itself: so the first result does not wait for another thread, and short items are not worth one. It waits at most
/// `timeout` seconds (0: not at all, PARK_FOREVER: without end), and then begins no item that would take longer, by what items took so
/// far: it can be late by one item. With 0 it runs none, unless there is no other thread to run them.
///
/// It is a ready point, as park_ready: it halts while the job is paused, and serves requests while no worker is inside an item. It costs
/// some 6 ns when a result is there; time is not looked at.
///
/// PARK_OK: there is a result. PARK_END: there are no more. PARK_ABORTED, PARK_STOPPED: the run is to end; park_imap_rest has what is left.
/// PARK_FAILED: an item failed, and *out_index and *out_status tell which and how (in order, all before it were taken); or the source did,
/// and they tell which item is missing and its code; or with PARK_OPTION_GO_ON, at the end, at least one did. Each of these stays: it is
/// returned again. PARK_TIMEOUT: there is none yet. PARK_CLOSED: another thread has freed the imap, or the handler was freed.
/// PARK_WRONG_THREAD, PARK_REENTRANT, PARK_NOT_RUNNING: not from here. PARK_INVALID_ARGUMENT: `timeout`.
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
        next_slowly(imap, timeout, out)
    }
}

/// As park_imap_next, several at once: waits for one result, then takes what is there, at most `most` results, into arrays, of which
/// each may be NULL. *out_count is how many they are; it is 0 unless the status is PARK_OK.
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
    let mut count = 1;
    let more = MADE.try_with(|made| {
        let mut made = made.borrow_mut();
        let Some(first) = made.first_mut() else { return };
        while count < most && is_at_hand(first, imap) {
            let bytes = first.result_bytes;
            let Some(taker) = &mut first.taker else { return };
            out = out.next(bytes);
            // SAFETY: the arrays have `most` places, by the caller's promise.
            unsafe { out.take(taker, bytes) };
            count += 1;
        }
    });
    // A thread that is ending has no more.
    let _ = more;
    // SAFETY: as above.
    unsafe { out_count.write(count) };
    PARK_OK
}

/// After park_imap_next has said that the imap ended early: what was fetched from the source, and not taken, one by one in the
/// order of the items. *out_status is 0 and *out_result the result when the item is done; PARK_NOT_RUN when it was never begun; else what
/// `fn` returned. So every item that the source yielded is told exactly once. Each output may be NULL. The first call waits for items
/// that run. On the thread that made the imap.
///
/// PARK_OK: there is one. PARK_END: there are no more. PARK_BUSY: the imap has not ended. PARK_WRONG_THREAD, PARK_REENTRANT: not from here.
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
            Rest::NotRun(index) => unsafe { out.put(index, PARK_NOT_RUN) },
            Rest::Over => return Ok(PARK_END),
        }
        Ok(PARK_OK)
    })
}

/// Frees an imap, at whatever point it is. NULL does nothing and is PARK_OK. Any thread, but not from inside `fn`, the source or a hook
/// of this imap.
///
/// No item is begun any more; it waits for those that run, so the caller must not hold a lock that they need. When it returns, the
/// imap's functions and their data are not used again. Another thread that waits in park_imap_next gets PARK_CLOSED. An imap that
/// outlives its run, or its handler, must be freed all the same.
///
/// PARK_REENTRANT: from inside a function of this imap; it is as it was.
#[no_mangle]
pub unsafe extern "C" fn park_imap_free(imap: *mut park_imap) -> c_int {
    if imap.is_null() && !sys::forked() {
        return PARK_OK;
    }
    with_none(|| {
        if IMAPS.find(imap)?.is_inside() {
            return Err(Error::new(Status::Reentrant, "not from inside a function of this imap"));
        }
        let found = IMAPS.remove(imap)?;
        let mine = MADE.with(|made| {
            let mut made = made.borrow_mut();
            let place = made.iter().position(|one| one.handle == imap as u64)?;
            Some(made.swap_remove(place))
        });
        found.close(mine.is_some());
        Ok(PARK_OK)
    })
}
