//! The constants and types of the header. The numbers never change and are never reused.
#![allow(missing_docs)] // The comments are the header's.
#![allow(dead_code)] // Most constants are read by C alone.

use std::ffi::{c_int, c_void};

/* The version of this header, and of the library that it came with. */
pub const PARK_VERSION_MAJOR: c_int = 0;
pub const PARK_VERSION_MINOR: c_int = 1;
pub const PARK_VERSION_PATCH: c_int = 0;

/// A timeout without end.
pub const PARK_FOREVER: f64 = -1.0;

/// Status: fine.
pub const PARK_OK: c_int = 0;
/// Status: an abort was asked for.
pub const PARK_ABORTED: c_int = 1;
/// Status: a stop was asked for; the checkpoint is behind the job, if it has a way to make one.
pub const PARK_STOPPED: c_int = 2;
/// Status: there is no checkpoint to restore.
pub const PARK_NO_CHECKPOINT: c_int = 3;
/// Status that a handler of park_on_signal returns to leave a message to the next ready point.
pub const PARK_DELAY: c_int = 4;
/// Status of an item that was never begun, in the array of park_options_statuses.
pub const PARK_NOT_RUN: c_int = 5;
/// Status that a source returns when it has no more items, and park_imap_next when all results were taken.
pub const PARK_END: c_int = 6;
/// Status: the handle is NULL, freed, or not one of park's. Every function that takes a handle can return it.
pub const PARK_INVALID_HANDLE: c_int = -1;
/// Status: an argument is not valid; park_last_error names it.
pub const PARK_INVALID_ARGUMENT: c_int = -2;
/// Status: not on this thread.
pub const PARK_WRONG_THREAD: c_int = -3;
/// Status: a computation of this handler is running.
pub const PARK_BUSY: c_int = -4;
/// Status: no computation of this handler is running.
pub const PARK_NOT_RUNNING: c_int = -5;
/// Status: not from inside a callback of this handler.
pub const PARK_REENTRANT: c_int = -6;
/// Status: the time was up.
pub const PARK_TIMEOUT: c_int = -7;
/// Status: refused, by a limit, because read-only, or by a callback.
pub const PARK_REFUSED: c_int = -8;
/// Status: there is nothing of that name.
pub const PARK_UNKNOWN: c_int = -9;
/// Status: the job ended, or its handler was freed, before the request was served.
pub const PARK_EXPIRED: c_int = -10;
/// Status: a bounded queue or table is full.
pub const PARK_FULL: c_int = -11;
/// Status: this client was too slow and was cut off.
pub const PARK_CUT_OFF: c_int = -12;
/// Status: the computation or a callback failed.
pub const PARK_FAILED: c_int = -13;
/// Status: this process was forked from one that had handlers. Every function can return it.
pub const PARK_FORKED: c_int = -14;
/// Status: park itself failed. Every function can return it; none should.
pub const PARK_PANIC: c_int = -15;
/// Status: out of memory.
pub const PARK_NO_MEMORY: c_int = -16;
/// Status: the operating system refused; park_last_error says what and why.
pub const PARK_SYSTEM: c_int = -17;
/// Status: the handler of this client was freed, and all its events are fetched.
pub const PARK_CLOSED: c_int = -18;
/// Status: the name is in use.
pub const PARK_EXISTS: c_int = -19;
/// Status: the value has another type.
pub const PARK_WRONG_TYPE: c_int = -20;

/// Status: in parallel, items came out differently than one after the other.
pub const PARK_DIFFERS: c_int = -21;
/// Status: the checkpoint does not fit what is protected; park_last_error names everything that differs.
pub const PARK_MISMATCH: c_int = -22;

/// Signal or request: halt at the next ready point.
pub const PARK_PAUSE: c_int = 1;
/// Signal or request: go on after a pause.
pub const PARK_RESUME: c_int = 2;
/// Signal or request: end at the next ready point.
pub const PARK_ABORT: c_int = 3;
/// Signal or request: save a checkpoint at the next ready point.
pub const PARK_CHECKPOINT: c_int = 4;
/// Signal or request: save a checkpoint, then end.
pub const PARK_STOP: c_int = 5;
/// Request: set variables and deltas, the values of the message. All or none.
pub const PARK_SET: c_int = 6;
/// Request: read variables and deltas, the keys of the message; all when there is none.
pub const PARK_GET: c_int = 7;
/// Request: call the method that the message names.
pub const PARK_INVOKE: c_int = 8;
/// Request: a message of the user's own, by its name.
pub const PARK_MESSAGE: c_int = 9;

/// State: nothing has run yet.
pub const PARK_STATE_IDLE: c_int = 0;
/// State: a computation is running.
pub const PARK_STATE_RUNNING: c_int = 1;
/// State: a computation is halted at a ready point.
pub const PARK_STATE_PAUSED: c_int = 2;
/// State: a computation was asked to stop or abort, and has not ended yet.
pub const PARK_STATE_STOPPING: c_int = 3;
/// State: the last computation came to its end.
pub const PARK_STATE_COMPLETE: c_int = 4;
/// State: the last computation was aborted or stopped; park_wait tells which.
pub const PARK_STATE_ABORTED: c_int = 5;
/// State: the last computation failed; park_reason tells why.
pub const PARK_STATE_FAILED: c_int = 6;

/// Type of a value: a real number (double).
pub const PARK_F64: c_int = 1;
/// Type of a value: an integer (int64_t).
pub const PARK_I64: c_int = 2;
/// Type of a value: a truth value (int, 0 or 1).
pub const PARK_BOOL: c_int = 3;
/// Type of a value: a text (UTF-8).
pub const PARK_TEXT: c_int = 4;
/// Type of a value: an array of real numbers.
pub const PARK_F64S: c_int = 5;
/// Type of a value: an array of integers.
pub const PARK_I64S: c_int = 6;
/// Type of an array's elements: float.
pub const PARK_F32: c_int = 7;
/// Type of an array's elements: int8_t.
pub const PARK_I8: c_int = 8;
/// Type of an array's elements: int16_t.
pub const PARK_I16: c_int = 9;
/// Type of an array's elements: int32_t.
pub const PARK_I32: c_int = 10;
/// Type of an array's elements: uint8_t, or any byte.
pub const PARK_U8: c_int = 11;
/// Type of an array's elements: uint16_t.
pub const PARK_U16: c_int = 12;
/// Type of an array's elements: uint32_t.
pub const PARK_U32: c_int = 13;
/// Type of an array's elements: uint64_t.
pub const PARK_U64: c_int = 14;
/// Type of an array's elements: a complex number, two floats.
pub const PARK_C64: c_int = 15;
/// Type of an array's elements: a complex number, two doubles.
pub const PARK_C128: c_int = 16;

/// Event: a computation began.
pub const PARK_EVENT_START: c_int = 1;
/// Event: the first one of a client that came late: progress and best so far.
pub const PARK_EVENT_JOIN: c_int = 2;
/// Event: progress. One that was not fetched is replaced by the next.
pub const PARK_EVENT_PROGRESS: c_int = 4;
/// Event: a new best, with its value and state.
pub const PARK_EVENT_IMPROVED: c_int = 8;
/// Event: a checkpoint was saved, or could not be; park_event_status tells.
pub const PARK_EVENT_CHECKPOINT: c_int = 16;
/// Event: the computation is halted.
pub const PARK_EVENT_PAUSED: c_int = 32;
/// Event: the computation goes on.
pub const PARK_EVENT_RESUMED: c_int = 64;
/// Event: the computation came to its end; with its result.
pub const PARK_EVENT_COMPLETE: c_int = 128;
/// Event: the computation was aborted or stopped; with the best so far.
pub const PARK_EVENT_ABORT: c_int = 256;
/// Event: the computation failed; with the reason and the best so far.
pub const PARK_EVENT_ERROR: c_int = 512;
/// Event: a line of the log.
pub const PARK_EVENT_LOG: c_int = 1024;
/// Event: the last one of a callback that was too slow. It comes whatever the mask.
pub const PARK_EVENT_CUT_OFF: c_int = 2048;
/// Mask: all events.
pub const PARK_EVENT_ALL: c_int = 4095;

/// A callback is called on the computation thread, inside park_ready and at the end of the run.
pub const PARK_ON_COMPUTATION: c_int = 0;
/// A callback is called on the service thread.
pub const PARK_ON_SERVICE: c_int = 1;

/// Level of a log line: something failed.
pub const PARK_LOG_ERROR: c_int = 1;
/// Level of a log line: something is not as it should be.
pub const PARK_LOG_WARNING: c_int = 2;
/// Level of a log line: something worth knowing.
pub const PARK_LOG_INFO: c_int = 3;
/// Level of a log line: for whoever looks for a fault.
pub const PARK_LOG_DEBUG: c_int = 4;

/// Delta: the time between progress events. 1 second by default.
pub const PARK_PROGRESS_DELTA: c_int = 1;
/// Delta: the time between checkpoints. 3600 seconds by default.
pub const PARK_CHECKPOINT_DELTA: c_int = 2;
/// Delta: the least time between improved events. 0 by default: each is sent at once.
pub const PARK_IMPROVED_DELTA: c_int = 3;

/// Mode of checkpoints: the memory is copied, and the loop goes on.
pub const PARK_CHECKPOINT_COPY: c_int = 1;
/// Mode of checkpoints: nothing is copied, and the loop waits until all is on the medium.
pub const PARK_CHECKPOINT_IN_PLACE: c_int = 2;

/// Operation of a checkpoint callback: save.
pub const PARK_SAVE: c_int = 1;
/// Operation of a checkpoint callback: restore.
pub const PARK_RESTORE: c_int = 2;

/// Option of maps: how many threads take part, the caller included. 0, the default: all.
pub const PARK_OPTION_WORKERS: c_int = 1;
/// Option of maps: how many items a thread takes at a time; stretches of park_for are as long. 0, the default: as many
/// as take some microseconds.
pub const PARK_OPTION_CHUNK: c_int = 2;
/// Option of maps: 1 goes on after an item that failed; 0, the default, ends the map.
pub const PARK_OPTION_GO_ON: c_int = 3;
/// Option of maps: how often an item that failed is tried again, at once. 0 is the default.
pub const PARK_OPTION_RETRIES: c_int = 4;
/// Option of maps: 1 stores the job's progress, items done of all. 0 is the default.
pub const PARK_OPTION_PROGRESS: c_int = 5;
/// Option of maps: 1 is the checking mode, as with PARK_MAP_CHECK=1 in the environment. 0 is the default.
pub const PARK_OPTION_CHECK: c_int = 6;
/// Option of maps: for how many microseconds an idle worker looks for the next map before it sleeps. It burns its
/// processor meanwhile. 50 is the default. What the job's last map says counts.
pub const PARK_OPTION_SPIN: c_int = 7;
/// Option of maps: 1 says that between any two items the job's memory is fit for a checkpoint: checkpoints are saved
/// in the middle of the map, and PARK_STOP ends it there. 0, the default: both wait for the end of the map.
pub const PARK_OPTION_CHECKPOINTS: c_int = 8;
/// Option of imaps: how many items may be fetched from the source and not taken as results. 1024 is the default.
pub const PARK_OPTION_IN_FLIGHT: c_int = 9;
/// Option of imaps: 1 hands results out as they are completed; 0, the default, in the order of the items.
pub const PARK_OPTION_AS_COMPLETED: c_int = 10;

/// Items of the last map that were never begun.
pub const PARK_ITEMS_LEFT: c_int = 1;
/// Items of the last map that failed.
pub const PARK_ITEMS_FAILED: c_int = 2;
/// Items of the last map that the checking mode found to differ.
pub const PARK_ITEMS_DIFFER: c_int = 3;

/// Exit code of a job that was stopped with a checkpoint: run me again (HTCondor's convention).
pub const PARK_EXIT_CHECKPOINTED: c_int = 85;
/// Exit code of a job that was aborted, or stopped without a checkpoint.
pub const PARK_EXIT_ABORTED: c_int = 86;

/// A handler: one job. Made by park_handler_new, freed by park_handler_free. Not an address: never to be followed.
pub struct park_handler {
    _private: [u8; 0],
}

/// A client: a queue of events. Made by park_client_new, freed by park_client_free.
pub struct park_client {
    _private: [u8; 0],
}

/// An event, to be read by the functions park_event_...
pub struct park_event {
    _private: [u8; 0],
}

/// A message: a name, and named values. Made by park_message_new, freed by park_message_free.
pub struct park_message {
    _private: [u8; 0],
}

/// Ends the life of a callback's user data. Called exactly once for each registration, also for one that fails, when
/// park will not use the data again; on whichever thread that turns out. It must not call back into park with the
/// same handler.
pub type park_destroy_fn = Option<unsafe extern "C-unwind" fn(user: *mut c_void)>;

/// A computation, run by park_start on park's computation thread. To return: PARK_OK when it is complete, what
/// park_ready returned when it ended for that, anything else when it failed.
pub type park_service_fn = Option<unsafe extern "C-unwind" fn(job: *mut park_handler, request: *mut c_void) -> c_int>;

/// Called with an event, which lives until the callback returns, on the thread that park_on_event was asked for.
/// Nonzero asks the job to stop, as PARK_STOP does.
pub type park_event_fn =
    Option<unsafe extern "C-unwind" fn(job: *mut park_handler, event: *const park_event, user: *mut c_void) -> c_int>;

/// Called on the computation thread with a new best; `state` lives until the callback returns. Nonzero asks the job
/// to stop.
pub type park_improved_fn = Option<
    unsafe extern "C-unwind" fn(
        job: *mut park_handler,
        value: f64,
        state: *const c_void,
        bytes: i64,
        user: *mut c_void,
    ) -> c_int,
>;

/// Called on the computation thread with the progress, in the units of park_set_units; seconds_left is negative
/// while nothing is known. Nonzero asks the job to stop.
pub type park_progress_fn = Option<
    unsafe extern "C-unwind" fn(
        job: *mut park_handler,
        done: f64,
        total: f64,
        seconds_left: f64,
        user: *mut c_void,
    ) -> c_int,
>;

/// Saves (PARK_SAVE) or restores (PARK_RESTORE) what the job needs to go on later. Called on the computation thread,
/// inside park_ready or park_restore or before the service of park_start. To return: PARK_OK, PARK_NO_CHECKPOINT
/// when there is nothing to restore, anything else when it failed.
pub type park_checkpoint_fn =
    Option<unsafe extern "C-unwind" fn(job: *mut park_handler, operation: c_int, user: *mut c_void) -> c_int>;

/// What a park_save_fn puts its bytes into. It lives until that function returns.
pub struct park_sink {
    _private: [u8; 0],
}

/// Saves what park_protect_custom protects: hands over its bytes by park_sink_put. Called on the computation thread, inside
/// park_ready, park_checkpoint_now or park_checkpoint_done. 0: saved. Anything else: it failed, and nothing is saved.
pub type park_save_fn =
    Option<unsafe extern "C-unwind" fn(job: *mut park_handler, sink: *mut park_sink, user: *mut c_void) -> c_int>;

/// Takes back the bytes that park_save_fn has saved; they live until it returns. Called on the computation thread, inside
/// park_restore or before the service of park_start, before any array is written. 0: they are fine. Anything else: they are
/// not, and nothing is restored: so it should look at all of them before it changes anything.
pub type park_load_fn = Option<
    unsafe extern "C-unwind" fn(job: *mut park_handler, bytes: *const c_void, length: i64, user: *mut c_void) -> c_int,
>;

/// Serves a request, on the thread that the registering function names. Both messages live until the callback
/// returns; what is put into `reply` goes to the sender. 0 says done; anything else says refused, and the text
/// "reason" of the reply is told to the sender.
pub type park_message_fn = Option<
    unsafe extern "C-unwind" fn(
        job: *mut park_handler,
        request: *const park_message,
        reply: *mut park_message,
        user: *mut c_void,
    ) -> c_int,
>;

/// Takes the one reply to a request, on the service thread: the status that park_ask would have returned, and the
/// reply's values, which live until the callback returns.
pub type park_reply_fn = Option<
    unsafe extern "C-unwind" fn(job: *mut park_handler, status: c_int, reply: *const park_message, user: *mut c_void),
>;

/// Called when a client's queue is no longer empty, on the thread that made the event or on the service thread: it
/// must return soon, and must not call into park. libuv's uv_async_send has this form. The result is ignored.
pub type park_notify_fn = Option<unsafe extern "C-unwind" fn(user: *mut c_void) -> c_int>;

/// Options of maps. Made by park_options_new, freed by park_options_free.
pub struct park_options {
    _private: [u8; 0],
}

/// Does one item of park_map: reads `in`, writes `out`, which are the item's own places in the arrays (NULL where the
/// array is); or of park_imap_new, where `in` is what the source wrote and `out` has room for a result. Called on the
/// computation thread and on the workers, several at once. 0: done. Anything else: the item failed; while the run is
/// to end, PARK_ABORTED and PARK_STOPPED say that it was broken off.
pub type park_map_fn = Option<
    unsafe extern "C-unwind" fn(
        job: *mut park_handler,
        r#in: *const c_void,
        out: *mut c_void,
        index: i64,
        user: *mut c_void,
    ) -> c_int,
>;

/// Does the items from `begin` up to, and without, `end`, of park_for. Called on the computation thread and on the
/// workers, several at once. To return as park_map_fn does; what it returns holds for all these items.
pub type park_for_fn =
    Option<unsafe extern "C-unwind" fn(job: *mut park_handler, begin: i64, end: i64, user: *mut c_void) -> c_int>;

/// An imap: items that are on their way through a function. Made by park_imap_new, freed by park_imap_free.
pub struct park_imap {
    _private: [u8; 0],
}

/// Yields the item of this index of an imap: writes it to `item`, which has room for the item_bytes of park_imap_new.
/// Called with 0, 1, 2, ... by one thread at a time, on the computation thread and on the workers. 0: there it is.
/// PARK_END: there are no more. Anything else: the source failed, which ends the imap when all before it is taken.
pub type park_source_fn = Option<
    unsafe extern "C-unwind" fn(job: *mut park_handler, item: *mut c_void, index: i64, user: *mut c_void) -> c_int,
>;

/// Called on a thread that begins to take part in a map, before its first item. What it returns is the thread's local
/// state: park_worker_local gives it to the items. A worker may come and go several times in one map.
pub type park_enter_fn =
    Option<unsafe extern "C-unwind" fn(job: *mut park_handler, worker: c_int, user: *mut c_void) -> *mut c_void>;

/// Called on a thread that ceases to take part in a map, after its last item, with what park_enter_fn returned.
pub type park_leave_fn =
    Option<unsafe extern "C-unwind" fn(job: *mut park_handler, worker: c_int, local: *mut c_void, user: *mut c_void)>;
