//! Signals and requests in, and who serves them.

use super::callback::{function, User};
use super::constants::*;
use super::convert::{check_out, deadline, name, put, text, text_out, value_as, FromValue};
use super::guard::with_handler;
use super::messages::{as_handle, message_of, with_handles, write_message};
use crate::core::attention::Signal;
use crate::core::handler::Handler;
use crate::core::inbox::Ask;
use crate::core::message::Message;
use crate::core::status::{Error, Result, Status};
use crate::core::table;
use crate::core::value::Value;
use crate::core::variable::MessageFn;
use crate::sys;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

fn signal_of(number: c_int) -> Option<Signal> {
    Signal::ALL.into_iter().find(|&signal| signal as c_int == number)
}

/// ======== Signals and requests in ========
///
/// Asks the job for PARK_PAUSE, PARK_RESUME, PARK_ABORT, PARK_CHECKPOINT or PARK_STOP, without a reply. Any thread,
/// and POSIX signal handlers: it takes no lock and keeps errno.
///
/// The loop sees it at its next ready point. It takes effect at once, ahead of requests that wait: a PARK_RESUME by
/// signal can pass a PARK_PAUSE by request. Before the first run it counts for that run. Abort and stop let a paused
/// job go on to its end, and stay until the run ends. PARK_EXPIRED: the run has ended. PARK_INVALID_ARGUMENT: `signal`
/// is none of these (no text is kept for it, nor for PARK_INVALID_HANDLE and PARK_EXPIRED: that would take a lock).
#[no_mangle]
pub extern "C" fn park_signal(job: *mut park_handler, signal: c_int) -> c_int {
    if sys::forked() {
        return PARK_FORKED;
    }
    let Some(attention) = table::find_attention(job as u64) else { return PARK_INVALID_HANDLE };
    match signal_of(signal) {
        Some(signal) => attention.signal(signal) as c_int,
        None => PARK_INVALID_ARGUMENT,
    }
}

fn ask_of(request: c_int) -> Result<Ask> {
    if let Some(signal) = signal_of(request) {
        return Ok(Ask::Signal(signal));
    }
    match request {
        PARK_SET => Ok(Ask::Set),
        PARK_GET => Ok(Ask::Get),
        PARK_INVOKE => Ok(Ask::Invoke),
        PARK_MESSAGE => Ok(Ask::Message),
        _ => Err(Error::argument(format!("request: {request} is not one of its values"))),
    }
}

/// The message of a request; NULL is an empty one where the request needs none.
fn message_for(ask: Ask, message: *const park_message) -> Result<Message> {
    if message.is_null() && matches!(ask, Ask::Signal(_) | Ask::Get) {
        return Ok(Message::default());
    }
    message_of(message)
}

/// Sends a request and waits for its one reply, at most `timeout` seconds (PARK_FOREVER: without end). Any thread but
/// the computation thread and the service thread.
///
/// `request` is one of PARK_PAUSE to PARK_MESSAGE. `message` is copied; it may be NULL for signals and PARK_GET. A
/// message whose name has a handler by park_on_signal is served at once on the service thread; everything else at the
/// next ready point, in the order sent, also while paused. PARK_PAUSE and PARK_RESUME are answered when the loop has
/// halted, or goes on. Deltas in a PARK_SET apply at once; variables at the ready point; when something is refused,
/// none of them. `out_reply`, unless NULL, is a message of the caller's: it is emptied and filled with the reply's
/// values, on a refusal with the text "reason".
///
/// PARK_OK: done. PARK_REFUSED: by a limit, a read-only mark, a check, a method or a handler. PARK_UNKNOWN: no such
/// variable, method or handler. PARK_WRONG_TYPE: of a value. PARK_EXPIRED: the job ended first, or was freed.
/// PARK_TIMEOUT: the request is withdrawn and has no effect, unless it was being served just then (the text tells).
/// PARK_FULL: 4096 requests wait already. PARK_FAILED: a checkpoint could not be saved. PARK_WRONG_THREAD: this thread
/// would wait for itself. PARK_INVALID_ARGUMENT: `request`, `timeout`, a message that is missing, empty or without
/// name.
#[no_mangle]
pub extern "C" fn park_ask(
    job: *mut park_handler,
    request: c_int,
    message: *const park_message,
    timeout: f64,
    out_reply: *mut park_message,
) -> c_int {
    with_handler(job, |handler| {
        let ask = ask_of(request)?;
        let message = message_for(ask, message)?;
        if !out_reply.is_null() {
            message_of(out_reply)?;
        }
        let answer = handler.ask(ask, message, deadline(timeout)?);
        if !out_reply.is_null() {
            write_message(out_reply, reply_of(&answer))?;
        }
        answer.map(|_| PARK_OK)
    })
}

/// The reply as the sender sees it.
fn reply_of(answer: &Result<Message>) -> Message {
    match answer {
        Ok(message) => message.clone(),
        Err(error) => {
            let mut message = Message::default();
            message.put("reason", Value::Text(error.text.clone()));
            message
        }
    }
}

/// Sends a request as park_ask does, returns at once, and hands the one reply to `fn` on the service thread (while the
/// handler is being freed, on the thread that frees or sends): when it is
/// served, refused, or expired because the job ended or the handler was freed. Any thread, also the computation thread
/// and callbacks. destroy(user) is called after `fn`.
///
/// PARK_OK: sent; `fn` will be called exactly once. Anything else: not sent, `fn` will not be called. PARK_FULL: 65536
/// replies are waited for. PARK_INVALID_ARGUMENT: `request`, `fn`, a message that is missing.
#[no_mangle]
pub unsafe extern "C" fn park_ask_later(
    job: *mut park_handler,
    request: c_int,
    message: *const park_message,
    r#fn: park_reply_fn,
    user: *mut c_void,
    destroy: park_destroy_fn,
) -> c_int {
    let user = User::new(user, destroy);
    let handle = job as usize;
    with_handler(job, move |handler| {
        let call = function(r#fn, "fn")?;
        let ask = ask_of(request)?;
        let message = message_for(ask, message)?;
        let reply = move |answer: Result<Message>| {
            let status = answer.as_ref().map_or_else(|error| error.status, |_| Status::Ok);
            let mut reply = reply_of(&answer);
            // SAFETY: the callback and its data are the caller's promise.
            with_handles(&Message::default(), &mut reply, |_, reply| unsafe {
                call(handle as *mut park_handler, status as c_int, reply.cast_const(), user.data());
            });
        };
        handler.ask_later(ask, message, Box::new(reply)).map(|_| PARK_OK)
    })
}

/// Sets one value by a request.
///
/// # Safety
/// As [`name`].
unsafe fn set_one(job: *mut park_handler, variable: *const c_char, timeout: f64, value: Result<Value>) -> c_int {
    with_handler(job, |handler| {
        let mut message = Message::default();
        // SAFETY: the text is the caller's promise.
        message.put(unsafe { name(variable, "name") }?, value?);
        handler.ask(Ask::Set, message, deadline(timeout)?).map(|_| PARK_OK)
    })
}

/// Reads one value by a request.
///
/// # Safety
/// As [`name`].
unsafe fn get_one<T: FromValue>(handler: &Handler, variable: *const c_char, timeout: f64) -> Result<T> {
    // SAFETY: the text is the caller's promise.
    let variable = unsafe { name(variable, "name") }?;
    let mut message = Message::default();
    message.put(variable, Value::Key);
    let reply = handler.ask(Ask::Get, message, deadline(timeout)?)?;
    value_as(variable, reply.get(variable)?)
}

/// Reads one value by a request into the caller's memory.
///
/// # Safety
/// As [`name`]; `out_value` is NULL or may be written.
unsafe fn get_into<T: FromValue>(
    job: *mut park_handler,
    variable: *const c_char,
    timeout: f64,
    out_value: *mut T,
) -> c_int {
    with_handler(job, |handler| {
        check_out(out_value, "out_value")?;
        // SAFETY: the caller's promise.
        unsafe { put(out_value, get_one(handler, variable, timeout)?, "out_value") }.map(|()| PARK_OK)
    })
}

/// Sets one exposed real number, or a delta, by a request. Threads, `timeout` (seconds) and statuses are those of
/// park_ask; PARK_INVALID_ARGUMENT also for `name`, PARK_REFUSED also for a `value` that is not finite.
#[no_mangle]
pub unsafe extern "C" fn park_set_f64(job: *mut park_handler, name: *const c_char, value: f64, timeout: f64) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { set_one(job, name, timeout, Ok(Value::F64(value))) }
}

/// Sets one exposed integer by a request. Threads, `timeout` and statuses are those of park_ask.
#[no_mangle]
pub unsafe extern "C" fn park_set_i64(job: *mut park_handler, name: *const c_char, value: i64, timeout: f64) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { set_one(job, name, timeout, Ok(Value::I64(value))) }
}

/// Sets one exposed truth value by a request; any nonzero `value` is true. Threads, `timeout` and statuses are those
/// of park_ask.
#[no_mangle]
pub unsafe extern "C" fn park_set_bool(
    job: *mut park_handler,
    name: *const c_char,
    value: c_int,
    timeout: f64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { set_one(job, name, timeout, Ok(Value::Bool(value != 0))) }
}

/// Sets one exposed text by a request; `value` is copied. Threads, `timeout` and statuses are those of park_ask;
/// PARK_INVALID_ARGUMENT also for a `value` that is NULL or not UTF-8.
#[no_mangle]
pub unsafe extern "C" fn park_set_text(
    job: *mut park_handler,
    name: *const c_char,
    value: *const c_char,
    timeout: f64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { set_one(job, name, timeout, text(value, "value").map(|value| Value::Text(value.to_owned()))) }
}

/// Reads one exposed real number, or a delta, by a request. Threads, `timeout` (seconds) and statuses are those of
/// park_ask; PARK_INVALID_ARGUMENT also for `out_value` NULL, which is written only on PARK_OK.
#[no_mangle]
pub unsafe extern "C" fn park_get_f64(
    job: *mut park_handler,
    name: *const c_char,
    timeout: f64,
    out_value: *mut f64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get_into(job, name, timeout, out_value) }
}

/// Reads one exposed integer by a request. Threads, `timeout`, statuses and `out_value` as in park_get_f64.
#[no_mangle]
pub unsafe extern "C" fn park_get_i64(
    job: *mut park_handler,
    name: *const c_char,
    timeout: f64,
    out_value: *mut i64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get_into(job, name, timeout, out_value) }
}

/// Reads one exposed truth value, 0 or 1, by a request. Threads, `timeout`, statuses and `out_value` as in
/// park_get_f64.
#[no_mangle]
pub unsafe extern "C" fn park_get_bool(
    job: *mut park_handler,
    name: *const c_char,
    timeout: f64,
    out_value: *mut c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get_into(job, name, timeout, out_value) }
}

/// Reads one exposed text by a request, as text out: returns its length without the NUL, writes at most `length` bytes
/// with the NUL. Threads, `timeout` and statuses are those of park_ask; PARK_INVALID_ARGUMENT also for a negative
/// `length`, or a NULL `buffer` with another one.
#[no_mangle]
pub unsafe extern "C" fn park_get_text(
    job: *mut park_handler,
    name: *const c_char,
    timeout: f64,
    buffer: *mut c_char,
    length: i64,
) -> i64 {
    with_handler(job, |handler| {
        super::convert::elements(buffer, length, ("buffer", "length"))?;
        // SAFETY: the caller's promise.
        let value: String = unsafe { get_one(handler, name, timeout) }?;
        // SAFETY: the caller's promise.
        unsafe { text_out(&value, buffer, length) }
    })
}

/// A callback for messages, as core sees it. It owns the user data.
pub(super) fn message_fn(job: *mut park_handler, call: park_message_fn, user: User) -> Result<MessageFn> {
    let call = function(call, "fn")?;
    let handle = job as usize;
    Ok(Arc::new(move |request, reply| {
        with_handles(request, reply, |request, reply| {
            // SAFETY: the callback and its data are the caller's promise; the handles live until it returns.
            unsafe { call(handle as *mut park_handler, as_handle(request), reply, user.data()) }
        })
    }))
}

/// Handles messages of this name as soon as they come, on the service thread. It replaces the handler before. Any
/// thread.
///
/// `fn` returns 0: done; PARK_DELAY: leave the message to the next ready point; anything else: refused. It must not
/// wait for the computation. PARK_INVALID_ARGUMENT: `name`, or `fn` is NULL.
#[no_mangle]
pub unsafe extern "C" fn park_on_signal(
    job: *mut park_handler,
    name: *const c_char,
    r#fn: park_message_fn,
    user: *mut c_void,
    destroy: park_destroy_fn,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { register(job, name, r#fn, User::new(user, destroy), Handler::set_on_signal) }
}

/// Handles messages of this name at the next ready point, on the computation thread. It replaces the handler before.
/// Any thread. A message that neither park_on_signal nor this handles is refused with PARK_UNKNOWN and a warning in
/// the log. PARK_INVALID_ARGUMENT: `name`, or `fn` is NULL.
#[no_mangle]
pub unsafe extern "C" fn park_on_ready(
    job: *mut park_handler,
    name: *const c_char,
    r#fn: park_message_fn,
    user: *mut c_void,
    destroy: park_destroy_fn,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { register(job, name, r#fn, User::new(user, destroy), Handler::set_on_ready) }
}

/// Offers a method to PARK_INVOKE requests: called at ready points, on the computation thread; what it puts into the
/// reply goes back to the sender. It replaces the method of that name before. Any thread. PARK_INVALID_ARGUMENT:
/// `name`, or `fn` is NULL.
#[no_mangle]
pub unsafe extern "C" fn park_method(
    job: *mut park_handler,
    name: *const c_char,
    r#fn: park_message_fn,
    user: *mut c_void,
    destroy: park_destroy_fn,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { register(job, name, r#fn, User::new(user, destroy), Handler::set_method) }
}

/// # Safety
/// As [`name`].
unsafe fn register(
    job: *mut park_handler,
    name: *const c_char,
    call: park_message_fn,
    user: User,
    set: fn(&Handler, &str, MessageFn),
) -> c_int {
    with_handler(job, move |handler| {
        // SAFETY: the text is the caller's promise.
        let name = unsafe { self::name(name, "name") }?;
        set(handler, name, message_fn(job, call, user)?);
        Ok(PARK_OK)
    })
}
