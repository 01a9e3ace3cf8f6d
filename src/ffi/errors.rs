//! Version, status words and the last error.

use super::constants::*;
use super::convert::text_out;
use super::guard::{last_error_of_thread, with_handler, with_none};
use crate::core::status::Status;
use std::ffi::{c_char, c_int, CStr};

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(text) => text,
    Err(_) => unreachable!(),
};

/// ======== Version and errors ========
///
/// The version of the library, as "0.1.0". Any thread. The text is static: never to be freed.
#[no_mangle]
pub extern "C" fn park_version() -> *const c_char {
    VERSION.as_ptr()
}

/// What a status means, in a few words. Any thread. The text is static, never NULL, never to be freed; a number that
/// is no status is called "not a status of park".
#[no_mangle]
pub extern "C" fn park_status_string(status: c_int) -> *const c_char {
    Status::from_number(status).map_or(c"not a status of park", Status::meaning).as_ptr()
}

/// The text of the last error: which argument was wrong, and why. Any thread.
///
/// Kept by the handler until its next error, so it can be read from another thread than the one that failed. `job`
/// NULL gives the last error of the calling thread in a call that had no live handler: of park_handler_new, of
/// clients, events and messages, or with a wrong handle.
///
/// Returns the length of the text in bytes without the NUL, 0 when there was no error. Writes at most `length` bytes
/// with the NUL, cut at a character; NULL and 0 ask for the length alone. PARK_INVALID_ARGUMENT: a negative `length`,
/// or a NULL `buffer` with another one.
#[no_mangle]
pub unsafe extern "C" fn park_last_error(job: *mut park_handler, buffer: *mut c_char, length: i64) -> i64 {
    if job.is_null() {
        let text = last_error_of_thread();
        // SAFETY: the buffer is the caller's promise.
        return with_none(|| unsafe { text_out(&text, buffer, length) });
    }
    // SAFETY: the buffer is the caller's promise.
    with_handler(job, |handler| unsafe { text_out(&handler.last_error(), buffer, length) })
}
