//! The journal: what the job says on standard error, when PARK_LOG in the environment asks for it.
//!
//! PARK_LOG is a level (off, error, warning, info, debug), or such for jobs by name: "warning,heat=debug". Lines are
//! written by the service thread, which no signal reaches: a reader that has gone kills nobody. A reader that is slow
//! holds up nobody either: lines that find no room are left out, and counted.

use super::event::{Event, Kind, Level, ALL_KINDS};
use super::handler::Handler;
use super::status::Status;
use super::sync::{AtomicU64, Ordering};
use crate::sys;
use std::io::Write;
use std::time::Duration;

/// How long a line waits for room: 20 ms, so that a burst into a pipe is kept, as a rule. Those after a line that found
/// none do not wait.
const TRIES: u32 = 20;
const TRY: Duration = Duration::from_millis(1);
/// A line up to this size goes into a pipe whole. Longer ones are cut.
const LONGEST: usize = 4000;

/// Lets a new handler write its journal, if the environment asks for it.
pub(crate) fn open(handler: &Handler) {
    let Ok(filter) = std::env::var("PARK_LOG") else { return };
    let level = match level_for(&filter, handler.name()) {
        Ok(Some(level)) => level,
        Ok(None) => return,
        Err(word) => {
            write(&format!("park: PARK_LOG: '{word}' is not off, error, warning, info or debug"), TRIES);
            Level::Warning
        }
    };
    let name = handler.name().to_owned();
    let lost = AtomicU64::new(0);
    let write_down = move |event: Event| {
        if let Some((of, text)) = line_of(&event).filter(|(of, _)| *of as i32 <= level as i32) {
            let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            let (missing, tries) = match lost.load(Ordering::Relaxed) {
                0 => (String::new(), TRIES),
                lost => (format!(" ({lost} lines before this found no room)"), 1),
            };
            if write(&format!("{name}: {}: {text}{missing}", of.name()), tries) {
                lost.store(0, Ordering::Relaxed);
            } else {
                lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        0
    };
    let mask =
        if level == Level::Debug { ALL_KINDS } else { ALL_KINDS & !(Kind::Progress as i32 | Kind::Improved as i32) };
    // It can fail only while the handler is freed.
    let _ = handler.subscribe_callback(mask, true, Box::new(write_down));
}

/// The level that a filter has for a job. `None`: nothing is to be written. An error is the word that was not understood.
fn level_for<'a>(filter: &'a str, job: &str) -> Result<Option<Level>, &'a str> {
    let mut found = (false, None);
    for part in filter.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, word) = part.rsplit_once('=').map_or((None, part), |(name, word)| (Some(name), word));
        let level = match word.to_ascii_lowercase().as_str() {
            "off" => None,
            "warn" => Some(Level::Warning),
            word => Some(Level::ALL.into_iter().find(|level| level.name() == word).ok_or(part)?),
        };
        match name {
            Some(name) if name == job => found = (true, level),
            Some(_) => {}
            // What is said of the job itself counts, wherever it stands.
            None if !found.0 => found.1 = level,
            None => {}
        }
    }
    Ok(found.1)
}

/// What there is to say about an event, and how grave it is.
fn line_of(event: &Event) -> Option<(Level, String)> {
    let line = |level: Level, text: &str| Some((level, text.to_owned()));
    match event.kind {
        Kind::Log => line(event.level, &event.text),
        Kind::Start => line(Level::Info, "started"),
        Kind::Paused => line(Level::Info, "paused"),
        Kind::Resumed => line(Level::Info, "goes on"),
        // One that failed has a line of its own.
        Kind::Checkpoint if event.status == Status::Ok => line(Level::Info, "checkpoint saved"),
        Kind::Complete => line(Level::Info, "complete"),
        Kind::Abort => line(Level::Info, &event.text),
        Kind::Error => line(Level::Error, &event.text),
        Kind::CutOff => line(Level::Warning, &event.text),
        Kind::Progress => Some((Level::Debug, event.progress_text())),
        Kind::Improved => event.value.map(|value| (Level::Debug, format!("improved: {value}"))),
        Kind::Checkpoint | Kind::Join => None,
    }
}

/// Writes a line in one piece. `false`: there was no room for it.
fn write(line: &str, tries: u32) -> bool {
    for _ in 0..tries {
        if sys::stderr_has_room() {
            let mut cut = line.len().min(LONGEST);
            while !line.is_char_boundary(cut) {
                cut -= 1;
            }
            // Closed, or a pipe whose reader has gone: there is nobody to tell.
            let _ = std::io::stderr().write_all(format!("{}\n", &line[..cut]).as_bytes());
            return true;
        }
        std::thread::sleep(TRY);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_or_one_for_each_job() {
        assert_eq!(level_for("info", "heat"), Ok(Some(Level::Info)));
        assert_eq!(level_for(" WARN ", "heat"), Ok(Some(Level::Warning)));
        assert_eq!(level_for("heat=debug,warning", "heat"), Ok(Some(Level::Debug)));
        assert_eq!(level_for("heat=debug,warning", "fit"), Ok(Some(Level::Warning)));
        assert_eq!(level_for("debug,heat=off", "heat"), Ok(None));
        assert_eq!(level_for("a=b=error", "a=b"), Ok(Some(Level::Error)));
        assert_eq!(level_for("", "heat"), Ok(None));
        assert_eq!(level_for("fit=loud", "heat"), Err("fit=loud"));
        assert_eq!(level_for("1", "heat"), Err("1"));
    }
}
