//! The jobs that listen, and which one is meant.

use crate::connection::Connection;
use crate::directory;
use crate::failure::{Failure, Result, SYSTEM, WHICH_JOB};
use crate::info::Info;
use crate::text::harmless;
use serde_json::json;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Between the making of a socket and listening at it, connecting is refused.
const BEING_MADE: Duration = Duration::from_millis(100);

pub(crate) struct Job {
    path: PathBuf,
    /// `None`: it does not answer.
    pub(crate) known: Option<(Box<Info>, Connection)>,
}

impl Job {
    /// What nothing else is called: its name and the number of its process.
    pub(crate) fn title(&self) -> String {
        let stem = directory::stem(&self.path);
        match &self.known {
            Some((info, _)) => harmless(&format!("{}.{stem}", info.name)),
            None => stem,
        }
    }

    pub(crate) fn stem(&self) -> String {
        directory::stem(&self.path)
    }

    fn is_called(&self, name: &str) -> bool {
        let stem = self.stem();
        let is_pid = directory::process_of(&self.path).is_some_and(|process| process.to_string() == name);
        is_pid
            || stem == name
            || self.known.as_ref().is_some_and(|(info, _)| {
                info.name == name || [stem, info.pid.to_string()].iter().any(|id| format!("{}.{id}", info.name) == name)
            })
    }

    /// What the list of an ambiguous name says of it.
    fn in_short(&self) -> String {
        match &self.known {
            Some((info, _)) => {
                let percent = info.progress.fraction().map_or(String::new(), |part| format!(", {:.0}%", 100.0 * part));
                format!("{} ({}{percent})", self.title(), info.shown_state())
            }
            None => format!("{} (does not answer)", self.title()),
        }
    }
}

enum Found {
    Job(Job),
    /// Nobody listens there.
    Nobody,
    /// Another user does, or the system has refused.
    Closed,
}

fn look(path: &Path) -> Found {
    let mut connection = match Connection::open(path) {
        Ok(connection) => connection,
        Err(error) => {
            return match error.kind() {
                ErrorKind::ConnectionRefused | ErrorKind::NotFound => Found::Nobody,
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Found::Job(Job { path: path.to_owned(), known: None }),
                _ => Found::Closed,
            }
        }
    };
    let info = connection.ask("job", "info", json!({})).ok();
    // One that ended meanwhile is not there any more.
    if info.is_none() && !path.exists() {
        return Found::Nobody;
    }
    Found::Job(Job { path: path.to_owned(), known: info.map(|info| (Box::new(Info::read(info)), connection)) })
}

/// All jobs that listen in the usual directory. What dead ones have left there is removed.
pub(crate) fn all() -> Result<Vec<Job>> {
    let paths = directory::sockets(&directory::usual()?)?;
    // At once, because one that is halted is waited for.
    let found: Vec<Found> = thread::scope(|scope| {
        let looks: Vec<_> = paths.iter().map(|path| scope.spawn(|| look(path))).collect();
        looks.into_iter().map(|look| look.join().unwrap_or(Found::Closed)).collect()
    });
    let mut jobs = Vec::new();
    let mut left = Vec::new();
    for (path, found) in paths.iter().zip(found) {
        match found {
            Found::Job(job) => jobs.push(job),
            Found::Nobody if directory::is_left(path) => left.push(path),
            Found::Nobody | Found::Closed => {}
        }
    }
    if !left.is_empty() {
        thread::sleep(BEING_MADE);
        for path in left {
            match look(path) {
                Found::Nobody => drop(fs::remove_file(path)),
                Found::Job(job) => jobs.push(job),
                Found::Closed => {}
            }
        }
    }
    Ok(jobs)
}

/// The one job of a name: its own, its process's number, both with a point between, or the path of its socket. Without
/// a name, the only one there is.
pub(crate) fn find(name: Option<&str>) -> Result<Job> {
    if let Some(path) = name.filter(|name| name.contains('/')) {
        return match look(Path::new(path)) {
            Found::Job(job) => Ok(job),
            Found::Nobody => Err(Failure::new(WHICH_JOB, format!("nobody listens at {path}"))),
            Found::Closed => {
                Err(Failure::new(SYSTEM, format!("{path} is not a socket of this user's that can be used")))
            }
        };
    }
    let all = all()?;
    let names: Vec<String> = all.iter().map(Job::in_short).collect();
    let (mut meant, _): (Vec<Job>, Vec<Job>) =
        all.into_iter().partition(|job| name.is_none_or(|name| job.is_called(name)));
    if meant.len() > 1 {
        let list: Vec<String> = meant.iter().map(Job::in_short).collect();
        let text = match name {
            Some(name) => format!("'{name}' may be any of {}: {}", list.len(), list.join(", ")),
            None => format!("there are {} jobs: {}", list.len(), list.join(", ")),
        };
        return Err(Failure::new(WHICH_JOB, format!("{text}. Say which by NAME.PID or PID")));
    }
    meant.pop().ok_or_else(|| {
        let what = name.map_or("no job listens".to_owned(), |name| format!("no job '{name}' listens"));
        let here = directory::usual().map_or(String::new(), |directory| format!(" in {}", directory.display()));
        let others = match names.len() {
            0 => String::new(),
            _ => format!("; there is {}", names.join(", ")),
        };
        Failure::new(WHICH_JOB, format!("{what}{here}{others}"))
    })
}

/// The one job of a name, and what it says of itself. One that does not answer is a failure.
pub(crate) fn reach(name: Option<&str>) -> Result<(String, Info, Connection)> {
    let job = find(name)?;
    let title = job.title();
    match job.known {
        Some((info, connection)) => Ok((title, *info, connection)),
        None => Err(crate::connection::silent(&title)),
    }
}
