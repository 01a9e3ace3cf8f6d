//! An event, as it came.

use crate::info::{number, string};
use crate::text;
use serde_json::Value;

pub(crate) struct Event {
    pub(crate) kind: String,
    /// Seconds since 1970.
    pub(crate) time: f64,
    pub(crate) state: String,
    pub(crate) done: f64,
    pub(crate) total: f64,
    pub(crate) units: String,
    pub(crate) best: Option<f64>,
    pub(crate) seconds_left: Option<f64>,
    pub(crate) status: i64,
    pub(crate) level: String,
    pub(crate) text: String,
}

/// park's status of a run that was stopped.
pub(crate) const STOPPED: i64 = 2;

impl Event {
    /// The event that a message is, if it is one.
    pub(crate) fn in_message(message: &Value) -> Option<Event> {
        (message["method"] == "event").then(|| Event::read(&message["params"]))
    }

    pub(crate) fn read(params: &Value) -> Event {
        Event {
            kind: string(&params["kind"]),
            time: number(&params["time"]).unwrap_or(0.0),
            state: string(&params["state"]),
            done: number(&params["done"]).unwrap_or(0.0),
            total: number(&params["total"]).unwrap_or(0.0),
            units: string(&params["units"]),
            best: number(&params["best"]),
            seconds_left: number(&params["seconds_left"]),
            status: params["status"].as_i64().unwrap_or(0),
            level: string(&params["level"]),
            text: text::harmless(params["text"].as_str().unwrap_or_default()),
        }
    }

    pub(crate) fn is_final(&self) -> bool {
        matches!(self.kind.as_str(), "complete" | "abort" | "error")
    }

    /// What happened, in words; `None` of what only moves figures.
    pub(crate) fn in_words(&self) -> Option<String> {
        let because = |what: &str| match self.text.is_empty() {
            true => what.to_owned(),
            // A reason may say it itself.
            false if self.text.starts_with(what) => self.text.clone(),
            false => format!("{what}: {}", self.text),
        };
        Some(match self.kind.as_str() {
            "start" => "started".to_owned(),
            "checkpoint" if self.status == 0 => because("checkpoint saved"),
            "checkpoint" => because("checkpoint failed"),
            "paused" | "resumed" => self.kind.clone(),
            "complete" => because("complete"),
            "abort" if self.status == STOPPED => because("stopped"),
            "abort" => because("aborted"),
            "error" => because("failed"),
            "log" if self.level == "info" => self.text.clone(),
            "log" => format!("{}: {}", self.level, self.text),
            "cut_off" => "some events were lost: they came faster than they could be sent".to_owned(),
            _ => return None,
        })
    }

    /// How far it is, in words.
    pub(crate) fn progress(&self) -> String {
        let units = if self.units.is_empty() { String::new() } else { format!(" {}", text::harmless(&self.units)) };
        match self.total > 0.0 {
            true => {
                let percent = (100.0 * self.done / self.total).clamp(0.0, 100.0);
                format!("{percent:.0}%  {} of {}{units}", text::number(self.done, 12), text::number(self.total, 12))
            }
            false => format!("{}{units}", text::number(self.done, 12)),
        }
    }
}
