//! A callback's user data, with the function that ends its life.

use super::constants::park_destroy_fn;
use crate::core::status::{Error, Result};
use std::ffi::c_void;

/// The user data of a callback. Dropped, it is destroyed: exactly once, whatever becomes of the callback.
pub(super) struct User {
    data: *mut c_void,
    destroy: park_destroy_fn,
}

// SAFETY: park only hands the pointer back to the user's own functions, on the threads that their documentation
// names; that the data may be used there is what the user promises by registering it.
unsafe impl Send for User {}
// SAFETY: as above.
unsafe impl Sync for User {}

impl User {
    pub(super) fn new(data: *mut c_void, destroy: park_destroy_fn) -> User {
        User { data, destroy }
    }

    /// By a method, so that a closure which calls it captures the whole and not the bare pointer.
    pub(super) fn data(&self) -> *mut c_void {
        self.data
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: registered by the user for exactly this data; called once, here.
            unsafe { destroy(self.data) };
        }
    }
}

/// Refuses a callback that is NULL.
pub(super) fn function<F>(function: Option<F>, argument: &str) -> Result<F> {
    function.ok_or_else(|| Error::argument(format!("{argument}: NULL")))
}
