//! The log: lines in, lines out.

use super::callback::{function, User};
use super::constants::*;
use super::convert::{choice, text};
use super::guard::with_handler;
use crate::core::client::EventFn;
use crate::core::event::{Kind, Level};
use std::ffi::{c_char, c_int, c_void, CString};

/// ======== The log ========
///
/// Writes a line to the log: it goes out as an event and, when PARK_LOG is set in the environment, to standard error.
/// `text` is copied. Any thread.
///
/// PARK_LOG is a level (off, error, warning, info, debug), or one for each job, as in "warning,heat=debug". With info it
/// also tells of starts, pauses, checkpoints and ends, with debug of progress and improvements. Lines for which standard
/// error has no room are left out, and counted.
///
/// PARK_INVALID_ARGUMENT: `level` is none of PARK_LOG_..., or `text` NULL or not UTF-8.
#[no_mangle]
pub unsafe extern "C" fn park_log(job: *mut park_handler, level: c_int, text: *const c_char) -> c_int {
    with_handler(job, |handler| {
        let level = choice(level, &Level::ALL, |level| level as c_int, "level")?;
        // SAFETY: the text is the caller's promise.
        handler.log(level, unsafe { self::text(text, "text") }?);
        Ok(PARK_OK)
    })
}

/// Calls `fn` with the lines of the log that are of this level or graver (PARK_LOG_DEBUG: all), on the computation
/// thread inside park_ready: park_on_event for the usual case. Lines of the time after a run come with the next one, or
/// when the handler is freed. Any thread. Returns a number above 0 for park_off_event. PARK_INVALID_ARGUMENT: `level` is none
/// of PARK_LOG_..., or `fn` is NULL.
#[no_mangle]
pub unsafe extern "C" fn park_on_log(
    job: *mut park_handler,
    level: c_int,
    r#fn: park_log_fn,
    user: *mut c_void,
    destroy: park_destroy_fn,
) -> i64 {
    let user = User::new(user, destroy);
    let handle = job as usize;
    with_handler(job, move |handler| {
        let least = choice(level, &Level::ALL, |level| level as c_int, "level")?;
        let call = function(r#fn, "fn")?;
        let deliver: EventFn = Box::new(move |event| {
            if event.kind != Kind::Log || event.level as c_int > least as c_int {
                return 0;
            }
            let text = CString::new(event.text.replace('\0', " ")).unwrap_or_default();
            // SAFETY: the callback and its data are the caller's promise; the text lives until it returns.
            unsafe { call(handle as *mut park_handler, event.level as c_int, text.as_ptr(), user.data()) }
        });
        handler.subscribe_callback(PARK_EVENT_LOG, false, deliver)
    })
}
