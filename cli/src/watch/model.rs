//! What is known of the watched job, and what it was asked.

use super::now;
use crate::connection::{outcome, Connection, Sender};
use crate::curve::Curve;
use crate::end::Run;
use crate::event::Event;
use crate::failure::{Failure, Result};
use crate::info::{number, Info};
use crate::text;
use serde_json::{json, Value};
use std::collections::{BTreeMap, VecDeque};

/// More lines than the tallest screen has.
const MOST_LINES: usize = 500;

pub(super) struct Model {
    pub(super) title: String,
    pub(super) info: Info,
    /// When the handler was made, in seconds since 1970.
    pub(super) born: f64,
    /// When the run began, as far as is known.
    pub(super) began: Option<f64>,
    pub(super) values: BTreeMap<String, String>,
    pub(super) curve: Curve,
    pub(super) log: VecDeque<Line>,
    pub(super) run: Run,
    pub(super) is_gone: bool,
    /// When the job was last heard of.
    pub(super) heard: f64,
    asked: BTreeMap<u64, Asked>,
    sender: Sender,
}

pub(super) struct Line {
    pub(super) time: f64,
    pub(super) text: String,
    /// An error or a warning.
    pub(super) is_grave: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Subscribe,
    Info,
    Values,
    Curve,
    /// By a key.
    Order(&'static str),
}

impl Model {
    pub(super) fn new(title: String, info: Info, connection: &Connection) -> Result<Model> {
        let sender = connection.sender().map_err(|error| Failure::system(&title, &error))?;
        Ok(Model {
            title,
            born: now() - info.up,
            info,
            began: None,
            values: BTreeMap::new(),
            curve: Curve::default(),
            log: VecDeque::new(),
            run: Run::default(),
            is_gone: false,
            heard: now(),
            asked: BTreeMap::new(),
            sender,
        })
    }

    /// Asks for the curve up to now and for all events from now on.
    pub(super) fn begin(&mut self) -> Result<()> {
        let asked = self.ask(Asked::Curve, "curve", &json!({}));
        asked
            .and_then(|()| self.ask(Asked::Subscribe, "subscribe", &json!({})))
            .map_err(|error| Failure::system(&self.title, &error))
    }

    fn ask(&mut self, what: Asked, method: &str, params: &Value) -> std::io::Result<()> {
        let id = self.sender.send(method, params)?;
        self.asked.insert(id, what);
        Ok(())
    }

    /// Asks for news that are no events. What was asked before and is not answered is not asked again. A job that does not
    /// take it is gone, which the reader of the connection tells.
    pub(super) fn poll(&mut self, with_values: bool) {
        let awaits = |model: &Model, what| model.asked.values().any(|asked| *asked == what);
        if self.is_gone {
            return;
        }
        if !awaits(self, Asked::Info) {
            let _ = self.ask(Asked::Info, "info", &json!({}));
        }
        let is_computing = matches!(self.info.state.as_str(), "running" | "paused");
        if with_values && is_computing && !self.info.variables.is_empty() && !awaits(self, Asked::Values) {
            let _ = self.ask(Asked::Values, "get", &json!({}));
        }
    }

    /// Asks for what a key stands for.
    pub(super) fn order(&mut self, method: &'static str) {
        if self.is_gone {
            return;
        }
        if let Err(error) = self.ask(Asked::Order(method), method, &json!({})) {
            self.note(now(), format!("{method}: {error}"), true);
        }
    }

    /// What was asked by keys and has not happened.
    pub(super) fn awaited(&self) -> Vec<&'static str> {
        self.asked
            .values()
            .filter_map(|asked| if let Asked::Order(method) = asked { Some(*method) } else { None })
            .collect()
    }

    fn note(&mut self, time: f64, text: String, is_grave: bool) {
        if self.log.len() >= MOST_LINES {
            self.log.pop_front();
        }
        self.log.push_back(Line { time, text, is_grave });
    }

    /// Takes in a message. The event that it was, if it was one.
    pub(super) fn hear(&mut self, message: Value) -> Option<Event> {
        self.heard = now();
        if let Some(event) = Event::in_message(&message) {
            self.hear_event(&event);
            return Some(event);
        }
        let asked = self.asked.remove(&message["id"].as_u64()?)?;
        let answer = outcome("", message);
        match (asked, answer) {
            (Asked::Info, Ok(info)) => self.hear_info(Info::read(info)),
            (Asked::Values, Ok(Value::Object(values))) => {
                self.values = values.iter().map(|(name, value)| (name.clone(), text::value(value))).collect();
            }
            (Asked::Curve, Ok(curve)) => self.hear_curve(&curve),
            (Asked::Order(method), Err(failure)) => {
                let reason = failure.text.trim_start_matches([':', ' ']).to_owned();
                self.note(now(), format!("{method}: {reason}"), true);
            }
            _ => {}
        }
        None
    }

    fn hear_info(&mut self, info: Info) {
        self.born = now() - info.up;
        self.info = info;
    }

    /// Those points come first: events may have brought some already.
    fn hear_curve(&mut self, curve: &Value) {
        let points = points_of(curve);
        self.began = number(&curve["began"]).or(self.began);
        let newest = points.last().map_or(f64::NEG_INFINITY, |last| last.0);
        let later = self.curve.points().iter().copied().filter(|point| point.0 > newest);
        self.curve = Curve::of(points.iter().copied().chain(later).collect::<Vec<_>>());
    }

    fn hear_event(&mut self, event: &Event) {
        self.run.hear(event);
        match event.kind.as_str() {
            "start" => {
                self.curve = Curve::default();
                self.began = Some(event.time);
            }
            "cut_off" => drop(self.ask(Asked::Subscribe, "subscribe", &json!({}))),
            _ => {}
        }
        if event.kind != "cut_off" {
            self.info.state.clone_from(&event.state);
            self.info.progress.done = event.done;
            self.info.progress.total = event.total;
            if !event.units.is_empty() {
                self.info.progress.units.clone_from(&event.units);
            }
            if matches!(event.kind.as_str(), "progress" | "join") {
                self.info.progress.seconds_left = event.seconds_left;
            }
            if let Some(best) = event.best {
                self.info.best = Some(best);
                self.curve.add(event.time, best);
            }
        }
        if let Some(words) = event.in_words() {
            let is_failed = event.kind == "checkpoint" && event.status != 0;
            let is_grave = matches!(event.level.as_str(), "error" | "warning") || is_failed;
            self.note(event.time, words, is_grave || matches!(event.kind.as_str(), "error" | "cut_off"));
        }
    }

    /// The connection is closed.
    pub(super) fn lose(&mut self) {
        self.is_gone = true;
        self.asked.clear();
        if self.run.end().is_none() {
            self.note(now(), "the job is gone, and did not say how it ended".to_owned(), true);
        }
    }

    /// Whether it computes no more: what is shown stays as it is.
    pub(super) fn is_over(&self) -> bool {
        self.is_gone || self.info.is_over()
    }

    /// When the last event came.
    pub(super) fn last(&self) -> f64 {
        let newest = self.log.back().map_or(self.born, |line| line.time);
        self.curve.points().last().map_or(newest, |last| newest.max(last.0))
    }

    /// What is left to say when one has stopped watching.
    pub(super) fn summary(&self) -> String {
        let state = match (self.run.end(), self.is_gone) {
            (Some(end), _) => end.sentence(),
            (None, true) => "is gone, and did not say how it ended".to_owned(),
            (None, false) => self.info.shown_state(),
        };
        let progress = &self.info.progress;
        let units = text::harmless(&progress.units);
        let done = match progress.total > 0.0 {
            true => format!("{} of {} {units}", text::number(progress.done, 12), text::number(progress.total, 12)),
            false => format!("{} {units}", text::number(progress.done, 12)),
        };
        let best = self.info.best.map_or(String::new(), |best| format!(", best {}", text::number(best, 12)));
        format!("{}: {state}; {}{best}\n", self.title, done.trim_end())
    }
}

/// The points of a reply to `curve`.
pub(crate) fn points_of(curve: &Value) -> Vec<(f64, f64)> {
    let points = curve["points"].as_array().map_or(&[][..], Vec::as_slice).iter();
    points.filter_map(|point| Some((number(&point[0])?, number(&point[1])?))).collect()
}
