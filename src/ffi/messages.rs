//! Messages: what requests and replies carry.

use super::constants::*;
use super::convert::{copy_out, name, put, slice, text, text_out, value_as, FromValue};
use super::guard::with_none;
use super::registry::Registry;
use crate::core::message::Message;
use crate::core::status::{Error, Result, Status};
use crate::core::sync::{Arc, Mutex};
use crate::core::value::Value;
use once_cell::sync::Lazy;
use std::ffi::{c_char, c_int};

static MESSAGES: Lazy<Registry<Arc<Mutex<Message>>>> = Lazy::new(|| Registry::new("message", 3));

/// A copy of the message behind a handle.
pub(super) fn message_of(message: *const park_message) -> Result<Message> {
    Ok(MESSAGES.find(message)?.lock().clone())
}

/// Replaces the values of the message behind a handle; its name stays.
pub(super) fn write_message(message: *const park_message, from: Message) -> Result<()> {
    MESSAGES.find(message)?.lock().values = from.values;
    Ok(())
}

pub(super) fn as_handle(message: *mut park_message) -> *const park_message {
    message.cast_const()
}

/// Lends a request and a reply to a callback: their handles die when it returns; what it put into the reply is kept.
pub(super) fn with_handles<T>(
    request: &Message,
    reply: &mut Message,
    call: impl FnOnce(*mut park_message, *mut park_message) -> T,
) -> T {
    let lend = |message: &Message| {
        // No room for a handle: the callback gets NULL, whose readers say so.
        MESSAGES.add(Arc::new(Mutex::new(message.clone()))).unwrap_or(std::ptr::null_mut::<park_message>())
    };
    let (request_handle, reply_handle) = (lend(request), lend(reply));
    let result = call(request_handle, reply_handle);
    let _ = MESSAGES.remove(request_handle);
    if let Ok(filled) = MESSAGES.remove(reply_handle) {
        *reply = std::mem::take(&mut *filled.lock());
    }
    result
}

/// ======== Messages ========
///
/// Makes a message without values. Any thread; one message must not be changed by two at once. `name` is copied: the
/// method of PARK_INVOKE, the signal of PARK_MESSAGE; NULL for requests that need none. The message must be given to
/// park_message_free. Returns NULL on error, and park_last_error(NULL, ...) says why: `name`.
#[no_mangle]
pub unsafe extern "C" fn park_message_new(name: *const c_char) -> *mut park_message {
    with_none(|| {
        // SAFETY: the text is the caller's promise.
        let name = if name.is_null() { "" } else { unsafe { self::name(name, "name") }? };
        MESSAGES.add(Arc::new(Mutex::new(Message::new(name))))
    })
}

/// Frees a message. NULL does nothing and is PARK_OK. Any thread. Messages that a callback was lent are not to be
/// freed.
#[no_mangle]
pub extern "C" fn park_message_free(message: *mut park_message) -> c_int {
    with_none(|| if message.is_null() { Ok(PARK_OK) } else { MESSAGES.remove(message).map(|_| PARK_OK) })
}

/// Takes all values out of a message; its name stays. Any thread.
#[no_mangle]
pub extern "C" fn park_message_clear(message: *mut park_message) -> c_int {
    with_none(|| write_message(message, Message::default()).map(|()| PARK_OK))
}

/// The name of a message, as text out: returns its length without the NUL, writes at most `length` bytes with the NUL.
/// Any thread. PARK_INVALID_ARGUMENT: a negative `length`, or a NULL `buffer` with another one.
#[no_mangle]
pub unsafe extern "C" fn park_message_name(message: *const park_message, buffer: *mut c_char, length: i64) -> i64 {
    with_none(|| {
        let found = MESSAGES.find(message)?;
        let found = found.lock();
        // SAFETY: the buffer is the caller's promise.
        unsafe { text_out(&found.name, buffer, length) }
    })
}

/// # Safety
/// As [`name`].
unsafe fn put_value(message: *mut park_message, key: *const c_char, value: Result<Value>) -> c_int {
    with_none(|| {
        let found = MESSAGES.find(message)?;
        // SAFETY: the text is the caller's promise.
        let key = unsafe { name(key, "key") }?;
        found.lock().put(key, value?);
        Ok(PARK_OK)
    })
}

/// Puts a key without a value: what a PARK_GET request asks for. Any thread. A value of the same key is replaced, as
/// in all that put. PARK_INVALID_ARGUMENT: `key` NULL, empty, longer than 255 bytes, not UTF-8 or with control
/// characters.
#[no_mangle]
pub unsafe extern "C" fn park_message_put_key(message: *mut park_message, key: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { put_value(message, key, Ok(Value::Key)) }
}

/// Puts a real number. Any thread. PARK_INVALID_ARGUMENT: `key`.
#[no_mangle]
pub unsafe extern "C" fn park_message_put_f64(message: *mut park_message, key: *const c_char, value: f64) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { put_value(message, key, Ok(Value::F64(value))) }
}

/// Puts an integer. Any thread. PARK_INVALID_ARGUMENT: `key`.
#[no_mangle]
pub unsafe extern "C" fn park_message_put_i64(message: *mut park_message, key: *const c_char, value: i64) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { put_value(message, key, Ok(Value::I64(value))) }
}

/// Puts a truth value: any nonzero `value` is true. Any thread. PARK_INVALID_ARGUMENT: `key`.
#[no_mangle]
pub unsafe extern "C" fn park_message_put_bool(message: *mut park_message, key: *const c_char, value: c_int) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { put_value(message, key, Ok(Value::Bool(value != 0))) }
}

/// Puts a text, which is copied. Any thread. PARK_INVALID_ARGUMENT: `key`, or `value` NULL or not UTF-8.
#[no_mangle]
pub unsafe extern "C" fn park_message_put_text(
    message: *mut park_message,
    key: *const c_char,
    value: *const c_char,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { put_value(message, key, text(value, "value").map(|value| Value::Text(value.to_owned()))) }
}

/// Puts an array of `count` real numbers, which is copied. Any thread. PARK_INVALID_ARGUMENT: `key`, `count` negative
/// or too large, `values` NULL or not aligned.
#[no_mangle]
pub unsafe extern "C" fn park_message_put_f64s(
    message: *mut park_message,
    key: *const c_char,
    values: *const f64,
    count: i64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        put_value(message, key, slice(values, count, ("values", "count")).map(|values| Value::F64s(values.to_vec())))
    }
}

/// Puts an array of `count` integers, which is copied. Any thread. PARK_INVALID_ARGUMENT: `key`, `count` negative or
/// too large, `values` NULL or not aligned.
#[no_mangle]
pub unsafe extern "C" fn park_message_put_i64s(
    message: *mut park_message,
    key: *const c_char,
    values: *const i64,
    count: i64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        put_value(message, key, slice(values, count, ("values", "count")).map(|values| Value::I64s(values.to_vec())))
    }
}

/// The value of a key, as another kind where nothing is lost.
///
/// # Safety
/// As [`name`].
unsafe fn get_value<T: FromValue>(message: *const park_message, key: *const c_char) -> Result<T> {
    let found = MESSAGES.find(message)?;
    // SAFETY: the text is the caller's promise.
    let key = unsafe { name(key, "key") }?;
    let found = found.lock();
    value_as(key, found.get(key)?)
}

/// Reads one value into the caller's memory.
///
/// # Safety
/// As [`name`]; `out_value` is NULL or may be written.
unsafe fn get_into<T: FromValue>(message: *const park_message, key: *const c_char, out_value: *mut T) -> c_int {
    // SAFETY: the caller's promise.
    with_none(|| unsafe { put(out_value, get_value(message, key)?, "out_value") }.map(|()| PARK_OK))
}

/// Reads a real number; an integer is one, too. Any thread. PARK_OK: `out_value` is written. PARK_UNKNOWN: no such
/// key. PARK_WRONG_TYPE. PARK_INVALID_ARGUMENT: `key`, or `out_value` NULL.
#[no_mangle]
pub unsafe extern "C" fn park_message_get_f64(
    message: *const park_message,
    key: *const c_char,
    out_value: *mut f64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get_into(message, key, out_value) }
}

/// Reads an integer; a real number without a fraction is one, too. Any thread. Statuses as in park_message_get_f64.
#[no_mangle]
pub unsafe extern "C" fn park_message_get_i64(
    message: *const park_message,
    key: *const c_char,
    out_value: *mut i64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get_into(message, key, out_value) }
}

/// Reads a truth value, 0 or 1. Any thread. Statuses as in park_message_get_f64.
#[no_mangle]
pub unsafe extern "C" fn park_message_get_bool(
    message: *const park_message,
    key: *const c_char,
    out_value: *mut c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { get_into(message, key, out_value) }
}

/// Reads a text, as text out: returns its length without the NUL, writes at most `length` bytes with the NUL. Any
/// thread. PARK_UNKNOWN: no such key. PARK_WRONG_TYPE. PARK_INVALID_ARGUMENT: `key`, a negative `length`, or a NULL
/// `buffer` with another one.
#[no_mangle]
pub unsafe extern "C" fn park_message_get_text(
    message: *const park_message,
    key: *const c_char,
    buffer: *mut c_char,
    length: i64,
) -> i64 {
    with_none(|| {
        // SAFETY: the caller's promise.
        let value: String = unsafe { get_value(message, key) }?;
        // SAFETY: the caller's promise.
        unsafe { text_out(&value, buffer, length) }
    })
}

/// Reads an array of real numbers, at most `count` of them; returns how many there are. Any thread. PARK_UNKNOWN: no
/// such key. PARK_WRONG_TYPE. PARK_INVALID_ARGUMENT: `key`, a negative `count`, or a NULL `buffer` with another one.
#[no_mangle]
pub unsafe extern "C" fn park_message_get_f64s(
    message: *const park_message,
    key: *const c_char,
    buffer: *mut f64,
    count: i64,
) -> i64 {
    with_none(|| {
        // SAFETY: the caller's promise.
        let value: Vec<f64> = unsafe { get_value(message, key) }?;
        // SAFETY: the caller's promise.
        unsafe { copy_out(&value, buffer, count, ("buffer", "count")) }
    })
}

/// Reads an array of integers, at most `count` of them; returns how many there are. Any thread. Statuses as in
/// park_message_get_f64s.
#[no_mangle]
pub unsafe extern "C" fn park_message_get_i64s(
    message: *const park_message,
    key: *const c_char,
    buffer: *mut i64,
    count: i64,
) -> i64 {
    with_none(|| {
        // SAFETY: the caller's promise.
        let value: Vec<i64> = unsafe { get_value(message, key) }?;
        // SAFETY: the caller's promise.
        unsafe { copy_out(&value, buffer, count, ("buffer", "count")) }
    })
}

/// How many values a message has. Any thread.
#[no_mangle]
pub extern "C" fn park_message_count(message: *const park_message) -> i64 {
    with_none(|| Ok(MESSAGES.find(message)?.lock().values.len() as i64))
}

/// The key at `index`, from 0 on in the order in which they were put, as text out: returns its length without the NUL,
/// writes at most `length` bytes with the NUL. Any thread. PARK_UNKNOWN: there is none at `index`.
/// PARK_INVALID_ARGUMENT: a negative `length`, or a NULL `buffer` with another one.
#[no_mangle]
pub unsafe extern "C" fn park_message_key(
    message: *const park_message,
    index: i64,
    buffer: *mut c_char,
    length: i64,
) -> i64 {
    with_none(|| {
        let found = MESSAGES.find(message)?;
        let found = found.lock();
        let entry = usize::try_from(index).ok().and_then(|index| found.values.get(index));
        let (key, _) = entry.ok_or_else(|| Error::new(Status::Unknown, format!("index: there is no value {index}")))?;
        // SAFETY: the buffer is the caller's promise.
        unsafe { text_out(key, buffer, length) }
    })
}

/// The type of the value of a key: PARK_F64, ..., or 0 for a key without a value. Any thread. PARK_UNKNOWN: no such
/// key. PARK_INVALID_ARGUMENT: `key`.
#[no_mangle]
pub unsafe extern "C" fn park_message_type(message: *const park_message, key: *const c_char) -> c_int {
    with_none(|| {
        let found = MESSAGES.find(message)?;
        // SAFETY: the text is the caller's promise.
        let key = unsafe { name(key, "key") }?;
        let found = found.lock();
        Ok(found.get(key)?.kind() as c_int)
    })
}
