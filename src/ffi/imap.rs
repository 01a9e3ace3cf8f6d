//! Imaps.

use super::constants::*;
use super::convert::{check_out, deadline};
use super::guard::{with_handler, with_none};
use super::registry::Registry;
use crate::core::imap::{Imap, Policy};
use crate::core::status::{Error, Result, Status};
use crate::core::stream::{Pulled, Stream};
use crate::core::sync::Arc;
use crate::core::table;
use crate::core::taker::{Next, Rest, Taker};
use once_cell::sync::Lazy;
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
    Array { base: *const u8, stride: i64, count: u64 },
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
            Origin::Array { base, stride, .. } => base.wrapping_offset((index as i64 * stride) as isize),
        };
        // SAFETY: `at` is a place of the room, and the engine lets one thread at a time have it; the array, the function
        // and its data are the caller's promise.
        unsafe {
            let result = room.results.as_mut_ptr().cast::<u8>().add(at * self.result_bytes);
            (self.function)(self.job, item.cast(), result.cast(), index as i64, self.user)
        }
    }
}

static IMAPS: Lazy<Registry<Arc<Imap<Program>>>> = Lazy::new(|| Registry::new("imap", 0));

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

/// PROVISIONAL
#[no_mangle]
pub static mut park_imap_try: [i64; 8] = [1024, 0, 0, 0, 0, 2, 0, 0];

fn make(job: *mut park_handler, program: Program) -> Result<*mut park_imap> {
    // SAFETY: provisional
    let t = unsafe { park_imap_try };
    let policy = Policy {
        threads: t[5] as usize,
        chunk: t[1] as usize,
        go_on: t[3] != 0,
        retries: t[4] as u64,
        in_flight: t[0] as usize,
        ordered: t[2] == 0,
    };
    let result_bytes = program.result_bytes;
    static CREW: Lazy<Arc<crate::core::provisional::Threads>> =
        Lazy::new(|| Arc::new(crate::core::provisional::Threads::new(1)));
    let imap = Imap::new(job as u64, policy, program, CREW.clone())
        .ok_or_else(|| Error::new(Status::Closed, "the handler was freed"))?;
    let handle = IMAPS.add(imap.clone())?;
    MADE.with(|made| {
        made.borrow_mut().insert(
            0,
            Made { handle: handle as u64, job: job as u64, result_bytes, taker: Some(Box::new(Taker::new(imap))) },
        );
    });
    Ok(handle)
}

#[no_mangle]
pub unsafe extern "C" fn park_imap_new(
    job: *mut park_handler,
    function: park_map_fn,
    user: *mut c_void,
    source: park_source_fn,
    source_user: *mut c_void,
    item_bytes: i64,
    result_bytes: i64,
) -> *mut park_imap {
    with_handler(job, |_| {
        let program = Program {
            job,
            function: function.unwrap(),
            user,
            origin: Origin::Pull { source: source.unwrap(), user: source_user },
            item_bytes: item_bytes as usize,
            result_bytes: result_bytes as usize,
        };
        make(job, program)
    })
}

/// Copies a result out.
///
/// # Safety
/// The room has a result of `bytes` at this place; the outputs are NULL or may be written.
#[inline(always)]
unsafe fn hand_out(
    (room, at, index, status): (&Room, usize, u64, i32),
    bytes: usize,
    out_result: *mut c_void,
    out_index: *mut i64,
    out_status: *mut c_int,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let from = room.results.as_ptr().cast::<u8>().add(at * bytes);
        if !out_result.is_null() {
            if bytes == 8 {
                // The commonest size, without a call.
                out_result.cast::<u64>().write_unaligned(from.cast::<u64>().read_unaligned());
            } else {
                std::ptr::copy_nonoverlapping(from, out_result.cast(), bytes);
            }
        }
        if !out_index.is_null() {
            out_index.write_unaligned(index as i64);
        }
        if !out_status.is_null() {
            out_status.write_unaligned(status);
        }
    }
}

#[no_mangle]
pub unsafe extern "C" fn park_imap_next(
    imap: *mut park_imap,
    timeout: f64,
    out_result: *mut c_void,
    out_index: *mut i64,
    out_status: *mut c_int,
) -> c_int {
    let taken = MADE.try_with(|made| {
        let mut made = made.borrow_mut();
        let Some(first) = made.first_mut() else { return false };
        if first.handle != imap as u64 || !table::nothing_pending(first.job) {
            return false;
        }
        let bytes = first.result_bytes;
        let Some(taker) = &mut first.taker else { return false };
        match taker.current() {
            Some(current) if current.3 == 0 => {
                // SAFETY: the room is that of the imap; the outputs are the caller's promise.
                unsafe { hand_out(current, bytes, out_result, out_index, out_status) };
                taker.advance();
                true
            }
            _ => false,
        }
    });
    if taken == Ok(true) {
        return PARK_OK;
    }
    // SAFETY: the same promise.
    unsafe { next_slowly(imap, timeout, out_result, out_index, out_status) }
}

/// Takes the taker out of its place while it may call the user's functions.
fn with_taker<T>(imap: *mut park_imap, body: impl FnOnce(&mut Taker<Program>, usize) -> Result<T>) -> Result<T> {
    let at = |made: &mut Vec<Made>| made.iter().position(|one| one.handle == imap as u64);
    let (mut taker, bytes) = MADE.with(|made| {
        let mut made = made.borrow_mut();
        let Some(place) = at(&mut made) else {
            IMAPS.find(imap)?;
            return Err(Error::new(Status::WrongThread, "only the thread that made the imap may take its results"));
        };
        made.swap(0, place);
        let taker = made[0].taker.take();
        let taker = taker.ok_or_else(|| Error::new(Status::Reentrant, "not from inside a callback of this imap"))?;
        Ok((taker, made[0].result_bytes))
    })?;
    let result = IMAPS.find(imap).and_then(|_| body(&mut taker, bytes));
    MADE.with(|made| {
        let mut made = made.borrow_mut();
        if let Some(place) = at(&mut made) {
            made[place].taker = Some(taker);
        }
    });
    result
}

#[cold]
#[inline(never)]
unsafe extern "C" fn next_slowly(
    imap: *mut park_imap,
    timeout: f64,
    out_result: *mut c_void,
    out_index: *mut i64,
    out_status: *mut c_int,
) -> c_int {
    with_none(|| {
        let deadline = deadline(timeout)?;
        with_taker(imap, |taker, bytes| match taker.next(deadline)? {
            Next::Result => {
                if let Some(current) = taker.current() {
                    // SAFETY: as above.
                    unsafe { hand_out(current, bytes, out_result, out_index, out_status) };
                    taker.advance();
                }
                Ok(PARK_OK)
            }
            Next::Ended(status) => {
                if let Some(culprit) = taker.culprit {
                    if !out_index.is_null() {
                        // SAFETY: as above.
                        unsafe { out_index.write_unaligned(culprit.index as i64) };
                    }
                    if !out_status.is_null() {
                        // SAFETY: as above.
                        unsafe { out_status.write_unaligned(culprit.code) };
                    }
                }
                Ok(status as c_int)
            }
        })
    })
}

#[no_mangle]
pub unsafe extern "C" fn park_imap_rest(
    imap: *mut park_imap,
    out_result: *mut c_void,
    out_index: *mut i64,
    out_status: *mut c_int,
) -> c_int {
    with_none(|| {
        with_taker(imap, |taker, bytes| match taker.next_of_rest()? {
            Rest::Result => {
                if let Some(current) = taker.current() {
                    // SAFETY: as above.
                    unsafe { hand_out(current, bytes, out_result, out_index, out_status) };
                    taker.advance();
                }
                Ok(PARK_OK)
            }
            Rest::NotRun(index) => {
                check_out(out_index, "out_index")?;
                // SAFETY: as above.
                unsafe { out_index.write(index as i64) };
                Ok(PARK_OK)
            }
            Rest::Over => Ok(PARK_END),
        })
    })
}

#[no_mangle]
pub unsafe extern "C" fn park_imap_free(imap: *mut park_imap) -> c_int {
    if imap.is_null() {
        return PARK_OK;
    }
    with_none(|| {
        if IMAPS.find(imap)?.is_inside() {
            return Err(Error::new(Status::Reentrant, "not from inside a function of this imap"));
        }
        let found = IMAPS.remove(imap)?;
        let mine = MADE.with(|made| {
            let mut made = made.borrow_mut();
            made.iter().position(|one| one.handle == imap as u64).map(|place| made.swap_remove(place))
        });
        found.close(mine.is_some());
        Ok(PARK_OK)
    })
}
