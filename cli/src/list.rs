//! `park ls` and `park info`.

use crate::failure::Result;
use crate::info::{Info, Variable};
use crate::jobs;
use crate::text::{self, harmless};
use serde_json::{json, Value};
use std::time::{SystemTime, UNIX_EPOCH};

const BAR: usize = 8;

pub(crate) fn ls(as_json: bool) -> Result<()> {
    let jobs = jobs::all()?;
    if as_json {
        let each = jobs.iter().map(|job| match &job.known {
            Some((info, _)) => info.raw.clone(),
            None => json!({"pid": job.stem().parse::<u32>().ok(), "state": null}),
        });
        text::print(&format!("{:#}\n", each.collect::<Value>()));
        return Ok(());
    }
    if jobs.is_empty() {
        eprintln!("no job listens");
        return Ok(());
    }
    let mut rows = vec![["NAME", "PID", "STATE", "PROGRESS", "BEST", "READY", "UP"].map(str::to_owned).to_vec()];
    rows.extend(jobs.iter().map(|job| match &job.known {
        Some((info, _)) => row(info, &job.stem()),
        None => ["?", &job.stem(), "does not answer"].map(str::to_owned).to_vec(),
    }));
    text::print(&text::table(&rows));
    Ok(())
}

fn row(info: &Info, stem: &str) -> Vec<String> {
    vec![
        harmless(&info.name),
        stem.to_owned(),
        info.shown_state(),
        progress(info),
        info.best.map_or(String::new(), |best| text::number(best, 6)),
        info.last_ready().unwrap_or_default(),
        text::clock(info.up),
    ]
}

fn progress(info: &Info) -> String {
    let progress = &info.progress;
    let left = progress.seconds_left.filter(|_| !info.is_over());
    let left = left.map_or(String::new(), |left| format!("  {} left", text::brief(left)));
    match progress.fraction() {
        Some(fraction) => format!("{} {:3.0}%{left}", text::bar(fraction, BAR), 100.0 * fraction),
        None if progress.done > 0.0 => format!("{} {}", text::number(progress.done, 12), harmless(&progress.units)),
        None => String::new(),
    }
}

pub(crate) fn info(job: Option<&str>, as_json: bool) -> Result<()> {
    let (title, info, _) = jobs::reach(job)?;
    if as_json {
        text::print(&format!("{:#}\n", info.raw));
        return Ok(());
    }
    let mut rows: Vec<(&str, String)> = vec![
        ("job", title),
        ("state", info.shown_state()),
        ("progress", long_progress(&info)),
        ("best", info.best.map_or("none yet".to_owned(), |best| text::number(best, 17))),
        ("up", text::clock(info.up)),
        ("ready", info.last_ready().unwrap_or_default()),
        ("checkpoint", checkpoint(&info)),
        ("reason", harmless(&info.reason)),
        ("exit code", info.exit_code.map_or(String::new(), |code| code.to_string())),
        ("methods", names(&info.raw["methods"])),
        ("signals", names(&info.raw["signals"])),
        ("program", harmless(info.raw["argv0"].as_str().unwrap_or_default())),
        ("directory", harmless(info.raw["cwd"].as_str().unwrap_or_default())),
        ("park", harmless(info.raw["version"].as_str().unwrap_or_default())),
    ];
    rows.retain(|(_, value)| !value.is_empty());
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    let mut all = text::table(&rows);
    if !info.variables.is_empty() {
        all += "\n";
        all += &text::table(&variables(&info.variables));
    }
    text::print(&all);
    Ok(())
}

fn long_progress(info: &Info) -> String {
    let progress = &info.progress;
    let units = harmless(&progress.units);
    let mut all = match progress.fraction() {
        Some(fraction) => {
            let (done, total) = (text::number(progress.done, 12), text::number(progress.total, 12));
            format!("{:.1}%, {done} of {total} {units}", 100.0 * fraction)
        }
        None => format!("{} {units}", text::number(progress.done, 12)),
    };
    all = all.trim_end().to_owned();
    if let Some(rate) = progress.rate {
        all += &format!(", {} a second", text::number(rate, 3));
    }
    if let Some(left) = progress.seconds_left.filter(|_| !info.is_over()) {
        all += &format!(", {} left", text::brief(left));
    }
    all
}

fn checkpoint(info: &Info) -> String {
    let Some((when, saved)) = info.checkpoint else { return "none in this run".to_owned() };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
    format!("{} {} ago", if saved { "saved" } else { "failed" }, text::brief(now - when))
}

fn names(list: &Value) -> String {
    let names = list.as_array().map_or(&[][..], Vec::as_slice).iter();
    names.map(|name| harmless(name.as_str().unwrap_or_default())).collect::<Vec<_>>().join(", ")
}

fn variables(variables: &[Variable]) -> Vec<Vec<String>> {
    let mut rows = vec![["VARIABLE", "TYPE", "LIMITS", "UNITS", ""].map(str::to_owned).to_vec()];
    rows.extend(variables.iter().map(|variable| {
        vec![
            harmless(&variable.name),
            variable.kind.clone(),
            if variable.read_only { "read only".to_owned() } else { limits(variable).unwrap_or_default() },
            harmless(&variable.units),
            harmless(&variable.description),
        ]
    }));
    rows
}

/// From where to where a variable may be set.
pub(crate) fn limits(variable: &Variable) -> Option<String> {
    let shown = |limit| text::number(limit, 12);
    match variable.limits {
        (Some(least), Some(most)) => Some(format!("{} to {}", shown(least), shown(most))),
        (Some(least), None) => Some(format!("{} or more", shown(least))),
        (None, Some(most)) => Some(format!("{} or less", shown(most))),
        (None, None) => None,
    }
}
