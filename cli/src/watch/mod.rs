//! `park watch`: on a terminal a screen, elsewhere lines.

mod chart;
mod happening;
mod model;
mod plain;
mod screen;
mod terminal;

use crate::args::Watch;
use crate::failure::Result;
use crate::jobs;
use happening::Happenings;
pub(crate) use model::points_of;
use model::Model;
use std::io::{self, IsTerminal};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64())
}

pub(crate) fn watch(options: &Watch) -> Result<u8> {
    let (title, info, connection) = jobs::reach(options.job.as_deref())?;
    let mut model = Model::new(title, info, &connection)?;
    let happenings = Happenings::new()?;
    happenings.listen(connection);
    model.begin()?;
    if options.plain || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return plain::watch(model, &happenings, options.every);
    }
    happenings.read_keys();
    terminal::watch(model, &happenings, options.scale)
}
