//! Checkpoints: where they go, when they are made, what is there.

use super::callback::{function, User};
use super::constants::*;
use super::convert::{choice, deadline, text, text_out};
use super::guard::with_handler;
use super::messages::{message_of, write_message};
use crate::core::status::{Error, Result, Status};
use std::ffi::{c_char, c_int, c_void};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// ======== Checkpoints ========
///
/// Opens the directory that checkpoints go to, and locks it for this handler until another call or
/// park_handler_free; it is made, with mode 0700, when it is not there. NULL closes it. Of what is there the `keep`
/// newest whole checkpoints are kept, at least one. Threads as park_protect.
///
/// From then on park saves what park_protect protects by itself: every checkpoint_delta, on PARK_CHECKPOINT, before
/// a stop and in time for park_set_deadline. The memory is copied in park_ready and the loop goes on, while a
/// thread of park's writes; the event PARK_EVENT_CHECKPOINT, with the file's name as its text, and the answer to a
/// request come when all is on the medium. Until then the older checkpoints are what they were. Each is one file,
/// NNNNNN.safetensors, which is there whole or not at all. When a save fails, the event says so with PARK_FAILED, a
/// line of the log names the path and the cause, and the job goes on.
///
/// PARK_BUSY: another process or handler has the directory; park_last_error tells which.
/// PARK_INVALID_ARGUMENT: `directory` empty or not UTF-8, `keep` below 1. PARK_SYSTEM: it cannot be made, opened or
/// locked. PARK_WRONG_THREAD, PARK_REENTRANT: during a run, from elsewhere. After any but these no directory is open.
#[no_mangle]
pub unsafe extern "C" fn park_checkpoint_dir(job: *mut park_handler, directory: *const c_char, keep: i64) -> c_int {
    with_handler(job, |handler| {
        let wanted = match directory.is_null() {
            true => None,
            false => {
                // SAFETY: the text is the caller's promise.
                let directory = unsafe { text(directory, "directory") }?;
                if directory.is_empty() {
                    return Err(Error::argument("directory: empty"));
                }
                let most = usize::try_from(keep).ok().filter(|&keep| keep > 0);
                let too_few = || Error::argument(format!("keep: {keep}, at least 1 must be kept"));
                Some((Path::new(directory), most.ok_or_else(too_few)?))
            }
        };
        let told = |error: Error| Error::new(error.status, format!("directory: {}", error.text));
        handler.set_checkpoint_directory(wanted).map_err(told).map(|()| PARK_OK)
    })
}

/// Chooses how park saves. PARK_CHECKPOINT_COPY, the default: the memory is copied, and the loop goes on at once;
/// the copy takes as much memory again, and is kept for the next. PARK_CHECKPOINT_IN_PLACE: nothing is copied, and
/// park_ready returns when all is on the medium; park_restore then reads the file twice instead of keeping it, once to
/// compare everything and once to write: should the disk fail only the second time, it returns PARK_SYSTEM or
/// PARK_FAILED, and some arrays may be written already. Any thread; from the next save on.
///
/// PARK_INVALID_ARGUMENT: `mode`.
#[no_mangle]
pub extern "C" fn park_checkpoint_mode(job: *mut park_handler, mode: c_int) -> c_int {
    with_handler(job, |handler| {
        let in_place = choice(mode, &[false, true], mode_of, "mode")?;
        handler.checkpoints.set_in_place(in_place);
        Ok(PARK_OK)
    })
}

fn mode_of(in_place: bool) -> c_int {
    if in_place {
        PARK_CHECKPOINT_IN_PLACE
    } else {
        PARK_CHECKPOINT_COPY
    }
}

/// Bounds what checkpoints may cost: those that are due by the time wait until the time that the loop has stood
/// still for checkpoints is no more than this share of the run's time, more than 0, at most 1; 1, the default, is
/// no bound. The first of a run is always made, as are those that somebody asks for. Any thread.
/// PARK_INVALID_ARGUMENT: `share`.
#[no_mangle]
pub extern "C" fn park_checkpoint_share(job: *mut park_handler, share: f64) -> c_int {
    with_handler(job, |handler| {
        if !(share > 0.0 && share <= 1.0) {
            return Err(Error::argument(format!("share: {share} is not above 0 and at most 1")));
        }
        handler.checkpoints.set_share(share);
        Ok(PARK_OK)
    })
}

/// Lets the job stop with a checkpoint, as PARK_STOP does, `margin` seconds before a time, in seconds since 1970;
/// again in each run that is going on then. `unix_time` 0 takes SLURM_JOB_END_TIME from the environment,
/// PARK_FOREVER takes the deadline away. A negative `margin` is park's own: twice the longest time that a save and
/// that the loop between two ready points took, and 5 s. Any thread.
///
/// PARK_UNKNOWN: `unix_time` is 0 and SLURM_JOB_END_TIME is not there, or no number. PARK_INVALID_ARGUMENT:
/// `unix_time`, `margin`.
#[no_mangle]
pub extern "C" fn park_set_deadline(job: *mut park_handler, unix_time: f64, margin: f64) -> c_int {
    with_handler(job, |handler| {
        let margin = if margin < 0.0 { None } else { Some(margin) };
        let at = if unix_time == PARK_FOREVER {
            None
        } else if unix_time == 0.0 {
            Some(end_of_slurm_job()?)
        } else {
            Some(unix_time)
        };
        handler.set_deadline(at, margin).map(|()| PARK_OK)
    })
}

fn end_of_slurm_job() -> Result<f64> {
    let text = std::env::var("SLURM_JOB_END_TIME").map_err(|_| {
        Error::new(Status::Unknown, "unix_time: it is 0, and SLURM_JOB_END_TIME is not in the environment")
    })?;
    let told = |_| Error::new(Status::Unknown, format!("unix_time: SLURM_JOB_END_TIME is '{text}', which is no time"));
    text.trim().parse::<u64>().map(|time| time as f64).map_err(told)
}

/// Restores the job: from the newest whole checkpoint of park_checkpoint_dir, or, where there is no directory, by
/// the callback of park_on_checkpoint. Computation thread, outside callbacks; usually just after park_attach, when
/// everything is protected and exposed.
///
/// A checkpoint that is not whole is skipped, with a warning in the log that says why. Names, types and shapes are
/// compared first, and nothing is touched unless all fit: what is protected must be in the file (but see
/// park_protect_was); what else is in the file is ignored, with a warning. Then the load functions and the callback
/// are called, and only when none refuses are the arrays written. Exposed values follow, but for read-only ones;
/// one that is no longer exposed, or does not fit its limits, is left with a warning. Progress and best so far are
/// as they were.
///
/// PARK_OK: restored; a line of the log tells from when. PARK_NO_CHECKPOINT: there is none, or no way to restore.
/// PARK_MISMATCH: it does not fit, or is of a job of another name; park_last_error names everything that differs.
/// PARK_FAILED: a load function or the callback returned something else than 0. PARK_SYSTEM, PARK_NO_MEMORY: it could
/// not be read. PARK_NOT_RUNNING, PARK_WRONG_THREAD, PARK_REENTRANT.
#[no_mangle]
pub extern "C" fn park_restore(job: *mut park_handler) -> c_int {
    with_handler(job, |handler| handler.restore().map(|status| status as c_int))
}

/// Saves a checkpoint now. Computation thread, outside callbacks and maps. With PARK_CHECKPOINT_COPY it returns
/// when the copy is taken, and PARK_EVENT_CHECKPOINT or park_checkpoint_wait tells when it is on the medium; one
/// that is on its way is waited for first.
///
/// PARK_REFUSED: there is no way to save, or the loop saves by itself. PARK_FAILED, PARK_SYSTEM, PARK_NO_MEMORY: it
/// could not be saved. PARK_ABORTED: given up, for an abort was asked for. PARK_NOT_RUNNING, PARK_WRONG_THREAD,
/// PARK_REENTRANT.
#[no_mangle]
pub extern "C" fn park_checkpoint_now(job: *mut park_handler) -> c_int {
    with_handler(job, |handler| handler.checkpoint_now().map(|()| PARK_OK))
}

/// Waits until no checkpoint is on its way to the medium, at most `timeout` seconds (0: not at all, PARK_FOREVER:
/// without end). Any thread, but neither from a callback nor on the service thread.
///
/// PARK_OK: the last one is on the medium, or there was none. PARK_FAILED: the last one failed; park_last_error
/// tells why. PARK_TIMEOUT: one is still on its way. PARK_INVALID_ARGUMENT: `timeout`. PARK_WRONG_THREAD,
/// PARK_REENTRANT.
#[no_mangle]
pub extern "C" fn park_checkpoint_wait(job: *mut park_handler, timeout: f64) -> c_int {
    with_handler(job, |handler| {
        let timeout = deadline(timeout)?.map(|until| until.saturating_duration_since(Instant::now()));
        handler.checkpoint_wait(timeout).map(|()| PARK_OK)
    })
}

/// How many checkpoints there are in the directory, broken ones among them. Any thread. PARK_UNKNOWN: there is no
/// directory. PARK_SYSTEM: it cannot be read.
#[no_mangle]
pub extern "C" fn park_checkpoint_count(job: *mut park_handler) -> i64 {
    with_handler(job, |handler| handler.checkpoint_count().map(|count| count as i64))
}

/// Fills a message of the caller's with what is known of a checkpoint, the newest being 0: "generation" (integer),
/// "file" (text), "bytes", "whole" (truth value: every checksum was compared); where its header can be read
/// "saved_at" (real, seconds since 1970), "job", "done", "total", "units", "best" (where there was one) and "park"
/// (the version that saved it); where it is broken "reason". Reads the whole file when nobody has yet. Any thread.
///
/// PARK_UNKNOWN: there is none at `index`, or no directory. PARK_INVALID_HANDLE also for `out_info`. PARK_SYSTEM:
/// it cannot be read.
#[no_mangle]
pub unsafe extern "C" fn park_checkpoint_info(
    job: *mut park_handler,
    index: i64,
    out_info: *mut park_message,
) -> c_int {
    with_handler(job, |handler| {
        message_of(out_info)?;
        let unknown = |_| Error::new(Status::Unknown, format!("index: there is no checkpoint {index}"));
        let info = handler.checkpoint_info(usize::try_from(index).map_err(unknown)?)?;
        write_message(out_info, info).map(|()| PARK_OK)
    })
}

/// Removes all checkpoints of the directory, for a job that is complete. One that is on its way comes through
/// first. Any thread, but neither from a callback nor on the service thread. PARK_UNKNOWN: there is no directory.
/// PARK_SYSTEM: they cannot be removed. PARK_WRONG_THREAD, PARK_REENTRANT.
#[no_mangle]
pub extern "C" fn park_checkpoint_clear(job: *mut park_handler) -> c_int {
    with_handler(job, |handler| handler.clear_checkpoints().map(|()| PARK_OK))
}

/// Sets the callback that saves and restores what is the job's own affair; it replaces the one before. Any thread;
/// it is called on the computation thread: to save every checkpoint_delta, on PARK_CHECKPOINT and before a stop; to
/// restore by park_restore or park_start with resume. A failed save is told by a checkpoint event and the log, and
/// the job goes on.
///
/// With park_checkpoint_dir, files that it writes to the directory of park_checkpoint_path are part of the checkpoint.
/// A loop that would rather save by itself polls park_checkpoint_due instead. PARK_INVALID_ARGUMENT: `fn` is NULL.
#[no_mangle]
pub unsafe extern "C" fn park_on_checkpoint(
    job: *mut park_handler,
    r#fn: park_checkpoint_fn,
    user: *mut c_void,
    destroy: park_destroy_fn,
) -> c_int {
    let user = User::new(user, destroy);
    let handle = job as usize;
    with_handler(job, move |handler| {
        let call = function(r#fn, "fn")?;
        handler.set_checkpoint(Arc::new(move |restore| {
            let operation = if restore { PARK_RESTORE } else { PARK_SAVE };
            // SAFETY: the callback and its data are the caller's promise.
            unsafe { call(handle as *mut park_handler, operation, user.data()) }
        }));
        Ok(PARK_OK)
    })
}

/// Asks whether the loop is to save a checkpoint now. Computation thread; to be asked just before each park_ready by a
/// loop that saves by itself and has set no callback: the loop then ends with what it has saved.
///
/// 1: save, then call park_checkpoint_done. 0: not now. After PARK_STOP, park_ready lets the loop go on until it has
/// saved; a paused loop that is to save is let go for one turn. PARK_NOT_RUNNING, PARK_WRONG_THREAD.
#[no_mangle]
pub extern "C" fn park_checkpoint_due(job: *mut park_handler) -> c_int {
    with_handler(job, |handler| handler.checkpoint_due().map(c_int::from))
}

/// Says that the loop has saved a checkpoint (`ok` nonzero) or could not (0): the event goes out, requests that wait
/// for it are answered, the time to the next begins. Computation thread. It may be called when none was due.
///
/// With park_checkpoint_dir it saves what is protected, and the files of park_checkpoint_path, as
/// park_checkpoint_now does; all of that comes once they are on the medium. PARK_FAILED, PARK_SYSTEM,
/// PARK_NO_MEMORY: they could not be saved. PARK_ABORTED: given up, for an abort was asked for. PARK_NOT_RUNNING,
/// PARK_WRONG_THREAD.
#[no_mangle]
pub extern "C" fn park_checkpoint_done(job: *mut park_handler, ok: c_int) -> c_int {
    with_handler(job, |handler| handler.checkpoint_done(ok != 0).map(|()| PARK_OK))
}

/// The directory for files of the user's own that belong to the checkpoint, as text out: returns its length without
/// the NUL, writes at most `length` bytes with the NUL. Computation thread. The files are flushed and verified by
/// park, and are there or not there together with the rest.
///
/// To save: fresh and empty, in the callback with PARK_SAVE, or between park_checkpoint_due, which returned 1, and
/// park_checkpoint_done. To restore: in the callback with PARK_RESTORE, and after park_restore until the next save;
/// its files are to be read only.
///
/// PARK_UNKNOWN: there is no directory. PARK_REFUSED: nothing is being saved, and nothing was restored.
/// PARK_SYSTEM: it cannot be made. PARK_INVALID_ARGUMENT: a negative `length`, or a NULL `buffer` with another one.
/// PARK_NOT_RUNNING, PARK_WRONG_THREAD.
#[no_mangle]
pub unsafe extern "C" fn park_checkpoint_path(job: *mut park_handler, buffer: *mut c_char, length: i64) -> i64 {
    with_handler(job, |handler| {
        let path = handler.checkpoint_path()?;
        let path = path.to_str().ok_or_else(|| Error::new(Status::System, "the directory's name is not UTF-8"))?;
        // SAFETY: the buffer is the caller's promise.
        unsafe { text_out(path, buffer, length) }
    })
}
