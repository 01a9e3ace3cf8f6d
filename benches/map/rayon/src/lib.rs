//! What a Rust programmer would take instead of park, with the item as a C function.
//!
//! `loops`: rayon's parallel iterator. `streams`: results that come one by one, through a crossbeam channel or through rings.
#![allow(missing_docs, clippy::missing_safety_doc)]

mod loops;
mod streams;

use std::ffi::{c_int, c_void};

pub type Item = unsafe extern "C" fn(*mut c_void, *const c_void, *mut c_void, i64, *mut c_void) -> c_int;

/// `task` of contest.h.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Task {
    function: Item,
    user: *mut c_void,
    input: *const u8,
    output: *mut u8,
    input_stride: i64,
    output_stride: i64,
    n: i64,
}

// SAFETY: the bench hands over arrays in which each item has a place of its own.
unsafe impl Send for Task {}
// SAFETY: as above.
unsafe impl Sync for Task {}

impl Task {
    #[inline(always)]
    fn run(&self, index: i64) -> c_int {
        // SAFETY: index is below n, and the arrays have n places, or no stride.
        unsafe {
            let input = self.input.wrapping_offset((index * self.input_stride) as isize);
            let output = self.output.wrapping_offset((index * self.output_stride) as isize);
            (self.function)(std::ptr::null_mut(), input.cast(), output.cast(), index, self.user)
        }
    }
}
