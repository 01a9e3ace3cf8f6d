//! `park events`.

use crate::connection::Came;
use crate::end::Run;
use crate::event::Event;
use crate::failure::{Failure, Result};
use crate::jobs;
use crate::text;
use serde_json::{json, Value};

/// What is needed to know how it ended, whatever was asked for.
const NEEDED: [&str; 5] = ["start", "checkpoint", "complete", "abort", "error"];

pub(crate) fn events(job: Option<&str>, as_json: bool, kinds: &[String]) -> Result<u8> {
    let (title, info, mut connection) = jobs::reach(job)?;
    let begin = crate::watch::now() - info.up;
    let params = match kinds {
        [] => json!({}),
        some => json!({"events": some.iter().map(String::as_str).chain(NEEDED).collect::<Vec<_>>()}),
    };
    connection.ask(&title, "subscribe", params.clone())?;
    let mut run = Run::default();
    loop {
        match connection.next(None) {
            Came::Message(message) => {
                let Some(event) = Event::in_message(&message) else { continue };
                run.hear(&event);
                if kinds.is_empty() || kinds.contains(&event.kind) || event.kind == "cut_off" {
                    text::print(&line(&event, &message["params"], begin, as_json));
                }
                if event.kind == "cut_off" {
                    connection.send("subscribe", &params).map_err(|error| Failure::system(&title, &error))?;
                }
            }
            Came::TimeUp => {}
            Came::End => {
                if run.end().is_none() {
                    eprintln!("park: {title} is gone, and did not say how it ended");
                }
                return Ok(run.code());
            }
        }
    }
}

fn line(event: &Event, params: &Value, begin: f64, as_json: bool) -> String {
    if as_json {
        return format!("{params}\n");
    }
    let best = event.best.map_or(String::new(), |best| format!("  best {}", text::number(best, 12)));
    let what = match event.in_words() {
        Some(words) => words,
        None if event.kind == "improved" => best.trim_start().to_owned(),
        None => format!("{}{best}", event.progress()),
    };
    format!("{}  {:10}  {what}\n", text::clock(event.time - begin), event.kind)
}
