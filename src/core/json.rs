//! JSON that is written: texts, numbers, and the values of messages.

use super::message::Message;
use super::value::Value;
use serde_json::Value as Json;

/// A JSON object that is being written, its members in the order in which they are put.
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn new() -> Object {
        Object("{".to_owned())
    }

    /// A member whose value is JSON already.
    pub(crate) fn json(mut self, key: &str, value: &str) -> Object {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        push_text(&mut self.0, key);
        self.0.push(':');
        self.0.push_str(value);
        self
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Object {
        self.json(key, &quoted(value))
    }

    pub(crate) fn texts(self, key: &str, values: &[impl AsRef<str>]) -> Object {
        self.json(key, &array(values, |text, value| push_text(text, value.as_ref())))
    }

    pub(crate) fn number(self, key: &str, value: f64) -> Object {
        let mut text = String::new();
        push_number(&mut text, value);
        self.json(key, &text)
    }

    /// A number that may not be known: null.
    pub(crate) fn maybe(self, key: &str, value: Option<f64>) -> Object {
        match value {
            Some(value) => self.number(key, value),
            None => self.json(key, "null"),
        }
    }

    pub(crate) fn integer(self, key: &str, value: i64) -> Object {
        self.json(key, &value.to_string())
    }

    pub(crate) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
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
pub(crate) fn pair(one: f64, other: f64) -> String {
    array(&[one, other], |text, number| push_number(text, *number))
}

pub(crate) fn array<T>(items: &[T], push: impl Fn(&mut String, &T)) -> String {
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
pub(crate) fn object_of(message: &Message) -> String {
    let put = |object: Object, (key, value): &(String, Value)| object.json(key, &json_of(value));
    message.values.iter().fold(Object::new(), put).end()
}
