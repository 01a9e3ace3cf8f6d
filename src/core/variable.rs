//! Exposed variables: the user's memory, read and written only at ready points.

use super::message::Message;
use super::status::{Error, Result, Status};
use super::sync::{Arc, Mutex};
use super::value::{Kind, Value};

/// A callback that takes a message and may fill in a reply. 0: applied; else refused.
pub(crate) type MessageFn = Arc<dyn Fn(&Message, &mut Message) -> i32 + Send + Sync>;

/// The user's memory behind a variable.
pub(crate) trait Place: Send {
    fn read(&self) -> Value;
    /// Writes a value that [`Variable::accept`] has returned.
    fn write(&mut self, value: &Value);
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Limits {
    None,
    F64(f64, f64),
    I64(i64, i64),
}

pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Elements of an array, bytes of a text with its NUL, else 1.
    pub(crate) count: usize,
    pub(crate) limits: Limits,
    pub(crate) read_only: bool,
    pub(crate) units: String,
    pub(crate) description: String,
    pub(crate) check: Option<MessageFn>,
    pub(crate) place: Box<dyn Place>,
}

impl Variable {
    fn refuse(&self, status: Status, why: impl std::fmt::Display) -> Error {
        Error::new(status, format!("'{}': {why}", self.name))
    }

    /// The value as this variable's type, or the reason why it is not accepted.
    fn accept(&self, value: &Value) -> Result<Value> {
        if self.read_only {
            return Err(self.refuse(Status::Refused, "read-only"));
        }
        let value = value.to_kind(self.kind).ok_or_else(|| {
            self.refuse(Status::WrongType, format_args!("it is {}, not {}", self.kind.name(), value.kind().name()))
        })?;
        let reals = |values: &[f64]| match self.limits {
            Limits::F64(min, max) => values.iter().try_for_each(|x| {
                if !x.is_finite() {
                    Err(self.refuse(Status::Refused, format_args!("{x} is not finite")))
                } else if *x < min || *x > max {
                    Err(self.refuse(Status::Refused, format_args!("{x} is outside {min} to {max}")))
                } else {
                    Ok(())
                }
            }),
            _ => Ok(()),
        };
        let integers = |values: &[i64]| match self.limits {
            Limits::I64(min, max) => values.iter().try_for_each(|i| {
                if *i < min || *i > max {
                    Err(self.refuse(Status::Refused, format_args!("{i} is outside {min} to {max}")))
                } else {
                    Ok(())
                }
            }),
            _ => Ok(()),
        };
        let length = |len: usize| {
            if len == self.count {
                Ok(())
            } else {
                Err(self.refuse(Status::Refused, format_args!("it has {} elements, not {len}", self.count)))
            }
        };
        match &value {
            Value::F64(x) => reals(&[*x])?,
            Value::I64(i) => integers(&[*i])?,
            Value::F64s(v) => length(v.len()).and_then(|()| reals(v))?,
            Value::I64s(v) => length(v.len()).and_then(|()| integers(v))?,
            Value::Text(text) if text.len() >= self.count => {
                return Err(self.refuse(
                    Status::Refused,
                    format_args!("a text of {} bytes does not fit in {}", text.len(), self.count - 1),
                ));
            }
            Value::Text(_) | Value::Bool(_) | Value::Key => {}
        }
        Ok(value)
    }

    fn describe(&self, info: &mut Message) {
        info.put("type", Value::I64(self.kind as i64));
        info.put("count", Value::I64(self.count as i64));
        match self.limits {
            Limits::None => {}
            Limits::F64(min, max) => {
                info.put("min", Value::F64(min));
                info.put("max", Value::F64(max));
            }
            Limits::I64(min, max) => {
                info.put("min", Value::I64(min));
                info.put("max", Value::I64(max));
            }
        }
        info.put("read_only", Value::Bool(self.read_only));
        info.put("units", Value::Text(self.units.clone()));
        info.put("description", Value::Text(self.description.clone()));
    }
}

pub(crate) struct Variables(Mutex<Vec<Variable>>);

fn unknown(name: &str) -> Error {
    Error::new(Status::Unknown, format!("'{name}': no variable of that name is exposed"))
}

impl Variables {
    pub(crate) fn new() -> Variables {
        Variables(Mutex::new(Vec::new()))
    }

    pub(crate) fn add(&self, variable: Variable) -> Result<()> {
        let mut all = self.0.lock();
        if all.iter().any(|other| other.name == variable.name) {
            return Err(Error::new(Status::Exists, format!("name: '{}' is exposed already", variable.name)));
        }
        all.push(variable);
        Ok(())
    }

    /// Takes a variable out. It is returned so that its check is dropped with no lock held.
    pub(crate) fn remove(&self, name: &str) -> Result<Variable> {
        let mut all = self.0.lock();
        let index = all.iter().position(|variable| variable.name == name).ok_or_else(|| unknown(name))?;
        Ok(all.remove(index))
    }

    pub(crate) fn change<T>(&self, name: &str, change: impl FnOnce(&mut Variable) -> T) -> Result<T> {
        let mut all = self.0.lock();
        all.iter_mut().find(|variable| variable.name == name).map(change).ok_or_else(|| unknown(name))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().len()
    }

    pub(crate) fn name(&self, index: usize) -> Option<String> {
        self.0.lock().get(index).map(|variable| variable.name.clone())
    }

    /// How many elements, or bytes of text, the named variables have; all of them where none is named.
    pub(crate) fn elements(&self, names: &Message) -> usize {
        let is_named = |name: &String| names.values.is_empty() || names.values.iter().any(|(key, _)| key == name);
        self.0.lock().iter().filter(|variable| is_named(&variable.name)).map(|variable| variable.count).sum()
    }

    /// Shows them all. Not their values: those are the loop's.
    pub(crate) fn each<T>(&self, show: impl FnOnce(&[Variable]) -> T) -> T {
        show(&self.0.lock())
    }

    pub(crate) fn describe(&self, name: &str, info: &mut Message) -> Result<()> {
        self.change(name, |variable| variable.describe(info))
    }

    /// Checks names, types, limits and lengths; returns the values as the variables' types, and the callbacks that
    /// have a word in it, each once.
    pub(crate) fn accept(&self, message: &Message) -> Result<(Message, Vec<MessageFn>)> {
        accept(&self.0.lock(), message)
    }

    /// Writes all of the values, or none. At a ready point only. They are checked once more: between the last time and
    /// now a callback may have exposed other variables.
    pub(crate) fn write(&self, message: &Message) -> Result<()> {
        let mut all = self.0.lock();
        let (accepted, _) = accept(&all, message)?;
        for (name, value) in &accepted.values {
            if let Some(variable) = all.iter_mut().find(|variable| variable.name == *name) {
                variable.place.write(value);
            }
        }
        Ok(())
    }

    /// Reads the named variables, all of them where none is named. At a ready point only.
    pub(crate) fn read(&self, names: &Message, reply: &mut Message) -> Result<()> {
        let all = self.0.lock();
        if names.values.is_empty() {
            all.iter().for_each(|variable| reply.put(variable.name.clone(), variable.place.read()));
        }
        for (name, _) in &names.values {
            let variable = all.iter().find(|variable| variable.name == *name).ok_or_else(|| unknown(name))?;
            reply.put(name.clone(), variable.place.read());
        }
        Ok(())
    }
}

fn accept(all: &[Variable], message: &Message) -> Result<(Message, Vec<MessageFn>)> {
    let mut accepted = Message::new(message.name.clone());
    let mut checks: Vec<MessageFn> = Vec::new();
    for (name, value) in &message.values {
        let variable = all.iter().find(|variable| variable.name == *name).ok_or_else(|| unknown(name))?;
        accepted.put(name.clone(), variable.accept(value)?);
        if let Some(check) = &variable.check {
            if !checks.iter().any(|other| Arc::ptr_eq(other, check)) {
                checks.push(check.clone());
            }
        }
    }
    Ok((accepted, checks))
}
