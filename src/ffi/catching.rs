//! POSIX signals that ask the job for something.

use super::constants::*;
use super::guard::with_handler;
use crate::core::catch;
use std::ffi::c_int;

/// ======== POSIX signals ========
///
/// Lets a POSIX signal ask the job for something. Any thread. park catches no signal unless this asks for it.
///
/// `signo` is the signal's number, as SIGTERM. `action` is what the signal asks for, each time it comes: PARK_PAUSE,
/// PARK_RESUME, PARK_ABORT, PARK_CHECKPOINT or PARK_STOP; or a preset:
///
/// PARK_CATCH_INTERACTIVE, with `signo` 0 for SIGINT, which is Ctrl-C: stop, with a checkpoint; the second time: abort;
/// the third time: what it would have done without park, so the process ends. Where SIGINT is ignored, as in the
/// background of a script, `signo` 0 leaves it so.
///
/// PARK_CATCH_SLURM, with `signo` 0 for SIGTERM, or with the signal of sbatch --signal: stop, with a checkpoint; later:
/// abort. Either way, when the stop's checkpoint is saved in the end, the exit code is 85: the job can be run again.
///
/// PARK_CATCH_NONE ends it; with `signo` 0, for all signals of this job. So does park_handler_free.
///
/// To a preset, a signal that comes again within 0.2 s is the same one: launchers send it twice. It counts anew with
/// each run. Before the first run it counts for that run. A signal that no job takes because their runs are over does
/// what it would have done without park. Another call for the same job and signal replaces the action. Several jobs may
/// catch the same signal; each is asked.
///
/// A handler that was there before is called, too, after the jobs were asked. It is put back when no job catches the
/// signal any more, unless somebody has put another over park's. park's has SA_SIGINFO, SA_ONSTACK and SA_RESTART (not
/// where the handler before it has no SA_RESTART), runs on any thread of yours, takes no lock, and keeps errno. Under
/// MPI call this after MPI_Init, and leave SIGUSR1 and SIGUSR2 to the launcher. The log tells what came.
///
/// PARK_INVALID_ARGUMENT: `action`; or `signo`, which is no signal or cannot be caught: SIGKILL and SIGSTOP, those of
/// faults, as SIGSEGV, SIGFPE, SIGABRT, and those that the C library keeps for itself. PARK_UNKNOWN: PARK_CATCH_NONE for
/// a signal that the job does not catch. PARK_FULL: the jobs of this process catch 1024 signals already. PARK_SYSTEM:
/// the operating system refused; or others have put their handlers over park's three times.
#[no_mangle]
pub extern "C" fn park_catch(job: *mut park_handler, signo: c_int, action: c_int) -> c_int {
    with_handler(job, |handler| {
        if action == PARK_CATCH_NONE {
            catch::release(handler.handle(), signo)?;
        } else {
            catch::catch(handler.handle(), signo, action)?;
        }
        Ok(PARK_OK)
    })
}
