//! What a map calls: the user's function, his arrays, and the hooks of his threads.

use super::callback::User;
use super::constants::*;
use crate::core::tally::{Body, Frame, Look, Reached};
use std::ffi::{c_int, c_void};
use std::sync::Arc;

type MapFn = unsafe extern "C-unwind" fn(*mut park_handler, *const c_void, *mut c_void, i64, *mut c_void) -> c_int;
type ForFn = unsafe extern "C-unwind" fn(*mut park_handler, i64, i64, *mut c_void) -> c_int;
type EnterFn = unsafe extern "C-unwind" fn(*mut park_handler, c_int, *mut c_void) -> *mut c_void;
type LeaveFn = unsafe extern "C-unwind" fn(*mut park_handler, c_int, *mut c_void, *mut c_void);

/// The hooks of threads that take part.
pub(super) struct Hooks {
    pub(super) enter: Option<EnterFn>,
    pub(super) leave: Option<LeaveFn>,
    pub(super) user: User,
}

/// What maps of items and of stretches have in common.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) job: *mut park_handler,
    /// The address of the user's function.
    pub(super) function: usize,
    pub(super) user: *mut c_void,
    pub(super) hooks: Option<Arc<Hooks>>,
    /// Where the items' statuses go; NULL: nowhere.
    pub(super) statuses: *mut c_int,
}

impl Hooks {
    /// A thread begins to take part; returns its local state.
    pub(super) fn begin(&self, job: *mut park_handler, index: u32) -> usize {
        let Some(enter) = self.enter else { return 0 };
        // SAFETY: the hook and its data are the caller's promise.
        unsafe { enter(job, index as c_int, self.user.data()) as usize }
    }

    pub(super) fn end(&self, job: *mut park_handler, index: u32, local: usize) {
        let Some(leave) = self.leave else { return };
        // SAFETY: as in `begin`; `local` is what that returned.
        unsafe { leave(job, index as c_int, local as *mut c_void, self.user.data()) };
    }
}

impl Frame for Common {
    fn identity(&self) -> (usize, usize) {
        (self.function, self.user as usize)
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

impl Common {
    fn note(&self, begin: u64, end: u64, code: c_int) {
        if self.statuses.is_null() {
            return;
        }
        for index in begin..end {
            // SAFETY: the array has a place for each item, as was checked when the map began, and no other thread
            // does this item.
            unsafe { self.statuses.add(index as usize).write(code) };
        }
    }
}

/// A map over arrays.
#[derive(Clone)]
pub(super) struct Map {
    pub(super) common: Common,
    pub(super) call: MapFn,
    pub(super) input: *const c_void,
    pub(super) input_stride: usize,
    pub(super) output: *mut c_void,
    pub(super) output_stride: usize,
}

// SAFETY: park only hands the pointers back to the user's own function, on the threads that its documentation names;
// that the memory may be used there is what the user promises by calling a map.
unsafe impl Send for Map {}
// SAFETY: as above; `run` changes nothing but what belongs to its items.
unsafe impl Sync for Map {}

impl Map {
    /// Does items until one fails; returns the first that is not done, and its code. A function by itself, so that the
    /// loop's few variables stay in registers.
    #[inline(never)]
    fn run_unlooked(&self, begin: u64, end: u64) -> (u64, c_int) {
        let &Map { call, input_stride, output_stride, .. } = self;
        let mut input = self.input.wrapping_byte_add(begin as usize * input_stride);
        let mut output = self.output.wrapping_byte_add(begin as usize * output_stride);
        let mut at = begin;
        macro_rules! item {
            () => {
                // SAFETY: the function, its data and the arrays are the caller's promise; the item is inside them.
                let code = unsafe { call(self.common.job, input, output, at as i64, self.common.user) };
                if code != 0 {
                    return (at, code);
                }
                at += 1;
                input = input.wrapping_byte_add(input_stride);
                output = output.wrapping_byte_add(output_stride);
            };
        }
        // Unrolled: beside an empty function the loop itself shows.
        while end - at >= 4 {
            item!();
            item!();
            item!();
            item!();
        }
        while at < end {
            item!();
        }
        (at, 0)
    }
}

impl Body for Map {
    fn run(&self, begin: u64, end: u64, look: &Look<'_>) -> Reached {
        let mut at = begin;
        while at < end {
            let first = at;
            let code;
            (at, code) = self.run_unlooked(first, end.min(first + look.every));
            self.common.note(first, at, 0);
            if code != 0 {
                self.common.note(at, at + 1, code);
                return Reached { at, code, failed: 1 };
            }
            if look.is_wanted() {
                break;
            }
        }
        Reached { at, code: 0, failed: 0 }
    }

    fn is_one_by_one(&self) -> bool {
        true
    }

    fn frame(&self) -> &dyn Frame {
        &self.common
    }
}

/// A loop, in stretches.
#[derive(Clone)]
pub(super) struct For {
    pub(super) common: Common,
    pub(super) call: ForFn,
    pub(super) begin: i64,
}

// SAFETY: as for `Map`.
unsafe impl Send for For {}
// SAFETY: as for `Map`.
unsafe impl Sync for For {}

impl Body for For {
    fn run(&self, begin: u64, end: u64, look: &Look<'_>) -> Reached {
        let mut at = begin;
        while at < end {
            let stop = end.min(at.saturating_add(look.every));
            let index = |at: u64| self.begin.wrapping_add_unsigned(at);
            // SAFETY: the function and its data are the caller's promise.
            let code = unsafe { (self.call)(self.common.job, index(at), index(stop), self.common.user) };
            self.common.note(at, stop, code);
            if code != 0 {
                return Reached { at, code, failed: stop - at };
            }
            at = stop;
            if look.is_wanted() {
                break;
            }
        }
        Reached { at, code: 0, failed: 0 }
    }

    fn is_one_by_one(&self) -> bool {
        false
    }

    fn frame(&self) -> &dyn Frame {
        &self.common
    }
}
