//! Numbers, times and bars as people read them.

use serde_json::Value;
use std::env;
use std::io::{self, ErrorKind, Write};
use unicode_width::UnicodeWidthStr;

/// With at most `digits` significant digits, and no zeros at the end.
pub(crate) fn number(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { value.to_string() };
    }
    let scientific = format!("{:.*e}", digits.saturating_sub(1), value);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-5..digits.max(7) as i32).contains(&exponent) {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        return trimmed(&format!("{value:.decimals$}")).to_owned();
    }
    format!("{}e{exponent}", trimmed(mantissa))
}

fn trimmed(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

/// A duration as a clock shows it: 00:05:12, 3d 00:05:12.
pub(crate) fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    let (days, hours, minutes, rest) = (whole / 86400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    match days {
        0 => format!("{hours:02}:{minutes:02}:{rest:02}"),
        _ => format!("{days}d {hours:02}:{minutes:02}:{rest:02}"),
    }
}

/// A duration in a word: 45s, 3m, 5h 10m, 12d.
pub(crate) fn brief(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    match seconds {
        _ if seconds < 99.5 => format!("{seconds:.0}s"),
        _ if seconds < 99.5 * 60.0 => format!("{:.0}m", seconds / 60.0),
        _ if seconds < 48.0 * 3600.0 => {
            let minutes = (seconds / 60.0) as u64;
            format!("{}h {:02}m", minutes / 60, minutes % 60)
        }
        _ if seconds < 1e9 => format!("{:.0}d", seconds / 86400.0),
        _ => "for ever".to_owned(),
    }
}

/// A bar of so many cells, filled to an eighth of one.
pub(crate) fn bar(fraction: f64, cells: usize) -> String {
    if !speaks_unicode() {
        let filled = (fraction * cells as f64) as usize;
        return "#".repeat(filled.min(cells)) + &".".repeat(cells.saturating_sub(filled));
    }
    const EIGHTHS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
    let eighths = (fraction * cells as f64 * 8.0) as usize;
    (0..cells).map(|cell| EIGHTHS[eighths.saturating_sub(cell * 8).min(8)]).collect()
}

/// Whether the locale can show more than ASCII.
pub(crate) fn speaks_unicode() -> bool {
    let set = |name| env::var(name).ok().filter(|value: &String| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// A job's text, which may hold what a terminal would obey.
pub(crate) fn harmless(text: &str) -> String {
    let shown = |c: char| {
        if c == '\t' {
            ' '
        } else if c.is_control() {
            '?'
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

/// A value as it can be typed again.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => harmless(text),
        Value::Array(items) => items.iter().map(self::value).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Rows in columns.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column| rows.iter().filter_map(|row| row.get(column)).map(|cell: &String| cell.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width())));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text += "\n";
    }
    text
}

/// Prints. A reader that has gone away has seen enough.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("park: standard output: {error}");
            std::process::exit(crate::failure::SYSTEM.into());
        }
        Ok(()) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (0.2, "0.2"),
            (-103.5, "-103.5"),
            (788.539787, "788.54"),
            (1e6, "1000000"),
            (12345678.9, "1.23457e7"),
            (1.8e-4, "0.00018"),
            (1.8e-9, "1.8e-9"),
            (999999.7, "1000000"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value, 6), text);
        }
    }

    #[test]
    fn durations_are_read_at_a_glance() {
        assert_eq!([brief(0.2), brief(99.6), brief(3.0 * 3600.0 + 65.0), brief(1e6)], ["0s", "2m", "3h 01m", "12d"]);
        assert_eq!([clock(312.9), clock(90061.0)], ["00:05:12", "1d 01:01:01"]);
    }

    #[test]
    fn what_a_terminal_would_obey_is_not_printed() {
        assert_eq!(harmless("a\x1b[2Jb\tc\u{9b}"), "a?[2Jb c?");
    }
}
