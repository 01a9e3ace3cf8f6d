//! The control endpoint.

use super::constants::*;
use super::convert::{text, text_out};
use super::guard::with_handler;
use crate::core::status::Error;
use std::ffi::{c_char, c_int};

/// ======== The control endpoint ========
///
/// Lets other programs of the same user watch and steer the job: `park ls`, `park watch`, ten lines of Python
/// (docs/control.md is the protocol). Any thread. A thread of park's serves them; the loop never waits for one. Setting
/// PARK_LISTEN=1 in the environment does it for every handler, in park_handler_new; a failure there is a warning in the
/// log and the handler's last error.
///
/// `path` is that of the socket to be made, at most 107 bytes. NULL chooses a name that the command `park` finds, in
/// PARK_RUNTIME_DIR, else in the directory park of XDG_RUNTIME_DIR if that is this user's, else in /tmp/park-UID; it must
/// be the user's own, no link, and closed to others. Only processes of this user are answered. The socket is taken away
/// by park_unlisten, by park_handler_free and, when the process is killed, by the next job or `park ls`.
///
/// PARK_EXISTS: the job listens already (NULL after NULL is PARK_OK), or `path` is in use. PARK_INVALID_ARGUMENT:
/// `path` empty, too long or not UTF-8. PARK_REFUSED: the directory is not the user's alone. PARK_FULL: too many
/// sockets. PARK_SYSTEM: no socket or no thread to be had.
#[no_mangle]
pub unsafe extern "C" fn park_listen(job: *mut park_handler, path: *const c_char) -> c_int {
    with_handler(job, |handler| {
        // SAFETY: the text is the caller's promise.
        let path = if path.is_null() { None } else { Some(unsafe { text(path, "path") }?) };
        if path == Some("") {
            return Err(Error::argument("path: empty"));
        }
        handler.listen(path).map(|()| PARK_OK)
    })
}

/// Where the job listens, as text out: returns the length of the path without the NUL, writes at most `length` bytes
/// with the NUL. Any thread. PARK_UNKNOWN: the job does not listen. PARK_INVALID_ARGUMENT: a negative `length`, or a
/// NULL `buffer` with another one.
#[no_mangle]
pub unsafe extern "C" fn park_listen_path(job: *mut park_handler, buffer: *mut c_char, length: i64) -> i64 {
    // SAFETY: the buffer is the caller's promise.
    with_handler(job, |handler| unsafe { text_out(&handler.listen_path()?, buffer, length) })
}

/// Ends park_listen: takes the socket away and closes every connection. Requests that the job has not begun to serve
/// are withdrawn, and answered with PARK_CLOSED. Any thread; it may take 0.2 s when clients are slow to read their
/// last lines. PARK_UNKNOWN: the job does not listen.
#[no_mangle]
pub extern "C" fn park_unlisten(job: *mut park_handler) -> c_int {
    with_handler(job, |handler| handler.unlisten().map(|()| PARK_OK))
}
