//! Watching on a terminal: keys, and when to draw.

use super::happening::{Happening, Happenings};
use super::model::Model;
use super::screen::{self, View};
use crate::failure::{Failure, Result};
use crate::scale::Choice;
use crate::text;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::DefaultTerminal;
use std::io;
use std::time::{Duration, Instant};

/// Between two drawings: more nobody sees.
const FRAME: Duration = Duration::from_millis(50);
/// Between two looks at what is no event.
const POLL: Duration = Duration::from_secs(1);

const INTERRUPTED: u8 = 130;
/// As any program of Rust's.
const PANICKED: i32 = 101;

pub(super) fn watch(mut model: Model, happenings: &Happenings, scale: Choice) -> Result<u8> {
    let mut terminal = take()?;
    let left = follow(&mut terminal, &mut model, happenings, scale);
    give_back(terminal);
    let left = left?;
    text::print(&model.summary());
    Ok(left.unwrap_or_else(|| if model.is_gone || model.run.end().is_some() { model.run.code() } else { 0 }))
}

/// The whole screen, until [`give_back`]. A panic gives it back, too, on whatever thread it is, and ends this program.
fn take() -> Result<DefaultTerminal> {
    let terminal = ratatui::try_init().map_err(|error| Failure::system("the terminal", &error))?;
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let _ = execute!(io::stdout(), Show);
        // Leaves the screen, and prints what it was.
        tell(panic);
        std::process::exit(PANICKED);
    }));
    Ok(terminal)
}

fn give_back(mut terminal: DefaultTerminal) {
    // Of a screen that has grown tmux leaves rows behind: so they are blank.
    let _ = terminal.clear();
    // The cursor is shown again.
    drop(terminal);
    ratatui::restore();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What it leaves is looked at from outside.
    #[test]
    #[ignore = "it ends its process: tests/cli.py runs it at a terminal"]
    fn a_panic_gives_the_terminal_back() {
        let mut terminal = take().unwrap();
        terminal.draw(|frame| frame.render_widget("\u{2502} a curve", frame.area())).unwrap();
        let _ = std::thread::spawn(|| panic!("on another thread")).join();
    }
}
