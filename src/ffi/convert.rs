//! From C and back: text, arrays, times. Each refusal names the argument.

use crate::core::status::{Error, Result, Status};
use crate::core::value::{Kind, Value};
use std::ffi::{c_char, c_int, CStr};
use std::time::{Duration, Instant};

/// The longest name of a handler, variable, method or message, in bytes.
const LONGEST_NAME: usize = 255;

/// A text argument.
///
/// # Safety
/// `text` is NULL or points to bytes that end in a NUL and stay as they are for `'a`.
pub(super) unsafe fn text<'a>(text: *const c_char, argument: &str) -> Result<&'a str> {
    if text.is_null() {
        return Err(Error::argument(format!("{argument}: NULL")));
    }
    // SAFETY: not NULL; the rest is the caller's promise.
    let bytes = unsafe { CStr::from_ptr(text) };
    bytes.to_str().map_err(|_| Error::argument(format!("{argument}: not UTF-8")))
}

/// A text argument that is a name: neither empty nor overlong, without control characters.
///
/// # Safety
/// As [`text`].
pub(super) unsafe fn name<'a>(name: *const c_char, argument: &str) -> Result<&'a str> {
    // SAFETY: the caller's promise.
    let name = unsafe { text(name, argument) }?;
    if name.is_empty() {
        return Err(Error::argument(format!("{argument}: empty")));
    }
    if name.len() > LONGEST_NAME {
        return Err(Error::argument(format!("{argument}: {} bytes, at most {LONGEST_NAME} are allowed", name.len())));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::argument(format!("{argument}: it holds a control character")));
    }
    Ok(name)
}

/// The names of an array argument and of its size.
pub(super) type ArrayName<'a> = (&'a str, &'a str);

/// The size of an array argument, checked; the pointer checked as far as it can be.
pub(super) fn elements<T>(data: *const T, count: i64, (argument, size): ArrayName) -> Result<usize> {
    let count = usize::try_from(count).map_err(|_| Error::argument(format!("{size}: {count} is negative")))?;
    if count.checked_mul(size_of::<T>()).is_none_or(|bytes| bytes > isize::MAX as usize) {
        return Err(Error::argument(format!("{size}: {count} elements are more than memory can hold")));
    }
    if count > 0 && data.is_null() {
        return Err(Error::argument(format!("{argument}: NULL")));
    }
    if !data.is_aligned() {
        return Err(Error::argument(format!("{argument}: not aligned for its type")));
    }
    Ok(count)
}

/// An array argument.
///
/// # Safety
/// `data` points to `count` elements that stay as they are for `'a`, unless NULL, misaligned or `count` is refused.
pub(super) unsafe fn slice<'a, T>(data: *const T, count: i64, argument: ArrayName) -> Result<&'a [T]> {
    let count = elements(data, count, argument)?;
    if count == 0 {
        return Ok(&[]);
    }
    // SAFETY: not NULL, aligned, of a size that memory can hold; that the elements are there is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(data, count) })
}

/// Writes an output argument.
///
/// # Safety
/// `out` is NULL or may be written.
pub(super) unsafe fn put<T>(out: *mut T, value: T, argument: &str) -> Result<()> {
    check_out(out, argument)?;
    // SAFETY: not NULL and aligned; that it may be written is the caller's promise.
    unsafe { out.write(value) };
    Ok(())
}

/// Refuses an output argument that cannot be written, before anything is done.
pub(super) fn check_out<T>(out: *mut T, argument: &str) -> Result<()> {
    if out.is_null() || !out.is_aligned() {
        return Err(Error::argument(format!("{argument}: NULL or not aligned for its type")));
    }
    Ok(())
}

/// Copies elements out; returns how many there are, whatever the room.
///
/// # Safety
/// `buffer` may be written for `room` elements, unless NULL, misaligned or `room` is refused.
pub(super) unsafe fn copy_out<T: Copy>(from: &[T], buffer: *mut T, room: i64, argument: ArrayName) -> Result<i64> {
    let room = elements(buffer, room, argument)?;
    let copied = room.min(from.len());
    if copied > 0 {
        // SAFETY: the source has at least `copied` elements, the buffer has room for them by the caller's promise,
        // and memory that park owns does not overlap the user's.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), buffer, copied) };
    }
    Ok(from.len() as i64)
}

/// Copies a text out with its NUL, cut at a character where the room is too small; returns its length without.
///
/// # Safety
/// As [`copy_out`].
pub(super) unsafe fn text_out(from: &str, buffer: *mut c_char, length: i64) -> Result<i64> {
    let room = elements(buffer, length, ("buffer", "length"))?;
    if room > 0 {
        let cut = from.floor_char_boundary_before(room - 1);
        // SAFETY: `cut` bytes and the NUL fit in `room`, which may be written by the caller's promise.
        unsafe {
            std::ptr::copy_nonoverlapping(from.as_ptr().cast(), buffer, cut);
            buffer.add(cut).write(0);
        }
    }
    Ok(from.len() as i64)
}

trait CutText {
    fn floor_char_boundary_before(&self, most: usize) -> usize;
}

impl CutText for str {
    fn floor_char_boundary_before(&self, most: usize) -> usize {
        (0..=most.min(self.len())).rev().find(|&at| self.is_char_boundary(at)).unwrap_or(0)
    }
}

/// A timeout in seconds: from 0 on, or PARK_FOREVER. `None` is for ever.
pub(super) fn deadline(timeout: f64) -> Result<Option<Instant>> {
    if timeout == super::constants::PARK_FOREVER {
        return Ok(None);
    }
    if !timeout.is_finite() || timeout < 0.0 {
        return Err(Error::argument(format!("timeout: {timeout} is neither seconds from 0 on nor PARK_FOREVER")));
    }
    // Further away than the clock can tell is for ever.
    Ok(Duration::try_from_secs_f64(timeout).ok().and_then(|left| Instant::now().checked_add(left)))
}

/// A flag of C's.
pub(super) fn choice<T: Copy>(number: i32, all: &[T], of: impl Fn(T) -> i32, argument: &str) -> Result<T> {
    all.iter()
        .copied()
        .find(|&one| of(one) == number)
        .ok_or_else(|| Error::argument(format!("{argument}: {number} is not one of its values")))
}

/// What C takes out of a value.
pub(super) trait FromValue: Sized {
    const KIND: Kind;
    /// `None` when the value is of another kind.
    fn from_value(value: Value) -> Option<Self>;
}

macro_rules! from_value {
    ($($type:ty, $kind:ident, $of:expr;)*) => {$(
        impl FromValue for $type {
            const KIND: Kind = Kind::$kind;
            fn from_value(value: Value) -> Option<$type> {
                match value {
                    Value::$kind(value) => Some($of(value)),
                    _ => None,
                }
            }
        }
    )*};
}

from_value! {
    f64, F64, |value| value;
    i64, I64, |value| value;
    c_int, Bool, c_int::from;
    String, Text, |value| value;
    Vec<f64>, F64s, |value| value;
    Vec<i64>, I64s, |value| value;
}

/// A value as what C wants, where nothing is lost.
pub(super) fn value_as<T: FromValue>(key: &str, value: &Value) -> Result<T> {
    value.to_kind(T::KIND).and_then(T::from_value).ok_or_else(|| {
        Error::new(Status::WrongType, format!("'{key}': it is {}, not {}", value.kind().name(), T::KIND.name()))
    })
}
