//! Restoring: the newest whole checkpoint, checked against what is protected before anything is written.

use super::checkpoint::OwnFiles;
use super::event::Level;
use super::exposed;
use super::handler::Handler;
use super::message::Message;
use super::protect::{Fit, Item, What};
use super::snapshot::BEST;
use super::status::{Error, Result, Status};
use super::store::{Entry, Opened, Saver};
use super::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

impl Handler {
    /// Restores from the directory, or else by the callback.
    pub(crate) fn restore(&self) -> Result<Status> {
        self.check_computing_outside_callbacks()?;
        match self.checkpoints.saver() {
            Some(saver) => self.restore_from(&saver),
            None => self.restore_by_callback(),
        }
    }

    fn restore_by_callback(&self) -> Result<Status> {
        let Some(restore) = self.checkpoints.callback() else { return Ok(Status::NoCheckpoint) };
        match self.calling(|| restore(true)) {
            0 => Ok(Status::Ok),
            code if code == Status::NoCheckpoint as i32 => Ok(Status::NoCheckpoint),
            code => Err(Error::new(Status::Failed, format!("the checkpoint callback returned {code} on restore"))),
        }
    }

    fn restore_from(&self, saver: &Arc<Saver>) -> Result<Status> {
        saver.wait(None);
        // Where memory is short it is read twice instead of kept.
        let (newest, skipped) = saver.vault().newest(!self.checkpoints.is_in_place())?;
        for skipped in skipped {
            let text = format!("{}: not whole, and not used: {}", skipped.file.display(), skipped.reason);
            self.log(Level::Warning, text);
        }
        let Some(opened) = newest else { return Ok(Status::NoCheckpoint) };
        self.restore_whole(&opened)?;
        Ok(Status::Ok)
    }

    /// Checks all, then asks the user's functions, then writes.
    fn restore_whole(&self, opened: &Opened) -> Result<()> {
        let file = opened.path().display();
        let items = self.checkpoints.protected.all();
        let (own, entries): (Vec<_>, Vec<_>) = (0..opened.entries().len()).partition(|&place| is_own(opened, place));
        let fit = self.fit(opened, &items, &entries)?;
        for (item, place) in items.iter().zip(&fit.entries) {
            let (What::Custom(custom), Some(place)) = (&item.what, place) else { continue };
            let bytes = bytes_of(opened, entries[*place])?;
            let code = self.calling(|| custom.load(&bytes));
            if code != 0 {
                let text = format!("{file}: '{}': its load function returned {code}", item.name);
                return Err(Error::new(Status::Failed, text));
            }
        }
        let own_files = opened.files().0.to_owned();
        *self.checkpoints.own_files.lock() = OwnFiles::Restored(own_files);
        if let Some(restore) = self.checkpoints.callback() {
            let code = self.calling(|| restore(true));
            if code != 0 {
                *self.checkpoints.own_files.lock() = OwnFiles::Nowhere;
                return Err(Error::new(Status::Failed, format!("{file}: the checkpoint callback returned {code}")));
            }
        }
        for (item, place) in items.iter().zip(&fit.entries) {
            if let (What::Array { memory, .. }, Some(place)) = (&item.what, place) {
                opened.read(entries[*place], &mut |offset, bytes| memory.write(offset, bytes))?;
            }
        }
        for place in fit.unused {
            let name = &opened.entries()[entries[place]].name;
            self.log(Level::Warning, format!("{file}: '{name}' is not protected, and was not restored"));
        }
        self.restore_exposed(opened)?;
        self.restore_state(opened, own.first().copied())
    }

    /// Whether it is of this job, and everything fits; else all that does not, in one text.
    fn fit(&self, opened: &Opened, items: &[Item], entries: &[usize]) -> Result<Fit> {
        let file = opened.path().display();
        let mismatch = |text| Error::new(Status::Mismatch, format!("{file}: {text}"));
        let job = &opened.description().job;
        if *job != self.name() {
            return Err(mismatch(format!("it is of the job '{job}', and this one is '{}'", self.name())));
        }
        if items.is_empty() && !entries.is_empty() {
            return Err(mismatch("nothing is protected yet: first park_protect, then park_restore".to_owned()));
        }
        let entries: Vec<Entry> = entries.iter().map(|&place| opened.entries()[place].clone()).collect();
        Fit::new(items, &entries).map_err(|complaints| mismatch(complaints.join("; ")))
    }

    fn restore_exposed(&self, opened: &Opened) -> Result<()> {
        let mut now = Message::default();
        self.variables().read(&Message::default(), &mut now)?;
        let (saved, strange) = exposed::from_json(&opened.description().exposed, &now);
        let left = |name: &str, why: &str| {
            self.log(Level::Warning, format!("{}: {name} was not restored: {why}", opened.path().display()));
        };
        for name in strange {
            left(&format!("'{name}'"), "no variable of that name and type is exposed");
        }
        let mut fitting = Message::default();
        for (name, value) in saved.values {
            if self.variables().change(&name, |variable| variable.read_only)? {
                continue;
            }
            let mut one = Message::default();
            one.put(name.clone(), value.clone());
            match self.variables().accept(&one) {
                Ok(_) => fitting.put(name, value),
                Err(error) => left(&format!("'{name}'"), &error.text),
            }
        }
        if let Err(error) = self.set(&fitting) {
            left("what is exposed", &error.text);
        }
        Ok(())
    }

    /// Progress and best as they were, and a line in the log.
    fn restore_state(&self, opened: &Opened, best: Option<usize>) -> Result<()> {
        let description = opened.description();
        self.progress(description.done, description.total)?;
        if let (Some(value), Some(place)) = (description.best_value, best) {
            self.improved(value, &bytes_of(opened, place)?)?;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let ago = (now - opened.saved_at()).max(0.0);
        let mut text = format!("restored from {}, saved {ago:.0} s ago", opened.path().display());
        if (description.done, description.total) != (0.0, 0.0) {
            text += &format!(", at {}", description.done);
            if description.total > 0.0 {
                text += &format!(" of {}", description.total);
            }
            text = format!("{text} {}", description.units).trim_end().to_owned();
        }
        self.log(Level::Info, text);
        Ok(())
    }
}

/// Whether an entry is park's, and not one of what was protected.
fn is_own(opened: &Opened, place: usize) -> bool {
    opened.entries()[place].name == BEST
}

fn bytes_of(opened: &Opened, place: usize) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    opened.read(place, &mut |_, bytes| all.extend_from_slice(bytes))?;
    Ok(all)
}
