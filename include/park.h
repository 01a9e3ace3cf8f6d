/*
 * park.h - turn a long-running loop into a job that can be watched, paused, steered, checkpointed, resumed and aborted.
 *
 * Made from the Rust sources by cbindgen: do not edit.
 *
 * Statuses. int and int64_t results below 0 are errors, and park_last_error has a sentence that names the argument;
 * results above 0 say why something stopped, or how many. Every function that takes a handle can return
 * PARK_INVALID_HANDLE (NULL, freed, or not one of park's), and every function PARK_FORKED (in a child made by fork) and
 * PARK_PANIC (park's own fault); the other statuses are listed with each function.
 *
 * Threads. A function marked "any thread" may be called from any, at once. The computation thread is the one between
 * park_attach and park_detach, or the one that park_start made. The service thread is park's own, one a handler.
 *
 * Text. In: UTF-8 that ends in a NUL; it is copied. Out: (buffer, length), and the needed length is returned.
 *
 * Callbacks. (function, user data, destroy): destroy may be NULL; it runs exactly once. A callback must not throw, longjmp
 * or end its thread: a stray C++ exception ends the program with a message.
 *
 * Times are seconds. Sizes and counts are int64_t; a negative one is refused.
 */
#ifndef PARK_H
#define PARK_H


#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif


#define PARK_VERSION_MAJOR 0

#define PARK_VERSION_MINOR 1

#define PARK_VERSION_PATCH 0

/**
 * A timeout without end.
 */
#define PARK_FOREVER -1.0

/**
 * Status: fine.
 */
#define PARK_OK 0

/**
 * Status: an abort was asked for.
 */
#define PARK_ABORTED 1

/**
 * Status: a stop was asked for; the checkpoint is behind the job, if it has a way to make one.
 */
#define PARK_STOPPED 2

/**
 * Status: there is no checkpoint to restore.
 */
#define PARK_NO_CHECKPOINT 3

/**
 * Status that a handler of park_on_signal returns to leave a message to the next ready point.
 */
#define PARK_DELAY 4

/**
 * Status of an item that was never begun, in the array of park_options_statuses.
 */
#define PARK_NOT_RUN 5

/**
 * Status that a source returns when it has no more items, and park_imap_next when all results were taken.
 */
#define PARK_END 6

/**
 * Status: the handle is NULL, freed, or not one of park's. Every function that takes a handle can return it.
 */
#define PARK_INVALID_HANDLE -1

/**
 * Status: an argument is not valid; park_last_error names it.
 */
#define PARK_INVALID_ARGUMENT -2

/**
 * Status: not on this thread.
 */
#define PARK_WRONG_THREAD -3

/**
 * Status: a computation of this handler is running.
 */
#define PARK_BUSY -4

/**
 * Status: no computation of this handler is running.
 */
#define PARK_NOT_RUNNING -5

/**
 * Status: not from inside a callback of this handler.
 */
#define PARK_REENTRANT -6

/**
 * Status: the time was up.
 */
#define PARK_TIMEOUT -7

/**
 * Status: refused, by a limit, because read-only, or by a callback.
 */
#define PARK_REFUSED -8

/**
 * Status: there is nothing of that name.
 */
#define PARK_UNKNOWN -9

/**
 * Status: the job ended, or its handler was freed, before the request was served.
 */
#define PARK_EXPIRED -10

/**
 * Status: a bounded queue or table is full.
 */
#define PARK_FULL -11

/**
 * Status: this client was too slow and was cut off.
 */
#define PARK_CUT_OFF -12

/**
 * Status: the computation or a callback failed.
 */
#define PARK_FAILED -13

/**
 * Status: this process was forked from one that had handlers. Every function can return it.
 */
#define PARK_FORKED -14

/**
 * Status: park itself failed. Every function can return it; none should.
 */
#define PARK_PANIC -15

/**
 * Status: out of memory.
 */
#define PARK_NO_MEMORY -16

/**
 * Status: the operating system refused; park_last_error says what and why.
 */
#define PARK_SYSTEM -17

/**
 * Status: the handler of this client was freed, and all its events are fetched.
 */
#define PARK_CLOSED -18

/**
 * Status: the name is in use.
 */
#define PARK_EXISTS -19

/**
 * Status: the value has another type.
 */
#define PARK_WRONG_TYPE -20

/**
 * Status: in parallel, items came out differently than one after the other.
 */
#define PARK_DIFFERS -21

/**
 * Status: the checkpoint does not fit what is protected; park_last_error names everything that differs.
 */
#define PARK_MISMATCH -22

/**
 * Signal or request: halt at the next ready point.
 */
#define PARK_PAUSE 1

/**
 * Signal or request: go on after a pause.
 */
#define PARK_RESUME 2

/**
 * Signal or request: end at the next ready point.
 */
#define PARK_ABORT 3

/**
 * Signal or request: save a checkpoint at the next ready point.
 */
#define PARK_CHECKPOINT 4

/**
 * Signal or request: save a checkpoint, then end.
 */
#define PARK_STOP 5

/**
 * Request: set variables and deltas, the values of the message. All or none.
 */
#define PARK_SET 6

/**
 * Request: read variables and deltas, the keys of the message; all when there is none.
 */
#define PARK_GET 7

/**
 * Request: call the method that the message names.
 */
#define PARK_INVOKE 8

/**
 * Request: a message of the user's own, by its name.
 */
#define PARK_MESSAGE 9

/**
 * Action of park_catch: the signal asks for nothing any more.
 */
#define PARK_CATCH_NONE 0

/**
 * Action of park_catch: stop, then abort, then what the signal does without park. Made for Ctrl-C.
 */
#define PARK_CATCH_INTERACTIVE 100

/**
 * Action of park_catch: stop, then abort. Made for the signal by which a batch system says that the time is up.
 */
#define PARK_CATCH_SLURM 101

/**
 * State: nothing has run yet.
 */
#define PARK_STATE_IDLE 0

/**
 * State: a computation is running.
 */
#define PARK_STATE_RUNNING 1

/**
 * State: a computation is halted at a ready point.
 */
#define PARK_STATE_PAUSED 2

/**
 * State: a computation was asked to stop or abort, and has not ended yet.
 */
#define PARK_STATE_STOPPING 3

/**
 * State: the last computation came to its end.
 */
#define PARK_STATE_COMPLETE 4

/**
 * State: the last computation was aborted or stopped; park_wait tells which.
 */
#define PARK_STATE_ABORTED 5

/**
 * State: the last computation failed; park_reason tells why.
 */
#define PARK_STATE_FAILED 6

/**
 * Type of a value: a real number (double).
 */
#define PARK_F64 1

/**
 * Type of a value: an integer (int64_t).
 */
#define PARK_I64 2

/**
 * Type of a value: a truth value (int, 0 or 1).
 */
#define PARK_BOOL 3

/**
 * Type of a value: a text (UTF-8).
 */
#define PARK_TEXT 4

/**
 * Type of a value: an array of real numbers.
 */
#define PARK_F64S 5

/**
 * Type of a value: an array of integers.
 */
#define PARK_I64S 6

/**
 * Type of an array's elements: float.
 */
#define PARK_F32 7

/**
 * Type of an array's elements: int8_t.
 */
#define PARK_I8 8

/**
 * Type of an array's elements: int16_t.
 */
#define PARK_I16 9

/**
 * Type of an array's elements: int32_t.
 */
#define PARK_I32 10

/**
 * Type of an array's elements: uint8_t, or any byte.
 */
#define PARK_U8 11

/**
 * Type of an array's elements: uint16_t.
 */
#define PARK_U16 12

/**
 * Type of an array's elements: uint32_t.
 */
#define PARK_U32 13

/**
 * Type of an array's elements: uint64_t.
 */
#define PARK_U64 14

/**
 * Type of an array's elements: a complex number, two floats.
 */
#define PARK_C64 15

/**
 * Type of an array's elements: a complex number, two doubles.
 */
#define PARK_C128 16

/**
 * Event: a computation began.
 */
#define PARK_EVENT_START 1

/**
 * Event: the first one of a client that came late: progress and best so far.
 */
#define PARK_EVENT_JOIN 2

/**
 * Event: progress. One that was not fetched is replaced by the next.
 */
#define PARK_EVENT_PROGRESS 4

/**
 * Event: a new best, with its value and state.
 */
#define PARK_EVENT_IMPROVED 8

/**
 * Event: a checkpoint was saved, or could not be; park_event_status tells.
 */
#define PARK_EVENT_CHECKPOINT 16

/**
 * Event: the computation is halted.
 */
#define PARK_EVENT_PAUSED 32

/**
 * Event: the computation goes on.
 */
#define PARK_EVENT_RESUMED 64

/**
 * Event: the computation came to its end; with its result.
 */
#define PARK_EVENT_COMPLETE 128

/**
 * Event: the computation was aborted or stopped; with the best so far.
 */
#define PARK_EVENT_ABORT 256

/**
 * Event: the computation failed; with the reason and the best so far.
 */
#define PARK_EVENT_ERROR 512

/**
 * Event: a line of the log.
 */
#define PARK_EVENT_LOG 1024

/**
 * Event: the last one of a callback that was too slow. It comes whatever the mask.
 */
#define PARK_EVENT_CUT_OFF 2048

/**
 * Mask: all events.
 */
#define PARK_EVENT_ALL 4095

/**
 * A callback is called on the computation thread, inside park_ready and at the end of the run.
 */
#define PARK_ON_COMPUTATION 0

/**
 * A callback is called on the service thread.
 */
#define PARK_ON_SERVICE 1

/**
 * Level of a log line: something failed.
 */
#define PARK_LOG_ERROR 1

/**
 * Level of a log line: something is not as it should be.
 */
#define PARK_LOG_WARNING 2

/**
 * Level of a log line: something worth knowing.
 */
#define PARK_LOG_INFO 3

/**
 * Level of a log line: for whoever looks for a fault.
 */
#define PARK_LOG_DEBUG 4

/**
 * Delta: the time between progress events. 1 second by default.
 */
#define PARK_PROGRESS_DELTA 1

/**
 * Delta: the time between checkpoints. 3600 seconds by default.
 */
#define PARK_CHECKPOINT_DELTA 2

/**
 * Delta: the least time between improved events. 0 by default: each is sent at once.
 */
#define PARK_IMPROVED_DELTA 3

/**
 * Mode of checkpoints: the memory is copied, and the loop goes on.
 */
#define PARK_CHECKPOINT_COPY 1

/**
 * Mode of checkpoints: nothing is copied, and the loop waits until all is on the medium.
 */
#define PARK_CHECKPOINT_IN_PLACE 2

/**
 * Operation of a checkpoint callback: save.
 */
#define PARK_SAVE 1

/**
 * Operation of a checkpoint callback: restore.
 */
#define PARK_RESTORE 2

/**
 * Option of maps: how many threads take part, the caller included. 0, the default: all.
 */
#define PARK_OPTION_WORKERS 1

/**
 * Option of maps: how many items a thread takes at a time; stretches of park_for are as long. 0, the default: as many
 * as take some microseconds.
 */
#define PARK_OPTION_CHUNK 2

/**
 * Option of maps: 1 goes on after an item that failed; 0, the default, ends the map.
 */
#define PARK_OPTION_GO_ON 3

/**
 * Option of maps: how often an item that failed is tried again, at once. 0 is the default.
 */
#define PARK_OPTION_RETRIES 4

/**
 * Option of maps: 1 stores the job's progress, items done of all. 0 is the default.
 */
#define PARK_OPTION_PROGRESS 5

/**
 * Option of maps: 1 is the checking mode, as with PARK_MAP_CHECK=1 in the environment. 0 is the default.
 */
#define PARK_OPTION_CHECK 6

/**
 * Option of maps: for how many microseconds an idle worker looks for the next map before it sleeps. It burns its
 * processor meanwhile. 50 is the default. What the job's last map says counts.
 */
#define PARK_OPTION_SPIN 7

/**
 * Option of maps: 1 says that between any two items the job's memory is fit for a checkpoint: checkpoints are saved
 * in the middle of the map, and PARK_STOP ends it there. 0, the default: both wait for the end of the map.
 */
#define PARK_OPTION_CHECKPOINTS 8

/**
 * Option of imaps: how many items may be fetched from the source and not taken as results. 1024 is the default.
 */
#define PARK_OPTION_IN_FLIGHT 9

/**
 * Option of imaps: 1 hands results out as they are completed; 0, the default, in the order of the items.
 */
#define PARK_OPTION_AS_COMPLETED 10

/**
 * Items of the last map that were never begun.
 */
#define PARK_ITEMS_LEFT 1

/**
 * Items of the last map that failed.
 */
#define PARK_ITEMS_FAILED 2

/**
 * Items of the last map that the checking mode found to differ.
 */
#define PARK_ITEMS_DIFFER 3

/**
 * Exit code of a job that was stopped with a checkpoint: run me again (HTCondor's convention).
 */
#define PARK_EXIT_CHECKPOINTED 85

/**
 * Exit code of a job that was aborted, or stopped without a checkpoint.
 */
#define PARK_EXIT_ABORTED 86

/**
 * A client: a queue of events. Made by park_client_new, freed by park_client_free.
 */
typedef struct park_client park_client;

/**
 * An event, to be read by the functions park_event_...
 */
typedef struct park_event park_event;

/**
 * A handler: one job. Made by park_handler_new, freed by park_handler_free. Not an address: never to be followed.
 */
typedef struct park_handler park_handler;

/**
 * An imap: items that are on their way through a function. Made by park_imap_new, freed by park_imap_free.
 */
typedef struct park_imap park_imap;

/**
 * A message: a name, and named values. Made by park_message_new, freed by park_message_free.
 */
typedef struct park_message park_message;

/**
 * Options of maps. Made by park_options_new, freed by park_options_free.
 */
typedef struct park_options park_options;

/**
 * What a park_save_fn puts its bytes into. It lives until that function returns.
 */
typedef struct park_sink park_sink;

/**
 * A computation, run by park_start on park's computation thread. To return: PARK_OK when it is complete, what
 * park_ready returned when it ended for that, anything else when it failed.
 */
typedef int (*park_service_fn)(park_handler *job, void *request);

/**
 * Ends the life of a callback's user data. Called exactly once for each registration, also for one that fails, when
 * park will not use the data again; on whichever thread that turns out. It must not call back into park with the
 * same handler.
 */
typedef void (*park_destroy_fn)(void *user);

/**
 * Saves what park_protect_custom protects: hands over its bytes by park_sink_put. Called on the computation
 * thread, inside park_ready, park_checkpoint_now or park_checkpoint_done. 0: saved. Anything else: it failed, and
 * nothing is saved.
 */
typedef int (*park_save_fn)(park_handler *job, park_sink *sink, void *user);

/**
 * Takes back the bytes that park_save_fn has saved; they live until it returns. Called on the computation thread,
 * inside park_restore or before the service of park_start, before any array is written. 0: they are fine. Anything
 * else: they are not, and nothing is restored: so it should look at all of them before it changes anything.
 */
typedef int (*park_load_fn)(park_handler *job, const void *bytes, int64_t length, void *user);

/**
 * Saves (PARK_SAVE) or restores (PARK_RESTORE) what the job needs to go on later. Called on the computation thread,
 * inside park_ready or park_restore or before the service of park_start. To return: PARK_OK, PARK_NO_CHECKPOINT
 * when there is nothing to restore, anything else when it failed.
 */
typedef int (*park_checkpoint_fn)(park_handler *job, int operation, void *user);

/**
 * Does one item of park_map: reads `in`, writes `out`, which are the item's own places in the arrays (NULL where the
 * array is); or of park_imap_new, where `in` is what the source wrote and `out` has room for a result. Called on the
 * computation thread and on the workers, several at once. 0: done. Anything else: the item failed; while the run is
 * to end, PARK_ABORTED and PARK_STOPPED say that it was broken off.
 */
typedef int (*park_map_fn)(park_handler *job, const void *in, void *out, int64_t index, void *user);

/**
 * Does the items from `begin` up to, and without, `end`, of park_for. Called on the computation thread and on the
 * workers, several at once. To return as park_map_fn does; what it returns holds for all these items.
 */
typedef int (*park_for_fn)(park_handler *job, int64_t begin, int64_t end, void *user);

/**
 * Called on a thread that begins to take part in a map, before its first item. What it returns is the thread's local
 * state: park_worker_local gives it to the items. A worker may come and go several times in one map.
 */
typedef void *(*park_enter_fn)(park_handler *job, int worker, void *user);

/**
 * Called on a thread that ceases to take part in a map, after its last item, with what park_enter_fn returned.
 */
typedef void (*park_leave_fn)(park_handler *job, int worker, void *local, void *user);

/**
 * Yields the item of this index of an imap: writes it to `item`, which has room for the item_bytes of park_imap_new.
 * Called with 0, 1, 2, ... by one thread at a time, on the computation thread and on the workers. 0: there it is.
 * PARK_END: there are no more. Anything else: the source failed, which ends the imap when all before it is taken.
 */
typedef int (*park_source_fn)(park_handler *job, void *item, int64_t index, void *user);

/**
 * Takes the one reply to a request, on the service thread: the status that park_ask would have returned, and the
 * reply's values, which live until the callback returns.
 */
typedef void (*park_reply_fn)(park_handler *job, int status, const park_message *reply, void *user);

/**
 * Serves a request, on the thread that the registering function names. Both messages live until the callback
 * returns; what is put into `reply` goes to the sender. 0 says done; anything else says refused, and the text
 * "reason" of the reply is told to the sender.
 */
typedef int (*park_message_fn)(park_handler *job, const park_message *request, park_message *reply, void *user);

/**
 * Called with an event, which lives until the callback returns, on the thread that park_on_event was asked for.
 * Nonzero asks the job to stop, as PARK_STOP does.
 */
typedef int (*park_event_fn)(park_handler *job, const park_event *event, void *user);

/**
 * Called on the computation thread with a new best; `state` lives until the callback returns. Nonzero asks the job
 * to stop.
 */
typedef int (*park_improved_fn)(park_handler *job, double value, const void *state, int64_t bytes, void *user);

/**
 * Called on the computation thread with the progress, in the units of park_set_units; seconds_left is negative
 * while nothing is known. Nonzero asks the job to stop.
 */
typedef int (*park_progress_fn)(park_handler *job, double done, double total, double seconds_left, void *user);

/**
 * Called when a client's queue is no longer empty, on the thread that made the event or on the service thread: it
 * must return soon, and must not call into park. libuv's uv_async_send has this form. The result is ignored.
 */
typedef int (*park_notify_fn)(void *user);

/**
 * Called on the computation thread with a line of the log: its level, one of PARK_LOG_..., and its text, which lives
 * until the callback returns. Nonzero asks the job to stop.
 */
typedef int (*park_log_fn)(park_handler *job, int level, const char *text, void *user);

/**
 * ======== Version and errors ========
 *
 * The version of the library, as "0.1.0". Any thread. The text is static: never to be freed.
 */
const char *park_version(void);

/**
 * What a status means, in a few words. Any thread. The text is static, never NULL, never to be freed; a number that
 * is no status is called "not a status of park".
 */
const char *park_status_string(int status);

/**
 * The text of the last error: which argument was wrong, and why. Any thread.
 *
 * Kept by the handler until its next error, so it can be read from another thread than the one that failed. `job`
 * NULL gives the last error of the calling thread in a call that had no live handler: of park_handler_new, of
 * clients, events and messages, or with a wrong handle.
 *
 * Returns the length of the text in bytes without the NUL, 0 when there was no error. Writes at most `length` bytes
 * with the NUL, cut at a character; NULL and 0 ask for the length alone. PARK_INVALID_ARGUMENT: a negative `length`,
 * or a NULL `buffer` with another one.
 */
int64_t park_last_error(park_handler *job, char *buffer, int64_t length);

/**
 * ======== Lifecycle ========
 *
 * Makes a handler: one job, idle, with a service thread of its own that sleeps. Any thread.
 *
 * `name` is what other programs will see; it is copied. At most 4095 handlers live at once. The handler must be given
 * to park_handler_free in the end.
 *
 * Returns NULL on error, and park_last_error(NULL, ...) says why: `name` NULL, empty, longer than 255 bytes, not
 * UTF-8 or with control characters; too many handlers; no thread to be had; a process that was forked from one with
 * handlers.
 */
park_handler *park_handler_new(const char *name);

/**
 * Frees a handler that is not running. NULL does nothing and is PARK_OK. Any thread but its service thread.
 *
 * Requests that wait are answered with PARK_EXPIRED; events that wait for callbacks are delivered, those of the
 * computation thread on this one; clients keep what they have not fetched, then get PARK_CLOSED. Waits for callbacks
 * that run on the service thread: the caller must not hold a lock that they need. When it returns, all destroy
 * functions have run.
 *
 * PARK_BUSY: a computation runs; end it first. PARK_REENTRANT: from a callback of this handler. On both the handler
 * is as it was.
 */
int park_handler_free(park_handler *job);

/**
 * The name of the handler, as text out: returns its length without the NUL, writes at most `length` bytes with the
 * NUL. Any thread. PARK_INVALID_ARGUMENT: a negative `length`, or a NULL `buffer` with another one.
 */
int64_t park_name(park_handler *job, char *buffer, int64_t length);

/**
 * Begins a run on the calling thread: from now until park_detach it is the computation thread, and alone may call
 * what is marked so. Progress, best, result and outcome of an earlier run are forgotten.
 *
 * PARK_BUSY: a computation runs already. PARK_REENTRANT: from a callback of the run. PARK_WRONG_THREAD: on the
 * service thread.
 */
int park_attach(park_handler *job);

/**
 * Ends the run that park_attach began. Computation thread, outside callbacks.
 *
 * The run is complete, unless park_ready has told the loop to end (then it is aborted, or stopped) or park_fail was
 * called (then it has failed). Before it returns, the last best and the final event are delivered, and requests that
 * were not served are answered with PARK_EXPIRED.
 *
 * PARK_NOT_RUNNING: nothing is attached. PARK_WRONG_THREAD: another thread is. PARK_REENTRANT: from a callback, or
 * from a service of park_start, whose return ends the run.
 */
int park_detach(park_handler *job);

/**
 * Begins a run on a thread of park's, with the stack of park_set_stack_size, and returns at once. Any thread but the
 * service thread.
 *
 * The thread calls `service(job, request)`; the run ends when it returns. `request` belongs to the run: it must
 * stay valid until destroy(request) is called, after the service has returned, or at once when this call fails.
 * With `resume` nonzero the thread restores first, as park_restore does: when there is no checkpoint the service
 * runs from the beginning, with a line in the log; when restoring fails the run fails, for that reason, or the one
 * that a callback gave by park_fail.
 *
 * PARK_BUSY: a computation runs already. PARK_INVALID_ARGUMENT: `service` is NULL, or `resume` without
 * park_checkpoint_dir or park_on_checkpoint. PARK_REENTRANT: from a callback of the run. PARK_WRONG_THREAD: on the
 * service thread. PARK_SYSTEM: no thread.
 */
int park_start(park_handler *job, park_service_fn service, void *request, park_destroy_fn destroy, int resume);

/**
 * Waits for the end of the run, at most `timeout` seconds (0: not at all, PARK_FOREVER: without end); says how the
 * last run ended. Any thread but the computation thread and the service thread. After it, the handler may be freed or
 * started again.
 *
 * PARK_OK: complete. PARK_ABORTED, PARK_STOPPED: ended early, as asked. PARK_FAILED: failed, park_reason says why.
 * PARK_TIMEOUT: still running. PARK_NOT_RUNNING: nothing has ever run. PARK_WRONG_THREAD: this thread would wait for
 * itself. PARK_INVALID_ARGUMENT: `timeout`.
 */
int park_wait(park_handler *job, double timeout);

/**
 * The state of the handler, one of PARK_STATE_... Any thread.
 */
int park_state(park_handler *job);

/**
 * For how many seconds there was no ready point, as far as is known: 0 when the loop comes by all the time, or is
 * halted. Any thread.
 *
 * A ready point with nothing to do leaves no trace. So from park_listen or the first call on, for the rest of the
 * handler's life, the service thread gives the loop something to attend to once a second, and the answer is how long
 * that has waited: 0 from a first call, later at most 1 s too little. A negative number is a status: PARK_NOT_RUNNING:
 * no computation.
 */
double park_idle(park_handler *job);

/**
 * What main should return for the last run. Any thread.
 *
 * 0: complete. 85 (PARK_EXIT_CHECKPOINTED): stopped with a checkpoint, run me again; so also when an abort came after the
 * stop, and the stop's checkpoint was saved all the same: park_wait then says PARK_STOPPED. 86 (PARK_EXIT_ABORTED):
 * aborted, or stopped without a checkpoint. 1: failed, still running, or never run. A negative status when the handle
 * is bad.
 */
int park_exit_code(park_handler *job);

/**
 * Sets the stack, in bytes, of the threads that later calls of park_start make; 64 MiB by default. Memory that is not
 * used is never committed. Any thread. PARK_INVALID_ARGUMENT: less than 64 KiB.
 */
int park_set_stack_size(park_handler *job, int64_t bytes);

/**
 * Sets the result of the run, `bytes` bytes that are copied; it goes out with the complete event. The last one
 * counts. Computation thread.
 *
 * PARK_INVALID_ARGUMENT: `bytes` negative, or `result` NULL with bytes. PARK_NOT_RUNNING, PARK_WRONG_THREAD.
 */
int park_set_result(park_handler *job, const void *result, int64_t bytes);

/**
 * Copies out the result of the last run, at most `bytes` bytes of it. Any thread.
 *
 * Returns its size in bytes; NULL and 0 ask for the size alone. PARK_UNKNOWN: there is no result.
 * PARK_INVALID_ARGUMENT: `bytes` negative, or `buffer` NULL with bytes.
 */
int64_t park_result(park_handler *job, void *buffer, int64_t bytes);

/**
 * Says that the run will end as failed, and why; `reason` is copied. The loop should end itself then. The last call
 * counts. Computation thread.
 *
 * PARK_INVALID_ARGUMENT: `reason` NULL or not UTF-8. PARK_NOT_RUNNING, PARK_WRONG_THREAD.
 */
int park_fail(park_handler *job, const char *reason);

/**
 * Why the last run failed, was aborted or stopped, as text out: returns its length without the NUL, 0 when it is
 * complete or nothing has run; writes at most `length` bytes with the NUL. Any thread. PARK_INVALID_ARGUMENT: a
 * negative `length`, or a NULL `buffer` with another one.
 */
int64_t park_reason(park_handler *job, char *buffer, int64_t length);

/**
 * ======== Inside the loop ========
 *
 * A ready point: the job's memory is consistent, and what others asked for can be done. Computation thread.
 *
 * With nothing pending it costs one load and one compare. Otherwise it does, here, all that waits: delivers events to
 * callbacks, serves requests, saves a checkpoint by the callback, halts while paused (and serves requests meanwhile).
 *
 * 0: go on. PARK_ABORTED, PARK_STOPPED: end the loop now; every later call says so again, until the run ends.
 * PARK_NOT_RUNNING: nothing is attached or started. PARK_WRONG_THREAD: another thread computes (told only when
 * something is pending; else it is 0 there too). PARK_REENTRANT: from a callback.
 */
int park_ready(park_handler *job);

/**
 * Says how far the loop is: `done` of `total`, in the units of park_set_units; `total` 0 or less says that it is not
 * known. Two plain stores: call it as often as you like. Computation thread.
 *
 * PARK_INVALID_ARGUMENT: a number that is not finite; the progress is then what was shown last. PARK_NOT_RUNNING:
 * nothing is attached or started. PARK_WRONG_THREAD: another thread computes (told only when something is pending).
 */
int park_progress(park_handler *job, double done, double total);

/**
 * Sets the units of the progress, as "steps"; copied. Any thread. PARK_INVALID_ARGUMENT: `units` NULL or not UTF-8.
 */
int park_set_units(park_handler *job, const char *units);

/**
 * Says that there is a new best: its value, and `bytes` bytes of state that belong to it, which are copied.
 * Computation thread. park takes the caller's word that it is better. With improved_delta 0 the event goes out at
 * once; otherwise the newest waits for its time, and the last one is always sent before the run's final event.
 *
 * PARK_INVALID_ARGUMENT: `value` not finite, `bytes` negative, or `state` NULL with bytes. PARK_NOT_RUNNING,
 * PARK_WRONG_THREAD.
 */
int park_improved(park_handler *job, double value, const void *state, int64_t bytes);

/**
 * The best so far of this run or, between runs, of the last one, also after an abort. Any thread.
 *
 * Writes the value to `out_value` (NULL: not wanted) and at most `bytes` bytes of the state to `buffer`. Returns the
 * size of the state in bytes; NULL and 0 ask for the size alone. PARK_UNKNOWN: there is none yet.
 * PARK_INVALID_ARGUMENT: `bytes` negative, or `buffer` NULL with bytes.
 */
int64_t park_best(park_handler *job, double *out_value, void *buffer, int64_t bytes);

/**
 * Sets a delta, in seconds, from now on: `which` is PARK_PROGRESS_DELTA, PARK_CHECKPOINT_DELTA or
 * PARK_IMPROVED_DELTA. 0 means at every ready point (improved: at once). Any thread; a PARK_SET request does the same
 * by the names "progress_delta", "checkpoint_delta" and "improved_delta". PARK_INVALID_ARGUMENT: `which`, or
 * `seconds` negative or not finite.
 */
int park_set_delta(park_handler *job, int which, double seconds);

/**
 * A delta, in seconds; `which` as in park_set_delta. Any thread. A negative number is a status:
 * PARK_INVALID_ARGUMENT: `which`.
 */
double park_delta(park_handler *job, int which);

/**
 * ======== What a checkpoint holds ========
 *
 * Makes `count` elements at `pointer` part of every checkpoint that goes to park_checkpoint_dir; 1: a scalar.
 * `type` is one of PARK_F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, C64, C128. Any thread while nothing runs;
 * during a run the computation thread, outside callbacks.
 *
 * The memory is the caller's and must stay there until park_unprotect or park_handler_free. park reads it in
 * park_ready, park_checkpoint_now and park_checkpoint_done, and writes it in park_restore; an array that was moved
 * is unprotected and protected again. `name` is copied; it is the array's name in the file. Exposed variables,
 * the progress and the best so far are saved anyhow.
 *
 * PARK_EXISTS: the name is in use. PARK_INVALID_ARGUMENT: `name`, also one that begins with "park."; `pointer`
 * NULL while there are elements; `type`; `count` negative or too large. PARK_WRONG_THREAD, PARK_REENTRANT: during
 * a run, from elsewhere.
 */
int park_protect(park_handler *job, const char *name, void *pointer, int type, int64_t count);

/**
 * As park_protect, with a shape of `dimensions` lengths, the slowest first, as C has them in memory: `double u[3][4]` is
 * {3, 4}. 0 dimensions are a scalar; at most 32. The shape is copied, and is what numpy will show. Threads as
 * park_protect.
 *
 * Statuses as in park_protect; PARK_INVALID_ARGUMENT also for `dimensions` and `shape`.
 */
int park_protect_shape(park_handler *job,
                       const char *name,
                       void *pointer,
                       int type,
                       int64_t dimensions,
                       const int64_t *shape);

/**
 * Protects what is not an array: `save` hands over its bytes by park_sink_put, `load` takes them back. The bytes
 * are an array of PARK_U8 in the file. Threads as park_protect, which also tells who owns what.
 *
 * Statuses as in park_protect; PARK_INVALID_ARGUMENT also for `save` or `load` being NULL.
 */
int park_protect_custom(park_handler *job,
                        const char *name,
                        park_save_fn save,
                        park_load_fn load,
                        void *user,
                        park_destroy_fn destroy);

/**
 * Says how a protected thing finds its place in checkpoints of an earlier version of the program: it was called
 * `earlier`, which is looked for where `name` is not in the file; of several calls the first that is there counts. Or
 * `earlier` is NULL: it may be missing, and then keeps the value that it has. Threads as park_protect.
 *
 * PARK_UNKNOWN: `name` is not protected. PARK_INVALID_ARGUMENT: `name`, `earlier`. PARK_WRONG_THREAD, PARK_REENTRANT.
 */
int park_protect_was(park_handler *job, const char *name, const char *earlier);

/**
 * Takes an array out of the checkpoints to come: when it returns, park does not touch the memory any more, and a
 * destroy function has run. Threads as park_protect.
 *
 * PARK_UNKNOWN: `name` is not protected. PARK_INVALID_ARGUMENT: `name`. PARK_WRONG_THREAD, PARK_REENTRANT.
 */
int park_unprotect(park_handler *job, const char *name);

/**
 * Hands over `length` bytes of what a park_save_fn saves; they are copied, after those of the call before. Any
 * thread, until that function returns. PARK_INVALID_HANDLE: `sink`. PARK_INVALID_ARGUMENT: `length` negative, or
 * `bytes` NULL with a length.
 */
int park_sink_put(park_sink *sink, const void *bytes, int64_t length);

/**
 * ======== Checkpoints ========
 *
 * Opens the directory that checkpoints go to, and locks it for this handler until another call or
 * park_handler_free; it is made, with mode 0700, when it is not there. NULL closes it. Of what is there the `keep`
 * newest whole checkpoints are kept, at least one. Threads as park_protect.
 *
 * From then on park saves what park_protect protects by itself: every checkpoint_delta, on PARK_CHECKPOINT, before
 * a stop and in time for park_set_deadline. The memory is copied in park_ready and the loop goes on, while a
 * thread of park's writes; the event PARK_EVENT_CHECKPOINT, with the file's name as its text, and the answer to a
 * request come when all is on the medium. Until then the older checkpoints are what they were. Each is one file,
 * NNNNNN.safetensors, which is there whole or not at all. When a save fails, the event says so with PARK_FAILED, a
 * line of the log names the path and the cause, and the job goes on.
 *
 * PARK_BUSY: another process or handler has the directory; park_last_error tells which.
 * PARK_INVALID_ARGUMENT: `directory` empty or not UTF-8, `keep` below 1. PARK_SYSTEM: it cannot be made, opened or
 * locked. PARK_WRONG_THREAD, PARK_REENTRANT: during a run, from elsewhere. After any but these no directory is open.
 */
int park_checkpoint_dir(park_handler *job, const char *directory, int64_t keep);

/**
 * Chooses how park saves. PARK_CHECKPOINT_COPY, the default: the memory is copied, and the loop goes on at once;
 * the copy takes as much memory again, and is kept for the next. PARK_CHECKPOINT_IN_PLACE: nothing is copied, and
 * park_ready returns when all is on the medium; park_restore then reads the file twice instead of keeping it, once to
 * compare everything and once to write: should the disk fail only the second time, it returns PARK_SYSTEM or
 * PARK_FAILED, and some arrays may be written already. Any thread; from the next save on.
 *
 * PARK_INVALID_ARGUMENT: `mode`.
 */
int park_checkpoint_mode(park_handler *job, int mode);

/**
 * Bounds what checkpoints may cost: those that are due by the time wait until the time that the loop has stood
 * still for checkpoints is no more than this share of the run's time, more than 0, at most 1; 1, the default, is
 * no bound. The first of a run is always made, as are those that somebody asks for. Any thread.
 * PARK_INVALID_ARGUMENT: `share`.
 */
int park_checkpoint_share(park_handler *job, double share);

/**
 * Lets the job stop with a checkpoint, as PARK_STOP does, `margin` seconds before a time, in seconds since 1970;
 * again in each run that is going on then. `unix_time` 0 takes SLURM_JOB_END_TIME from the environment,
 * PARK_FOREVER takes the deadline away. A negative `margin` is park's own: twice the longest time that a save and
 * that the loop between two ready points took, and 5 s. Any thread.
 *
 * PARK_UNKNOWN: `unix_time` is 0 and SLURM_JOB_END_TIME is not there, or no number. PARK_INVALID_ARGUMENT:
 * `unix_time`, `margin`.
 */
int park_set_deadline(park_handler *job, double unix_time, double margin);

/**
 * Restores the job: from the newest whole checkpoint of park_checkpoint_dir, or, where there is no directory, by
 * the callback of park_on_checkpoint. Computation thread, outside callbacks; usually just after park_attach, when
 * everything is protected and exposed.
 *
 * A checkpoint that is not whole is skipped, with a warning in the log that says why. Names, types and shapes are
 * compared first, and nothing is touched unless all fit: what is protected must be in the file (but see
 * park_protect_was); what else is in the file is ignored, with a warning. Then the load functions and the callback
 * are called, and only when none refuses are the arrays written. Exposed values follow, but for read-only ones;
 * one that is no longer exposed, or does not fit its limits, is left with a warning. Progress and best so far are
 * as they were.
 *
 * PARK_OK: restored; a line of the log tells from when. PARK_NO_CHECKPOINT: there is none, or no way to restore.
 * PARK_MISMATCH: it does not fit, or is of a job of another name; park_last_error names everything that differs.
 * PARK_FAILED: a load function or the callback returned something else than 0. PARK_SYSTEM, PARK_NO_MEMORY: it could
 * not be read. PARK_NOT_RUNNING, PARK_WRONG_THREAD, PARK_REENTRANT.
 */
int park_restore(park_handler *job);

/**
 * Saves a checkpoint now. Computation thread, outside callbacks and maps. With PARK_CHECKPOINT_COPY it returns
 * when the copy is taken, and PARK_EVENT_CHECKPOINT or park_checkpoint_wait tells when it is on the medium; one
 * that is on its way is waited for first.
 *
 * PARK_REFUSED: there is no way to save, or the loop saves by itself. PARK_FAILED, PARK_SYSTEM, PARK_NO_MEMORY: it
 * could not be saved. PARK_ABORTED: given up, for an abort was asked for. PARK_NOT_RUNNING, PARK_WRONG_THREAD,
 * PARK_REENTRANT.
 */
int park_checkpoint_now(park_handler *job);

/**
 * Waits until no checkpoint is on its way to the medium, at most `timeout` seconds (0: not at all, PARK_FOREVER:
 * without end). Any thread, but neither from a callback nor on the service thread.
 *
 * PARK_OK: the last one is on the medium, or there was none. PARK_FAILED: the last one failed; park_last_error
 * tells why. PARK_TIMEOUT: one is still on its way. PARK_INVALID_ARGUMENT: `timeout`. PARK_WRONG_THREAD,
 * PARK_REENTRANT.
 */
int park_checkpoint_wait(park_handler *job, double timeout);

/**
 * How many checkpoints there are in the directory, broken ones among them. Any thread. PARK_UNKNOWN: there is no
 * directory. PARK_SYSTEM: it cannot be read.
 */
int64_t park_checkpoint_count(park_handler *job);

/**
 * Fills a message of the caller's with what is known of a checkpoint, the newest being 0: "generation" (integer),
 * "file" (text), "bytes", "whole" (truth value: every checksum was compared); where its header can be read
 * "saved_at" (real, seconds since 1970), "job", "done", "total", "units", "best" (where there was one) and "park"
 * (the version that saved it); where it is broken "reason". Reads the whole file when nobody has yet. Any thread.
 *
 * PARK_UNKNOWN: there is none at `index`, or no directory. PARK_INVALID_HANDLE also for `out_info`. PARK_SYSTEM:
 * it cannot be read.
 */
int park_checkpoint_info(park_handler *job, int64_t index, park_message *out_info);

/**
 * Removes all checkpoints of the directory, for a job that is complete. One that is on its way comes through
 * first. Any thread, but neither from a callback nor on the service thread. PARK_UNKNOWN: there is no directory.
 * PARK_SYSTEM: they cannot be removed. PARK_WRONG_THREAD, PARK_REENTRANT.
 */
int park_checkpoint_clear(park_handler *job);

/**
 * Sets the callback that saves and restores what is the job's own affair; it replaces the one before. Any thread;
 * it is called on the computation thread: to save every checkpoint_delta, on PARK_CHECKPOINT and before a stop; to
 * restore by park_restore or park_start with resume. A failed save is told by a checkpoint event and the log, and
 * the job goes on.
 *
 * With park_checkpoint_dir, files that it writes to the directory of park_checkpoint_path are part of the checkpoint.
 * A loop that would rather save by itself polls park_checkpoint_due instead. PARK_INVALID_ARGUMENT: `fn` is NULL.
 */
int park_on_checkpoint(park_handler *job, park_checkpoint_fn fn, void *user, park_destroy_fn destroy);

/**
 * Asks whether the loop is to save a checkpoint now. Computation thread; to be asked just before each park_ready by a
 * loop that saves by itself and has set no callback: the loop then ends with what it has saved.
 *
 * 1: save, then call park_checkpoint_done. 0: not now. After PARK_STOP, park_ready lets the loop go on until it has
 * saved; a paused loop that is to save is let go for one turn. PARK_NOT_RUNNING, PARK_WRONG_THREAD.
 */
int park_checkpoint_due(park_handler *job);

/**
 * Says that the loop has saved a checkpoint (`ok` nonzero) or could not (0): the event goes out, requests that wait
 * for it are answered, the time to the next begins. Computation thread. It may be called when none was due.
 *
 * With park_checkpoint_dir it saves what is protected, and the files of park_checkpoint_path, as
 * park_checkpoint_now does; all of that comes once they are on the medium. PARK_FAILED, PARK_SYSTEM,
 * PARK_NO_MEMORY: they could not be saved. PARK_ABORTED: given up, for an abort was asked for. PARK_NOT_RUNNING,
 * PARK_WRONG_THREAD.
 */
int park_checkpoint_done(park_handler *job, int ok);

/**
 * The directory for files of the user's own that belong to the checkpoint, as text out: returns its length without
 * the NUL, writes at most `length` bytes with the NUL. Computation thread. The files are flushed and verified by
 * park, and are there or not there together with the rest.
 *
 * To save: fresh and empty, in the callback with PARK_SAVE, or between park_checkpoint_due, which returned 1, and
 * park_checkpoint_done. To restore: in the callback with PARK_RESTORE, and after park_restore until the next save;
 * its files are to be read only.
 *
 * PARK_UNKNOWN: there is no directory. PARK_REFUSED: nothing is being saved, and nothing was restored.
 * PARK_SYSTEM: it cannot be made. PARK_INVALID_ARGUMENT: a negative `length`, or a NULL `buffer` with another one.
 * PARK_NOT_RUNNING, PARK_WRONG_THREAD.
 */
int64_t park_checkpoint_path(park_handler *job, char *buffer, int64_t length);

/**
 * ======== Maps ========
 *
 * Calls `fn` for each of `n` items, counted from 0, on this thread and on the job's workers at once. Item i reads
 * at `in` plus i times `in_stride`, and writes at `out` plus i times `out_stride`; strides are bytes, 0 is allowed,
 * and either array may be NULL. Computation thread outside callbacks, or inside an item of another map of this job,
 * on whatever thread that is.
 *
 * All is done when it returns 0. Which thread does which item is not known beforehand; what each item gets is, so
 * the results are the same bits with any number of threads, if `fn` depends on its arguments only. How much a
 * thread takes at a time is measured.
 *
 * A map is a ready point all along: between two items it halts while the job is paused, serves requests on the
 * calling thread while no other is inside an item, delivers events to the callbacks of this thread, and ends early
 * on PARK_ABORT and PARK_STOP. A job that has a way to save (park_on_checkpoint, or it asks park_checkpoint_due) is
 * not torn: checkpoints and a stop wait for the end of the map, unless PARK_OPTION_CHECKPOINTS says that they need
 * not; a checkpoint that is asked for in a pause lets the map go on to its end. Inside `fn`, park_improved, park_log, park_signal and maps of the same job may be called; park_ready,
 * park_detach and park_handler_free return PARK_REENTRANT, PARK_WRONG_THREAD or PARK_BUSY (park_ready says 0 while
 * nothing is pending); what waits for the job, PARK_WRONG_THREAD. In a pause maps that are called inside items stand
 * still as well; while this thread itself is in such an item, requests wait and the job is not PARK_STATE_PAUSED.
 *
 * The workers take no asynchronous signal and compute with this thread's floating-point rounding and traps; flags
 * that they raise are not brought back. Fortran: `fn` is a module procedure with bind(C); compile with -frecursive
 * or -fopenmp, for gfortran makes large local arrays static otherwise, and with them all threads would share them.
 * PARK_MAP_CHECK=1 in the environment finds such faults: each map whose memory park knows then runs twice, in
 * parallel and one item after the other, and items that differ are told in the log and by park_map_items; what
 * stays in memory is from the second.
 *
 * PARK_ABORTED, PARK_STOPPED: it ended early, and park_map_items tells which items were left. PARK_FAILED: an item
 * failed; park_last_error has the first one's number. PARK_DIFFERS: the checking mode found items that differ.
 * PARK_INVALID_ARGUMENT: `fn` is NULL, `n` or a stride negative, arrays that no memory can hold. PARK_NOT_RUNNING,
 * PARK_WRONG_THREAD, PARK_REENTRANT: not from here. PARK_NO_MEMORY: the checking mode cannot keep two copies of what
 * the map writes. PARK_FORKED also when `fn` made a child by fork and returns there: the child has no workers.
 */
int park_map(park_handler *job,
             park_map_fn fn,
             void *user,
             const void *in,
             int64_t in_stride,
             void *out,
             int64_t out_stride,
             int64_t n);

/**
 * As park_map, with options; NULL is the defaults. Threads and statuses as there; PARK_INVALID_HANDLE also for
 * `options`; PARK_INVALID_ARGUMENT also for an array of statuses that has not `n` elements. With PARK_OPTION_GO_ON,
 * PARK_FAILED comes when all others are done.
 */
int park_map_with(park_handler *job,
                  park_options *options,
                  park_map_fn fn,
                  void *user,
                  const void *in,
                  int64_t in_stride,
                  void *out,
                  int64_t out_stride,
                  int64_t n);

/**
 * Calls `fn` for stretches that together are the items from `begin` up to, and without, `end`, on this thread and
 * on the job's workers at once: a stretch takes some microseconds, so a tight loop over it costs nothing more. All
 * else as park_map.
 *
 * Statuses as park_map's; PARK_INVALID_ARGUMENT: `fn` is NULL, `end` is below `begin`, or there are
 * more than 2^63 - 1 items. Computation thread, or
 * inside an item.
 */
int park_for(park_handler *job, int64_t begin, int64_t end, park_for_fn fn, void *user);

/**
 * As park_for, with options; NULL is the defaults. Threads and statuses as in park_map_with. Items are counted from
 * `begin` on in the array of statuses and in park_map_items: the first one is 0.
 */
int park_for_with(park_handler *job, park_options *options, int64_t begin, int64_t end, park_for_fn fn, void *user);

/**
 * The items of the last map that the computation thread called, by what became of them: `which` is PARK_ITEMS_LEFT,
 * PARK_ITEMS_FAILED or PARK_ITEMS_DIFFER. They come as spans in order, `at` counting from 0 on: from *out_begin up
 * to, and without, *out_end. Any thread. In the checking mode of a park_for, and of memory that
 * park_options_memory names, PARK_ITEMS_DIFFER has bytes of the memory instead.
 *
 * PARK_UNKNOWN: there are no more. PARK_INVALID_ARGUMENT: `which`, or an output that is NULL or not aligned.
 */
int park_map_items(park_handler *job, int which, int64_t at, int64_t *out_begin, int64_t *out_end);

/**
 * ======== Options of maps ========
 *
 * Makes options, all at their defaults, for park_map_with and park_for_with. Any thread. To be given to
 * park_options_free in the end. One object may serve many maps, at once too where it has no statuses; a map that
 * runs is not touched by later changes. NULL on error, and park_last_error(NULL, ...) says why.
 */
park_options *park_options_new(void);

/**
 * Frees options. NULL does nothing and is PARK_OK. Any thread, also while a map runs with them: the hooks' destroy
 * function is then called at that map's end.
 */
int park_options_free(park_options *options);

/**
 * Sets an option: `which` is one of PARK_OPTION_..., which say what `value` means. Any thread.
 * PARK_INVALID_ARGUMENT: `which`, or a `value` that is none of its values; the object is as it was.
 */
int park_options_set(park_options *options, int which, int64_t value);

/**
 * Sets the hooks of the threads that take part in a map, the caller included; each may be NULL. They replace the
 * ones before. Any thread. destroy(user) is called when the hooks are replaced or the options freed, and no map
 * nor imap uses them, on the thread that brings that about, or on the one that made the imap; at once when this fails. Statuses: PARK_OK, or those of every function.
 */
int park_options_hooks(park_options *options,
                       park_enter_fn enter,
                       park_leave_fn leave,
                       void *user,
                       park_destroy_fn destroy);

/**
 * Gives an array for the statuses of `count` items, which must be as many as those of each map that is called with
 * these options: 0 for an item that is done, PARK_NOT_RUN for one that was never begun, else what the function
 * returned the last time. NULL and 0 take it back. Any thread. The array must stay valid until then, or until the
 * options are freed, and while a map runs with them. PARK_INVALID_ARGUMENT: `count` negative, or `statuses` NULL with another one, or not aligned.
 */
int park_options_statuses(park_options *options,
                          int *statuses,
                          int64_t count);

/**
 * Names the memory that a loop of park_for writes, `bytes` bytes from `memory` on, so that the checking mode can
 * compare it; a map's is its `out`, unless this names another. NULL and 0 take it back. Any thread. It must be
 * valid while maps run with these options. PARK_INVALID_ARGUMENT: `bytes` negative, or `memory` NULL with another
 * one.
 */
int park_options_memory(park_options *options, void *memory, int64_t bytes);

/**
 * Sets how many threads do a map, the caller included, from the next one on; 0 is the default: PARK_NUM_THREADS,
 * SLURM_CPUS_PER_TASK or OMP_NUM_THREADS of the environment, in this order, or else the processors that the
 * affinity mask and the container's quota leave to this process. Any thread. The threads are made by the first map
 * that needs them, with the stack of park_set_stack_size, and end with the handler. PARK_INVALID_ARGUMENT: `count`
 * negative or above 4096.
 */
int park_set_workers(park_handler *job, int64_t count);

/**
 * How many threads do a map, the caller included: what park_worker returns is below it. So after park_set_workers
 * with a smaller number it stays until no item of an imap, nor of a map, is run by the threads of before. Any thread.
 */
int park_workers(park_handler *job);

/**
 * The number of the calling thread: 0 on the computation thread, 1, 2, ... on the workers of `job`. To be called
 * inside an item; on any other thread it is 0. A few nanoseconds.
 */
int park_worker(park_handler *job);

/**
 * What the enter hook returned on the calling thread, for the map that the item belongs to. To be called inside an
 * item; on any other thread, and without a hook, it is NULL. A few nanoseconds.
 */
void *park_worker_local(park_handler *job);

/**
 * ======== Imaps ========
 *
 * Makes an imap: items that a source yields go through `fn`, on this thread and on the job's workers at once, and
 * their results are taken one by one by park_imap_next. Nothing is fetched before the first of these calls, and never
 * more than PARK_OPTION_IN_FLIGHT items (1024) that were not taken as results, so a source without end runs in
 * constant memory.
 *
 * `source(job, item, index, source_user)` writes an item of `item_bytes` bytes; it is called by one thread at a time,
 * but by any that takes part. `fn(job, item, result, index, user)` reads it and writes a result of `result_bytes`
 * bytes; what is in there before is of no meaning. Items and results lie one behind the other at addresses like those
 * of an array that begins at a multiple of 64. Either size may be 0. `options` NULL is the defaults; its array of
 * statuses and its checking mode are not for imaps.
 *
 * `fn`, `user`, `source`, `source_user` are used until park_imap_free returns. What may be called inside them,
 * threads, floating-point environment and Fortran's rules are as for park_map; so is who may call this: the
 * computation thread outside callbacks, or inside an item of a map or of another imap of this job. The thread that
 * makes the imap is the one that takes the results.
 *
 * Returns NULL on error, and park_last_error(job, ...) says why: `fn` or `source` NULL, a size that is negative or
 * more than memory can hold, `options` not a live handle, nothing attached or started, the wrong thread, a callback.
 */
park_imap *park_imap_new(park_handler *job,
                         park_options *options,
                         park_map_fn fn,
                         void *user,
                         park_source_fn source,
                         void *source_user,
                         int64_t item_bytes,
                         int64_t result_bytes);

/**
 * As park_imap_new, from the same threads, of an array: item i is at `in` + i `in_stride`, for i below `n`. `fn`
 * reads it in its place, so the array must stay until park_imap_free returns. `in` may be NULL, then `fn` gets NULL
 * and has the index alone.
 *
 * NULL on error as there; also a negative `n` or `in_stride`, or an array that no memory can hold.
 */
park_imap *park_imap_array(park_handler *job,
                           park_options *options,
                           park_map_fn fn,
                           void *user,
                           const void *in,
                           int64_t in_stride,
                           int64_t n,
                           int64_t result_bytes);

/**
 * Takes the next result: copies it to `out_result`, which has room for the result_bytes of the imap, and writes the
 * item's index and what `fn` returned for it. Each output may be NULL. On the thread that made the imap, outside
 * callbacks of the imap.
 *
 * Results come in the order of the items, or as they are completed with PARK_OPTION_AS_COMPLETED. While none is there
 * this thread runs items itself: so the first result does not wait for another thread, and short items are not worth
 * one. It waits at most `timeout` seconds (0: not at all, PARK_FOREVER: without end), and then begins no item that
 * would take longer, by what items took so far: it can be late by one item. With 0 it runs none, unless there is no
 * other thread to run them.
 *
 * It is a ready point, as park_ready: it halts while the job is paused, and serves requests while no worker is inside
 * an item. It costs some 3 ns when a result is there; time is not looked at.
 *
 * PARK_OK: there is a result. PARK_END: there are no more. PARK_ABORTED, PARK_STOPPED: the run is to end;
 * park_imap_rest has what is left. PARK_FAILED: an item failed, and *out_index and *out_status tell which and how (in
 * order, all before it were taken); or the source did, and they tell which item is missing and its code; or with
 * PARK_OPTION_GO_ON, at the end, at least one did. Each of these stays: it is returned again. PARK_TIMEOUT: there is
 * none yet. PARK_CLOSED: another thread has freed the imap, or the handler was freed. PARK_WRONG_THREAD,
 * PARK_REENTRANT, PARK_NOT_RUNNING: not from here. PARK_INVALID_ARGUMENT: `timeout`.
 */
int park_imap_next(park_imap *imap, double timeout, void *out_result, int64_t *out_index, int *out_status);

/**
 * As park_imap_next, on the same thread, several at once: waits for one result, then takes what is there, at most
 * `most` results, into arrays, of which each may be NULL. *out_count is how many they are; it is 0 unless the status
 * is PARK_OK.
 *
 * Statuses as there; PARK_INVALID_ARGUMENT also for a `most` below 1, or an `out_count` that is NULL or not aligned.
 */
int park_imap_take(park_imap *imap,
                   double timeout,
                   int64_t most,
                   int64_t *out_count,
                   void *out_results,
                   int64_t *out_indices,
                   int *out_statuses);

/**
 * After park_imap_next has said that the imap ended early: what was fetched from the source, and not taken, one by
 * one in the order of the items. *out_status is 0 and *out_result the result when the item is done; PARK_NOT_RUN when
 * it was never begun; else what `fn` returned. So every item that the source yielded is told exactly once. Each
 * output may be NULL. The first call waits for items that run. On the thread that made the imap.
 *
 * PARK_OK: there is one. PARK_END: there are no more. PARK_BUSY: the imap has not ended. PARK_WRONG_THREAD,
 * PARK_REENTRANT: not from here.
 */
int park_imap_rest(park_imap *imap, void *out_result, int64_t *out_index, int *out_status);

/**
 * Frees an imap, at whatever point it is. NULL does nothing and is PARK_OK. Any thread, but not from inside `fn`, the
 * source or a hook of this imap.
 *
 * No item is begun any more; it waits for those that run, so the caller must not hold a lock that they need. When it
 * returns, the imap's functions and their data are not used again. Another thread that waits in park_imap_next gets
 * PARK_CLOSED. An imap that outlives its run, or its handler, must be freed all the same.
 *
 * PARK_REENTRANT: from inside a function of this imap, or while an item of this imap frees the one that the calling
 * thread is inside of; it is as it was.
 */
int park_imap_free(park_imap *imap);

/**
 * ======== Signals and requests in ========
 *
 * Asks the job for PARK_PAUSE, PARK_RESUME, PARK_ABORT, PARK_CHECKPOINT or PARK_STOP, without a reply. Any thread,
 * and POSIX signal handlers: it takes no lock and keeps errno.
 *
 * The loop sees it at its next ready point. It takes effect at once, ahead of requests that wait: a PARK_RESUME by
 * signal can pass a PARK_PAUSE by request. Before the first run it counts for that run. Abort and stop let a paused
 * job go on to its end, and stay until the run ends. PARK_EXPIRED: the run has ended. PARK_INVALID_ARGUMENT: `signal`
 * is none of these (no text is kept for it, nor for PARK_INVALID_HANDLE and PARK_EXPIRED: that would take a lock).
 */
int park_signal(park_handler *job, int signal);

/**
 * Sends a request and waits for its one reply, at most `timeout` seconds (PARK_FOREVER: without end). Any thread but
 * the computation thread and the service thread.
 *
 * `request` is one of PARK_PAUSE to PARK_MESSAGE. `message` is copied; it may be NULL for signals and PARK_GET. A
 * message whose name has a handler by park_on_signal is served at once on the service thread; everything else at the
 * next ready point, in the order sent, also while paused. PARK_PAUSE and PARK_RESUME are answered when the loop has
 * halted, or goes on. Deltas in a PARK_SET apply at once; variables at the ready point; when something is refused,
 * none of them. `out_reply`, unless NULL, is a message of the caller's: it is emptied and filled with the reply's
 * values, on a refusal with the text "reason".
 *
 * PARK_OK: done. PARK_REFUSED: by a limit, a read-only mark, a check, a method or a handler. PARK_UNKNOWN: no such
 * variable, method or handler. PARK_WRONG_TYPE: of a value. PARK_EXPIRED: the job ended first, or was freed.
 * PARK_TIMEOUT: the request is withdrawn and has no effect, unless it was being served just then (the text tells).
 * PARK_FULL: 4096 requests wait already. PARK_FAILED: a checkpoint could not be saved. PARK_WRONG_THREAD: this thread
 * would wait for itself. PARK_INVALID_ARGUMENT: `request`, `timeout`, a message that is missing, empty or without
 * name.
 */
int park_ask(park_handler *job, int request, const park_message *message, double timeout, park_message *out_reply);

/**
 * Sends a request as park_ask does, returns at once, and hands the one reply to `fn` on the service thread (while the
 * handler is being freed, on the thread that frees or sends): when it is
 * served, refused, or expired because the job ended or the handler was freed. Any thread, also the computation thread
 * and callbacks. destroy(user) is called after `fn`.
 *
 * PARK_OK: sent; `fn` will be called exactly once. Anything else: not sent, `fn` will not be called. PARK_FULL: 65536
 * replies are waited for. PARK_INVALID_ARGUMENT: `request`, `fn`, a message that is missing.
 */
int park_ask_later(park_handler *job,
                   int request,
                   const park_message *message,
                   park_reply_fn fn,
                   void *user,
                   park_destroy_fn destroy);

/**
 * Sets one exposed real number, or a delta, by a request. Threads, `timeout` (seconds) and statuses are those of
 * park_ask; PARK_INVALID_ARGUMENT also for `name`, PARK_REFUSED also for a `value` that is not finite.
 */
int park_set_f64(park_handler *job, const char *name, double value, double timeout);

/**
 * Sets one exposed integer by a request. Threads, `timeout` and statuses are those of park_ask.
 */
int park_set_i64(park_handler *job, const char *name, int64_t value, double timeout);

/**
 * Sets one exposed truth value by a request; any nonzero `value` is true. Threads, `timeout` and statuses are those
 * of park_ask.
 */
int park_set_bool(park_handler *job, const char *name, int value, double timeout);

/**
 * Sets one exposed text by a request; `value` is copied. Threads, `timeout` and statuses are those of park_ask;
 * PARK_INVALID_ARGUMENT also for a `value` that is NULL or not UTF-8.
 */
int park_set_text(park_handler *job, const char *name, const char *value, double timeout);

/**
 * Reads one exposed real number, or a delta, by a request. Threads, `timeout` (seconds) and statuses are those of
 * park_ask; PARK_INVALID_ARGUMENT also for `out_value` NULL, which is written only on PARK_OK.
 */
int park_get_f64(park_handler *job, const char *name, double timeout, double *out_value);

/**
 * Reads one exposed integer by a request. Threads, `timeout`, statuses and `out_value` as in park_get_f64.
 */
int park_get_i64(park_handler *job, const char *name, double timeout, int64_t *out_value);

/**
 * Reads one exposed truth value, 0 or 1, by a request. Threads, `timeout`, statuses and `out_value` as in
 * park_get_f64.
 */
int park_get_bool(park_handler *job, const char *name, double timeout, int *out_value);

/**
 * Reads one exposed text by a request, as text out: returns its length without the NUL, writes at most `length` bytes
 * with the NUL. Threads, `timeout` and statuses are those of park_ask; PARK_INVALID_ARGUMENT also for a negative
 * `length`, or a NULL `buffer` with another one.
 */
int64_t park_get_text(park_handler *job, const char *name, double timeout, char *buffer, int64_t length);

/**
 * Handles messages of this name as soon as they come, on the service thread. It replaces the handler before. Any
 * thread.
 *
 * `fn` returns 0: done; PARK_DELAY: leave the message to the next ready point; anything else: refused. It must not
 * wait for the computation. PARK_INVALID_ARGUMENT: `name`, or `fn` is NULL.
 */
int park_on_signal(park_handler *job, const char *name, park_message_fn fn, void *user, park_destroy_fn destroy);

/**
 * Handles messages of this name at the next ready point, on the computation thread. It replaces the handler before.
 * Any thread. A message that neither park_on_signal nor this handles is refused with PARK_UNKNOWN and a warning in
 * the log. PARK_INVALID_ARGUMENT: `name`, or `fn` is NULL.
 */
int park_on_ready(park_handler *job, const char *name, park_message_fn fn, void *user, park_destroy_fn destroy);

/**
 * Offers a method to PARK_INVOKE requests: called at ready points, on the computation thread; what it puts into the
 * reply goes back to the sender. It replaces the method of that name before. Any thread. PARK_INVALID_ARGUMENT:
 * `name`, or `fn` is NULL.
 */
int park_method(park_handler *job, const char *name, park_message_fn fn, void *user, park_destroy_fn destroy);

/**
 * ======== POSIX signals ========
 *
 * Lets a POSIX signal ask the job for something. Any thread. park catches no signal unless this asks for it.
 *
 * `signo` is the signal's number, as SIGTERM. `action` is what the signal asks for, each time it comes: PARK_PAUSE,
 * PARK_RESUME, PARK_ABORT, PARK_CHECKPOINT or PARK_STOP; or a preset:
 *
 * PARK_CATCH_INTERACTIVE, with `signo` 0 for SIGINT, which is Ctrl-C: stop, with a checkpoint; the second time: abort;
 * the third time: what it would have done without park, so the process ends. Where SIGINT is ignored, as in the
 * background of a script, `signo` 0 leaves it so.
 *
 * PARK_CATCH_SLURM, with `signo` 0 for SIGTERM, or with the signal of sbatch --signal: stop, with a checkpoint; later:
 * abort. Either way, when the stop's checkpoint is saved in the end, the exit code is 85: the job can be run again.
 *
 * PARK_CATCH_NONE ends it; with `signo` 0, for all signals of this job. So does park_handler_free.
 *
 * To a preset, a signal that comes again within 0.2 s is the same one: launchers send it twice. It counts anew with
 * each run. Before the first run it counts for that run. A signal that no job takes because their runs are over does
 * what it would have done without park. Another call for the same job and signal replaces the action. Several jobs may
 * catch the same signal; each is asked.
 *
 * A handler that was there before is called, too, after the jobs were asked. It is put back when no job catches the
 * signal any more, unless somebody has put another over park's. park's has SA_SIGINFO, SA_ONSTACK and SA_RESTART (not
 * where the handler before it has no SA_RESTART), runs on any thread of yours, takes no lock, and keeps errno. Under
 * MPI call this after MPI_Init, and leave SIGUSR1 and SIGUSR2 to the launcher. The log tells what came.
 *
 * PARK_INVALID_ARGUMENT: `action`; or `signo`, which is no signal or cannot be caught: SIGKILL and SIGSTOP, those of
 * faults, as SIGSEGV, SIGFPE, SIGABRT, and those that the C library keeps for itself. PARK_UNKNOWN: PARK_CATCH_NONE for
 * a signal that the job does not catch. PARK_FULL: the jobs of this process catch 1024 signals already. PARK_SYSTEM:
 * the operating system refused; or others have put their handlers over park's three times.
 */
int park_catch(park_handler *job, int signo, int action);

/**
 * ======== Exposed variables ========
 *
 * Lets others read and set a real number of the job's, by requests that are served at ready points only. Any thread.
 *
 * `variable` must stay valid until park_unexpose or park_handler_free. `min` and `max` limit what can be set;
 * -INFINITY and INFINITY for no limit. PARK_EXISTS: the name is in use. PARK_INVALID_ARGUMENT: `name`, `variable`
 * NULL or not aligned, limits that are NaN or no range.
 */
int park_expose_f64(park_handler *job, const char *name, double *variable, double min, double max);

/**
 * Exposes an integer. Any thread. Lifetime and statuses as in park_expose_f64; INT64_MIN and INT64_MAX for no limit.
 */
int park_expose_i64(park_handler *job, const char *name, int64_t *variable, int64_t min, int64_t max);

/**
 * Exposes a truth value: nonzero reads as 1, and it is set to 0 or 1. Any thread. Lifetime and statuses as in
 * park_expose_f64.
 */
int park_expose_bool(park_handler *job, const char *name, int *variable);

/**
 * Exposes a text in a buffer of `capacity` bytes, its NUL included: longer ones are refused. Any thread. Lifetime and
 * statuses as in park_expose_f64; PARK_INVALID_ARGUMENT also for a `capacity` below 1.
 */
int park_expose_text(park_handler *job, const char *name, char *buffer, int64_t capacity);

/**
 * Exposes an array of `count` real numbers, which is read and set as a whole; the limits hold for each element. Any
 * thread. Lifetime and statuses as in park_expose_f64; PARK_INVALID_ARGUMENT also for a `count` below 1.
 */
int park_expose_f64s(park_handler *job, const char *name, double *array, int64_t count, double min, double max);

/**
 * Exposes an array of `count` integers, as park_expose_f64s does for real numbers. Any thread. Lifetime and statuses
 * as in park_expose_f64s.
 */
int park_expose_i64s(park_handler *job, const char *name, int64_t *array, int64_t count, int64_t min, int64_t max);

/**
 * Takes a variable back: when it returns, park does not touch the memory any more. Any thread. PARK_UNKNOWN: no such
 * variable. PARK_INVALID_ARGUMENT: `name`.
 */
int park_unexpose(park_handler *job, const char *name);

/**
 * Marks a variable as read-only (`read_only` nonzero) or not: requests to set it are refused. Any thread.
 * PARK_UNKNOWN: no such variable. PARK_INVALID_ARGUMENT: `name`.
 */
int park_variable_read_only(park_handler *job, const char *name, int read_only);

/**
 * Says what a variable is: its units and a sentence; both are copied, NULL leaves one as it is. Any thread.
 * PARK_UNKNOWN: no such variable. PARK_INVALID_ARGUMENT: `name`, or a text that is not UTF-8.
 */
int park_variable_describe(park_handler *job, const char *name, const char *units, const char *description);

/**
 * Sets a callback that is asked before the variable is set: it gets all new values of the request, so it can compare
 * them, and refuses them all by returning nonzero. Called on the computation thread at a ready point; it replaces the
 * check before. Any thread. PARK_UNKNOWN: no such variable. PARK_INVALID_ARGUMENT: `name`, or `fn` is NULL.
 */
int park_variable_check(park_handler *job, const char *name, park_message_fn fn, void *user, park_destroy_fn destroy);

/**
 * How many variables are exposed. Any thread.
 */
int64_t park_variable_count(park_handler *job);

/**
 * The name of the variable at `index`, from 0 on in the order in which they were exposed, as text out: returns its
 * length without the NUL, writes at most `length` bytes with the NUL. Any thread. PARK_UNKNOWN: there is none at
 * `index`. PARK_INVALID_ARGUMENT: a negative `length`, or a NULL `buffer` with another one.
 */
int64_t park_variable_name(park_handler *job, int64_t index, char *buffer, int64_t length);

/**
 * Fills a message of the caller's with what is known of a variable: "type" (PARK_F64, ...), "count" (elements; bytes
 * of a text's buffer), "min" and "max" where it has limits, "read_only", "units", "description". Any thread.
 * PARK_UNKNOWN: no such variable. PARK_INVALID_ARGUMENT: `name`. PARK_INVALID_HANDLE also for `out_info`.
 */
int park_variable_info(park_handler *job, const char *name, park_message *out_info);

/**
 * ======== Events out ========
 *
 * Calls `fn` with each event of the kinds in `mask` (PARK_EVENT_... added up): `where` PARK_ON_COMPUTATION on the
 * computation thread inside park_ready and at the end of the run, PARK_ON_SERVICE on the service thread, soon. Any
 * thread. When something has run already, the first event is a join.
 *
 * Events come in order; none is lost but progress that a newer one has replaced. A callback that lets 4096 events or
 * 64 MiB of their states wait gets PARK_EVENT_CUT_OFF as its last. Callbacks on the service thread must not wait for
 * the computation, and hold up other clients while they run.
 *
 * Returns a number above 0 for park_off_event. PARK_INVALID_ARGUMENT: `mask`, `where`, or `fn` is NULL.
 */
int64_t park_on_event(park_handler *job, int mask, int where, park_event_fn fn, void *user, park_destroy_fn destroy);

/**
 * Takes a callback away by its number: no call begins any more. One that runs on another thread may still finish;
 * destroy says when it is done with the user data. Any thread, also the callback itself. PARK_UNKNOWN: no such
 * number.
 */
int park_off_event(park_handler *job, int64_t id);

/**
 * Calls `fn` with each new best, on the computation thread inside park_ready: park_on_event for the usual case. Any
 * thread. Returns a number above 0 for park_off_event. PARK_INVALID_ARGUMENT: `fn` is NULL.
 */
int64_t park_on_improved(park_handler *job, park_improved_fn fn, void *user, park_destroy_fn destroy);

/**
 * Calls `fn` with the progress, on the computation thread inside park_ready: park_on_event for the usual case. Any
 * thread. Returns a number above 0 for park_off_event. PARK_INVALID_ARGUMENT: `fn` is NULL.
 */
int64_t park_on_progress(park_handler *job, park_progress_fn fn, void *user, park_destroy_fn destroy);

/**
 * Makes a client: a queue that gets each event of the kinds in `mask`, to be emptied with park_next_event, for hosts
 * and threads that would rather not be called. Any thread. When something has run already, the first event is a join.
 *
 * The client must be given to park_client_free, and may outlive the handler. Returns NULL on error, and
 * park_last_error(job, ...) says why: `mask`.
 */
park_client *park_client_new(park_handler *job, int mask);

/**
 * Frees a client: its events, its descriptor, its notify callback. NULL does nothing and is PARK_OK. Any thread, but
 * not while another one is in park_next_event with it.
 */
int park_client_free(park_client *client);

/**
 * Sets how many events, and how many bytes of their states and texts, may wait for the client: 4096 and 64 MiB by
 * default. A client that lets more wait is cut off: what waits can still be fetched, then PARK_CUT_OFF. Progress
 * counts as one event at most; log lines that find no room are dropped. Any thread. PARK_INVALID_ARGUMENT: `events`
 * or `bytes` below 1.
 */
int park_client_limit(park_client *client, int64_t events, int64_t bytes);

/**
 * A descriptor that poll, select and event loops call readable while something waits for park_next_event: an event,
 * PARK_CUT_OFF or PARK_CLOSED. Any thread. It belongs to the client: not to be read or closed. PARK_SYSTEM: none to
 * be had.
 */
int park_client_fd(park_client *client);

/**
 * Calls `fn` whenever the client's queue is no longer empty, on the thread that made the event (on the service
 * thread when several clients are to be told), and once more when
 * the client is cut off or the handler freed; at once when something waits already. Calls are not counted: empty the
 * queue in a loop. It replaces the one before. Any thread. PARK_INVALID_ARGUMENT: `fn` is NULL.
 */
int park_on_notify(park_client *client, park_notify_fn fn, void *user, park_destroy_fn destroy);

/**
 * Fetches the client's next event, waiting for it at most `timeout` seconds (0: not at all, PARK_FOREVER: without
 * end). Any thread. The event is the caller's, to be given to park_event_free.
 *
 * PARK_OK: `out_event` is written. PARK_TIMEOUT: none came. PARK_CUT_OFF: the client was too slow and gets no more.
 * PARK_CLOSED: the handler was freed, and there are no more. PARK_INVALID_ARGUMENT: `timeout`, or `out_event` NULL.
 */
int park_next_event(park_client *client, double timeout, park_event **out_event);

/**
 * Frees an event that park_next_event gave. NULL does nothing and is PARK_OK. Any thread. An event that a callback
 * was lent is not to be freed.
 */
int park_event_free(park_event *event);

/**
 * ======== Reading an event ========
 *
 * The kind of an event, one of PARK_EVENT_... Any thread, as for all that read an event.
 */
int park_event_kind(const park_event *event);

/**
 * The number of an event: it rises from one to the next, for all clients of the handler alike; gaps are events that
 * this client did not ask for. Any thread.
 */
int64_t park_event_sequence(const park_event *event);

/**
 * When it happened, in seconds since 1970. Any thread. A negative number is a status.
 */
double park_event_time(const park_event *event);

/**
 * How much was done when it happened, in the units of park_event_units. Any event has it. Any thread. -1 (a status)
 * for a bad handle.
 */
double park_event_done(const park_event *event);

/**
 * How much there is to do in all; 0 or less when it is not known. Any event has it. Any thread.
 */
double park_event_total(const park_event *event);

/**
 * The seconds left, as the handler estimates; negative while nothing is known. Of progress and join. Any thread.
 */
double park_event_seconds_left(const park_event *event);

/**
 * The units of the progress, as text out: returns the length without the NUL, writes at most `length` bytes with the
 * NUL. Any thread. PARK_INVALID_ARGUMENT: a negative `length`, or a NULL `buffer` with another one.
 */
int64_t park_event_units(const park_event *event, char *buffer, int64_t length);

/**
 * The value of the best: of an improved event its own, of any other the best so far; NaN when there is none. Any
 * thread.
 */
double park_event_value(const park_event *event);

/**
 * The bytes that an event carries: the state of the best (improved, join, abort, error) or the result (complete). Any
 * thread. They live as long as the event. `out_bytes`, unless NULL, gets their number; NULL and 0 when there are
 * none.
 */
const void *park_event_state(const park_event *event, int64_t *out_bytes);

/**
 * A status: of checkpoint PARK_OK or PARK_FAILED; of complete, abort and error what park_wait returns; else PARK_OK.
 * Any thread.
 */
int park_event_status(const park_event *event);

/**
 * The state of the job when it happened, one of PARK_STATE_... Any event has it. Any thread.
 */
int park_event_job_state(const park_event *event);

/**
 * The level of a log event, one of PARK_LOG_... Any thread. PARK_WRONG_TYPE: it is not a log event.
 */
int park_event_level(const park_event *event);

/**
 * The text of an event, as text out: the line of the log, the reason of an abort, an error or a checkpoint that was
 * not saved; else empty. Returns the length without the NUL, writes at most `length` bytes with the NUL. Any thread.
 * PARK_INVALID_ARGUMENT: a negative `length`, or a NULL `buffer` with another one.
 */
int64_t park_event_text(const park_event *event, char *buffer, int64_t length);

/**
 * ======== The log ========
 *
 * Writes a line to the log: it goes out as an event and, when PARK_LOG is set in the environment, to standard error.
 * `text` is copied. Any thread.
 *
 * PARK_LOG is a level (off, error, warning, info, debug), or one for each job, as in "warning,heat=debug". With info it
 * also tells of starts, pauses, checkpoints and ends, with debug of progress and improvements. Lines for which standard
 * error has no room are left out, and counted.
 *
 * PARK_INVALID_ARGUMENT: `level` is none of PARK_LOG_..., or `text` NULL or not UTF-8.
 */
int park_log(park_handler *job, int level, const char *text);

/**
 * Calls `fn` with the lines of the log that are of this level or graver (PARK_LOG_DEBUG: all), on the computation
 * thread inside park_ready: park_on_event for the usual case. Lines of the time after a run come with the next one, or
 * when the handler is freed. Any thread. Returns a number above 0 for park_off_event. PARK_INVALID_ARGUMENT: `level` is none
 * of PARK_LOG_..., or `fn` is NULL.
 */
int64_t park_on_log(park_handler *job,
                    int level,
                    park_log_fn fn,
                    void *user,
                    park_destroy_fn destroy);

/**
 * ======== Messages ========
 *
 * Makes a message without values. Any thread; one message must not be changed by two at once. `name` is copied: the
 * method of PARK_INVOKE, the signal of PARK_MESSAGE; NULL for requests that need none. The message must be given to
 * park_message_free. Returns NULL on error, and park_last_error(NULL, ...) says why: `name`.
 */
park_message *park_message_new(const char *name);

/**
 * Frees a message. NULL does nothing and is PARK_OK. Any thread. Messages that a callback was lent are not to be
 * freed.
 */
int park_message_free(park_message *message);

/**
 * Takes all values out of a message; its name stays. Any thread.
 */
int park_message_clear(park_message *message);

/**
 * The name of a message, as text out: returns its length without the NUL, writes at most `length` bytes with the NUL.
 * Any thread. PARK_INVALID_ARGUMENT: a negative `length`, or a NULL `buffer` with another one.
 */
int64_t park_message_name(const park_message *message, char *buffer, int64_t length);

/**
 * Puts a key without a value: what a PARK_GET request asks for. Any thread. A value of the same key is replaced, as
 * in all that put. PARK_INVALID_ARGUMENT: `key` NULL, empty, longer than 255 bytes, not UTF-8 or with control
 * characters.
 */
int park_message_put_key(park_message *message, const char *key);

/**
 * Puts a real number. Any thread. PARK_INVALID_ARGUMENT: `key`.
 */
int park_message_put_f64(park_message *message, const char *key, double value);

/**
 * Puts an integer. Any thread. PARK_INVALID_ARGUMENT: `key`.
 */
int park_message_put_i64(park_message *message, const char *key, int64_t value);

/**
 * Puts a truth value: any nonzero `value` is true. Any thread. PARK_INVALID_ARGUMENT: `key`.
 */
int park_message_put_bool(park_message *message, const char *key, int value);

/**
 * Puts a text, which is copied. Any thread. PARK_INVALID_ARGUMENT: `key`, or `value` NULL or not UTF-8.
 */
int park_message_put_text(park_message *message, const char *key, const char *value);

/**
 * Puts an array of `count` real numbers, which is copied. Any thread. PARK_INVALID_ARGUMENT: `key`, `count` negative
 * or too large, `values` NULL or not aligned.
 */
int park_message_put_f64s(park_message *message, const char *key, const double *values, int64_t count);

/**
 * Puts an array of `count` integers, which is copied. Any thread. PARK_INVALID_ARGUMENT: `key`, `count` negative or
 * too large, `values` NULL or not aligned.
 */
int park_message_put_i64s(park_message *message, const char *key, const int64_t *values, int64_t count);

/**
 * Reads a real number; an integer is one, too. Any thread. PARK_OK: `out_value` is written. PARK_UNKNOWN: no such
 * key. PARK_WRONG_TYPE. PARK_INVALID_ARGUMENT: `key`, or `out_value` NULL.
 */
int park_message_get_f64(const park_message *message, const char *key, double *out_value);

/**
 * Reads an integer; a real number without a fraction is one, too. Any thread. Statuses as in park_message_get_f64.
 */
int park_message_get_i64(const park_message *message, const char *key, int64_t *out_value);

/**
 * Reads a truth value, 0 or 1. Any thread. Statuses as in park_message_get_f64.
 */
int park_message_get_bool(const park_message *message, const char *key, int *out_value);

/**
 * Reads a text, as text out: returns its length without the NUL, writes at most `length` bytes with the NUL. Any
 * thread. PARK_UNKNOWN: no such key. PARK_WRONG_TYPE. PARK_INVALID_ARGUMENT: `key`, a negative `length`, or a NULL
 * `buffer` with another one.
 */
int64_t park_message_get_text(const park_message *message, const char *key, char *buffer, int64_t length);

/**
 * Reads an array of real numbers, at most `count` of them; returns how many there are. Any thread. PARK_UNKNOWN: no
 * such key. PARK_WRONG_TYPE. PARK_INVALID_ARGUMENT: `key`, a negative `count`, or a NULL `buffer` with another one.
 */
int64_t park_message_get_f64s(const park_message *message, const char *key, double *buffer, int64_t count);

/**
 * Reads an array of integers, at most `count` of them; returns how many there are. Any thread. Statuses as in
 * park_message_get_f64s.
 */
int64_t park_message_get_i64s(const park_message *message, const char *key, int64_t *buffer, int64_t count);

/**
 * How many values a message has. Any thread.
 */
int64_t park_message_count(const park_message *message);

/**
 * The key at `index`, from 0 on in the order in which they were put, as text out: returns its length without the NUL,
 * writes at most `length` bytes with the NUL. Any thread. PARK_UNKNOWN: there is none at `index`.
 * PARK_INVALID_ARGUMENT: a negative `length`, or a NULL `buffer` with another one.
 */
int64_t park_message_key(const park_message *message, int64_t index, char *buffer, int64_t length);

/**
 * The type of the value of a key: PARK_F64, ..., or 0 for a key without a value. Any thread. PARK_UNKNOWN: no such
 * key. PARK_INVALID_ARGUMENT: `key`.
 */
int park_message_type(const park_message *message, const char *key);

/**
 * ======== The control endpoint ========
 *
 * Lets other programs of the same user watch and steer the job: `park ls`, `park watch`, ten lines of Python
 * (docs/control.md is the protocol). Any thread. A thread of park's serves them; the loop never waits for one. Setting
 * PARK_LISTEN=1 in the environment does it for every handler, in park_handler_new; a failure there is a warning in the
 * log and the handler's last error.
 *
 * `path` is that of the socket to be made, at most 107 bytes. NULL chooses a name that the command `park` finds, in
 * PARK_RUNTIME_DIR, else in the directory park of XDG_RUNTIME_DIR if that is this user's, else in /tmp/park-UID; it must
 * be the user's own, no link, and closed to others. Only processes of this user are answered. The socket is taken away
 * by park_unlisten, by park_handler_free and, when the process is killed, by the next job or `park ls`.
 *
 * PARK_EXISTS: the job listens already (NULL after NULL is PARK_OK), or `path` is in use. PARK_INVALID_ARGUMENT:
 * `path` empty, too long or not UTF-8. PARK_REFUSED: the directory is not the user's alone. PARK_FULL: too many
 * sockets. PARK_SYSTEM: no socket or no thread to be had.
 */
int park_listen(park_handler *job,
                const char *path);

/**
 * Where the job listens, as text out: returns the length of the path without the NUL, writes at most `length` bytes
 * with the NUL. Any thread. PARK_UNKNOWN: the job does not listen. PARK_INVALID_ARGUMENT: a negative `length`, or a
 * NULL `buffer` with another one.
 */
int64_t park_listen_path(park_handler *job, char *buffer, int64_t length);

/**
 * Ends park_listen: takes the socket away and closes every connection. Requests that the job has not begun to serve
 * are withdrawn, and answered with PARK_CLOSED. Any thread; it may take 0.2 s when clients are slow to read their
 * last lines. PARK_UNKNOWN: the job does not listen.
 */
int park_unlisten(park_handler *job);

#ifdef __cplusplus
}
#endif

#endif
