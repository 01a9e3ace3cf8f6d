//! Watching on a terminal: keys, and when to draw.

use super::happening::{Happening, Happenings};
use super::model::Model;
use super::screen::{self, View};
use crate::failure::{Failure, Result};
use crate::scale::Choice;
use crate::text;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::DefaultTerminal;
use std::time::{Duration, Instant};

/// Between two drawings: more nobody sees.
const FRAME: Duration = Duration::from_millis(50);
/// Between two looks at what is no event.
const POLL: Duration = Duration::from_secs(1);

const INTERRUPTED: u8 = 130;

pub(super) fn watch(mut model: Model, happenings: &Happenings, scale: Choice) -> Result<u8> {
    // Also puts the terminal back when this program panics.
    let mut terminal = ratatui::try_init().map_err(|error| Failure::system("the terminal", &error))?;
    let left = follow(&mut terminal, &mut model, happenings, scale);
    ratatui::restore();
    let left = left?;
    text::print(&model.summary());
    Ok(left.unwrap_or_else(|| if model.is_gone || model.run.end().is_some() { model.run.code() } else { 0 }))
}

/// Until the user leaves; the exit code, if that is decided by how.
fn follow(
    terminal: &mut DefaultTerminal,
    model: &mut Model,
    happenings: &Happenings,
    scale: Choice,
) -> Result<Option<u8>> {
    let mut view = View { scale, to_confirm: None };
    let mut polled = Instant::now();
    let mut drawn: Option<Instant> = None;
    let mut is_stale = true;
    model.poll(true);
    loop {
        let since_drawn = drawn.map_or(FRAME, |drawn| drawn.elapsed());
        if is_stale && since_drawn >= FRAME {
            terminal
                .draw(|frame| screen::draw(frame, model, &view))
                .map_err(|error| Failure::system("the terminal", &error))?;
            drawn = Some(Instant::now());
            is_stale = false;
            continue;
        }
        let patience = match is_stale {
            true => FRAME.saturating_sub(since_drawn),
            false => POLL.saturating_sub(polled.elapsed()),
        };
        match happenings.next(patience) {
            Some(Happening::Message(message)) => drop(model.hear(message)),
            Some(Happening::Gone) => model.lose(),
            Some(Happening::Signal(number)) => return Ok(Some(128 + number as u8)),
            Some(Happening::Key(key)) => match press(key, model, &mut view) {
                Pressed::Leave => return Ok(None),
                Pressed::Interrupt => return Ok(Some(INTERRUPTED)),
                Pressed::Stay => {}
            },
            Some(Happening::Resized) => {}
            None if polled.elapsed() < POLL => continue,
            None => {}
        }
        if polled.elapsed() >= POLL {
            polled = Instant::now();
            model.poll(true);
        }
        is_stale = true;
    }
}

enum Pressed {
    Stay,
    Leave,
    Interrupt,
}

fn press(key: KeyEvent, model: &mut Model, view: &mut View) -> Pressed {
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        return Pressed::Interrupt;
    }
    if let Some(method) = view.to_confirm.take() {
        if matches!(key.code, KeyCode::Char('y' | 'Y')) {
            model.order(method);
        }
        return Pressed::Stay;
    }
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return Pressed::Leave,
        KeyCode::Enter if model.is_over() => return Pressed::Leave,
        KeyCode::Char('y') => view.scale = view.scale.next(),
        _ if model.is_over() => {}
        KeyCode::Char('p') => model.order("pause"),
        KeyCode::Char('r') => model.order("resume"),
        KeyCode::Char('c') => model.order("checkpoint"),
        KeyCode::Char('s') => view.to_confirm = Some("stop"),
        KeyCode::Char('a') => view.to_confirm = Some("abort"),
        _ => {}
    }
    Pressed::Stay
}
