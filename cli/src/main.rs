//! The park command: watches and steers this user's running jobs. It speaks what docs/control.md describes, and nothing
//! else.
//!
//! | file | noun |
//! |---|---|
//! | `failure` | why a command failed, and its exit code |
//! | `text` | numbers, times, bars, tables |
//! | `directory`, `connection` | where jobs listen; JSON-RPC with one of them |
//! | `info`, `event`, `end` | what a job says of itself, and tells; how a run ended |
//! | `jobs` | who is there, and who is meant by a name |
//! | `values` | NAME=VALUE |
//! | `scale`, `curve` | the best over time, and the axis it is drawn on |
//! | `list`, `steer`, `events`, `plot`, `watch` | the commands |
//! | `args` | the command line |
#![forbid(unsafe_code)]

mod args;
mod connection;
mod curve;
mod directory;
mod end;
mod event;
mod events;
mod failure;
mod info;
mod jobs;
mod list;
mod plot;
mod scale;
mod steer;
mod text;
mod values;
mod watch;

use args::{Command, Line};
use clap::{CommandFactory, Parser};
use std::process::ExitCode;

fn run(command: Command) -> failure::Result<u8> {
    match command {
        Command::Ls { json } => list::ls(json)?,
        Command::Info { job, json } => list::info(job.as_deref(), json)?,
        Command::Get { job, names, way } => steer::get(&job, &names, &way)?,
        Command::Set { job, values, way } => steer::set(&job, &values, &way)?,
        Command::Invoke(message) => steer::send("invoke", &message)?,
        Command::Signal(message) => steer::send("signal", &message)?,
        Command::Pause(order) => steer::order("pause", "paused", &order)?,
        Command::Resume(order) => steer::order("resume", "goes on", &order)?,
        Command::Checkpoint(order) => steer::order("checkpoint", "checkpoint saved", &order)?,
        Command::Stop(order) => steer::order("stop", "stops", &order)?,
        Command::Abort(order) => steer::order("abort", "aborts", &order)?,
        Command::Plot(plot) => plot::plot(&plot)?,
        Command::Watch(watch) => return watch::watch(&watch),
        Command::Events { job, json, kinds } => return events::events(job.as_deref(), json, &kinds),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Line::command(), "park", &mut script);
            text::print(&String::from_utf8_lossy(&script));
        }
    }
    Ok(0)
}

fn main() -> ExitCode {
    match run(Line::parse().command) {
        Ok(code) => code.into(),
        Err(failure) => {
            eprintln!("park: {}", text::harmless(&failure.text));
            failure.code.into()
        }
    }
}
