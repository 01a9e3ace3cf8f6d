//! Values and events as JSON, and JSON as values.

use crate::core::event::{Event, JobState, Kind, Level};
use crate::core::message::Message;
use crate::core::status::{Error, Result, Status};
use crate::core::value::Value;
use serde_json::Value as Json;

/// A JSON object that is being written, its members in the order in which they are put.
pub(super) struct Object(String);

impl Object {
    pub(super) fn new() -> Object {
        Object("{".to_owned())
    }

    /// A member whose value is JSON already.
    pub(super) fn json(mut self, key: &str, value: &str) -> Object {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        push_text(&mut self.0, key);
        self.0.push(':');
        self.0.push_str(value);
        self
    }

    pub(super) fn text(self, key: &str, value: &str) -> Object {
        self.json(key, &quoted(value))
    }

    pub(super) fn texts(self, key: &str, values: &[impl AsRef<str>]) -> Object {
        self.json(key, &array(values, |text, value| push_text(text, value.as_ref())))
    }

    pub(super) fn number(self, key: &str, value: f64) -> Object {
        let mut text = String::new();
        push_number(&mut text, value);
        self.json(key, &text)
    }

    /// A number that may not be known: null.
    pub(super) fn maybe(self, key: &str, value: Option<f64>) -> Object {
        match value {
            Some(value) => self.number(key, value),
            None => self.json(key, "null"),
        }
    }

    pub(super) fn integer(self, key: &str, value: i64) -> Object {
        self.json(key, &value.to_string())
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    push_text(&mut quoted, text);
    quoted
}

fn push_text(to: &mut String, text: &str) {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\') {
        to.push('"');
        to.push_str(text);
        to.push('"');
    } else {
        to.push_str(&Json::from(text).to_string());
    }
}

/// A number as JSON. It knows none that are not finite: those are texts.
fn push_number(to: &mut String, number: f64) {
    match serde_json::Number::from_f64(number) {
        Some(finite) => to.push_str(&finite.to_string()),
        None if number.is_nan() => to.push_str("\"NaN\""),
        None if number > 0.0 => to.push_str("\"inf\""),
        None => to.push_str("\"-inf\""),
    }
}

/// Two numbers as an array.
pub(super) fn pair(one: f64, other: f64) -> String {
    array(&[one, other], |text, number| push_number(text, *number))
}

pub(super) fn array<T>(items: &[T], push: impl Fn(&mut String, &T)) -> String {
    let mut text = "[".to_owned();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        push(&mut text, item);
    }
    text.push(']');
    text
}

fn json_of(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Key => text.push_str("null"),
        Value::F64(x) => push_number(&mut text, *x),
        Value::I64(i) => text = i.to_string(),
        Value::Bool(b) => text = b.to_string(),
        Value::Text(t) => push_text(&mut text, t),
        Value::F64s(all) => text = array(all, |text, x| push_number(text, *x)),
        Value::I64s(all) => text = array(all, |text, i| text.push_str(&i.to_string())),
    }
    text
}

/// The values of a message as an object.
pub(super) fn object_of(message: &Message) -> String {
    let put = |object: Object, (key, value): &(String, Value)| object.json(key, &json_of(value));
    message.values.iter().fold(Object::new(), put).end()
}

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
