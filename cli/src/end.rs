//! How a run ended.

use crate::event::{Event, STOPPED};
use crate::failure::{ENDED, REFUSED};

/// Follows a run to its end.
#[derive(Default)]
pub(crate) struct Run {
    /// Whether the last checkpoint that was heard of could be saved.
    saved: bool,
    end: Option<End>,
}

#[derive(Clone)]
pub(crate) struct End {
    pub(crate) text: String,
    /// The state in which it left the job. To the job a stop is an abort; to who watches it is not.
    pub(crate) state: &'static str,
    code: u8,
}

impl Run {
    pub(crate) fn hear(&mut self, event: &Event) {
        match event.kind.as_str() {
            "start" => *self = Run::default(),
            "checkpoint" => self.saved = event.status == 0,
            "complete" | "abort" | "error" => {
                let (state, code) = match event.kind.as_str() {
                    "complete" => ("complete", 0),
                    "abort" if event.status == STOPPED => ("stopped", if self.saved { 85 } else { 86 }),
                    "abort" => ("aborted", 86),
                    _ => ("failed", REFUSED),
                };
                self.end = Some(End { text: event.in_words().unwrap_or_default(), state, code });
            }
            _ => {}
        }
    }

    pub(crate) fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// What the command exits with when the job is gone.
    pub(crate) fn code(&self) -> u8 {
        self.end.as_ref().map_or(ENDED, |end| end.code)
    }
}

impl End {
    /// How it ended, and what `park_exit_code` says of it.
    pub(crate) fn sentence(&self) -> String {
        format!("{}, exit code {}", self.text, self.code)
    }
}
