//! What is asked of a job: get, set, invoke, signal, pause, resume, checkpoint, stop, abort.

use crate::args::{Message, Order, Way};
use crate::connection::{closed, outcome, silent, Came, Connection};
use crate::failure::{Failure, Result, SYSTEM};
use crate::jobs;
use crate::text;
use crate::values;
use serde_json::{json, Value};
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

/// Who waits longer is told for what.
const SAID_AFTER: Duration = Duration::from_secs(2);
/// Beyond the time that the job was given: for its answer that the time was up.
const GRACE: Duration = Duration::from_secs(2);

/// Asks what is done at a ready point, and waits.
fn ask(job: &str, connection: &mut Connection, method: &str, mut params: Value, way: &Way) -> Result<Value> {
    if let Some(seconds) = way.timeout {
        params["timeout"] = Value::from(seconds);
    }
    let id = connection.send(method, &params).map_err(|error| Failure::system(job, &error))?;
    let begin = Instant::now();
    let end = way.timeout.map(|seconds| Duration::from_secs_f64(seconds.min(1e9)) + GRACE);
    let mut said = !io::stderr().is_terminal();
    loop {
        let patience = match (said, end) {
            (false, _) => Some(SAID_AFTER),
            (true, Some(end)) => Some(end.saturating_sub(begin.elapsed())),
            (true, None) => None,
        };
        match connection.next(patience) {
            Came::Message(reply) if reply["id"] == id => return outcome(job, reply),
            Came::Message(_) => {}
            Came::End => return Err(closed(job)),
            Came::TimeUp if end.is_some_and(|end| begin.elapsed() >= end) => return Err(silent(job)),
            Came::TimeUp => {
                if !said && end.is_none() {
                    eprintln!(
                        "park: waiting for {job}'s next ready point. Ctrl-C leaves; what was asked stays in force"
                    );
                }
                said = true;
            }
        }
    }
}

pub(crate) fn get(job: &str, names: &[String], way: &Way) -> Result<()> {
    let (title, _, mut connection) = jobs::reach(Some(job))?;
    let params = if names.is_empty() { json!({}) } else { json!({ "names": names }) };
    let found = ask(&title, &mut connection, "get", params, way)?;
    if way.json {
        text::print(&format!("{found:#}\n"));
        return Ok(());
    }
    match names {
        [name] => text::print(&format!("{}\n", text::value(&found[name]))),
        _ => text::print(&pairs(&found)),
    }
    Ok(())
}

/// NAME=VALUE, a line each, as `set` takes them.
fn pairs(values: &Value) -> String {
    let lines = values.as_object().into_iter().flatten();
    lines.map(|(name, value)| format!("{}={}\n", text::harmless(name), text::value(value))).collect()
}

pub(crate) fn set(job: &str, wanted: &[(String, String)], way: &Way) -> Result<()> {
    let (title, info, mut connection) = jobs::reach(Some(job))?;
    let kind_of = |name: &str| {
        let variable = info.variables.iter().find(|variable| variable.name == name);
        variable.map(|variable| variable.kind.clone())
    };
    let values = values::object(wanted, kind_of)?;
    let answer = ask(&title, &mut connection, "set", json!({ "values": values }), way)?;
    if way.json {
        text::print(&format!("{answer:#}\n"));
    }
    Ok(())
}

/// invoke and signal.
pub(crate) fn send(method: &str, message: &Message) -> Result<()> {
    let (title, _, mut connection) = jobs::reach(Some(&message.job))?;
    let values = values::object(&message.values, |_| None)?;
    let params = json!({"name": message.name, "values": values});
    let answer = ask(&title, &mut connection, method, params, &message.way)?;
    match message.way.json {
        true => text::print(&format!("{answer:#}\n")),
        false => text::print(&pairs(&answer)),
    }
    Ok(())
}

/// pause, resume, checkpoint, stop, abort. `done` is what the job then does.
pub(crate) fn order(method: &str, done: &str, order: &Order) -> Result<()> {
    let (title, _, mut connection) = jobs::reach(Some(&order.job))?;
    if order.no_wait {
        // The answer to the second says that the first has been read.
        let told = connection.tell(method, &json!({}));
        told.map_err(|error| Failure::new(SYSTEM, format!("{title}: {error}")))?;
        return connection.ask(&title, "ping", json!({})).map(drop);
    }
    let answer = ask(&title, &mut connection, method, json!({}), &order.way)?;
    match order.way.json {
        true => text::print(&format!("{answer:#}\n")),
        false => text::print(&format!("{title} {done}\n")),
    }
    Ok(())
}
