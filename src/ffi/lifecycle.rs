//! Handlers and runs.

use super::callback::{function, User};
use super::constants::*;
use super::convert::{copy_out, deadline, name, slice, text, text_out};
use super::guard::{with_handler, with_none};
use crate::core::handler::Handler;
use crate::core::status::{Error, Status};
use crate::core::table;
use crate::core::{journal, notify};
use crate::sys;
use std::ffi::{c_char, c_int, c_void};

/// The smallest stack that is worth a thread.
const LEAST_STACK_BYTES: i64 = 64 << 10;

/// Runs when the library is loaded: NULL is no handler from the first call on.
#[used]
#[cfg_attr(target_os = "linux", link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = {
    extern "C" fn at_load() {
        table::prepare();
    }
    at_load
};

/// ======== Lifecycle ========
///
/// Makes a handler: one job, idle, with a service thread of its own that sleeps. Any thread.
///
/// `name` is what other programs will see; it is copied. At most 4095 handlers live at once. The handler must be given
/// to park_handler_free in the end.
///
/// Returns NULL on error, and park_last_error(NULL, ...) says why: `name` NULL, empty, longer than 255 bytes, not
/// UTF-8 or with control characters; too many handlers; no thread to be had; a process that was forked from one with
/// handlers.
#[no_mangle]
pub unsafe extern "C" fn park_handler_new(name: *const c_char) -> *mut park_handler {
    with_none(|| {
        extern "C" fn in_child() {
            table::raise_all();
            sys::close_in_child();
        }
        sys::watch_fork(in_child);
        // SAFETY: the text is the caller's promise.
        let name = unsafe { self::name(name, "name") }?;
        let handler = Handler::new(name)?;
        journal::open(&handler);
        notify::open(&handler);
        handler.listen_if_asked();
        Ok(handler.handle() as usize as *mut park_handler)
    })
}

/// Frees a handler that is not running. NULL does nothing and is PARK_OK. Any thread but its service thread.
///
/// Requests that wait are answered with PARK_EXPIRED; events that wait for callbacks are delivered, those of the
/// computation thread on this one; clients keep what they have not fetched, then get PARK_CLOSED. Waits for callbacks
/// that run on the service thread: the caller must not hold a lock that they need. When it returns, all destroy
/// functions have run.
///
/// PARK_BUSY: a computation runs; end it first. PARK_REENTRANT: from a callback of this handler. On both the handler
/// is as it was.
#[no_mangle]
pub extern "C" fn park_handler_free(job: *mut park_handler) -> c_int {
    if job.is_null() && !sys::forked() {
        return PARK_OK;
    }
    with_handler(job, |handler| handler.clone().free().map(|()| PARK_OK))
}

/// The name of the handler, as text out: returns its length without the NUL, writes at most `length` bytes with the
/// NUL. Any thread. PARK_INVALID_ARGUMENT: a negative `length`, or a NULL `buffer` with another one.
#[no_mangle]
pub unsafe extern "C" fn park_name(job: *mut park_handler, buffer: *mut c_char, length: i64) -> i64 {
    // SAFETY: the buffer is the caller's promise.
    with_handler(job, |handler| unsafe { text_out(handler.name(), buffer, length) })
}

/// Begins a run on the calling thread: from now until park_detach it is the computation thread, and alone may call
/// what is marked so. Progress, best, result and outcome of an earlier run are forgotten.
///
/// PARK_BUSY: a computation runs already. PARK_REENTRANT: from a callback of the run. PARK_WRONG_THREAD: on the
/// service thread.
#[no_mangle]
pub extern "C" fn park_attach(job: *mut park_handler) -> c_int {
    with_handler(job, |handler| handler.attach().map(|()| PARK_OK))
}

/// Ends the run that park_attach began. Computation thread, outside callbacks.
///
/// The run is complete, unless park_ready has told the loop to end (then it is aborted, or stopped) or park_fail was
/// called (then it has failed). Before it returns, the last best and the final event are delivered, and requests that
/// were not served are answered with PARK_EXPIRED.
///
/// PARK_NOT_RUNNING: nothing is attached. PARK_WRONG_THREAD: another thread is. PARK_REENTRANT: from a callback, or
/// from a service of park_start, whose return ends the run.
#[no_mangle]
pub extern "C" fn park_detach(job: *mut park_handler) -> c_int {
    with_handler(job, |handler| handler.detach().map(|()| PARK_OK))
}

/// Begins a run on a thread of park's, with the stack of park_set_stack_size, and returns at once. Any thread but the
/// service thread.
///
/// The thread calls `service(job, request)`; the run ends when it returns. `request` belongs to the run: it must
/// stay valid until destroy(request) is called, after the service has returned, or at once when this call fails.
/// With `resume` nonzero the thread restores first, as park_restore does: when there is no checkpoint the service
/// runs from the beginning, with a line in the log; when restoring fails the run fails, for that reason, or the one
/// that a callback gave by park_fail.
///
/// PARK_BUSY: a computation runs already. PARK_INVALID_ARGUMENT: `service` is NULL, or `resume` without
/// park_checkpoint_dir or park_on_checkpoint. PARK_REENTRANT: from a callback of the run. PARK_WRONG_THREAD: on the
/// service thread. PARK_SYSTEM: no thread.
#[no_mangle]
pub unsafe extern "C" fn park_start(
    job: *mut park_handler,
    service: park_service_fn,
    request: *mut c_void,
    destroy: park_destroy_fn,
    resume: c_int,
) -> c_int {
    let request = User::new(request, destroy);
    let handle = job as usize;
    with_handler(job, move |handler| {
        let service = function(service, "service")?;
        // SAFETY: the service and its request are the caller's promise.
        let run = move || unsafe { service(handle as *mut park_handler, request.data()) };
        handler.start(Box::new(run), resume != 0).map(|()| PARK_OK)
    })
}

/// Waits for the end of the run, at most `timeout` seconds (0: not at all, PARK_FOREVER: without end); says how the
/// last run ended. Any thread but the computation thread and the service thread. After it, the handler may be freed or
/// started again.
///
/// PARK_OK: complete. PARK_ABORTED, PARK_STOPPED: ended early, as asked. PARK_FAILED: failed, park_reason says why.
/// PARK_TIMEOUT: still running. PARK_NOT_RUNNING: nothing has ever run. PARK_WRONG_THREAD: this thread would wait for
/// itself. PARK_INVALID_ARGUMENT: `timeout`.
#[no_mangle]
pub extern "C" fn park_wait(job: *mut park_handler, timeout: f64) -> c_int {
    with_handler(job, |handler| handler.wait(deadline(timeout)?).map(|outcome| outcome.status as c_int))
}

/// The state of the handler, one of PARK_STATE_... Any thread.
#[no_mangle]
pub extern "C" fn park_state(job: *mut park_handler) -> c_int {
    with_handler(job, |handler| Ok(handler.state() as c_int))
}

/// For how many seconds there was no ready point, as far as is known: 0 when the loop comes by all the time, or is
/// halted. Any thread.
///
/// A ready point with nothing to do leaves no trace. So from park_listen or the first call on, for the rest of the
/// handler's life, the service thread gives the loop something to attend to once a second, and the answer is how long
/// that has waited: 0 from a first call, later at most 1 s too little. A negative number is a status: PARK_NOT_RUNNING:
/// no computation.
#[no_mangle]
pub extern "C" fn park_idle(job: *mut park_handler) -> f64 {
    with_handler(job, |handler| Ok(handler.idle()?.as_secs_f64()))
}

/// What main should return for the last run. Any thread.
///
/// 0: complete. 85 (PARK_EXIT_CHECKPOINTED): stopped with a checkpoint, run me again; so also when an abort came after the
/// stop, and the stop's checkpoint was saved all the same: park_wait then says PARK_STOPPED. 86 (PARK_EXIT_ABORTED):
/// aborted, or stopped without a checkpoint. 1: failed, still running, or never run. A negative status when the handle
/// is bad.
#[no_mangle]
pub extern "C" fn park_exit_code(job: *mut park_handler) -> c_int {
    with_handler(job, |handler| Ok(handler.exit_code()))
}

/// Sets the stack, in bytes, of the threads that later calls of park_start make; 64 MiB by default. Memory that is not
/// used is never committed. Any thread. PARK_INVALID_ARGUMENT: less than 64 KiB.
#[no_mangle]
pub extern "C" fn park_set_stack_size(job: *mut park_handler, bytes: i64) -> c_int {
    with_handler(job, |handler| match usize::try_from(bytes) {
        Ok(size) if bytes >= LEAST_STACK_BYTES => {
            handler.set_stack_bytes(size);
            Ok(PARK_OK)
        }
        _ => Err(Error::argument(format!("bytes: {bytes} is less than {LEAST_STACK_BYTES}"))),
    })
}

/// Sets the result of the run, `bytes` bytes that are copied; it goes out with the complete event. The last one
/// counts. Computation thread.
///
/// PARK_INVALID_ARGUMENT: `bytes` negative, or `result` NULL with bytes. PARK_NOT_RUNNING, PARK_WRONG_THREAD.
#[no_mangle]
pub unsafe extern "C" fn park_set_result(job: *mut park_handler, result: *const c_void, bytes: i64) -> c_int {
    with_handler(job, |handler| {
        // SAFETY: the bytes are the caller's promise.
        let result = unsafe { slice(result.cast::<u8>(), bytes, ("result", "bytes")) }?;
        handler.set_result(result).map(|()| PARK_OK)
    })
}

/// Copies out the result of the last run, at most `bytes` bytes of it. Any thread.
///
/// Returns its size in bytes; NULL and 0 ask for the size alone. PARK_UNKNOWN: there is no result.
/// PARK_INVALID_ARGUMENT: `bytes` negative, or `buffer` NULL with bytes.
#[no_mangle]
pub unsafe extern "C" fn park_result(job: *mut park_handler, buffer: *mut c_void, bytes: i64) -> i64 {
    with_handler(job, |handler| match handler.outcome().and_then(|outcome| outcome.result) {
        // SAFETY: the buffer is the caller's promise.
        Some(result) => unsafe { copy_out(&result, buffer.cast::<u8>(), bytes, ("buffer", "bytes")) },
        None => Err(Error::new(Status::Unknown, "the last run has no result")),
    })
}

/// Says that the run will end as failed, and why; `reason` is copied. The loop should end itself then. The last call
/// counts. Computation thread.
///
/// PARK_INVALID_ARGUMENT: `reason` NULL or not UTF-8. PARK_NOT_RUNNING, PARK_WRONG_THREAD.
#[no_mangle]
pub unsafe extern "C" fn park_fail(job: *mut park_handler, reason: *const c_char) -> c_int {
    with_handler(job, |handler| {
        // SAFETY: the text is the caller's promise.
        handler.fail(unsafe { text(reason, "reason") }?).map(|()| PARK_OK)
    })
}

/// Why the last run failed, was aborted or stopped, as text out: returns its length without the NUL, 0 when it is
/// complete or nothing has run; writes at most `length` bytes with the NUL. Any thread. PARK_INVALID_ARGUMENT: a
/// negative `length`, or a NULL `buffer` with another one.
#[no_mangle]
pub unsafe extern "C" fn park_reason(job: *mut park_handler, buffer: *mut c_char, length: i64) -> i64 {
    with_handler(job, |handler| {
        let reason = handler.outcome().map(|outcome| outcome.reason).unwrap_or_default();
        // SAFETY: the buffer is the caller's promise.
        unsafe { text_out(&reason, buffer, length) }
    })
}
