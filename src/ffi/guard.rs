//! What every exported function does first and last: finds the handler, catches panics, keeps the sentence.

use super::constants::park_handler;
use crate::core::handler::Handler;
use crate::core::lifecycle;
use crate::core::status::{Error, Result, Status};
use crate::core::table;
use crate::sys;
use std::cell::RefCell;
use std::ffi::c_int;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

/// What an exported function returns, and how a status looks in it.
pub(super) trait Returned {
    fn of(status: Status) -> Self;
}

impl Returned for c_int {
    fn of(status: Status) -> c_int {
        status as c_int
    }
}

impl Returned for i64 {
    fn of(status: Status) -> i64 {
        status as i64
    }
}

impl Returned for f64 {
    fn of(status: Status) -> f64 {
        f64::from(status as c_int)
    }
}

impl<T> Returned for *mut T {
    fn of(_: Status) -> *mut T {
        std::ptr::null_mut()
    }
}

impl<T> Returned for *const T {
    fn of(_: Status) -> *const T {
        std::ptr::null()
    }
}

thread_local! {
    /// The last error of a call on this thread that had no handler to keep it.
    static LAST_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
}

fn note_error(text: &str) {
    // During the thread's own end the place may be gone already.
    let _ = LAST_ERROR.try_with(|last| text.clone_into(&mut last.borrow_mut()));
}

/// The text of the last error of this thread that belongs to no handler.
pub(super) fn last_error_of_thread() -> String {
    LAST_ERROR.try_with(|last| last.borrow().clone()).unwrap_or_default()
}

fn forked() -> Error {
    Error::new(Status::Forked, "park does not work in a child made by fork: exec, or make handlers after the fork only")
}

/// Runs `body` so that nothing unwinds into C and no cancellation unwinds through park. Errors are kept by `note`.
fn guard<R: Returned>(body: impl FnOnce() -> Result<R>, note: impl FnOnce(&str)) -> R {
    if sys::forked() {
        note_error(&forked().text);
        return R::of(Status::Forked);
    }
    let _uncancelled = sys::CancelDisabled::new();
    caught(body, note)
}

fn caught<R: Returned>(body: impl FnOnce() -> Result<R>, note: impl FnOnce(&str)) -> R {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => {
            note(&error.text);
            R::of(error.status)
        }
        Err(_) => {
            note("park met a panic of its own: please report it");
            R::of(Status::Panic)
        }
    }
}

/// For functions without a handler.
pub(super) fn with_none<R: Returned>(body: impl FnOnce() -> Result<R>) -> R {
    guard(body, note_error)
}

/// For functions of a handler.
pub(super) fn with_handler<R: Returned>(job: *const park_handler, body: impl FnOnce(&Arc<Handler>) -> Result<R>) -> R {
    let handler = if sys::forked() { None } else { table::find(job as u64) };
    match handler {
        Some(handler) => guard(|| body(&handler), |text| handler.note_error(text)),
        None => with_none(|| Err(invalid_handle(job.is_null()))),
    }
}

/// As [`with_handler`], faster, for what the loop calls often: on the computation thread the handler is found without
/// a lock. `body` must reach no cancellation point and no user code but through core, which takes care of both.
pub(super) fn with_computing<R: Returned>(job: *const park_handler, body: impl FnOnce(&Handler) -> Result<R>) -> R {
    match (!sys::forked()).then(|| lifecycle::take_computing(job as u64)).flatten() {
        Some(handler) => {
            let result = caught(|| body(&handler), |text| handler.note_error(text));
            lifecycle::put_computing_back(handler);
            result
        }
        None => with_handler(job, |handler| body(handler)),
    }
}

/// As [`with_handler`], and on the computation thread without a lock, for calls that user code is called from.
pub(super) fn with_mapping<R: Returned>(job: *const park_handler, body: impl FnOnce(&Arc<Handler>) -> Result<R>) -> R {
    match (!sys::forked()).then(|| lifecycle::take_computing(job as u64)).flatten() {
        Some(handler) => {
            // Put back at once: what the user calls from an item finds it there.
            lifecycle::put_computing_back(handler.clone());
            guard(|| body(&handler), |text| handler.note_error(text))
        }
        None => with_handler(job, body),
    }
}

fn invalid_handle(is_null: bool) -> Error {
    let text = if is_null { "job: NULL" } else { "job: not a handler, or one that was freed" };
    Error::new(Status::InvalidHandle, text)
}
