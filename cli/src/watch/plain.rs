//! Watching without a terminal: a line when something happens, and one of progress now and then. Ends with the run.

use super::happening::{Happening, Happenings};
use super::model::Model;
use super::now;
use crate::event::Event;
use crate::failure::Result;
use crate::text;
use std::time::Duration;

/// Between two looks at what is no event: the rate, and whether it still comes to ready points.
const POLL: f64 = 1.0;

pub(super) fn watch(mut model: Model, happenings: &Happenings, every: f64) -> Result<u8> {
    let mut printed = f64::NEG_INFINITY;
    let mut polled = now();
    let mut was_silent = false;
    loop {
        if now() - polled >= POLL {
            polled = now();
            model.poll(false);
        }
        match happenings.next(Duration::from_secs_f64(POLL)) {
            Some(Happening::Message(message)) => {
                let Some(event) = model.hear(message) else { continue };
                let is_due = event.time - printed >= every || event.kind == "join";
                if event.in_words().is_some() {
                    print(&model, event.time, &event.in_words().unwrap_or_default());
                } else if is_due && event.kind != "improved" {
                    printed = event.time;
                    print(&model, event.time, &progress(&model, &event));
                }
                if event.is_final() || (event.kind == "join" && model.info.is_over()) {
                    text::print(&model.summary());
                    return Ok(if event.is_final() { model.run.code() } else { model.info.exit_code.unwrap_or(0) });
                }
            }
            Some(Happening::Gone) => {
                model.lose();
                text::print(&model.summary());
                return Ok(model.run.code());
            }
            Some(Happening::Signal(number)) => return Ok(128 + number as u8),
            Some(Happening::Key(_) | Happening::Resized) | None => {}
        }
        let silence = model.info.silence();
        if let Some(seconds) = silence.filter(|_| !was_silent) {
            print(&model, now(), &format!("no ready point for {}", text::brief(seconds)));
        }
        was_silent = silence.is_some();
    }
}

fn print(model: &Model, time: f64, what: &str) {
    text::print(&format!("{}  {}  {what}\n", text::clock(time - model.born), model.title));
}

fn progress(model: &Model, event: &Event) -> String {
    let mut line = format!("{}  {}", event.state, event.progress());
    if let Some(rate) = model.info.progress.rate {
        line += &format!("  {}/s", text::number(rate, 3));
    }
    if let Some(left) = event.seconds_left {
        line += &format!("  {} left", text::brief(left));
    }
    if let Some(best) = event.best {
        line += &format!("  best {}", text::number(best, 12));
    }
    line
}
