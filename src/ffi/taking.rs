//! Taking results: where the takers of a thread are, and the window through which it sees those that are at hand.

use super::constants::*;
use super::guard::{with_none, Returned};
use super::program::Program;
use super::registry::Registry;
use crate::core::imap::Imap;
use crate::core::status::{Error, Result, Status};
use crate::core::sync::{Arc, AtomicBool, Ordering};
use crate::core::table;
use crate::core::taker::Taker;
use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};

pub(super) static IMAPS: Registry<Arc<Imap<Program>>> = Registry::new("imap", 4);

/// An imap that the calling thread made. The taker is away while it is busy.
struct Made {
    handle: u64,
    job: u64,
    result_bytes: usize,
    taker: Option<Box<Taker<Program>>>,
}

impl Drop for Made {
    fn drop(&mut self) {
        // It looks at what goes with the taker.
        let _ = WINDOW.try_with(|window| window.handle.set(0));
    }
}

thread_local! {
    static MADE: RefCell<Vec<Made>> = const { RefCell::new(Vec::new()) };
    static WINDOW: Window = const { Window::shut() };
}

/// The results of one block that are at hand, all done: what the thread needs to take them, and nothing else, so that
/// it costs a few loads. While it is open the taker of this imap rests in its place, with all that is pointed to.
struct Window {
    /// The imap; 0: it is shut.
    handle: Cell<u64>,
    job: Cell<u64>,
    closed: Cell<*const AtomicBool>,
    results: Cell<*const u8>,
    result_bytes: Cell<usize>,
    first: Cell<u64>,
    /// The place of the next result, and of the first that is not there.
    at: Cell<usize>,
    end: Cell<usize>,
}

impl Window {
    const fn shut() -> Window {
        Window {
            handle: Cell::new(0),
            job: Cell::new(0),
            closed: Cell::new(std::ptr::null()),
            results: Cell::new(std::ptr::null()),
            result_bytes: Cell::new(0),
            first: Cell::new(0),
            at: Cell::new(0),
            end: Cell::new(0),
        }
    }

    fn open(&self, made: &Made) {
        let Some(taker) = &made.taker else { return };
        let Some((room, first, at, end)) = taker.at_hand() else { return };
        self.handle.set(made.handle);
        self.job.set(made.job);
        self.closed.set(taker.imap().closed());
        self.results.set(room.results());
        self.result_bytes.set(made.result_bytes);
        self.first.set(first);
        self.at.set(at);
        self.end.set(end);
    }

    /// Shuts it, and tells the taker what was taken.
    fn close(&self, made: &mut [Made]) {
        let handle = self.handle.replace(0);
        if handle == 0 {
            return;
        }
        if let Some(taker) = made.iter_mut().find(|one| one.handle == handle).and_then(|one| one.taker.as_mut()) {
            taker.took(self.at.get());
        }
    }

    /// Takes the next result of this imap, if it is there and nothing is asked of the job.
    ///
    /// # Safety
    /// As [`Out::put`].
    #[inline(always)]
    unsafe fn take(&self, imap: *mut park_imap, out: Out) -> bool {
        let at = self.at.get();
        if self.handle.get() != imap as u64 || at >= self.end.get() || !table::nothing_pending(self.job.get()) {
            return false;
        }
        // SAFETY: the window is open, so the taker rests in this thread's keeping, and with it the imap.
        if unsafe { &*self.closed.get() }.load(Ordering::Relaxed) {
            return false;
        }
        let bytes = self.result_bytes.get();
        // SAFETY: the block has a result of so many bytes at each place before `end`; the rest is the caller's promise.
        unsafe { out.put(self.results.get().add(at * bytes), bytes, self.first.get() + at as u64, 0) };
        self.at.set(at + 1);
        true
    }
}

/// Where a caller wants a result.
#[derive(Clone, Copy)]
pub(super) struct Out {
    pub(super) result: *mut c_void,
    pub(super) index: *mut i64,
    pub(super) status: *mut c_int,
}

impl Out {
    /// Says which item it is about, and what became of it.
    ///
    /// # Safety
    /// What is not NULL may be written.
    #[inline(always)]
    pub(super) unsafe fn tell(self, index: u64, status: c_int) {
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

    /// Hands out a result of `bytes` bytes.
    ///
    /// # Safety
    /// As `tell`; it can be read, and there is room for it.
    #[inline(always)]
    unsafe fn put(self, from: *const u8, bytes: usize, index: u64, status: c_int) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.result.is_null() {
                // Not wanted.
            } else if bytes == size_of::<u64>() {
                // The commonest size, without a call.
                self.result.cast::<u64>().write_unaligned(from.cast::<u64>().read_unaligned());
            } else {
                std::ptr::copy_nonoverlapping(from, self.result.cast(), bytes);
            }
            self.tell(index, status);
        }
    }

    /// Hands out the current result of a taker whose results have `bytes` bytes.
    ///
    /// # Safety
    /// As `tell`; there is room for the result.
    pub(super) unsafe fn take(self, taker: &mut Taker<Program>, bytes: usize) {
        let Some((room, at, index, status)) = taker.current() else { return };
        // SAFETY: the room has a result of `bytes` at this place; the rest is the caller's promise.
        unsafe { self.put(room.results().add(at * bytes), bytes, index, status) };
        taker.advance();
    }

    /// The place of the next result in arrays.
    pub(super) fn next(self, bytes: usize) -> Out {
        Out {
            result: if self.result.is_null() { self.result } else { self.result.wrapping_byte_add(bytes) },
            index: if self.index.is_null() { self.index } else { self.index.wrapping_add(1) },
            status: if self.status.is_null() { self.status } else { self.status.wrapping_add(1) },
        }
    }
}

/// Takes a result that is at hand. Without a lock, and without the care that user code would need: none is called.
///
/// # Safety
/// As [`Out::put`].
#[inline(always)]
pub(super) unsafe fn take_at_hand(imap: *mut park_imap, out: Out) -> bool {
    // SAFETY: the caller's promise.
    WINDOW.with(|window| unsafe { window.take(imap, out) })
}

/// The size of the results that are at hand.
pub(super) fn bytes_at_hand() -> usize {
    WINDOW.with(|window| window.result_bytes.get())
}

/// Keeps the taker of a new imap, on the thread that made it.
pub(super) fn keep(handle: *mut park_imap, job: u64, result_bytes: usize, taker: Taker<Program>) {
    let made = Made { handle: handle as u64, job, result_bytes, taker: Some(Box::new(taker)) };
    let freed = MADE.with(|all| {
        let mut all = all.borrow_mut();
        WINDOW.with(|window| window.close(&mut all));
        let is_freed = |one: &Made| one.taker.as_ref().is_some_and(|taker| taker.imap().is_closed());
        let (freed, mut live): (Vec<_>, Vec<_>) = all.drain(..).partition(is_freed);
        live.push(made);
        *all = live;
        freed
    });
    // Outside of the borrow: hooks may call back.
    drop(freed);
}

/// Forgets an imap that is being freed. Returns whether the calling thread made it.
pub(super) fn forget(imap: *mut park_imap) -> bool {
    let made = MADE.with(|made| {
        let mut made = made.borrow_mut();
        WINDOW.with(|window| window.close(&mut made));
        let place = made.iter().position(|one| one.handle == imap as u64)?;
        Some(made.swap_remove(place))
    });
    // Dropped outside of the borrow: hooks may call back.
    made.is_some()
}

/// Calls `body` with the taker, which is taken out of its place meanwhile, since it may call the user's functions, and
/// with the size of a result.
pub(super) fn with_taker<R: Returned>(
    imap: *mut park_imap,
    body: impl FnOnce(&mut Taker<Program>, usize) -> Result<R>,
) -> R {
    with_none(|| {
        IMAPS.find(imap)?;
        let (mut taker, job, bytes) = MADE.with(|made| {
            let mut made = made.borrow_mut();
            WINDOW.with(|window| window.close(&mut made));
            let Some(one) = made.iter_mut().find(|one| one.handle == imap as u64) else {
                return Err(Error::new(Status::WrongThread, "only the thread that made the imap may take its results"));
            };
            let busy = || Error::new(Status::Reentrant, "not from inside a callback of this imap");
            Ok((one.taker.take().ok_or_else(busy)?, one.job, one.result_bytes))
        })?;
        let result = body(&mut taker, bytes);
        if let (Err(error), Some(handler)) = (&result, table::find(job)) {
            handler.note_error(&error.text);
        }
        let homeless = MADE.with(|made| {
            let mut made = made.borrow_mut();
            WINDOW.with(|window| window.close(&mut made));
            let Some(one) = made.iter_mut().find(|one| one.handle == imap as u64) else {
                // It was freed meanwhile, by a callback.
                return Some(taker);
            };
            one.taker = Some(taker);
            WINDOW.with(|window| window.open(one));
            None
        });
        // Outside of the borrow: hooks may call back.
        drop(homeless);
        result
    })
}
