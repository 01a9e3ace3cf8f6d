//! The command line.

use crate::scale::Choice;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

const EXIT_CODES: &str = "\
JOB is a job's name, the number of its process, both as NAME.PID, or the path of a socket.

Exit codes:
  0    done; of watch and events: the job completed
  1    the job refused it or could not do it (the reason is printed); of watch and events: the job failed
  2    the command line makes no sense
  3    no such job, or several of that name (they are listed)
  4    the time was up before the job came to a ready point
  5    the job ended first; of watch and events: it vanished, as when killed
  6    a directory, a file or a terminal that cannot be used; a process that is halted
  85   watch and events: the job stopped with a checkpoint: run it again
  86   watch and events: the job was aborted, or stopped without one
  129 and more: watch and events were interrupted; 128 and the signal's number";

/// Watches and steers this user's running jobs: those that called park_listen, or run with PARK_LISTEN=1.
#[derive(Parser)]
#[command(name = "park", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Line {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the jobs
    Ls {
        /// An array of what `info --json` prints
        #[arg(long)]
        json: bool,
    },
    /// Follow a job: progress, time left, the curve of the best so far, log
    #[command(after_help = WATCH_HELP)]
    Watch(Watch),
    /// All that a job says of itself
    Info {
        job: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// Print variables: one's value, or NAME=VALUE of several
    Get {
        job: String,
        /// All, if none is named
        names: Vec<String>,
        #[command(flatten)]
        way: Way,
    },
    /// Set variables at the next ready point: all, or none
    Set {
        job: String,
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = crate::values::pair)]
        values: Vec<(String, String)>,
        #[command(flatten)]
        way: Way,
    },
    /// Call a method that the job offers, and print what it answers
    Invoke(Message),
    /// Send a message of the job's own kind, and print what is answered
    Signal(Message),
    /// Halt at the next ready point
    Pause(Order),
    /// Go on after a pause
    Resume(Order),
    /// Save a checkpoint now
    Checkpoint(Order),
    /// Save a checkpoint, then end
    Stop(Order),
    /// End without a checkpoint
    Abort(Order),
    /// Print events as they come, until the job is gone
    Events {
        job: Option<String>,
        /// One JSON object a line, as docs/control.md describes; `plot --from` reads them
        #[arg(long)]
        json: bool,
        /// Only of these kinds (start, join, progress, improved, checkpoint, paused, resumed, complete, abort, error, log)
        #[arg(long, value_delimiter = ',', value_name = "KIND,...")]
        kinds: Vec<String>,
    },
    /// Draw the curve of the best so far as PNG or SVG
    Plot(Plot),
    /// Print a script that completes this command in a shell
    Completions { shell: Shell },
}

const WATCH_HELP: &str = "\
Keys: p pause, r resume, c checkpoint, s stop, a abort (both ask first), y the curve's scale, q leave: the job goes on.
Without a terminal, or with --plain, it prints a line when something happens, and ends when the run does.";

#[derive(Args)]
pub(crate) struct Watch {
    /// May be left out when there is only one
    pub(crate) job: Option<String>,
    /// Lines, also on a terminal
    #[arg(long)]
    pub(crate) plain: bool,
    /// Between two lines of progress
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) every: f64,
    /// Of the curve
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) scale: Choice,
}

#[derive(Args)]
pub(crate) struct Way {
    /// Give up, without effect, when the job came to no ready point for so long [default: wait as long as the job runs]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<f64>,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Message {
    pub(crate) job: String,
    pub(crate) name: String,
    #[arg(value_name = "NAME=VALUE", value_parser = crate::values::pair)]
    pub(crate) values: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) way: Way,
}

#[derive(Args)]
pub(crate) struct Order {
    pub(crate) job: String,
    #[command(flatten)]
    pub(crate) way: Way,
    /// Do not wait until it is done
    #[arg(long, conflicts_with = "timeout")]
    pub(crate) no_wait: bool,
}

#[derive(Args)]
pub(crate) struct Plot {
    /// May be left out when there is only one
    #[arg(conflicts_with = "from")]
    pub(crate) job: Option<String>,
    /// What to write; .png or .svg says which
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Draw what `park events --json` has printed, instead of a job that runs ("-": standard input)
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) scale: Choice,
    /// In pixels
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1200x700", value_parser = size)]
    pub(crate) size: (u32, u32),
    /// [default: the job's name]
    #[arg(long)]
    pub(crate) title: Option<String>,
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
        .ok_or("it takes seconds, 0 or more".to_owned())
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    parts
        .filter(|(width, height)| (200..=20_000).contains(width) && (150..=20_000).contains(height))
        .ok_or("it takes WIDTHxHEIGHT, from 200x150 to 20000x20000".to_owned())
}

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Choice] {
        &Choice::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()))
    }
}
