//! A message: a name, and named values in the order in which they were put.

use super::status::{Error, Result, Status};
use super::value::Value;

#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) values: Vec<(String, Value)>,
}

impl Message {
    pub(crate) fn new(name: impl Into<String>) -> Message {
        Message { name: name.into(), values: Vec::new() }
    }

    /// Puts a value; one of the same key is replaced in its place.
    pub(crate) fn put(&mut self, key: impl Into<String>, value: Value) {
        let key = key.into();
        match self.values.iter_mut().find(|(k, _)| *k == key) {
            Some(entry) => entry.1 = value,
            None => self.values.push((key, value)),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Result<&Value> {
        self.values
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value)
            .ok_or_else(|| Error::new(Status::Unknown, format!("the message has no value '{key}'")))
    }

    /// The reason that a handler or method gave for a refusal.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self.get("reason") {
            Ok(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}
