//! The screen: what is shown where, and what is left out when there is little room.

use super::chart::Chart;
use super::model::Model;
use super::now;
use crate::list::limits;
use crate::scale::{Choice, Scale};
use crate::text::{self, harmless};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Widget};
use ratatui::Frame;
use std::collections::VecDeque;
use unicode_width::UnicodeWidthStr;

/// What the user has chosen.
pub(super) struct View {
    pub(super) scale: Choice,
    /// What to do if the next key says yes.
    pub(super) to_confirm: Option<&'static str>,
}

const FAINT: Style = Style::new().fg(Color::DarkGray);

pub(super) fn draw(frame: &mut Frame, model: &Model, view: &View) {
    let area = frame.area();
    let variables = variables(model, area.width);
    // What matters least goes first when rows are few.
    let log_rows = match area.height {
        0..=11 => 0,
        // A job that has no best has no curve.
        rows if model.curve.points().is_empty() => rows,
        12..=19 => 4,
        rows => rows / 4 + 1,
    };
    let variable_rows = if area.height < 16 { 0 } else { variables.len().min(usize::from(area.height) / 6) as u16 };
    let rows = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(variable_rows),
        Constraint::Fill(1),
        Constraint::Max(log_rows),
        Constraint::Length(1),
    ]);
    let [head, progress, values, curve, log, foot] = rows.areas(area);
    let buffer = frame.buffer_mut();
    draw_head(model, head, buffer);
    draw_progress(model, progress, buffer);
    for (line, row) in variables.into_iter().zip(values.rows()) {
        line.render(row, buffer);
    }
    draw_curve(model, view.scale, curve, buffer);
    draw_log(model, log, buffer);
    draw_foot(model, view, foot, buffer);
    if !text::speaks_unicode() {
        in_ascii(buffer);
    }
}

/// As many of the parts, in order, as there is room for.
fn fitting<'a>(parts: Vec<Span<'a>>, width: usize) -> Line<'a> {
    let mut used = 0;
    let mut line = Line::default();
    for part in parts {
        let gap = if used == 0 { 1 } else { 3 };
        if used + gap + part.width() > width && used > 0 {
            break;
        }
        used += gap + part.width();
        line.push_span(" ".repeat(gap));
        line.push_span(part);
    }
    line
}

fn state_style(state: &str) -> Style {
    let color = match state {
        "running" => Color::Green,
        "complete" => Color::Cyan,
        "paused" | "stopping" | "stopped" | "idle" => Color::Yellow,
        _ => Color::Red,
    };
    Style::new().fg(color).add_modifier(Modifier::BOLD)
}

fn draw_head(model: &Model, area: Rect, buffer: &mut Buffer) {
    let info = &model.info;
    let vanished = model.is_gone && model.run.end().is_none();
    let state = match (vanished, info.silence()) {
        (true, _) => Span::styled("gone", state_style("gone")),
        (false, Some(silence)) => {
            Span::styled(format!("{}, no ready point for {}", info.state, text::brief(silence)), state_style("silent"))
        }
        (false, None) => {
            let state = model.run.end().map_or(info.state.as_str(), |end| end.state);
            Span::styled(state.to_owned(), state_style(state))
        }
    };
    let mut parts = vec![Span::from(harmless(&info.name)).bold(), state];
    if let Some(best) = info.best {
        parts.push(Span::from(format!("best {}", text::number(best, 12))));
    }
    let up = if model.is_gone { model.heard - model.born } else { now() - model.born };
    parts.push(Span::from(format!("up {}", text::clock(up))));
    parts.push(Span::from(format!("pid {}", info.pid)));
    if let (Some(ready), None, false) = (info.last_ready(), info.silence(), model.is_gone) {
        parts.push(Span::from(format!("ready {ready}")));
    }
    if let Some((when, saved)) = info.checkpoint {
        let word = if saved { "saved" } else { "checkpoint failed" };
        parts.push(Span::from(format!("{word} {} ago", text::brief(now() - when))));
    }
    fitting(parts, area.width.into()).render(area, buffer);
}

/// The bar takes what the words leave, and words give way to a bar that can be read.
fn draw_progress(model: &Model, area: Rect, buffer: &mut Buffer) {
    const LEAST_BAR: usize = 12;
    let progress = &model.info.progress;
    let units = harmless(&progress.units);
    let done = text::number(progress.done, 12);
    let mut words = Vec::new();
    let fraction = progress.fraction();
    if let Some(fraction) = fraction {
        words.push(format!("{:3.0}%", 100.0 * fraction));
    }
    if let Some(left) = progress.seconds_left.filter(|_| !model.is_over()) {
        words.push(format!("{} left", text::brief(left)));
    }
    words.push(match fraction {
        Some(_) => format!("{done} of {} {units}", text::number(progress.total, 12)).trim_end().to_owned(),
        None if progress.done == 0.0 => String::new(),
        None => format!("{done} {units}").trim_end().to_owned(),
    });
    if let Some(rate) = progress.rate.filter(|_| !model.is_over()) {
        words.push(format!("{}/s", text::number(rate, 3)));
    }
    let width = usize::from(area.width);
    let bar_at_least = if fraction.is_some() { LEAST_BAR + 1 } else { 0 };
    let line = fitting(words.into_iter().map(Span::from).collect(), width.saturating_sub(bar_at_least));
    let Some(fraction) = fraction else { return line.render(area, buffer) };
    let cells = width.saturating_sub(line.width() + 2);
    let bar = Span::styled(text::bar(fraction, cells), Style::new().fg(Color::Green).bg(Color::DarkGray));
    let mut whole = Line::from(vec![Span::from(" "), bar]);
    line.spans.into_iter().for_each(|span| whole.push_span(span));
    whole.render(area, buffer);
}

/// The exposed variables, as many to a row as fit.
fn variables(model: &Model, width: u16) -> Vec<Line<'static>> {
    let mut lines: Vec<Line> = Vec::new();
    for variable in &model.info.variables {
        let Some(value) = model.values.get(&variable.name) else { continue };
        let shown: String = value.chars().take(40).collect();
        let limits =
            limits(variable).filter(|_| !variable.read_only).map_or(String::new(), |limits| format!(" ({limits})"));
        let units = if variable.units.is_empty() { String::new() } else { format!(" {}", harmless(&variable.units)) };
        let item = [
            Span::from(format!(" {} = {shown}{units}", harmless(&variable.name))),
            Span::styled(format!("{limits}  "), FAINT),
        ];
        let item_width: usize = item.iter().map(Span::width).sum();
        match lines.last_mut().filter(|line| line.width() + item_width <= width.into()) {
            Some(line) => item.into_iter().for_each(|span| line.push_span(span)),
            None => lines.push(Line::from(item.to_vec())),
        }
    }
    lines
}

fn draw_curve(model: &Model, choice: Choice, area: Rect, buffer: &mut Buffer) {
    if area.height < 6 || model.curve.points().is_empty() {
        return;
    }
    let scale = Scale::of(choice, model.curve.values());
    let title = format!(" {} ", scale.caption());
    let block = Block::new().borders(Borders::TOP).border_style(FAINT).title(title);
    let inside = block.inner(area);
    block.render(area, buffer);
    let first = model.curve.points().first().map_or(model.born, |first| first.0);
    let from = model.began.unwrap_or(model.born).min(first);
    let until = if model.is_over() { model.last() } else { now() };
    Chart { curve: &model.curve, scale, from, until }.render(inside, buffer);
}

fn draw_log(model: &Model, area: Rect, buffer: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let block = Block::new().borders(Borders::TOP).border_style(FAINT).title(" log ");
    let inside = block.inner(area);
    block.render(area, buffer);
    let time = |seconds| format!(" {}  ", text::clock(seconds - model.born));
    let width = usize::from(inside.width).saturating_sub(time(model.born).len() + 1);
    let mut lines = VecDeque::new();
    // From the newest up, until the room is full.
    for entry in model.log.iter().rev().take(inside.height.into()) {
        for (index, part) in textwrap::wrap(&entry.text, width.max(8)).into_iter().enumerate().rev() {
            let margin = if index == 0 { time(entry.time) } else { " ".repeat(time(entry.time).len()) };
            let words =
                if entry.is_grave { Span::from(part.into_owned()).red() } else { Span::from(part.into_owned()) };
            lines.push_front(Line::from(vec![Span::styled(margin, FAINT), words]));
        }
    }
    let skipped = lines.len().saturating_sub(inside.height.into());
    for (line, row) in lines.into_iter().skip(skipped).zip(inside.rows()) {
        line.render(row, buffer);
    }
}

fn draw_foot(model: &Model, view: &View, area: Rect, buffer: &mut Buffer) {
    let line = match (view.to_confirm, model.run.end()) {
        (Some("stop"), _) => {
            Line::from(format!(" Stop {}, with a checkpoint if it can?  y yes, any other key no ", model.title))
                .reversed()
        }
        (Some(method), _) => {
            Line::from(format!(" {method} {} without a checkpoint?  y yes, any other key no ", model.title)).reversed()
        }
        (None, Some(end)) => Line::from(format!(" The run is over: {}.  q leave ", end.sentence())).reversed(),
        (None, None) if model.is_gone => {
            Line::from(" The job is gone, and did not say how it ended.  q leave ".to_owned()).reversed()
        }
        (None, None) => keys(model, area.width.into()),
    };
    line.render(area, buffer);
}

fn keys(model: &Model, width: usize) -> Line<'static> {
    let awaited = model.awaited();
    let all = match width {
        70.. => " p pause  r resume  c checkpoint  s stop  a abort  y scale  q leave",
        44.. => " p pause r resume c save s stop a abort q leave",
        _ => " p r c s a: steer  q leave",
    };
    let mut line = Line::from(Span::styled(all, FAINT));
    if !awaited.is_empty() {
        let note = format!(" {} at the next ready point ", awaited.join(", "));
        // The note matters more than the keys.
        if note.width() + all.width() + 2 > width {
            return Line::from(note).yellow();
        }
        line.push_span(Span::from(format!(" {note}")).yellow());
    }
    line
}

/// For terminals that can show nothing else.
fn in_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let Some(symbol) = cell.symbol().chars().next().filter(|symbol| !symbol.is_ascii()) else { continue };
        let plain = match symbol {
            '│' | '┤' => "|",
            '─' => "-",
            '└' | '┬' => "+",
            '\u{2800}' => " ",
            '\u{2801}'..='\u{28ff}' => "*",
            _ => "?",
        };
        cell.set_symbol(plain);
    }
}
