//! The checkpoints that are there: told, and cleared away.

use super::handler::Handler;
use super::message::Message;
use super::status::{Error, Result, Status};
use super::store::{Info, Known};
use super::value::Value;

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

    /// Removes them all; a save that is on its way first comes through.
    pub(crate) fn clear_checkpoints(&self) -> Result<()> {
        if self.service.is_this_thread() {
            return Err(Error::new(Status::WrongThread, "not on the service thread"));
        }
        if self.is_computing_here() {
            self.check_computing_outside_callbacks()?;
        }
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
