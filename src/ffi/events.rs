//! Events out: callbacks, clients, and how an event is read.

use super::callback::{function, User};
use super::constants::*;
use super::convert::{check_out, deadline, put, text_out};
use super::guard::{with_handler, with_none};
use super::registry::Registry;
use crate::core::client::{Client, EventFn, Limit, Next, Place};
use crate::core::event::{Event, Kind, ALL_KINDS};
use crate::core::handler::Handler;
use crate::core::status::{Error, Result, Status};
use once_cell::sync::Lazy;
use std::ffi::{c_char, c_int, c_void};
use std::sync::{Arc, Weak};

/// A client that empties its own queue, and the handler that fills it.
#[derive(Clone)]
struct QueueClient {
    client: Arc<Client>,
    handler: Weak<Handler>,
}

static CLIENTS: Lazy<Registry<QueueClient>> = Lazy::new(|| Registry::new("client", 1));
static EVENTS: Lazy<Registry<Arc<Event>>> = Lazy::new(|| Registry::new("event", 2));

fn check_mask(mask: c_int) -> Result<c_int> {
    if mask == 0 || mask & !ALL_KINDS != 0 {
        return Err(Error::argument(format!("mask: {mask} is no set of PARK_EVENT_... kinds")));
    }
    Ok(mask)
}

/// Lends an event to a callback: its handle dies when the callback returns.
fn lend(event: Event, call: impl FnOnce(*const park_event) -> c_int) -> c_int {
    match EVENTS.add::<park_event>(Arc::new(event)) {
        Ok(handle) => {
            let result = call(handle);
            let _ = EVENTS.remove(handle);
            result
        }
        // No room for a handle: the callback gets a NULL event, whose readers say so.
        Err(_) => call(std::ptr::null()),
    }
}

/// ======== Events out ========
///
/// Calls `fn` with each event of the kinds in `mask` (PARK_EVENT_... added up): `where` PARK_ON_COMPUTATION on the
/// computation thread inside park_ready and at the end of the run, PARK_ON_SERVICE on the service thread, soon. Any
/// thread. When something has run already, the first event is a join.
///
/// Events come in order; none is lost but progress that a newer one has replaced. A callback that lets 4096 events or
/// 64 MiB of their states wait gets PARK_EVENT_CUT_OFF as its last. Callbacks on the service thread must not wait for
/// the computation, and hold up other clients while they run.
///
/// Returns a number above 0 for park_off_event. PARK_INVALID_ARGUMENT: `mask`, `where`, or `fn` is NULL.
#[no_mangle]
pub unsafe extern "C" fn park_on_event(
    job: *mut park_handler,
    mask: c_int,
    r#where: c_int,
    r#fn: park_event_fn,
    user: *mut c_void,
    destroy: park_destroy_fn,
) -> i64 {
    let user = User::new(user, destroy);
    let handle = job as usize;
    with_handler(job, move |handler| {
        let call = function(r#fn, "fn")?;
        let mask = check_mask(mask)?;
        let on_service = match r#where {
            PARK_ON_COMPUTATION => false,
            PARK_ON_SERVICE => true,
            other => return Err(Error::argument(format!("where: {other} is not one of its values"))),
        };
        let deliver: EventFn = Box::new(move |event| {
            // SAFETY: the callback and its data are the caller's promise; the event lives until it returns.
            lend(event, |event| unsafe { call(handle as *mut park_handler, event, user.data()) })
        });
        handler.subscribe_callback(mask, on_service, deliver)
    })
}

/// Takes a callback away by its number: no call begins any more. One that runs on another thread may still finish;
/// destroy says when it is done with the user data. Any thread, also the callback itself. PARK_UNKNOWN: no such
/// number.
#[no_mangle]
pub extern "C" fn park_off_event(job: *mut park_handler, id: i64) -> c_int {
    with_handler(job, |handler| handler.unsubscribe(id).map(|()| PARK_OK))
}

/// Calls `fn` with each new best, on the computation thread inside park_ready: park_on_event for the usual case. Any
/// thread. Returns a number above 0 for park_off_event. PARK_INVALID_ARGUMENT: `fn` is NULL.
#[no_mangle]
pub unsafe extern "C" fn park_on_improved(
    job: *mut park_handler,
    r#fn: park_improved_fn,
    user: *mut c_void,
    destroy: park_destroy_fn,
) -> i64 {
    let user = User::new(user, destroy);
    let handle = job as usize;
    with_handler(job, move |handler| {
        let call = function(r#fn, "fn")?;
        let deliver: EventFn = Box::new(move |event| {
            if event.kind != Kind::Improved {
                return 0;
            }
            let state = event.bytes.as_ref().map_or(&[][..], |bytes| bytes);
            let value = event.value.unwrap_or(f64::NAN);
            let job = handle as *mut park_handler;
            // SAFETY: the callback and its data are the caller's promise; the state lives until it returns.
            unsafe { call(job, value, state.as_ptr().cast(), state.len() as i64, user.data()) }
        });
        handler.subscribe_callback(PARK_EVENT_IMPROVED, false, deliver)
    })
}

/// Calls `fn` with the progress, on the computation thread inside park_ready: park_on_event for the usual case. Any
/// thread. Returns a number above 0 for park_off_event. PARK_INVALID_ARGUMENT: `fn` is NULL.
#[no_mangle]
pub unsafe extern "C" fn park_on_progress(
    job: *mut park_handler,
    r#fn: park_progress_fn,
    user: *mut c_void,
    destroy: park_destroy_fn,
) -> i64 {
    let user = User::new(user, destroy);
    let handle = job as usize;
    with_handler(job, move |handler| {
        let call = function(r#fn, "fn")?;
        let deliver: EventFn = Box::new(move |event| {
            if event.kind != Kind::Progress {
                return 0;
            }
            let progress = event.progress;
            let left = progress.seconds_left.unwrap_or(-1.0);
            // SAFETY: the callback and its data are the caller's promise.
            unsafe { call(handle as *mut park_handler, progress.done, progress.total, left, user.data()) }
        });
        handler.subscribe_callback(PARK_EVENT_PROGRESS, false, deliver)
    })
}

/// Makes a client: a queue that gets each event of the kinds in `mask`, to be emptied with park_next_event, for hosts
/// and threads that would rather not be called. Any thread. When something has run already, the first event is a join.
///
/// The client must be given to park_client_free, and may outlive the handler. Returns NULL on error, and
/// park_last_error(job, ...) says why: `mask`.
#[no_mangle]
pub extern "C" fn park_client_new(job: *mut park_handler, mask: c_int) -> *mut park_client {
    with_handler(job, |handler| {
        let client = handler.subscribe(check_mask(mask)?, Place::Queue)?;
        CLIENTS.add(QueueClient { client, handler: Arc::downgrade(handler) })
    })
}

/// Frees a client: its events, its descriptor, its notify callback. NULL does nothing and is PARK_OK. Any thread, but
/// not while another one is in park_next_event with it.
#[no_mangle]
pub extern "C" fn park_client_free(client: *mut park_client) -> c_int {
    with_none(|| {
        if client.is_null() {
            return Ok(PARK_OK);
        }
        let QueueClient { client, handler } = CLIENTS.remove(client)?;
        if let Some(handler) = handler.upgrade() {
            // Unknown to a handler that is being freed: then it is out already.
            let _ = handler.unsubscribe(client.id);
        }
        client.close();
        Ok(PARK_OK)
    })
}

/// Sets how many events, and how many bytes of their states and texts, may wait for the client: 4096 and 64 MiB by
/// default. A client that lets more wait is cut off: what waits can still be fetched, then PARK_CUT_OFF. Progress
/// counts as one event at most; log lines that find no room are dropped. Any thread. PARK_INVALID_ARGUMENT: `events`
/// or `bytes` below 1.
#[no_mangle]
pub extern "C" fn park_client_limit(client: *mut park_client, events: i64, bytes: i64) -> c_int {
    with_none(|| {
        let found = CLIENTS.find(client)?;
        let positive = |number: i64, argument: &str| {
            usize::try_from(number)
                .ok()
                .filter(|&n| n > 0)
                .ok_or_else(|| Error::argument(format!("{argument}: {number} is below 1")))
        };
        found.client.set_limit(Limit { events: positive(events, "events")?, bytes: positive(bytes, "bytes")? });
        Ok(PARK_OK)
    })
}

/// A descriptor that poll, select and event loops call readable while something waits for park_next_event: an event,
/// PARK_CUT_OFF or PARK_CLOSED. Any thread. It belongs to the client: not to be read or closed. PARK_SYSTEM: none to
/// be had.
#[no_mangle]
pub extern "C" fn park_client_fd(client: *mut park_client) -> c_int {
    with_none(|| CLIENTS.find(client)?.client.descriptor())
}

/// Calls `fn` whenever the client's queue is no longer empty, on the thread that made the event (on the service
/// thread when several clients are to be told), and once more when
/// the client is cut off or the handler freed; at once when something waits already. Calls are not counted: empty the
/// queue in a loop. It replaces the one before. Any thread. PARK_INVALID_ARGUMENT: `fn` is NULL.
#[no_mangle]
pub unsafe extern "C" fn park_on_notify(
    client: *mut park_client,
    r#fn: park_notify_fn,
    user: *mut c_void,
    destroy: park_destroy_fn,
) -> c_int {
    let user = User::new(user, destroy);
    with_none(move || {
        let found = CLIENTS.find(client)?;
        let call = function(r#fn, "fn")?;
        found.client.set_notify(Box::new(move || {
            // SAFETY: the callback and its data are the caller's promise.
            unsafe { call(user.data()) };
        }));
        Ok(PARK_OK)
    })
}

/// Fetches the client's next event, waiting for it at most `timeout` seconds (0: not at all, PARK_FOREVER: without
/// end). Any thread. The event is the caller's, to be given to park_event_free.
///
/// PARK_OK: `out_event` is written. PARK_TIMEOUT: none came. PARK_CUT_OFF: the client was too slow and gets no more.
/// PARK_CLOSED: the handler was freed, and there are no more. PARK_INVALID_ARGUMENT: `timeout`, or `out_event` NULL.
#[no_mangle]
pub unsafe extern "C" fn park_next_event(
    client: *mut park_client,
    timeout: f64,
    out_event: *mut *mut park_event,
) -> c_int {
    with_none(|| {
        let found = CLIENTS.find(client)?;
        check_out(out_event, "out_event")?;
        match found.client.next(deadline(timeout)?) {
            Next::Event(event) => {
                let event = EVENTS.add(Arc::new(event))?;
                // SAFETY: checked; writable by the caller's promise.
                unsafe { put(out_event, event, "out_event") }.map(|()| PARK_OK)
            }
            Next::Nothing => Ok(PARK_TIMEOUT),
            Next::CutOff => Ok(PARK_CUT_OFF),
            Next::Closed => Ok(PARK_CLOSED),
        }
    })
}

/// Frees an event that park_next_event gave. NULL does nothing and is PARK_OK. Any thread. An event that a callback
/// was lent is not to be freed.
#[no_mangle]
pub extern "C" fn park_event_free(event: *mut park_event) -> c_int {
    with_none(|| if event.is_null() { Ok(PARK_OK) } else { EVENTS.remove(event).map(|_| PARK_OK) })
}

/// ======== Reading an event ========
///
/// The kind of an event, one of PARK_EVENT_... Any thread, as for all that read an event.
#[no_mangle]
pub extern "C" fn park_event_kind(event: *const park_event) -> c_int {
    with_none(|| Ok(EVENTS.find(event)?.kind as c_int))
}

/// The number of an event: it rises from one to the next, for all clients of the handler alike; gaps are events that
/// this client did not ask for. Any thread.
#[no_mangle]
pub extern "C" fn park_event_sequence(event: *const park_event) -> i64 {
    with_none(|| Ok(EVENTS.find(event)?.sequence as i64))
}

/// When it happened, in seconds since 1970. Any thread. A negative number is a status.
#[no_mangle]
pub extern "C" fn park_event_time(event: *const park_event) -> f64 {
    with_none(|| Ok(EVENTS.find(event)?.time))
}

/// How much was done when it happened, in the units of park_event_units. Any event has it. Any thread. -1 (a status)
/// for a bad handle.
#[no_mangle]
pub extern "C" fn park_event_done(event: *const park_event) -> f64 {
    with_none(|| Ok(EVENTS.find(event)?.progress.done))
}

/// How much there is to do in all; 0 or less when it is not known. Any event has it. Any thread.
#[no_mangle]
pub extern "C" fn park_event_total(event: *const park_event) -> f64 {
    with_none(|| Ok(EVENTS.find(event)?.progress.total))
}

/// The seconds left, as the handler estimates; negative while nothing is known. Of progress and join. Any thread.
#[no_mangle]
pub extern "C" fn park_event_seconds_left(event: *const park_event) -> f64 {
    with_none(|| Ok(EVENTS.find(event)?.progress.seconds_left.unwrap_or(-1.0)))
}

/// The units of the progress, as text out: returns the length without the NUL, writes at most `length` bytes with the
/// NUL. Any thread. PARK_INVALID_ARGUMENT: a negative `length`, or a NULL `buffer` with another one.
#[no_mangle]
pub unsafe extern "C" fn park_event_units(event: *const park_event, buffer: *mut c_char, length: i64) -> i64 {
    // SAFETY: the buffer is the caller's promise.
    with_none(|| unsafe { text_out(EVENTS.find(event)?.units.as_deref().unwrap_or(""), buffer, length) })
}

/// The value of the best: of an improved event its own, of any other the best so far; NaN when there is none. Any
/// thread.
#[no_mangle]
pub extern "C" fn park_event_value(event: *const park_event) -> f64 {
    with_none(|| Ok(EVENTS.find(event)?.value.unwrap_or(f64::NAN)))
}

/// The bytes that an event carries: the state of the best (improved, join, abort, error) or the result (complete). Any
/// thread. They live as long as the event. `out_bytes`, unless NULL, gets their number; NULL and 0 when there are
/// none.
#[no_mangle]
pub unsafe extern "C" fn park_event_state(event: *const park_event, out_bytes: *mut i64) -> *const c_void {
    with_none(|| {
        let found = EVENTS.find(event)?;
        let bytes = found.bytes.as_ref().map_or(&[][..], |bytes| bytes);
        if !out_bytes.is_null() {
            // SAFETY: checked; writable by the caller's promise.
            unsafe { put(out_bytes, bytes.len() as i64, "out_bytes") }?;
        }
        Ok(if bytes.is_empty() { std::ptr::null() } else { bytes.as_ptr().cast() })
    })
}

/// A status: of checkpoint PARK_OK or PARK_FAILED; of complete, abort and error what park_wait returns; else PARK_OK.
/// Any thread.
#[no_mangle]
pub extern "C" fn park_event_status(event: *const park_event) -> c_int {
    with_none(|| Ok(EVENTS.find(event)?.status as c_int))
}

/// The state of the job when it happened, one of PARK_STATE_... Any event has it. Any thread.
#[no_mangle]
pub extern "C" fn park_event_job_state(event: *const park_event) -> c_int {
    with_none(|| Ok(EVENTS.find(event)?.job_state as c_int))
}

/// The level of a log event, one of PARK_LOG_... Any thread. PARK_WRONG_TYPE: it is not a log event.
#[no_mangle]
pub extern "C" fn park_event_level(event: *const park_event) -> c_int {
    with_none(|| match EVENTS.find(event)? {
        event if event.kind == Kind::Log => Ok(event.level as c_int),
        _ => Err(Error::new(Status::WrongType, "event: only a log event has a level")),
    })
}

/// The text of an event, as text out: the line of the log, the reason of an abort, an error or a checkpoint that was
/// not saved; else empty. Returns the length without the NUL, writes at most `length` bytes with the NUL. Any thread.
/// PARK_INVALID_ARGUMENT: a negative `length`, or a NULL `buffer` with another one.
#[no_mangle]
pub unsafe extern "C" fn park_event_text(event: *const park_event, buffer: *mut c_char, length: i64) -> i64 {
    // SAFETY: the buffer is the caller's promise.
    with_none(|| unsafe { text_out(&EVENTS.find(event)?.text, buffer, length) })
}
