//! The directory of checkpoints: what is in it, which is the newest whole one, what goes.

use super::disk::{self, Disk, Unread};
use super::files;
use super::layout::{Description, Entry, Layout};
use super::lock::Lock;
use super::pool::Pool;
use super::reader::Opened;
use super::writer::{write, Content};
use crate::core::status::{Error, Result, Status};
use crate::core::sync::Mutex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What is known of a generation's bytes on the medium.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Known {
    /// Nobody has looked at all of them.
    Unread,
    Whole,
    /// Why.
    Broken(String),
}

/// What is told of a generation.
#[derive(Clone, Debug)]
pub(crate) struct Info {
    pub(crate) generation: u64,
    pub(crate) file: PathBuf,
    /// Of the safetensors file.
    pub(crate) bytes: u64,
    /// `Whole` only when every checksum was compared.
    pub(crate) known: Known,
    /// What the header says; `None` when it is broken.
    pub(crate) header: Option<(f64, String, Description)>,
}

/// A generation that was not used, and why.
#[derive(Clone, Debug)]
pub(crate) struct Skipped {
    pub(crate) file: PathBuf,
    pub(crate) reason: String,
}

/// A generation that is on the medium.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(crate) generation: u64,
    pub(crate) file: PathBuf,
    pub(crate) bytes: u64,
    /// From the begin of writing until it was durable.
    pub(crate) seconds: f64,
}

/// Told what went wrong in the background without a save being lost.
pub(crate) type Warn = Box<dyn Fn(String) + Send + Sync>;

pub(crate) struct Vault {
    directory: PathBuf,
    keep: usize,
    warn: Warn,
    pool: Pool,
    /// The generations whose manifests are there.
    known: Mutex<BTreeMap<u64, Known>>,
    /// The next generation's number.
    next: AtomicU64,
    /// One at a time writes, retires or looks for the newest.
    busy: Mutex<()>,
    /// Held as long as the vault lives; given up last.
    _lock: Lock,
}

impl Vault {
    /// Opens a directory, makes it when it is not there, locks it, and removes what a killed process left behind. `keep`
    /// whole generations are kept, at least one. PARK_BUSY: somebody else has it.
    pub(crate) fn open(directory: &Path, keep: usize, warn: Warn) -> Result<Arc<Vault>> {
        if disk::make_directory(directory)? {
            disk::flush_directory(&disk::absolute(directory)?.join(".."))?;
        }
        let directory = disk::absolute(directory)?;
        let lock = Lock::new(&directory)?;
        let names = disk::names(&directory)?;
        let manifests = names.iter().filter_map(|name| number(name, MANIFEST));
        let known: BTreeMap<_, _> = manifests.map(|generation| (generation, Known::Unread)).collect();
        let mut last = known.keys().next_back().copied().unwrap_or(0);
        for (name, generation) in names.iter().filter_map(|name| Some((name, number(name, FILES)?))) {
            last = last.max(generation);
            if !known.contains_key(&generation) {
                disk::remove(&directory.join(name))?;
            }
        }
        // What a killed process did to the names is on the medium before anything is built on it.
        disk::flush_directory(&directory)?;
        Ok(Arc::new(Vault {
            directory,
            keep: keep.max(1),
            warn,
            pool: Pool::new()?,
            known: Mutex::new(known),
            next: AtomicU64::new(last + 1),
            busy: Mutex::new(()),
            _lock: lock,
        }))
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    fn manifest(&self, generation: u64) -> PathBuf {
        self.directory.join(format!("{generation:06}{MANIFEST}"))
    }

    fn files(&self, generation: u64) -> PathBuf {
        self.directory.join(format!("{generation:06}{FILES}"))
    }

    fn spare(&self) -> PathBuf {
        self.directory.join("spare")
    }

    fn learn(&self, generation: u64, known: Known) {
        self.known.lock().insert(generation, known);
    }

    fn open_one(&self, generation: u64) -> std::result::Result<Opened, Unread> {
        Opened::open(&self.manifest(generation), self.files(generation), generation)
    }

    /// The newest whole generation, every checksum compared, and the newer ones that are not whole. `keep`: what was
    /// read stays in memory, so that reading it again costs nothing and cannot fail.
    pub(crate) fn newest(&self, keep: bool) -> Result<(Option<Opened>, Vec<Skipped>)> {
        let _busy = self.busy.lock();
        let mut skipped = Vec::new();
        let generations: Vec<u64> = self.known.lock().keys().rev().copied().collect();
        for generation in generations {
            let verified = self.open_one(generation).and_then(|mut opened| {
                opened.verify(&self.pool, keep, &AtomicBool::new(false))?;
                Ok(opened)
            });
            match verified {
                Ok(opened) => {
                    self.learn(generation, Known::Whole);
                    return Ok((Some(opened), skipped));
                }
                Err(Unread::Broken(reason)) => {
                    self.learn(generation, Known::Broken(reason.clone()));
                    skipped.push(Skipped { file: self.manifest(generation), reason });
                }
                Err(Unread::Failed(error)) => return Err(error),
            }
        }
        Ok((None, skipped))
    }

    /// What is there, newest first. `verify`: every byte is read, where it was not yet.
    pub(crate) fn list(&self, verify: bool) -> Result<Vec<Info>> {
        let mut infos = Vec::new();
        let generations: Vec<_> = self.known.lock().iter().rev().map(|(&g, known)| (g, known.clone())).collect();
        for (generation, known) in generations {
            let file = self.manifest(generation);
            let looked = self.open_one(generation).and_then(|mut opened| {
                let now = match known {
                    Known::Unread if verify && opened.verify(&self.pool, false, &AtomicBool::new(false))? => {
                        Known::Whole
                    }
                    known => known,
                };
                let header = (opened.saved_at(), opened.version().to_owned(), opened.description().clone());
                Ok((opened.bytes(), now, Some(header)))
            });
            let (bytes, known, header) = match looked {
                Ok(looked) => looked,
                Err(Unread::Broken(reason)) => {
                    let length = match disk::kind(&file) {
                        Ok(disk::Kind::File(length)) => length,
                        _ => 0,
                    };
                    (length, Known::Broken(reason), None)
                }
                Err(Unread::Failed(error)) => return Err(error),
            };
            // It may have been retired meanwhile.
            if let Some(entry) = self.known.lock().get_mut(&generation) {
                entry.clone_from(&known);
                infos.push(Info { generation, file, bytes, known, header });
            }
        }
        Ok(infos)
    }

    /// Begins a generation, with a number that no other ever had.
    pub(crate) fn draft(self: &Arc<Self>) -> Draft {
        // Relaxed: a number by itself.
        let generation = self.next.fetch_add(1, Ordering::Relaxed);
        Draft { vault: self.clone(), generation, has_files: false, is_done: false }
    }

    /// Retires what is older than the generations that are kept, once so many were read and are whole. When `stop` is
    /// set it ends early; the next save does the rest.
    pub(crate) fn tidy(&self, stop: &AtomicBool) {
        let _busy = self.busy.lock();
        let generations: Vec<_> = self.known.lock().iter().rev().map(|(&g, known)| (g, known.clone())).collect();
        if generations.len() <= self.keep {
            return;
        }
        let mut whole = 0;
        for (generation, known) in generations {
            if whole == self.keep {
                if let Err(error) = self.retire(generation) {
                    (self.warn)(format!("an old checkpoint stays: {error}"));
                }
                continue;
            }
            let known = match known {
                Known::Unread => {
                    match self.open_one(generation).and_then(|mut opened| opened.verify(&self.pool, false, stop)) {
                        Ok(true) => Known::Whole,
                        Ok(false) => return,
                        Err(Unread::Broken(reason)) => {
                            (self.warn)(format!("{}: {reason}", self.manifest(generation).display()));
                            Known::Broken(reason)
                        }
                        Err(Unread::Failed(error)) => return (self.warn)(format!("old checkpoints stay: {error}")),
                    }
                }
                known => known,
            };
            whole += usize::from(known == Known::Whole);
            self.learn(generation, known);
        }
    }

    /// Removes all generations, the oldest first: whoever is killed meanwhile goes on from the newest.
    pub(crate) fn clear(&self) -> Result<()> {
        let _busy = self.busy.lock();
        let generations: Vec<u64> = self.known.lock().keys().copied().collect();
        for generation in generations {
            disk::remove(&self.manifest(generation))?;
            self.known.lock().remove(&generation);
            disk::flush_directory(&self.directory)?;
            disk::remove(&self.files(generation))?;
        }
        disk::remove(&self.spare())
    }

    /// Takes a generation out of sight. Its blocks become the spare, when there is none and nobody else has them.
    fn retire(&self, generation: u64) -> Result<()> {
        let (manifest, spare) = (self.manifest(generation), self.spare());
        let reusable = !spare.exists() && Disk::to_write(&manifest).is_ok_and(|disk| disk.is_only_ours());
        match reusable {
            true => disk::rename(&manifest, &spare)?,
            false => disk::remove(&manifest)?,
        }
        self.known.lock().remove(&generation);
        disk::flush_directory(&self.directory).inspect_err(|_| self.discard_spare())?;
        disk::remove(&self.files(generation))
    }

    /// After a failure: what is in the spare, and where its blocks are, nobody can tell.
    fn discard_spare(&self) {
        if let Err(error) = disk::remove(&self.spare()) {
            (self.warn)(error.text);
        }
    }
}

const MANIFEST: &str = ".safetensors";
const FILES: &str = ".files";

/// The generation that a name tells.
fn number(name: &str, suffix: &str) -> Option<u64> {
    let digits = name.strip_suffix(suffix)?;
    let plain = digits.len() >= 6 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let generation: u64 = digits.parse().ok().filter(|_| plain)?;
    // Only as it would be written, so that a number has one name.
    (format!("{generation:06}") == digits && generation < u64::MAX).then_some(generation)
}

/// A generation that is being made. Dropped before it was written, it leaves nothing behind.
pub(crate) struct Draft {
    vault: Arc<Vault>,
    generation: u64,
    has_files: bool,
    is_done: bool,
}

impl Draft {
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// A fresh directory for the user's own files, which become part of the generation. To be filled before it is planned.
    pub(crate) fn files(&mut self) -> Result<PathBuf> {
        let path = self.vault.files(self.generation);
        if !self.has_files {
            disk::remove(&path)?;
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
            if let Err(error) = disk::remove(&self.vault.files(self.generation)) {
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
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Writes it; when this returns, it is on the medium and has its name.
    pub(crate) fn commit(mut self, content: Content<'_>) -> Result<Saved> {
        let began = Instant::now();
        let vault = self.draft.vault.clone();
        let _busy = vault.busy.lock();
        let generation = self.draft.generation;
        let file = vault.manifest(generation);
        let sums = match self.draft.has_files {
            true => files::flush(&vault.files(generation), &self.layout.files)?,
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
        let disk = Disk::to_write(&spare)?;
        if file.exists() {
            return Err(Error::new(Status::Exists, format!("{}: is there already", file.display())));
        }
        write(&vault.pool, &disk, &self.layout, content)?;
        disk::rename(&spare, file)?;
        let flushed = disk::flush_directory(&vault.directory).and_then(|()| match disk.keeps_names() {
            true => Ok(()),
            false => disk.flush(),
        });
        // Whether its name is on the medium nobody can tell: told as failed, it is not to be seen.
        flushed.inspect_err(|_| {
            let _ = disk::remove(file);
        })
    }
}
