//! What flows out of a job.

use super::status::Status;
use super::sync::Arc;

/// The kinds of event, each a bit of a client's mask. The numbers are the ABI's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub(crate) enum Kind {
    Start = 1,
    Join = 2,
    Progress = 4,
    Improved = 8,
    Checkpoint = 16,
    Paused = 32,
    Resumed = 64,
    Complete = 128,
    Abort = 256,
    Error = 512,
    Log = 1024,
    CutOff = 2048,
}

pub(crate) const ALL_KINDS: i32 = 4095;

/// The state of a job. The numbers are the ABI's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub(crate) enum JobState {
    Idle = 0,
    Running = 1,
    Paused = 2,
    Stopping = 3,
    Complete = 4,
    Aborted = 5,
    Failed = 6,
}

/// How grave a line of the log is. The numbers are the ABI's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub(crate) enum Level {
    Error = 1,
    Warning = 2,
    Info = 3,
    Debug = 4,
}

impl Level {
    pub(crate) const ALL: [Level; 4] = [Level::Error, Level::Warning, Level::Info, Level::Debug];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

/// How far the job is.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) done: f64,
    pub(crate) total: f64,
    pub(crate) seconds_left: Option<f64>,
}

/// A best value with the state that belongs to it, or a result (whose value is that of the best).
pub(crate) type Bytes = Arc<[u8]>;

#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    pub(crate) sequence: u64,
    /// Seconds since 1970.
    pub(crate) time: f64,
    pub(crate) progress: Progress,
    pub(crate) units: Option<Arc<str>>,
    pub(crate) value: Option<f64>,
    pub(crate) bytes: Option<Bytes>,
    pub(crate) status: Status,
    pub(crate) job_state: JobState,
    pub(crate) level: Level,
    pub(crate) text: String,
}

impl Event {
    /// An event of this kind with nothing in it; the hub fills in sequence, time and what is known of the job.
    pub(crate) fn new(kind: Kind) -> Event {
        Event {
            kind,
            sequence: 0,
            time: 0.0,
            progress: Progress::default(),
            units: None,
            value: None,
            bytes: None,
            status: Status::Ok,
            job_state: JobState::Idle,
            level: Level::Info,
            text: String::new(),
        }
    }

    /// How far the job is, for people: "62%, 620 of 1000 steps, 180 s left".
    pub(crate) fn progress_text(&self) -> String {
        let Progress { done, total, seconds_left } = self.progress;
        let units = self.units.as_deref().map(|units| format!(" {units}")).unwrap_or_default();
        if total <= 0.0 {
            return format!("{done}{units}");
        }
        let left = seconds_left.map(|left| format!(", {left:.0} s left")).unwrap_or_default();
        format!("{:.0}%, {done} of {total}{units}{left}", 100.0 * done / total)
    }
}
