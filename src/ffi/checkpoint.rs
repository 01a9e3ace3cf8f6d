//! Checkpoints, by callback or by poll.

use super::callback::{function, User};
use super::constants::*;
use super::guard::with_handler;
use std::ffi::{c_int, c_void};
use std::sync::Arc;

/// ======== Checkpoints ========
///
/// Sets the callback that saves and restores the job; it replaces the one before. Any thread; it is called on the
/// computation thread: to save every checkpoint_delta, on PARK_CHECKPOINT and before a stop; to restore by
/// park_restore or park_start with resume. A failed save is told by a checkpoint event and the log, and the job goes
/// on.
///
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

/// Restores the job by the checkpoint callback. Computation thread, outside callbacks; usually just after park_attach.
///
/// PARK_OK: restored. PARK_NO_CHECKPOINT: there is none, or no callback. PARK_FAILED: the callback returned something
/// else; park_last_error says what. PARK_NOT_RUNNING, PARK_WRONG_THREAD, PARK_REENTRANT.
#[no_mangle]
pub extern "C" fn park_restore(job: *mut park_handler) -> c_int {
    with_handler(job, |handler| handler.restore().map(|status| status as c_int))
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
/// PARK_NOT_RUNNING, PARK_WRONG_THREAD.
#[no_mangle]
pub extern "C" fn park_checkpoint_done(job: *mut park_handler, ok: c_int) -> c_int {
    with_handler(job, |handler| handler.checkpoint_done(ok != 0).map(|()| PARK_OK))
}
