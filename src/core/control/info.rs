//! What is known of a job without asking its loop.

use super::json::state_name;
use crate::core::event::JobState;
use crate::core::handler::Handler;
use crate::core::json::{array, pair, Object};
use crate::core::value::Kind;
use crate::core::variable::{Limits, Variable};

/// Rises when a client must know.
const PROTOCOL: i64 = 1;

/// The reply to `info`.
pub(super) fn info(handler: &Handler) -> String {
    let state = handler.state();
    let (progress, rate) = handler.foreseen();
    let units = handler.units();
    let progress = Object::new()
        .number("done", progress.done)
        .number("total", progress.total)
        .text("units", units.as_deref().unwrap_or(""))
        .maybe("seconds_left", progress.seconds_left)
        .maybe("rate", rate);
    let (when, saved) = handler.last_checkpoint().unzip();
    let checkpoint = Object::new().maybe("when", when).json("saved", saved.map_or("null", json_bool));
    let is_over = matches!(state, JobState::Complete | JobState::Aborted | JobState::Failed);
    let exit_code = if is_over { handler.exit_code().to_string() } else { "null".to_owned() };
    let reason = handler.outcome().map(|outcome| outcome.reason).unwrap_or_default();
    let working_directory = std::env::current_dir().unwrap_or_default();
    let program = std::env::args_os().next().unwrap_or_default();
    Object::new()
        .integer("protocol", PROTOCOL)
        .text("version", env!("CARGO_PKG_VERSION"))
        .text("name", handler.name())
        .integer("pid", std::process::id().into())
        .text("state", state_name(state))
        .json("progress", &progress.end())
        .maybe("best", handler.best().map(|best| best.value))
        .number("up", handler.up().as_secs_f64())
        .maybe("idle", handler.idle().ok().map(|idle| idle.as_secs_f64()))
        .json("checkpoint", &checkpoint.end())
        .json("variables", &handler.variables().each(|all| array(all, |text, one| text.push_str(&variable(one)))))
        .texts("methods", &handler.method_names())
        .texts("signals", &handler.signal_names())
        .json("exit_code", &exit_code)
        .text("reason", &reason)
        .text("argv0", &program.to_string_lossy())
        .text("cwd", &working_directory.to_string_lossy())
        .end()
}

/// The reply to `curve`.
pub(super) fn curve(handler: &Handler) -> String {
    let curve = handler.curve();
    let points = array(&curve.points, |text, &(time, value)| text.push_str(&pair(time, value)));
    Object::new().maybe("began", curve.began).json("points", &points).end()
}

fn json_bool(value: bool) -> &'static str {
    if value {
        "true"
    } else {
        "false"
    }
}

fn variable(variable: &Variable) -> String {
    let object = Object::new()
        .text("name", &variable.name)
        .text("type", type_name(variable.kind))
        .integer("count", variable.count as i64);
    // A limit that is not there is null.
    let finite = |limit: f64| limit.is_finite().then_some(limit);
    let object = match variable.limits {
        Limits::None => object.json("min", "null").json("max", "null"),
        Limits::F64(min, max) => object.maybe("min", finite(min)).maybe("max", finite(max)),
        Limits::I64(min, max) => object.integer("min", min).integer("max", max),
    };
    object
        .json("read_only", json_bool(variable.read_only))
        .text("units", &variable.units)
        .text("description", &variable.description)
        .end()
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Key => "key",
        Kind::F64 => "f64",
        Kind::I64 => "i64",
        Kind::Bool => "bool",
        Kind::Text => "text",
        Kind::F64s => "f64s",
        Kind::I64s => "i64s",
    }
}
