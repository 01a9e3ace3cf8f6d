//! A generation that is being made: numbered, laid out, written, named.

use super::disk::{self, Disk};
use super::files;
use super::layout::{Description, Entry, Layout};
use super::vault::{Known, Vault};
use super::writer::{write, Content};
use crate::core::status::{Error, Result, Status};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A generation that is on the medium.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(crate) generation: u64,
    pub(crate) file: PathBuf,
    pub(crate) bytes: u64,
    /// From the begin of writing until it was durable.
    pub(crate) seconds: f64,
}

impl Vault {
    /// Begins a generation, with a number that no other ever had.
    pub(crate) fn draft(self: &Arc<Self>) -> Draft {
        // Relaxed: a number by itself.
        let generation = self.next.fetch_add(1, Ordering::Relaxed);
        Draft { vault: self.clone(), generation, has_files: false, is_done: false }
    }
}

/// A generation that is being made. Dropped before it was written, it leaves nothing behind.
pub(crate) struct Draft {
    vault: Arc<Vault>,
    generation: u64,
    has_files: bool,
    is_done: bool,
}

impl Draft {
    /// A fresh directory for the user's own files, which become part of the generation. To be filled before it is planned.
    pub(crate) fn files(&mut self) -> Result<PathBuf> {
        let path = self.vault.files(self.generation);
        if !self.has_files {
            disk::remove_tree(&path)?;
            self.has_files = disk::make_directory(&path)?;
        }
        Ok(path)
    }

    /// Lays out the file.
    pub(crate) fn plan(self, description: &Description, entries: &[Entry]) -> Result<Plan> {
        let files = if self.has_files { files::list(&self.vault.files(self.generation))? } else { Vec::new() };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let layout = Layout::new(self.generation, now, description, entries, files)?;
        Ok(Plan { draft: self, layout })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.has_files && !self.is_done {
            if let Err(error) = disk::remove_tree(&self.vault.files(self.generation)) {
                (self.vault.warn)(error.text);
            }
        }
    }
}

/// A generation that can be written.
pub(crate) struct Plan {
    draft: Draft,
    layout: Layout,
}

impl Plan {
    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How many bytes of the caller's are to be stored.
    pub(crate) fn bytes(&self) -> u64 {
        self.layout.length - self.layout.data_begin
    }

    /// Writes it; when this returns, it is on the medium and has its name.
    pub(crate) fn commit(self, content: Content<'_>) -> Result<Saved> {
        let began = Instant::now();
        let vault = self.draft.vault.clone();
        // Taken before the pool is entered: who holds it may wait for all of the pool's threads.
        let _busy = vault.busy.lock();
        // On one of the pool's threads, for a thread of the user's may be killed by SIGXFSZ.
        vault.pool().run(|| self.put_down(content, began))
    }

    fn put_down(mut self, content: Content<'_>, began: Instant) -> Result<Saved> {
        let vault = self.draft.vault.clone();
        let generation = self.draft.generation;
        let file = vault.manifest(generation);
        let sums = match self.draft.has_files {
            true => {
                let sums = files::flush(&vault.files(generation), &self.layout.files)?;
                // Their directory's name before that of the generation: it is never seen without them.
                disk::flush_directory(vault.directory())?;
                sums
            }
            false => Vec::new(),
        };
        self.layout.files.iter_mut().zip(sums).for_each(|(file, sum)| file.sum = sum);
        self.write(content, &file).inspect_err(|_| vault.discard_spare())?;
        self.draft.is_done = true;
        vault.learn(generation, Known::Unread);
        Ok(Saved { generation, file, bytes: self.layout.length, seconds: began.elapsed().as_secs_f64() })
    }

    fn write(&self, content: Content<'_>, file: &Path) -> Result<()> {
        let vault = &self.draft.vault;
        let spare = vault.spare();
        let disk = Disk::to_write(&spare, true)?;
        if file.exists() {
            return Err(Error::new(Status::Exists, format!("{}: is there already", file.display())));
        }
        write(vault.pool(), &vault.speed, &disk, &self.layout, content)?;
        disk::rename(&spare, file)?;
        let flushed = disk::flush_directory(vault.directory()).and_then(|()| match disk.keeps_names() {
            true => Ok(()),
            false => disk.flush_all(),
        });
        // Whether its name is on the medium nobody can tell: told as failed, it is not to be seen.
        flushed.inspect_err(|_| {
            let _ = disk::remove(file);
        })
    }
}
