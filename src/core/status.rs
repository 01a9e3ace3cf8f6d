//! A status, and the sentence that goes with it.

use std::fmt;

/// What a call came to. The numbers are the ABI's and are never reused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub(crate) enum Status {
    Ok = 0,
    Aborted = 1,
    Stopped = 2,
    NoCheckpoint = 3,
    Delay = 4,
    NotRun = 5,
    End = 6,
    InvalidHandle = -1,
    InvalidArgument = -2,
    WrongThread = -3,
    Busy = -4,
    NotRunning = -5,
    Reentrant = -6,
    Timeout = -7,
    Refused = -8,
    Unknown = -9,
    Expired = -10,
    Full = -11,
    CutOff = -12,
    Failed = -13,
    Forked = -14,
    Panic = -15,
    NoMemory = -16,
    System = -17,
    Closed = -18,
    Exists = -19,
    WrongType = -20,
    Differs = -21,
    Mismatch = -22,
}

impl Status {
    pub(crate) const ALL: [Status; 29] = [
        Status::Ok,
        Status::Aborted,
        Status::Stopped,
        Status::NoCheckpoint,
        Status::Delay,
        Status::NotRun,
        Status::End,
        Status::InvalidHandle,
        Status::InvalidArgument,
        Status::WrongThread,
        Status::Busy,
        Status::NotRunning,
        Status::Reentrant,
        Status::Timeout,
        Status::Refused,
        Status::Unknown,
        Status::Expired,
        Status::Full,
        Status::CutOff,
        Status::Failed,
        Status::Forked,
        Status::Panic,
        Status::NoMemory,
        Status::System,
        Status::Closed,
        Status::Exists,
        Status::WrongType,
        Status::Differs,
        Status::Mismatch,
    ];

    /// The status with this number, if there is one.
    pub(crate) fn from_number(number: i32) -> Option<Status> {
        Status::ALL.into_iter().find(|&status| status as i32 == number)
    }

    /// What it means, in a few words that end in a NUL for C.
    pub(crate) fn meaning(self) -> &'static std::ffi::CStr {
        match self {
            Status::Ok => c"fine",
            Status::Aborted => c"an abort was asked for",
            Status::Stopped => c"a stop was asked for",
            Status::NoCheckpoint => c"there is no checkpoint to restore",
            Status::Delay => c"left to the next ready point",
            Status::NotRun => c"this item was never begun",
            Status::End => c"there are no more",
            Status::InvalidHandle => c"the handle is NULL, freed or not one of park's",
            Status::InvalidArgument => c"an argument is not valid",
            Status::WrongThread => c"not on this thread",
            Status::Busy => c"a computation is running",
            Status::NotRunning => c"no computation is running",
            Status::Reentrant => c"not from inside a callback",
            Status::Timeout => c"the time was up",
            Status::Refused => c"refused",
            Status::Unknown => c"there is nothing of that name",
            Status::Expired => c"the job ended first",
            Status::Full => c"a bounded queue is full",
            Status::CutOff => c"this client was too slow and was cut off",
            Status::Failed => c"the computation or a callback failed",
            Status::Forked => c"park does not work in a forked child",
            Status::Panic => c"park itself failed: please report it",
            Status::NoMemory => c"out of memory",
            Status::System => c"the operating system refused",
            Status::Closed => c"the handler was freed",
            Status::Exists => c"the name is in use",
            Status::WrongType => c"the value has another type",
            Status::Differs => c"items came out differently in parallel",
            Status::Mismatch => c"the checkpoint does not fit what is protected",
        }
    }
}

/// A status that is not fine, with a sentence that names what was wrong.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    pub(crate) status: Status,
    pub(crate) text: String,
}

impl Error {
    pub(crate) fn new(status: Status, text: impl Into<String>) -> Error {
        Error { status, text: text.into() }
    }

    pub(crate) fn argument(text: impl Into<String>) -> Error {
        Error::new(Status::InvalidArgument, text)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_own_number_and_words() {
        for (i, a) in Status::ALL.into_iter().enumerate() {
            assert_eq!(Status::from_number(a as i32), Some(a));
            for b in &Status::ALL[i + 1..] {
                assert_ne!(a as i32, *b as i32);
                assert_ne!(a.meaning(), b.meaning());
            }
        }
        assert_eq!(Status::from_number(4711), None);
    }
}
