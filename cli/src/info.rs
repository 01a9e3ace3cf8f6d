//! What a job says of itself, as it came.

use crate::text;
use serde_json::Value;

#[derive(Clone, Default)]
pub(crate) struct Info {
    /// All of it, also what this version does not know.
    pub(crate) raw: Value,
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) state: String,
    pub(crate) progress: Progress,
    pub(crate) best: Option<f64>,
    /// Seconds since the handler was made.
    pub(crate) up: f64,
    /// Seconds since the last ready point.
    pub(crate) idle: Option<f64>,
    /// Of the run's last checkpoint: seconds since 1970, and whether it could be saved.
    pub(crate) checkpoint: Option<(f64, bool)>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) exit_code: Option<u8>,
    pub(crate) reason: String,
}

#[derive(Clone, Default)]
pub(crate) struct Progress {
    pub(crate) done: f64,
    pub(crate) total: f64,
    pub(crate) units: String,
    pub(crate) seconds_left: Option<f64>,
    pub(crate) rate: Option<f64>,
}

#[derive(Clone)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) limits: (Option<f64>, Option<f64>),
    pub(crate) read_only: bool,
    pub(crate) units: String,
    pub(crate) description: String,
}

/// A running job that has come to no ready point for so many seconds is shown as such.
pub(crate) const LONG_SILENCE: f64 = 10.0;

/// The job knows it to a second.
const AS_GOOD_AS_NOW: f64 = 2.0;

/// A real number; those that are not finite are texts.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    }
}

pub(crate) fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Progress {
    /// How far, 0 to 1; `None` when nobody knows how far it is.
    pub(crate) fn fraction(&self) -> Option<f64> {
        (self.total > 0.0).then(|| (self.done / self.total).clamp(0.0, 1.0))
    }
}

impl Info {
    pub(crate) fn read(raw: Value) -> Info {
        let progress = &raw["progress"];
        let checkpoint = &raw["checkpoint"];
        Info {
            name: string(&raw["name"]),
            pid: raw["pid"].as_u64().unwrap_or(0) as u32,
            state: string(&raw["state"]),
            progress: Progress {
                done: number(&progress["done"]).unwrap_or(0.0),
                total: number(&progress["total"]).unwrap_or(0.0),
                units: string(&progress["units"]),
                seconds_left: number(&progress["seconds_left"]),
                rate: number(&progress["rate"]),
            },
            best: number(&raw["best"]),
            up: number(&raw["up"]).unwrap_or(0.0),
            idle: number(&raw["idle"]),
            checkpoint: number(&checkpoint["when"]).map(|when| (when, checkpoint["saved"] == true)),
            variables: raw["variables"].as_array().map_or(&[][..], Vec::as_slice).iter().map(variable).collect(),
            exit_code: raw["exit_code"].as_u64().and_then(|code| u8::try_from(code).ok()),
            reason: string(&raw["reason"]),
            raw,
        }
    }

    /// For how long a job that computes has come to no ready point, when that is long. One that is paused stands at one.
    pub(crate) fn silence(&self) -> Option<f64> {
        self.idle.filter(|idle| *idle >= LONG_SILENCE && matches!(self.state.as_str(), "running" | "stopping"))
    }

    /// When the last ready point was, of a job that has one to come.
    pub(crate) fn last_ready(&self) -> Option<String> {
        let idle = self.idle.filter(|_| !self.is_over())?;
        Some(if idle < AS_GOOD_AS_NOW { "now".to_owned() } else { format!("{} ago", text::brief(idle)) })
    }

    /// The state as shown.
    pub(crate) fn shown_state(&self) -> String {
        match self.silence() {
            Some(_) => format!("{}, not ready", self.state),
            None => self.state.clone(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "complete" | "aborted" | "failed")
    }
}

fn variable(raw: &Value) -> Variable {
    Variable {
        name: string(&raw["name"]),
        kind: string(&raw["type"]),
        limits: (number(&raw["min"]), number(&raw["max"])),
        read_only: raw["read_only"] == true,
        units: string(&raw["units"]),
        description: string(&raw["description"]),
    }
}
