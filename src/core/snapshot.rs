//! A snapshot: what goes into a checkpoint, and where its bytes are.

use super::checkpoint::OwnFiles;
use super::handler::Handler;
use super::json::object_of;
use super::message::Message;
use super::protect::{Item, What};
use super::status::{Error, Result, Status};
use super::store::{Description, Draft, Dtype, Entry, Source};
use super::sync::Arc;

/// The name of the best so far among the tensors. What begins like this is park's.
pub(crate) const OWN_PREFIX: &str = "park.";
pub(super) const BEST: &str = "park.best";

/// What is copied: entries, and where their bytes are.
pub(super) struct Snapshot {
    pub(super) description: Description,
    pub(super) entries: Vec<Entry>,
    pub(super) sources: Vec<Arc<dyn Source>>,
}

/// Bytes that park has.
struct Owned(Vec<u8>);

impl Source for Owned {
    fn read(&self, offset: u64, into: &mut [u8]) {
        let offset = offset as usize;
        into.copy_from_slice(&self.0[offset..offset + into.len()]);
    }
}

/// Computation thread.
impl Handler {
    /// What is to be saved, and how it is called; none without a directory.
    pub(super) fn snapshot(&self) -> Result<Option<(Draft, Snapshot)>> {
        let Some(saver) = self.checkpoints.saver() else { return Ok(None) };
        let (done, total) = self.stored_progress();
        let best = self.best();
        let mut values = Message::default();
        self.variables().read(&Message::default(), &mut values)?;
        let description = Description {
            job: self.name().to_owned(),
            done,
            total,
            units: self.units().map_or_else(String::new, |units| units.to_string()),
            exposed: object_of(&values),
            best_value: best.as_ref().map(|best| best.value),
        };
        let mut snapshot = Snapshot { description, entries: Vec::new(), sources: Vec::new() };
        for item in self.checkpoints.protected.all() {
            let (bytes, source) = self.source_of(&item)?;
            snapshot.entries.push(item.entry(bytes));
            snapshot.sources.push(source);
        }
        if let Some(best) = best {
            let shape = vec![best.bytes.len() as u64];
            snapshot.entries.push(Entry { name: BEST.to_owned(), dtype: Dtype::U8, shape, kind: "best".to_owned() });
            snapshot.sources.push(Arc::new(Owned(best.bytes.to_vec())));
        }
        let draft = match std::mem::take(&mut *self.checkpoints.own_files.lock()) {
            OwnFiles::Saving(draft) => draft,
            _ => saver.vault().draft(),
        };
        Ok(Some((draft, snapshot)))
    }

    fn source_of(&self, item: &Item) -> Result<(u64, Arc<dyn Source>)> {
        match &item.what {
            What::Array { memory, .. } => Ok((0, memory.clone())),
            What::Custom(custom) => match self.calling(|| custom.save()) {
                (0, bytes) => Ok((bytes.len() as u64, Arc::new(Owned(bytes)))),
                (code, _) => {
                    let text = format!("'{}': its save function returned {code}: nothing was saved", item.name);
                    Err(Error::new(Status::Failed, text))
                }
            },
        }
    }
}
