//! `park plot`: the curve as a picture.

use crate::args::Plot;
use crate::curve::Curve;
use crate::event::Event;
use crate::failure::{Failure, Result, REFUSED, SYSTEM, USAGE};
use crate::info::number;
use crate::jobs;
use crate::scale::{time_ticks, Choice, Scale};
use crate::text;
use crate::watch::{now, points_of};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use serde_json::{json, Value};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::ops::Range;
use std::path::Path;

/// A curve, what it belongs to, and the stretch of time that it covers.
struct Picture {
    curve: Curve,
    title: String,
    from: f64,
    until: f64,
}

enum Format {
    Png,
    Svg,
}

pub(crate) fn plot(options: &Plot) -> Result<()> {
    let output = &options.output;
    let format =
        match output.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("png") => Format::Png,
            Some("svg") => Format::Svg,
            _ => {
                return Err(Failure::new(
                    USAGE,
                    format!("--output: {} ends neither in .png nor in .svg", output.display()),
                ))
            }
        };
    let mut picture = match &options.from {
        Some(path) => of_events(path)?,
        None => of_job(options.job.as_deref())?,
    };
    if let Some(title) = &options.title {
        picture.title.clone_from(title);
    }
    if picture.curve.points().is_empty() {
        return Err(Failure::new(REFUSED, format!("{} has no best yet: there is nothing to draw", picture.title)));
    }
    let bytes = match format {
        Format::Svg => svg(&picture, options.scale, options.size),
        Format::Png => png(&picture, options.scale, options.size),
    };
    let bytes = bytes.map_err(|error| Failure::new(SYSTEM, format!("drawing failed: {error}")))?;
    fs::write(output, bytes).map_err(|error| Failure::system(output.display(), &error))
}

fn of_job(job: Option<&str>) -> Result<Picture> {
    let (title, info, mut connection) = jobs::reach(job)?;
    let answer = connection.ask(&title, "curve", json!({}))?;
    let curve = Curve::of(points_of(&answer));
    let from = number(&answer["began"]).unwrap_or(now() - info.up);
    // A run that is over does not go on improving.
    let until = if info.is_over() { curve.points().last().map_or(from, |last| last.0) } else { now() };
    Ok(Picture { curve, title: info.name, from, until })
}

/// What `park events --json` has printed. Of several runs the last.
fn of_events(path: &Path) -> Result<Picture> {
    let failed = |error: io::Error| Failure::system(path.display(), &error);
    let lines: Box<dyn BufRead> = match path.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(BufReader::new(File::open(path).map_err(failed)?)),
    };
    let mut picture = Picture {
        curve: Curve::default(),
        title: text::harmless(&path.display().to_string()),
        from: f64::NAN,
        until: 0.0,
    };
    for (index, line) in lines.lines().enumerate() {
        let line = line.map_err(failed)?;
        let params: Value = serde_json::from_str(&line).map_err(|error| {
            Failure::new(
                USAGE,
                format!(
                    "{}, line {}: no event as `park events --json` prints them ({error})",
                    path.display(),
                    index + 1
                ),
            )
        })?;
        let event = Event::read(&params);
        if event.kind == "start" {
            picture.curve = Curve::default();
            picture.from = event.time;
        }
        picture.from = picture.from.min(event.time);
        picture.until = event.time;
        if let Some(best) = event.best {
            picture.curve.add(event.time, best);
        }
    }
    Ok(picture)
}

fn svg(picture: &Picture, scale: Choice, size: (u32, u32)) -> std::result::Result<Vec<u8>, String> {
    let mut text = String::new();
    draw(&SVGBackend::with_string(&mut text, size).into_drawing_area(), picture, scale)?;
    Ok(text.into_bytes())
}

fn png(picture: &Picture, scale: Choice, size: (u32, u32)) -> std::result::Result<Vec<u8>, String> {
    let mut pixels = vec![0; 3 * size.0 as usize * size.1 as usize];
    draw(&BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area(), picture, scale)?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
    written.map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn draw<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    picture: &Picture,
    choice: Choice,
) -> std::result::Result<(), String> {
    const FONT: &str = "sans-serif";
    // The machine's fonts are not asked: there may be none.
    plotters::style::register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| "the font cannot be read")?;
    let scale = Scale::of(choice, picture.curve.values());
    let (width, height) = area.dim_in_pixel();
    let letters = f64::from(height.min(width)) / 32.0;
    let long = (picture.until - picture.from).max(1e-3);
    let times = Times { long, most: (f64::from(width) / letters / 8.0) as usize };
    let stretch = scale.stretch(picture.curve.values());
    let places = Places { scale, stretch, most: (f64::from(height) / letters / 3.0) as usize };
    let title = format!("{}: {}", picture.title, scale.caption());
    let corners = picture.curve.corners(picture.until).into_iter();
    let corners = corners.map(|(time, value)| (time - picture.from, scale.place(value)));
    (|| {
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(area)
            .caption(title, (FONT, 1.3 * letters))
            .margin(letters as u32)
            .x_label_area_size((2.0 * letters) as u32)
            .y_label_area_size((5.0 * letters) as u32)
            .build_cartesian_2d(times, places)?;
        let label = (FONT, letters).into_font();
        chart.configure_mesh().label_style(label).max_light_lines(0).bold_line_style(RGBColor(225, 225, 225)).draw()?;
        chart.draw_series(LineSeries::new(
            corners,
            RGBColor(0, 90, 170).stroke_width((letters / 10.0).max(1.0) as u32),
        ))?;
        area.present()
    })()
    .map_err(|error: DrawingAreaErrorKind<B::ErrorType>| error.to_string())
}

/// The axis of time, from 0.
struct Times {
    long: f64,
    most: usize,
}

/// The axis of values, on which only their places are known.
struct Places {
    scale: Scale,
    stretch: (f64, f64),
    most: usize,
}

/// Where a part of the way is in pixels, which may run down.
fn pixel(part: f64, (first, last): (i32, i32)) -> i32 {
    first + (part * f64::from(last - first)).round() as i32
}

impl Ranged for Times {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, time: &f64, limit: (i32, i32)) -> i32 {
        pixel(time / self.long, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        time_ticks((0.0, self.long), self.most).into_iter().map(|(time, _)| time).collect()
    }

    fn range(&self) -> Range<f64> {
        0.0..self.long
    }
}

impl ValueFormatter<f64> for Times {
    fn format_ext(&self, value: &f64) -> String {
        let ticks = time_ticks((0.0, self.long), self.most);
        ticks.into_iter().find(|(time, _)| time == value).map_or(String::new(), |(_, text)| text)
    }
}

impl Ranged for Places {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, limit: (i32, i32)) -> i32 {
        pixel((place - self.stretch.0) / (self.stretch.1 - self.stretch.0), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.scale.ticks(self.stretch, self.most).into_iter().map(|(_, place)| place).collect()
    }

    fn range(&self) -> Range<f64> {
        self.stretch.0..self.stretch.1
    }
}

impl ValueFormatter<f64> for Places {
    fn format_ext(&self, wanted: &f64) -> String {
        let ticks = self.scale.ticks(self.stretch, self.most);
        ticks.into_iter().find(|(_, place)| place == wanted).map_or(String::new(), |(value, _)| text::number(value, 12))
    }
}
