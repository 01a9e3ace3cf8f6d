//! Events as JSON, and JSON as values.

use crate::core::event::{Event, JobState, Kind, Level};
use crate::core::json::Object;
use crate::core::status::{Error, Result, Status};
use crate::core::value::Value;
use serde_json::Value as Json;

/// What a JSON value is in a message. An array holds numbers; of integers only, it is one of integers.
pub(super) fn value_of(key: &str, json: Json) -> Result<Value> {
    let refuse = |what| Err(Error::argument(format!("'{key}': {what}")));
    Ok(match json {
        Json::Bool(value) => Value::Bool(value),
        Json::String(text) => Value::Text(text),
        Json::Number(number) => number_of(&number),
        Json::Array(items) => {
            let mut all = Vec::with_capacity(items.len());
            for item in &items {
                let Json::Number(number) = item else { return refuse("an array holds numbers, and nothing else") };
                all.push(number_of(number));
            }
            let integers = all.iter().map(|value| if let Value::I64(i) = value { Some(*i) } else { None });
            match integers.collect::<Option<Vec<_>>>() {
                Some(integers) => Value::I64s(integers),
                None => Value::F64s(items.iter().filter_map(Json::as_f64).collect()),
            }
        }
        Json::Null => return refuse("null is no value"),
        Json::Object(_) => return refuse("an object is no value"),
    })
}

fn number_of(number: &serde_json::Number) -> Value {
    match number.as_i64() {
        Some(integer) => Value::I64(integer),
        None => Value::F64(number.as_f64().unwrap_or(f64::NAN)),
    }
}

pub(super) const KINDS: [(Kind, &str); 12] = [
    (Kind::Start, "start"),
    (Kind::Join, "join"),
    (Kind::Progress, "progress"),
    (Kind::Improved, "improved"),
    (Kind::Checkpoint, "checkpoint"),
    (Kind::Paused, "paused"),
    (Kind::Resumed, "resumed"),
    (Kind::Complete, "complete"),
    (Kind::Abort, "abort"),
    (Kind::Error, "error"),
    (Kind::Log, "log"),
    (Kind::CutOff, "cut_off"),
];

pub(super) fn state_name(state: JobState) -> &'static str {
    match state {
        JobState::Idle => "idle",
        JobState::Running => "running",
        JobState::Paused => "paused",
        JobState::Stopping => "stopping",
        JobState::Complete => "complete",
        JobState::Aborted => "aborted",
        JobState::Failed => "failed",
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
    }
}

/// The notification that tells subscribers of an event. The state of the best stays with the job: its size is told.
pub(super) fn notification(event: &Event) -> String {
    let kind = KINDS.iter().find(|(kind, _)| *kind == event.kind).map_or("", |(_, name)| name);
    let mut params = Object::new()
        .text("kind", kind)
        .integer("sequence", event.sequence as i64)
        .number("time", event.time)
        .text("state", state_name(event.job_state))
        .number("done", event.progress.done)
        .number("total", event.progress.total);
    if let Some(units) = &event.units {
        params = params.text("units", units);
    }
    if let Some(value) = event.value {
        params = params.number("best", value);
    }
    if matches!(event.kind, Kind::Progress | Kind::Join) {
        params = params.maybe("seconds_left", event.progress.seconds_left);
    }
    if let Some(bytes) = &event.bytes {
        params = params.integer("bytes", bytes.len() as i64);
    }
    if matches!(event.kind, Kind::Checkpoint | Kind::Complete | Kind::Abort | Kind::Error | Kind::CutOff) {
        params = params.integer("status", event.status as i64);
    }
    if event.kind == Kind::Log {
        params = params.text("level", level_name(event.level));
    }
    if event.kind == Kind::Log || !event.text.is_empty() {
        params = params.text("text", &event.text);
    }
    Object::new().text("jsonrpc", "2.0").text("method", "event").json("params", &params.end()).end()
}

/// The mask of named event kinds.
pub(super) fn mask_of(names: &[Json]) -> Result<i32> {
    names.iter().try_fold(0, |mask, name| match KINDS.iter().find(|(_, known)| name.as_str() == Some(known)) {
        Some((kind, _)) => Ok(mask | *kind as i32),
        None => Err(Error::new(Status::Unknown, format!("events: there is no event {name}"))),
    })
}

/// The names in a mask.
pub(super) fn names_in(mask: i32) -> Vec<&'static str> {
    KINDS.iter().filter(|(kind, _)| mask & *kind as i32 != 0).map(|(_, name)| *name).collect()
}
