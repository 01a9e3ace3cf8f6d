//! The checkpoints that are there, and on their way: told, waited for, cleared away; and the files that go with them.

use super::checkpoint::OwnFiles;
use super::handler::Handler;
use super::message::Message;
use super::status::{Error, Result, Status};
use super::store::{Info, Known};
use super::value::Value;
use std::path::PathBuf;
use std::time::Duration;

impl Handler {
    pub(crate) fn checkpoint_count(&self) -> Result<usize> {
        Ok(self.vault()?.vault().list(false)?.len())
    }

    /// What is known of one, the newest first. What was not read yet is read and compared.
    pub(crate) fn checkpoint_info(&self, index: usize) -> Result<Message> {
        let infos = self.vault()?.vault().list(true)?;
        let unknown = || Error::new(Status::Unknown, format!("index: there is no checkpoint {index}"));
        Ok(told(infos.get(index).ok_or_else(unknown)?))
    }

    /// Where the user's own files are to be, or are.
    pub(crate) fn checkpoint_path(&self) -> Result<PathBuf> {
        self.check_computing()?;
        let saver = self.vault()?;
        let (polls, due) = {
            let run = self.run.lock();
            (run.polls, run.checkpoint_due)
        };
        let mut files = self.checkpoints.own_files.lock();
        if polls && due && !matches!(*files, OwnFiles::Saving(_)) {
            *files = OwnFiles::Saving(saver.vault().draft());
        }
        match &mut *files {
            OwnFiles::Saving(draft) => draft.files().inspect_err(|error| {
                *self.checkpoints.no_place.lock() = Some(error.text.clone());
            }),
            OwnFiles::Restored(path) => Ok(path.clone()),
            OwnFiles::Nowhere => {
                Err(Error::new(Status::Refused, "no checkpoint is being saved, and none was restored"))
            }
        }
    }

    /// Waits until nothing is on its way to the medium; says how the last save ended.
    pub(crate) fn checkpoint_wait(&self, timeout: Option<Duration>) -> Result<()> {
        self.check_may_wait()?;
        if self.checkpoints.saver().is_some_and(|saver| !saver.wait(timeout)) {
            return Err(Error::new(Status::Timeout, "a checkpoint is still on its way to the medium"));
        }
        match &*self.checkpoints.failure.lock() {
            Some(text) => Err(Error::new(Status::Failed, text.clone())),
            None => Ok(()),
        }
    }

    /// Refuses threads that the saver may need.
    fn check_may_wait(&self) -> Result<()> {
        if self.service.is_this_thread() {
            return Err(Error::new(Status::WrongThread, "not on the service thread"));
        }
        match self.is_computing_here() {
            true => self.check_computing_outside_callbacks(),
            false => Ok(()),
        }
    }

    /// Removes them all; a save that is on its way first comes through.
    pub(crate) fn clear_checkpoints(&self) -> Result<()> {
        self.check_may_wait()?;
        let saver = self.vault()?;
        saver.wait(None);
        saver.vault().clear()
    }
}

fn told(info: &Info) -> Message {
    let mut message = Message::default();
    message.put("generation", Value::I64(info.generation as i64));
    message.put("file", Value::Text(info.file.display().to_string()));
    message.put("bytes", Value::I64(info.bytes as i64));
    message.put("whole", Value::Bool(info.known == Known::Whole));
    if let Known::Broken(reason) = &info.known {
        message.put("reason", Value::Text(reason.clone()));
    }
    let Some((saved_at, version, description)) = &info.header else { return message };
    message.put("saved_at", Value::F64(*saved_at));
    message.put("job", Value::Text(description.job.clone()));
    message.put("done", Value::F64(description.done));
    message.put("total", Value::F64(description.total));
    message.put("units", Value::Text(description.units.clone()));
    if let Some(best) = description.best_value {
        message.put("best", Value::F64(best));
    }
    message.put("park", Value::Text(version.clone()));
    message
}
