//! The options of maps, and the threads that do them.

use super::callback::User;
use super::constants::*;
use super::convert::elements;
use super::guard::{with_handler, with_none};
use super::items::Hooks;
use super::registry::Registry;
use crate::core::crew;
use crate::core::map::Options;
use crate::core::seat;
use crate::core::status::{Error, Result};
use crate::core::sync::Mutex;
use crate::sys;
use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

static OPTIONS: Registry<Arc<Mutex<Given>>> = Registry::new("options", 0);

/// What was given with an options object.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) options: Options,
    pub(super) hooks: Option<Arc<Hooks>>,
    pub(super) statuses: Statuses,
    pub(super) memory: Memory,
}

/// The user's array of statuses.
#[derive(Clone, Copy)]
pub(super) struct Statuses {
    pub(super) data: *mut c_int,
    pub(super) count: usize,
}

// SAFETY: park writes to it on the threads of the map that was given it only, which is the user's promise.
unsafe impl Send for Statuses {}
// SAFETY: as above.
unsafe impl Sync for Statuses {}

/// The memory that a loop writes, for the checking mode.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    pub(super) data: *mut u8,
    pub(super) bytes: usize,
}

// SAFETY: as for `Statuses`.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Given {
    fn nothing() -> Given {
        Given {
            options: Options::default(),
            hooks: None,
            statuses: Statuses { data: std::ptr::null_mut(), count: 0 },
            memory: Memory { data: std::ptr::null_mut(), bytes: 0 },
        }
    }
}

/// What an options object says; NULL is the defaults.
pub(super) fn given(options: *const park_options) -> Result<Given> {
    if options.is_null() {
        return Ok(Given::nothing());
    }
    let given = OPTIONS.find(options)?;
    let given = given.lock().clone();
    Ok(given)
}

fn change(options: *mut park_options, change: impl FnOnce(&mut Given) -> Result<()>) -> c_int {
    with_none(|| {
        let given = OPTIONS.find(options)?;
        let mut given = given.lock();
        change(&mut given).map(|()| PARK_OK)
    })
}

/// ======== Options of maps ========
///
/// Makes options, all at their defaults, for park_map_with and park_for_with. Any thread. To be given to
/// park_options_free in the end. One object may serve many maps, at once too where it has no statuses; a map that
/// runs is not touched by later changes. NULL on error, and park_last_error(NULL, ...) says why.
#[no_mangle]
pub extern "C" fn park_options_new() -> *mut park_options {
    with_none(|| OPTIONS.add(Arc::new(Mutex::new(Given::nothing()))))
}

/// Frees options. NULL does nothing and is PARK_OK. Any thread, also while a map runs with them: the hooks' destroy
/// function is then called at that map's end.
#[no_mangle]
pub extern "C" fn park_options_free(options: *mut park_options) -> c_int {
    if options.is_null() {
        return PARK_OK;
    }
    with_none(|| OPTIONS.remove(options).map(|_| PARK_OK))
}

/// Sets an option: `which` is one of PARK_OPTION_..., which say what `value` means. Any thread.
/// PARK_INVALID_ARGUMENT: `which`, or a `value` that is none of its values; the object is as it was.
#[no_mangle]
pub extern "C" fn park_options_set(options: *mut park_options, which: c_int, value: i64) -> c_int {
    change(options, |given| {
        let options = &mut given.options;
        let refused = || Error::argument(format!("value: {value} is none of option {which}'s values"));
        let flag = || (0..=1).contains(&value).then_some(value == 1).ok_or_else(refused);
        let count = || u32::try_from(value).map_err(|_| refused());
        match which {
            PARK_OPTION_WORKERS => options.threads = count()?,
            PARK_OPTION_CHUNK => options.chunk = Some(count()?).filter(|&chunk| chunk > 0),
            PARK_OPTION_GO_ON => options.go_on = flag()?,
            PARK_OPTION_RETRIES => options.retries = count()?,
            PARK_OPTION_PROGRESS => options.counts_progress = flag()?,
            PARK_OPTION_CHECK => options.check = flag()?,
            PARK_OPTION_SPIN => options.spin = Some(Duration::from_micros(count()?.into())),
            PARK_OPTION_CHECKPOINTS => options.checkpoints = flag()?,
            PARK_OPTION_IN_FLIGHT => options.in_flight = Some(count()?).filter(|&count| count > 0),
            PARK_OPTION_AS_COMPLETED => options.as_completed = flag()?,
            _ => return Err(Error::argument(format!("which: {which} is no option"))),
        }
        Ok(())
    })
}

/// Sets the hooks of the threads that take part in a map, the caller included; each may be NULL. They replace the
/// ones before. Any thread. destroy(user) is called when the hooks are replaced or the options freed, and no map
/// nor imap uses them, on the thread that brings that about, or on the one that made the imap; at once when this fails. Statuses: PARK_OK, or those of every function.
#[no_mangle]
pub unsafe extern "C" fn park_options_hooks(
    options: *mut park_options,
    enter: park_enter_fn,
    leave: park_leave_fn,
    user: *mut c_void,
    destroy: park_destroy_fn,
) -> c_int {
    let hooks = Arc::new(Hooks { enter, leave, user: User::new(user, destroy) });
    let mut before = None;
    let code = change(options, |given| {
        before = given.hooks.replace(hooks);
        Ok(())
    });
    // Dropped, and so destroyed, when no lock is held.
    drop(before);
    code
}

/// Gives an array for the statuses of `count` items, which must be as many as those of each map that is called with
/// these options: 0 for an item that is done, PARK_NOT_RUN for one that was never begun, else what the function
/// returned the last time. NULL and 0 take it back. Any thread. The array must stay valid until then, or until the
/// options are freed, and while a map runs with them. PARK_INVALID_ARGUMENT: `count` negative, or `statuses` NULL with another one, or not aligned.
#[no_mangle]
pub unsafe extern "C" fn park_options_statuses(options: *mut park_options, statuses: *mut c_int, count: i64) -> c_int {
    change(options, |given| {
        let count = elements(statuses, count, ("statuses", "count"))?;
        let data = if count == 0 { std::ptr::null_mut() } else { statuses };
        given.statuses = Statuses { data, count };
        Ok(())
    })
}

/// Names the memory that a loop of park_for writes, `bytes` bytes from `memory` on, so that the checking mode can
/// compare it; a map's is its `out`, unless this names another. NULL and 0 take it back. Any thread. It must be
/// valid while maps run with these options. PARK_INVALID_ARGUMENT: `bytes` negative, or `memory` NULL with another
/// one.
#[no_mangle]
pub unsafe extern "C" fn park_options_memory(options: *mut park_options, memory: *mut c_void, bytes: i64) -> c_int {
    change(options, |given| {
        let bytes = elements(memory.cast::<u8>(), bytes, ("memory", "bytes"))?;
        given.memory = Memory { data: memory.cast(), bytes };
        Ok(())
    })
}

/// Sets how many threads do a map, the caller included, from the next one on; 0 is the default: PARK_NUM_THREADS,
/// SLURM_CPUS_PER_TASK or OMP_NUM_THREADS of the environment, in this order, or else the processors that the
/// affinity mask and the container's quota leave to this process. Any thread. The threads are made by the first map
/// that needs them, with the stack of park_set_stack_size, and end with the handler. PARK_INVALID_ARGUMENT: `count`
/// negative or above 4096.
#[no_mangle]
pub extern "C" fn park_set_workers(job: *mut park_handler, count: i64) -> c_int {
    with_handler(job, |handler| {
        handler.set_workers(crew::check_size(count)?);
        Ok(PARK_OK)
    })
}

/// How many threads do a map, the caller included: what park_worker returns is below it. So after park_set_workers
/// with a smaller number it stays until no item of an imap, nor of a map, is run by the threads of before. Any thread.
#[no_mangle]
pub extern "C" fn park_workers(job: *mut park_handler) -> c_int {
    with_handler(job, |handler| Ok(handler.workers() as c_int))
}

/// The number of the calling thread: 0 on the computation thread, 1, 2, ... on the workers of `job`. To be called
/// inside an item; on any other thread it is 0. A few nanoseconds.
#[no_mangle]
pub extern "C" fn park_worker(job: *mut park_handler) -> c_int {
    let seat = seat::current();
    if seat.handle == job as u64 && !job.is_null() && !sys::forked() {
        return seat.index as c_int;
    }
    with_handler(job, |_| Ok(0))
}

/// What the enter hook returned on the calling thread, for the map that the item belongs to. To be called inside an
/// item; on any other thread, and without a hook, it is NULL. A few nanoseconds.
#[no_mangle]
pub extern "C" fn park_worker_local(job: *mut park_handler) -> *mut c_void {
    let seat = seat::current();
    if seat.handle == job as u64 && !job.is_null() && !sys::forked() {
        return seat.local as *mut c_void;
    }
    with_handler(job, |_| Ok(std::ptr::null_mut()))
}
