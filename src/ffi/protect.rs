//! What is protected: arrays, and what the user saves by functions of his own.

use super::callback::{function, User};
use super::constants::*;
use super::convert::{elements, name, slice};
use super::guard::{with_handler, with_none};
use super::registry::Registry;
use crate::core::protect::{Custom, Element, Item, Memory, What};
use crate::core::snapshot::OWN_PREFIX;
use crate::core::status::{Error, Result};
use crate::core::store::{Dtype, Source};
use crate::core::sync::Mutex;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

/// As many as numpy has.
const MOST_DIMENSIONS: i64 = 32;

/// The user's memory behind an array.
struct Bytes {
    data: *mut u8,
    length: usize,
}

// SAFETY: core reads and writes it only while the computation thread is in a ready point or in a call that restores,
// which is when the user's promise lets park use it, on whatever thread.
unsafe impl Send for Bytes {}
// SAFETY: as above: read by several threads at once, written by the computation thread alone.
unsafe impl Sync for Bytes {}

impl Bytes {
    /// The part that begins at `offset` and is as long as asked for, where that lies inside.
    fn part(&self, offset: u64, wanted: usize) -> Option<*mut u8> {
        let offset = usize::try_from(offset).ok()?;
        let inside = offset.checked_add(wanted).is_some_and(|end| end <= self.length);
        // SAFETY: inside the array, as was just checked, and with bytes to transfer, so `data` is not NULL.
        (inside && wanted > 0).then(|| unsafe { self.data.add(offset) })
    }
}

impl Source for Bytes {
    fn read(&self, offset: u64, into: &mut [u8]) {
        if let Some(from) = self.part(offset, into.len()) {
            // SAFETY: inside the user's array, valid until park_unprotect or park_handler_free by his promise; `into` is
            // park's own and does not overlap. Nobody writes it meanwhile: the computation thread is in park.
            unsafe { std::ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) };
        }
    }
}

impl Memory for Bytes {
    fn write(&self, offset: u64, from: &[u8]) {
        if let Some(into) = self.part(offset, from.len()) {
            // SAFETY: as in `read`, and nobody reads it meanwhile.
            unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), into, from.len()) };
        }
    }
}

/// What a save function has put so far.
static SINKS: Registry<Arc<Mutex<Vec<u8>>>> = Registry::new("sink", 5);

type SaveFn = unsafe extern "C-unwind" fn(*mut park_handler, *mut park_sink, *mut c_void) -> c_int;
type LoadFn = unsafe extern "C-unwind" fn(*mut park_handler, *const c_void, i64, *mut c_void) -> c_int;

struct Functions {
    job: usize,
    save: SaveFn,
    load: LoadFn,
    user: User,
}

impl Custom for Functions {
    fn save(&self) -> (i32, Vec<u8>) {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        // No room for a handle: the function gets NULL, which park_sink_put refuses.
        let sink = SINKS.add(bytes.clone()).unwrap_or(std::ptr::null_mut::<park_sink>());
        // SAFETY: the function and its data are the caller's promise.
        let code = unsafe { (self.save)(self.job as *mut park_handler, sink, self.user.data()) };
        let _ = SINKS.remove(sink);
        let put = std::mem::take(&mut *bytes.lock());
        (code, put)
    }

    fn load(&self, bytes: &[u8]) -> i32 {
        let (data, length) = (bytes.as_ptr().cast(), bytes.len() as i64);
        // SAFETY: as in `save`; the bytes live until it returns.
        unsafe { (self.load)(self.job as *mut park_handler, data, length, self.user.data()) }
    }
}

fn element(number: c_int) -> Result<Element> {
    let plain = |dtype| Ok(Element { dtype, is_complex: false });
    let complex = |dtype| Ok(Element { dtype, is_complex: true });
    match number {
        PARK_F32 => plain(Dtype::F32),
        PARK_F64 => plain(Dtype::F64),
        PARK_I8 => plain(Dtype::I8),
        PARK_I16 => plain(Dtype::I16),
        PARK_I32 => plain(Dtype::I32),
        PARK_I64 => plain(Dtype::I64),
        PARK_U8 => plain(Dtype::U8),
        PARK_U16 => plain(Dtype::U16),
        PARK_U32 => plain(Dtype::U32),
        PARK_U64 => plain(Dtype::U64),
        PARK_C64 => complex(Dtype::F32),
        PARK_C128 => complex(Dtype::F64),
        _ => Err(Error::argument(format!("type: {number} is not the type of an array's elements"))),
    }
}

/// An array of this shape.
fn array(data: *mut c_void, element: Element, shape: &[i64], size: &str) -> Result<What> {
    let mut bytes = element.size();
    for &length in shape {
        let length = usize::try_from(length).map_err(|_| Error::argument(format!("{size}: {length} is negative")))?;
        bytes = bytes
            .checked_mul(length)
            .filter(|&bytes| bytes <= isize::MAX as usize)
            .ok_or_else(|| Error::argument(format!("{size}: {shape:?} elements are more than memory can hold")))?;
    }
    // An array without elements may be anywhere.
    let length = elements(data.cast::<u8>(), bytes as i64, ("pointer", size))?;
    let shape = shape.iter().map(|&length| length as u64).collect();
    Ok(What::Array { element, shape, memory: Arc::new(Bytes { data: data.cast(), length }) })
}

/// # Safety
/// As [`name`].
unsafe fn protect(job: *mut park_handler, name: *const c_char, what: impl FnOnce() -> Result<What>) -> c_int {
    with_handler(job, move |handler| {
        // SAFETY: the text is the caller's promise.
        let name = unsafe { self::name(name, "name") }?;
        if name.starts_with(OWN_PREFIX) || name == "__metadata__" {
            return Err(Error::argument(format!("name: '{name}' is one of park's own names in the file")));
        }
        let what = what().map_err(|error| Error::new(error.status, format!("'{name}': {}", error.text)))?;
        handler.check_may_protect()?;
        handler.checkpoints.protected.add(Item::new(name, what)).map(|()| PARK_OK)
    })
}

/// ======== What a checkpoint holds ========
///
/// Makes `count` elements at `pointer` part of every checkpoint that goes to park_checkpoint_dir; 1: a scalar.
/// `type` is one of PARK_F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, C64, C128. Any thread while nothing runs;
/// during a run the computation thread, outside callbacks.
///
/// The memory is the caller's and must stay there until park_unprotect or park_handler_free. park reads it in
/// park_ready, park_checkpoint_now and park_checkpoint_done, and writes it in park_restore; an array that was moved
/// is unprotected and protected again. `name` is copied; it is the array's name in the file. Exposed variables,
/// the progress and the best so far are saved anyhow.
///
/// PARK_EXISTS: the name is in use. PARK_INVALID_ARGUMENT: `name`, also one that begins with "park."; `pointer`
/// NULL while there are elements; `type`; `count` negative or too large. PARK_WRONG_THREAD, PARK_REENTRANT: during
/// a run, from elsewhere.
#[no_mangle]
pub unsafe extern "C" fn park_protect(
    job: *mut park_handler,
    name: *const c_char,
    pointer: *mut c_void,
    r#type: c_int,
    count: i64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { protect(job, name, || array(pointer, element(r#type)?, &[count], "count")) }
}

/// As park_protect, with a shape of `dimensions` lengths, the slowest first, as C has them in memory: `double u[3][4]` is
/// {3, 4}. 0 dimensions are a scalar; at most 32. The shape is copied, and is what numpy will show. Threads as
/// park_protect.
///
/// Statuses as in park_protect; PARK_INVALID_ARGUMENT also for `dimensions` and `shape`.
#[no_mangle]
pub unsafe extern "C" fn park_protect_shape(
    job: *mut park_handler,
    name: *const c_char,
    pointer: *mut c_void,
    r#type: c_int,
    dimensions: i64,
    shape: *const i64,
) -> c_int {
    let what = || {
        if dimensions > MOST_DIMENSIONS {
            return Err(Error::argument(format!("dimensions: {dimensions} is more than {MOST_DIMENSIONS}")));
        }
        // SAFETY: the lengths are the caller's promise.
        let shape = unsafe { slice(shape, dimensions, ("shape", "dimensions")) }?;
        array(pointer, element(r#type)?, shape, "shape")
    };
    // SAFETY: the caller's promise.
    unsafe { protect(job, name, what) }
}

/// Protects what is not an array: `save` hands over its bytes by park_sink_put, `load` takes them back. The bytes
/// are an array of PARK_U8 in the file. Threads as park_protect, which also tells who owns what.
///
/// Statuses as in park_protect; PARK_INVALID_ARGUMENT also for `save` or `load` being NULL.
#[no_mangle]
pub unsafe extern "C" fn park_protect_custom(
    job: *mut park_handler,
    name: *const c_char,
    save: park_save_fn,
    load: park_load_fn,
    user: *mut c_void,
    destroy: park_destroy_fn,
) -> c_int {
    let user = User::new(user, destroy);
    let what = move || {
        let (save, load) = (function(save, "save")?, function(load, "load")?);
        Ok(What::Custom(Arc::new(Functions { job: job as usize, save, load, user })))
    };
    // SAFETY: the caller's promise.
    unsafe { protect(job, name, what) }
}

/// Says how a protected thing finds its place in checkpoints of an earlier version of the program: it was called
/// `earlier`, which is looked for where `name` is not in the file; of several calls the first that is there counts. Or
/// `earlier` is NULL: it may be missing, and then keeps the value that it has. Threads as park_protect.
///
/// PARK_UNKNOWN: `name` is not protected. PARK_INVALID_ARGUMENT: `name`, `earlier`. PARK_WRONG_THREAD, PARK_REENTRANT.
#[no_mangle]
pub unsafe extern "C" fn park_protect_was(
    job: *mut park_handler,
    name: *const c_char,
    earlier: *const c_char,
) -> c_int {
    with_handler(job, |handler| {
        // SAFETY: the text is the caller's promise.
        let name = unsafe { self::name(name, "name") }?;
        // SAFETY: as above.
        let earlier = (!earlier.is_null()).then(|| unsafe { self::name(earlier, "earlier") }).transpose()?;
        handler.check_may_protect()?;
        handler.checkpoints.protected.was(name, earlier).map(|()| PARK_OK)
    })
}

/// Takes an array out of the checkpoints to come: when it returns, park does not touch the memory any more, and a
/// destroy function has run. Threads as park_protect.
///
/// PARK_UNKNOWN: `name` is not protected. PARK_INVALID_ARGUMENT: `name`. PARK_WRONG_THREAD, PARK_REENTRANT.
#[no_mangle]
pub unsafe extern "C" fn park_unprotect(job: *mut park_handler, name: *const c_char) -> c_int {
    with_handler(job, |handler| {
        // SAFETY: the text is the caller's promise.
        let name = unsafe { self::name(name, "name") }?;
        handler.check_may_protect()?;
        handler.checkpoints.protected.remove(name).map(|_| PARK_OK)
    })
}

/// Hands over `length` bytes of what a park_save_fn saves; they are copied, after those of the call before. Any
/// thread, until that function returns. PARK_INVALID_HANDLE: `sink`. PARK_INVALID_ARGUMENT: `length` negative, or
/// `bytes` NULL with a length.
#[no_mangle]
pub unsafe extern "C" fn park_sink_put(sink: *mut park_sink, bytes: *const c_void, length: i64) -> c_int {
    with_none(|| {
        let found = SINKS.find(sink)?;
        // SAFETY: the bytes are the caller's promise.
        let bytes = unsafe { slice(bytes.cast::<u8>(), length, ("bytes", "length")) }?;
        found.lock().extend_from_slice(bytes);
        Ok(PARK_OK)
    })
}
