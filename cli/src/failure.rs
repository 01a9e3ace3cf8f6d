//! Why a command failed: a sentence for people and an exit code for scripts.

use std::fmt::Display;
use std::io;

/// The job refused or failed what it was asked; a watched job failed.
pub(crate) const REFUSED: u8 = 1;
/// The command line makes no sense. clap's own.
pub(crate) const USAGE: u8 = 2;
/// No such job, or several.
pub(crate) const WHICH_JOB: u8 = 3;
/// The time was up before the job came to a ready point.
pub(crate) const TIME_UP: u8 = 4;
/// The job ended first.
pub(crate) const ENDED: u8 = 5;
/// Something of the system's: a directory that others may enter, a file that cannot be written.
pub(crate) const SYSTEM: u8 = 6;

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) text: String,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(code: u8, text: impl Into<String>) -> Failure {
        Failure { code, text: text.into() }
    }

    /// What the system refused, of what.
    pub(crate) fn system(of: impl Display, error: &io::Error) -> Failure {
        Failure::new(SYSTEM, format!("{of}: {error}"))
    }

    /// A job's refusal. The codes are those of docs/control.md.
    pub(crate) fn refusal(job: &str, code: i64, message: &str) -> Failure {
        let exit = match code {
            -7 => TIME_UP,
            -10 | -18 => ENDED,
            _ => REFUSED,
        };
        Failure::new(exit, format!("{job}: {message}"))
    }
}
