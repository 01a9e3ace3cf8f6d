//! What C gives an imap to run: a source, a function, and where items and results are kept.

use super::constants::*;
use super::items::Hooks;
use crate::core::status::{Error, Result, Status};
use crate::core::stream::{Pulled, Stream};
use crate::core::sync::{Arc, Mutex};
use std::ffi::{c_int, c_void};

/// Memory that is aligned for whatever a C compiler aligns, and for a cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Rooms up to this size are kept though they are larger than needed.
const SMALL_BYTES: usize = 64 << 10;

/// Memory for some items and their results.
pub(super) struct Room {
    capacity: usize,
    items: Vec<Line>,
    results: Vec<Line>,
}

impl Room {
    pub(super) fn results(&self) -> *const u8 {
        self.results.as_ptr().cast()
    }
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
pub(super) enum Origin {
    Pull {
        source: unsafe extern "C-unwind" fn(*mut park_handler, *mut c_void, i64, *mut c_void) -> c_int,
        user: *mut c_void,
    },
    /// An array of so many items; NULL when only their number is of interest.
    Array { base: *const u8, stride: usize, count: u64 },
}

type ItemFn = unsafe extern "C-unwind" fn(*mut park_handler, *const c_void, *mut c_void, i64, *mut c_void) -> c_int;

/// What C gave to run.
pub(super) struct Program {
    pub(super) job: *mut park_handler,
    pub(super) function: ItemFn,
    pub(super) user: *mut c_void,
    pub(super) origin: Origin,
    pub(super) item_bytes: usize,
    pub(super) result_bytes: usize,
    /// Let go of when the imap is freed, though a worker may have the imap in hand a moment longer.
    pub(super) hooks: Mutex<Option<Arc<Hooks>>>,
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
        let hooks = self.hooks.lock().clone();
        hooks.map_or(0, |hooks| hooks.begin(self.job, index))
    }

    fn leave(&self, index: u32, local: usize) {
        let hooks = self.hooks.lock().clone();
        if let Some(hooks) = hooks {
            hooks.end(self.job, index, local);
        }
    }

    fn release(&self) {
        let hooks = self.hooks.lock().take();
        // Dropped when the lock is not held: its destroy function may call back.
        drop(hooks);
    }
}
