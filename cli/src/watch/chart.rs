//! The curve of the best so far, on a screen.

use crate::curve::Curve;
use crate::scale::{time_ticks, Scale};
use crate::text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::canvas::{Canvas, Line};
use ratatui::widgets::Widget;

pub(super) struct Chart<'a> {
    pub(super) curve: &'a Curve,
    pub(super) scale: Scale,
    /// The times at both ends, in seconds since 1970; what is written counts from the first.
    pub(super) from: f64,
    pub(super) until: f64,
}

const AXIS: Style = Style::new().fg(Color::DarkGray);
/// Rows from one value that is written to the next.
const ROWS_A_TICK: usize = 3;
const COLUMNS_A_TICK: usize = 14;

impl Widget for Chart<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let stretch = self.scale.stretch(self.curve.values());
        let rows = usize::from(area.height.saturating_sub(2));
        let ticks = self.scale.ticks(stretch, (rows / ROWS_A_TICK).max(2));
        let labels: Vec<(String, f64)> =
            ticks.into_iter().map(|(value, place)| (text::number(value, 12), place)).collect();
        let width = labels.iter().map(|(label, _)| label.len()).max().unwrap_or(0) as u16;
        if area.width < width + 8 || area.height < 4 {
            return;
        }
        let plot = Rect { x: area.x + width + 2, y: area.y, width: area.width - width - 2, height: area.height - 2 };
        self.draw_values(&labels, stretch, width, plot, buffer);
        self.draw_times(plot, buffer);
        let until = self.until.max(self.from + 1e-3);
        let corners: Vec<(f64, f64)> = self
            .curve
            .corners(until)
            .into_iter()
            .map(|(time, value)| (time - self.from, self.scale.place(value)))
            .collect();
        Canvas::default()
            .marker(Marker::Braille)
            .x_bounds([0.0, until - self.from])
            .y_bounds([stretch.0, stretch.1])
            .paint(|context| {
                for side in corners.windows(2) {
                    let ((x1, y1), (x2, y2)) = (side[0], side[1]);
                    context.draw(&Line { x1, y1, x2, y2, color: Color::Cyan });
                }
            })
            .render(plot, buffer);
    }
}

impl Chart<'_> {
    fn draw_values(&self, labels: &[(String, f64)], stretch: (f64, f64), width: u16, plot: Rect, buffer: &mut Buffer) {
        let axis = plot.x - 1;
        for row in plot.y..plot.bottom() {
            buffer.set_string(axis, row, "│", AXIS);
        }
        buffer.set_string(axis, plot.bottom(), "└", AXIS);
        for (label, place) in labels {
            let down = (stretch.1 - place) / (stretch.1 - stretch.0);
            let row = plot.y + ((down * f64::from(plot.height)) as u16).min(plot.height - 1);
            buffer.set_string(axis - 1 - label.len() as u16 + u16::from(width == 0), row, label, AXIS);
            buffer.set_string(axis, row, "┤", AXIS);
        }
    }

    fn draw_times(&self, plot: Rect, buffer: &mut Buffer) {
        buffer.set_string(plot.x, plot.bottom(), "─".repeat(plot.width.into()), AXIS);
        let long = (self.until - self.from).max(1e-3);
        for (time, label) in time_ticks((0.0, long), usize::from(plot.width) / COLUMNS_A_TICK) {
            let column = plot.x + ((time / long * f64::from(plot.width)) as u16).min(plot.width - 1);
            buffer.set_string(column, plot.bottom(), "┬", AXIS);
            let left = column.saturating_sub(label.len() as u16 / 2).max(plot.x - 1);
            if usize::from(left) + label.len() <= usize::from(plot.right()) {
                buffer.set_string(left, plot.bottom() + 1, label, AXIS);
            }
        }
    }
}
