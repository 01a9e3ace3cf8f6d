//! Exposed variables.

use super::callback::User;
use super::constants::*;
use super::convert::{elements, name, text, text_out, ArrayName};
use super::guard::with_handler;
use super::messages::{message_of, write_message};
use super::signals::message_fn;
use crate::core::status::{Error, Result, Status};
use crate::core::value::{Kind, Value};
use crate::core::variable::{Limits, Place, Variable};
use std::ffi::{c_char, c_int, c_void, CStr};

/// The user's memory behind a variable, by its element type.
struct Memory<T> {
    data: *mut T,
    count: usize,
}

// SAFETY: core reads and writes it at ready points only, which is on the computation thread; what it points to may be
// used there by the user's promise.
unsafe impl<T> Send for Memory<T> {}

impl<T: Copy> Memory<T> {
    fn load(&self) -> &[T] {
        // SAFETY: not NULL and aligned as `elements` checked; valid until park_unexpose or park_handler_free by the
        // user's promise; not written meanwhile, because the computation thread is here, in a ready point.
        unsafe { std::slice::from_raw_parts(self.data, self.count) }
    }

    fn store(&mut self, values: &[T]) {
        let count = values.len().min(self.count);
        // SAFETY: as in `load`; the source is core's own and does not overlap.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), self.data, count) };
    }
}

impl Place for Memory<f64> {
    fn read(&self) -> Value {
        Value::F64(self.load()[0])
    }
    fn write(&mut self, value: &Value) {
        if let Value::F64(x) = value {
            self.store(&[*x]);
        }
    }
}

impl Place for Memory<i64> {
    fn read(&self) -> Value {
        Value::I64(self.load()[0])
    }
    fn write(&mut self, value: &Value) {
        if let Value::I64(i) = value {
            self.store(&[*i]);
        }
    }
}

impl Place for Memory<c_int> {
    fn read(&self) -> Value {
        Value::Bool(self.load()[0] != 0)
    }
    fn write(&mut self, value: &Value) {
        if let Value::Bool(b) = value {
            self.store(&[c_int::from(*b)]);
        }
    }
}

impl Place for Memory<u8> {
    fn read(&self) -> Value {
        let bytes = CStr::from_bytes_until_nul(self.load()).map_or_else(|_| self.load(), CStr::to_bytes);
        Value::Text(String::from_utf8_lossy(bytes).into_owned())
    }
    fn write(&mut self, value: &Value) {
        if let Value::Text(text) = value {
            self.store(text.as_bytes());
            self.load_mut_nul(text.len());
        }
    }
}

impl Memory<u8> {
    fn load_mut_nul(&mut self, at: usize) {
        if at < self.count {
            // SAFETY: inside the buffer, which may be written as in `store`.
            unsafe { self.data.add(at).write(0) };
        }
    }
}

/// An array, where a single number is `Memory` itself.
struct Array<T>(Memory<T>);

impl Place for Array<f64> {
    fn read(&self) -> Value {
        Value::F64s(self.0.load().to_vec())
    }
    fn write(&mut self, value: &Value) {
        if let Value::F64s(values) = value {
            self.0.store(values);
        }
    }
}

impl Place for Array<i64> {
    fn read(&self) -> Value {
        Value::I64s(self.0.load().to_vec())
    }
    fn write(&mut self, value: &Value) {
        if let Value::I64s(values) = value {
            self.0.store(values);
        }
    }
}

fn memory<T>(data: *mut T, count: i64, name: ArrayName) -> Result<Memory<T>> {
    let count = elements(data, count, name)?;
    let (argument, size) = name;
    if data.is_null() {
        return Err(Error::argument(format!("{argument}: NULL")));
    }
    if count == 0 {
        return Err(Error::argument(format!("{size}: 0, there must be one at least")));
    }
    Ok(Memory { data, count })
}

fn real_limits(min: f64, max: f64) -> Result<Limits> {
    if min.is_nan() || max.is_nan() || min > max {
        return Err(Error::argument(format!("min, max: {min} to {max} is no range")));
    }
    Ok(Limits::F64(min, max))
}

fn integer_limits(min: i64, max: i64) -> Result<Limits> {
    if min > max {
        return Err(Error::argument(format!("min, max: {min} to {max} is no range")));
    }
    Ok(Limits::I64(min, max))
}

/// # Safety
/// As [`name`].
unsafe fn expose(
    job: *mut park_handler,
    variable: *const c_char,
    kind: Kind,
    place: Result<(Box<dyn Place>, usize)>,
    limits: Result<Limits>,
) -> c_int {
    with_handler(job, |handler| {
        // SAFETY: the text is the caller's promise.
        let name = unsafe { name(variable, "name") }?;
        if crate::core::timer::Delta::from_name(name).is_some() {
            return Err(Error::new(Status::Exists, format!("name: '{name}' is an attribute of the handler")));
        }
        let (place, count) = place?;
        handler.variables().add(Variable {
            name: name.to_owned(),
            kind,
            count,
            limits: limits?,
            read_only: false,
            units: String::new(),
            description: String::new(),
            check: None,
            place,
        })?;
        Ok(PARK_OK)
    })
}

/// ======== Exposed variables ========
///
/// Lets others read and set a real number of the job's, by requests that are served at ready points only. Any thread.
///
/// `variable` must stay valid until park_unexpose or park_handler_free. `min` and `max` limit what can be set;
/// -INFINITY and INFINITY for no limit. PARK_EXISTS: the name is in use. PARK_INVALID_ARGUMENT: `name`, `variable`
/// NULL or not aligned, limits that are NaN or no range.
#[no_mangle]
pub unsafe extern "C" fn park_expose_f64(
    job: *mut park_handler,
    name: *const c_char,
    variable: *mut f64,
    min: f64,
    max: f64,
) -> c_int {
    let place = memory(variable, 1, ("variable", "count")).map(|memory| (Box::new(memory) as Box<dyn Place>, 1));
    // SAFETY: the caller's promise.
    unsafe { expose(job, name, Kind::F64, place, real_limits(min, max)) }
}

/// Exposes an integer. Any thread. Lifetime and statuses as in park_expose_f64; INT64_MIN and INT64_MAX for no limit.
#[no_mangle]
pub unsafe extern "C" fn park_expose_i64(
    job: *mut park_handler,
    name: *const c_char,
    variable: *mut i64,
    min: i64,
    max: i64,
) -> c_int {
    let place = memory(variable, 1, ("variable", "count")).map(|memory| (Box::new(memory) as Box<dyn Place>, 1));
    // SAFETY: the caller's promise.
    unsafe { expose(job, name, Kind::I64, place, integer_limits(min, max)) }
}

/// Exposes a truth value: nonzero reads as 1, and it is set to 0 or 1. Any thread. Lifetime and statuses as in
/// park_expose_f64.
#[no_mangle]
pub unsafe extern "C" fn park_expose_bool(job: *mut park_handler, name: *const c_char, variable: *mut c_int) -> c_int {
    let place = memory(variable, 1, ("variable", "count")).map(|memory| (Box::new(memory) as Box<dyn Place>, 1));
    // SAFETY: the caller's promise.
    unsafe { expose(job, name, Kind::Bool, place, Ok(Limits::None)) }
}

/// Exposes a text in a buffer of `capacity` bytes, its NUL included: longer ones are refused. Any thread. Lifetime and
/// statuses as in park_expose_f64; PARK_INVALID_ARGUMENT also for a `capacity` below 1.
#[no_mangle]
pub unsafe extern "C" fn park_expose_text(
    job: *mut park_handler,
    name: *const c_char,
    buffer: *mut c_char,
    capacity: i64,
) -> c_int {
    let place = memory(buffer.cast::<u8>(), capacity, ("buffer", "capacity")).map(|memory| {
        let count = memory.count;
        (Box::new(memory) as Box<dyn Place>, count)
    });
    // SAFETY: the caller's promise.
    unsafe { expose(job, name, Kind::Text, place, Ok(Limits::None)) }
}

/// Exposes an array of `count` real numbers, which is read and set as a whole; the limits hold for each element. Any
/// thread. Lifetime and statuses as in park_expose_f64; PARK_INVALID_ARGUMENT also for a `count` below 1.
#[no_mangle]
pub unsafe extern "C" fn park_expose_f64s(
    job: *mut park_handler,
    name: *const c_char,
    array: *mut f64,
    count: i64,
    min: f64,
    max: f64,
) -> c_int {
    let place = memory(array, count, ("array", "count")).map(|memory| {
        let count = memory.count;
        (Box::new(Array(memory)) as Box<dyn Place>, count)
    });
    // SAFETY: the caller's promise.
    unsafe { expose(job, name, Kind::F64s, place, real_limits(min, max)) }
}

/// Exposes an array of `count` integers, as park_expose_f64s does for real numbers. Any thread. Lifetime and statuses
/// as in park_expose_f64s.
#[no_mangle]
pub unsafe extern "C" fn park_expose_i64s(
    job: *mut park_handler,
    name: *const c_char,
    array: *mut i64,
    count: i64,
    min: i64,
    max: i64,
) -> c_int {
    let place = memory(array, count, ("array", "count")).map(|memory| {
        let count = memory.count;
        (Box::new(Array(memory)) as Box<dyn Place>, count)
    });
    // SAFETY: the caller's promise.
    unsafe { expose(job, name, Kind::I64s, place, integer_limits(min, max)) }
}

/// Takes a variable back: when it returns, park does not touch the memory any more. Any thread. PARK_UNKNOWN: no such
/// variable. PARK_INVALID_ARGUMENT: `name`.
#[no_mangle]
pub unsafe extern "C" fn park_unexpose(job: *mut park_handler, name: *const c_char) -> c_int {
    with_handler(job, |handler| {
        // SAFETY: the text is the caller's promise.
        handler.variables().remove(unsafe { self::name(name, "name") }?).map(|_| PARK_OK)
    })
}

/// Marks a variable as read-only (`read_only` nonzero) or not: requests to set it are refused. Any thread.
/// PARK_UNKNOWN: no such variable. PARK_INVALID_ARGUMENT: `name`.
#[no_mangle]
pub unsafe extern "C" fn park_variable_read_only(
    job: *mut park_handler,
    name: *const c_char,
    read_only: c_int,
) -> c_int {
    with_handler(job, |handler| {
        // SAFETY: the text is the caller's promise.
        let name = unsafe { self::name(name, "name") }?;
        handler.variables().change(name, |variable| variable.read_only = read_only != 0).map(|()| PARK_OK)
    })
}

/// Says what a variable is: its units and a sentence; both are copied, NULL leaves one as it is. Any thread.
/// PARK_UNKNOWN: no such variable. PARK_INVALID_ARGUMENT: `name`, or a text that is not UTF-8.
#[no_mangle]
pub unsafe extern "C" fn park_variable_describe(
    job: *mut park_handler,
    name: *const c_char,
    units: *const c_char,
    description: *const c_char,
) -> c_int {
    with_handler(job, |handler| {
        // SAFETY: the text is the caller's promise.
        let name = unsafe { self::name(name, "name") }?;
        let optional = |text: *const c_char, argument| {
            // SAFETY: as above.
            (!text.is_null()).then(|| unsafe { self::text(text, argument) }).transpose()
        };
        let (units, description) = (optional(units, "units")?, optional(description, "description")?);
        handler.variables().change(name, |variable| {
            units.into_iter().for_each(|units| units.clone_into(&mut variable.units));
            description.into_iter().for_each(|text| text.clone_into(&mut variable.description));
            PARK_OK
        })
    })
}

/// Sets a callback that is asked before the variable is set: it gets all new values of the request, so it can compare
/// them, and refuses them all by returning nonzero. Called on the computation thread at a ready point; it replaces the
/// check before. Any thread. PARK_UNKNOWN: no such variable. PARK_INVALID_ARGUMENT: `name`, or `fn` is NULL.
#[no_mangle]
pub unsafe extern "C" fn park_variable_check(
    job: *mut park_handler,
    name: *const c_char,
    r#fn: park_message_fn,
    user: *mut c_void,
    destroy: park_destroy_fn,
) -> c_int {
    let user = User::new(user, destroy);
    with_handler(job, move |handler| {
        // SAFETY: the text is the caller's promise.
        let name = unsafe { self::name(name, "name") }?;
        let check = message_fn(job, r#fn, user)?;
        // The one before is dropped when no lock is held.
        let before = handler.variables().change(name, |variable| variable.check.replace(check))?;
        drop(before);
        Ok(PARK_OK)
    })
}

/// How many variables are exposed. Any thread.
#[no_mangle]
pub extern "C" fn park_variable_count(job: *mut park_handler) -> i64 {
    with_handler(job, |handler| Ok(handler.variables().count() as i64))
}

/// The name of the variable at `index`, from 0 on in the order in which they were exposed, as text out: returns its
/// length without the NUL, writes at most `length` bytes with the NUL. Any thread. PARK_UNKNOWN: there is none at
/// `index`. PARK_INVALID_ARGUMENT: a negative `length`, or a NULL `buffer` with another one.
#[no_mangle]
pub unsafe extern "C" fn park_variable_name(
    job: *mut park_handler,
    index: i64,
    buffer: *mut c_char,
    length: i64,
) -> i64 {
    with_handler(job, |handler| {
        let name = usize::try_from(index).ok().and_then(|index| handler.variables().name(index));
        let name = name.ok_or_else(|| Error::new(Status::Unknown, format!("index: there is no variable {index}")))?;
        // SAFETY: the buffer is the caller's promise.
        unsafe { text_out(&name, buffer, length) }
    })
}

/// Fills a message of the caller's with what is known of a variable: "type" (PARK_F64, ...), "count" (elements; bytes
/// of a text's buffer), "min" and "max" where it has limits, "read_only", "units", "description". Any thread.
/// PARK_UNKNOWN: no such variable. PARK_INVALID_ARGUMENT: `name`. PARK_INVALID_HANDLE also for `out_info`.
#[no_mangle]
pub unsafe extern "C" fn park_variable_info(
    job: *mut park_handler,
    name: *const c_char,
    out_info: *mut park_message,
) -> c_int {
    with_handler(job, |handler| {
        // SAFETY: the text is the caller's promise.
        let name = unsafe { self::name(name, "name") }?;
        let mut info = message_of(out_info)?;
        info.values.clear();
        handler.variables().describe(name, &mut info)?;
        write_message(out_info, info).map(|()| PARK_OK)
    })
}
