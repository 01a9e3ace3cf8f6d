//! One line of the protocol: a request as it is read, a reply as it is written. JSON-RPC 2.0; see docs/control.md.

use super::json::{mask_of, value_of};
use crate::core::attention::Signal;
use crate::core::event::ALL_KINDS;
use crate::core::inbox::Ask;
use crate::core::json::{quoted, Object};
use crate::core::message::Message;
use crate::core::status::{Error, Status};
use crate::core::value::Value;
use serde_json::{Map, Value as Json};
use std::time::Duration;

/// Deeper than any request is. The parser's own limit, 128, costs more stack than it needs.
const MOST_NESTING: usize = 32;
/// An id comes back with the reply, so it is kept while the request waits.
const LONGEST_ID: usize = 256;
/// As in the C interface.
const LONGEST_NAME: usize = 255;

// JSON-RPC's own numbers. Those of park's statuses stand beside them: -1 to -99.
const PARSE_ERROR: i64 = -32_700;
const INVALID_REQUEST: i64 = -32_600;
const METHOD_NOT_FOUND: i64 = -32_601;
const INVALID_PARAMS: i64 = -32_602;

/// What a client wants.
#[derive(Debug)]
pub(super) enum Want {
    /// Something of the job, at its next ready point.
    Ask {
        ask: Ask,
        message: Message,
        timeout: Option<Duration>,
    },
    Info,
    Curve,
    Ping,
    Subscribe(i32),
    Unsubscribe(i32),
}

/// A request. One without an id wants no reply.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: Option<String>,
    pub(super) want: Want,
}

/// A line that is no request, or none that can be done.
#[derive(Debug)]
pub(super) struct Fault {
    /// As JSON; null when it could not be read. `None`: no reply is wanted.
    pub(super) id: Option<String>,
    code: i64,
    text: String,
}

impl Fault {
    pub(super) fn is_garbage(&self) -> bool {
        self.code == PARSE_ERROR || self.code == INVALID_REQUEST
    }

    pub(super) fn reply(&self) -> Option<String> {
        self.id.as_ref().map(|id| error_reply(id, self.code, &self.text))
    }
}

fn invalid(text: impl Into<String>) -> Fault {
    Fault { id: Some("null".to_owned()), code: INVALID_REQUEST, text: text.into() }
}

/// The reply to a request that was done.
pub(super) fn reply(id: &str, result: &str) -> String {
    Object::new().text("jsonrpc", "2.0").json("id", id).json("result", result).end()
}

/// The reply to one that was not.
pub(super) fn refusal(id: &str, error: &Error) -> String {
    error_reply(id, error.status as i64, &error.text)
}

fn error_reply(id: &str, code: i64, text: &str) -> String {
    let error = Object::new().integer("code", code).text("message", text).end();
    Object::new().text("jsonrpc", "2.0").json("id", id).json("error", &error).end()
}

/// Whether brackets are nested deeper than is allowed. Looked at before anything is built of them.
fn is_too_deep(line: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for &byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > MOST_NESTING {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

pub(super) fn parse(line: &[u8]) -> Result<Call, Fault> {
    let garbage = |text: String| Fault { id: Some("null".to_owned()), code: PARSE_ERROR, text };
    if is_too_deep(line) {
        return Err(garbage(format!("nested deeper than {MOST_NESTING}")));
    }
    let mut request = match serde_json::from_slice(line) {
        Ok(Json::Object(request)) => request,
        Ok(Json::Array(_)) => return Err(invalid("no batches: one request a line")),
        Ok(_) => return Err(invalid("a request is an object")),
        Err(error) => return Err(garbage(format!("not JSON: {error}"))),
    };
    let id = match request.remove("id") {
        None => None,
        Some(Json::String(id)) if id.len() <= LONGEST_ID => Some(quoted(&id)),
        Some(Json::Number(id)) => Some(id.to_string()),
        Some(Json::Null) => Some("null".to_owned()),
        Some(_) => return Err(invalid(format!("id: a number, or a text of at most {LONGEST_ID} bytes"))),
    };
    // A request with an id gets its reply, whatever is wrong with the rest of it.
    let fault = |code, text: String| Err(Fault { id: id.clone().or(Some("null".to_owned())), code, text });
    if request.get("jsonrpc").and_then(Json::as_str) != Some("2.0") {
        return fault(INVALID_REQUEST, "jsonrpc: it is not \"2.0\"".to_owned());
    }
    let Some(Json::String(method)) = request.remove("method") else {
        return fault(INVALID_REQUEST, "method: it is not a text".to_owned());
    };
    let params = match request.remove("params") {
        None => Map::new(),
        Some(Json::Object(params)) => params,
        Some(_) => return fault(INVALID_PARAMS, "params: they are not an object".to_owned()).map_err(silent_for(&id)),
    };
    let read = match Params(params).want(&method) {
        None => fault(METHOD_NOT_FOUND, format!("there is no method {}", quoted(&method))),
        Some(Err(error)) if error.status == Status::Unknown => fault(error.status as i64, error.text),
        Some(Err(error)) => fault(INVALID_PARAMS, error.text),
        Some(Ok(want)) => return Ok(Call { id, want }),
    };
    read.map_err(silent_for(&id))
}

/// A notification that is well formed and cannot be done gets no reply.
fn silent_for(id: &Option<String>) -> impl Fn(Fault) -> Fault + '_ {
    move |fault| Fault { id: id.clone(), ..fault }
}

struct Params(Map<String, Json>);

impl Params {
    /// `None`: there is no such method.
    fn want(mut self, method: &str) -> Option<Result<Want, Error>> {
        let signal = |signal| Some((Ask::Signal(signal), false));
        let ask = match method {
            "get" => Some((Ask::Get, false)),
            "set" => Some((Ask::Set, false)),
            "invoke" => Some((Ask::Invoke, true)),
            "signal" => Some((Ask::Message, true)),
            "pause" => signal(Signal::Pause),
            "resume" => signal(Signal::Resume),
            "checkpoint" => signal(Signal::Checkpoint),
            "stop" => signal(Signal::Stop),
            "abort" => signal(Signal::Abort),
            "info" | "curve" | "ping" | "subscribe" | "unsubscribe" => None,
            _ => return None,
        };
        let want = match ask {
            Some((ask, named)) => self.ask(ask, named),
            None => self.of_the_endpoint(method),
        };
        Some(want.and_then(|want| match self.0.keys().next() {
            None => Ok(want),
            Some(key) => Err(Error::argument(format!("params: {method} has no {}", quoted(key)))),
        }))
    }

    fn ask(&mut self, ask: Ask, named: bool) -> Result<Want, Error> {
        let name = if named { self.name()? } else { String::new() };
        let mut message = Message::new(name);
        match ask {
            Ask::Get => message.values = self.names()?,
            Ask::Set | Ask::Invoke | Ask::Message => message.values = self.values()?,
            Ask::Signal(_) => {}
        }
        Ok(Want::Ask { ask, message, timeout: self.timeout()? })
    }

    fn of_the_endpoint(&mut self, method: &str) -> Result<Want, Error> {
        Ok(match method {
            "info" => Want::Info,
            "curve" => Want::Curve,
            "ping" => Want::Ping,
            "subscribe" => Want::Subscribe(self.mask()?),
            _ => Want::Unsubscribe(self.mask()?),
        })
    }

    fn name(&mut self) -> Result<String, Error> {
        match self.0.remove("name") {
            Some(Json::String(name)) => checked_name(name),
            _ => Err(Error::argument("name: it is not a text")),
        }
    }

    fn names(&mut self) -> Result<Vec<(String, Value)>, Error> {
        let names = match self.0.remove("names") {
            None => return Ok(Vec::new()),
            Some(Json::Array(names)) => names,
            Some(_) => return Err(Error::argument("names: they are not an array")),
        };
        let name = |name| match name {
            Json::String(name) => Ok((checked_name(name)?, Value::Key)),
            _ => Err(Error::argument("names: one is not a text")),
        };
        names.into_iter().map(name).collect()
    }

    fn values(&mut self) -> Result<Vec<(String, Value)>, Error> {
        let values = match self.0.remove("values") {
            None => return Ok(Vec::new()),
            Some(Json::Object(values)) => values,
            Some(_) => return Err(Error::argument("values: they are not an object")),
        };
        let value = |(name, json)| {
            let name = checked_name(name)?;
            let value = value_of(&name, json)?;
            Ok((name, value))
        };
        values.into_iter().map(value).collect()
    }

    fn timeout(&mut self) -> Result<Option<Duration>, Error> {
        let Some(timeout) = self.0.remove("timeout") else { return Ok(None) };
        match timeout.as_f64() {
            // Further away than a clock can tell is for ever.
            Some(seconds) if seconds >= 0.0 => Ok(Duration::try_from_secs_f64(seconds).ok()),
            _ => Err(Error::argument("timeout: it is not a number of seconds from 0 on")),
        }
    }

    fn mask(&mut self) -> Result<i32, Error> {
        match self.0.remove("events") {
            None => Ok(ALL_KINDS),
            Some(Json::Array(names)) if !names.is_empty() => mask_of(&names),
            Some(_) => Err(Error::argument("events: they are not an array of one or more")),
        }
    }
}

fn checked_name(name: String) -> Result<String, Error> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        let text = format!("a name has 1 to {LONGEST_NAME} bytes and no control characters");
        return Err(Error::argument(text));
    }
    Ok(name)
}
