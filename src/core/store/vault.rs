//! The directory of checkpoints: what is in it, which is the newest whole one, what goes.

use super::disk::{self, Disk, Unread};
use super::layout::Description;
use super::lock::Lock;
use super::pool::Pool;
use super::reader::Opened;
use super::writer::Speed;
use crate::core::status::Result;
use crate::core::sync::Mutex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::Arc;

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

/// Told what went wrong in the background without a save being lost.
pub(crate) type Warn = Box<dyn Fn(String) + Send + Sync>;

pub(crate) struct Vault {
    directory: PathBuf,
    keep: usize,
    pub(super) warn: Warn,
    pool: Pool,
    pub(super) speed: Speed,
    /// The generations whose manifests are there.
    known: Mutex<BTreeMap<u64, Known>>,
    /// The next generation's number.
    pub(super) next: AtomicU64,
    /// One at a time writes, retires or looks for the newest.
    pub(super) busy: Mutex<()>,
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
                disk::remove_tree(&directory.join(name))?;
            }
        }
        // What a killed process did to the names is on the medium before anything is built on it.
        disk::flush_directory(&directory)?;
        Ok(Arc::new(Vault {
            directory,
            keep: keep.max(1),
            warn,
            pool: Pool::new()?,
            speed: Speed::default(),
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

    pub(super) fn manifest(&self, generation: u64) -> PathBuf {
        self.directory.join(format!("{generation:06}{MANIFEST}"))
    }

    pub(super) fn files(&self, generation: u64) -> PathBuf {
        self.directory.join(format!("{generation:06}{FILES}"))
    }

    pub(super) fn spare(&self) -> PathBuf {
        self.directory.join("spare")
    }

    pub(super) fn learn(&self, generation: u64, known: Known) {
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
                if known != Known::Unread {
                    entry.clone_from(&known);
                }
                infos.push(Info { generation, file, bytes, known, header });
            }
        }
        Ok(infos)
    }

    /// How many generations there are beyond those that are to be kept.
    pub(crate) fn excess(&self) -> usize {
        self.known.lock().len().saturating_sub(self.keep)
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
                if let Err(error) = self.retire(generation, !matches!(known, Known::Broken(_))) {
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
            disk::remove_tree(&self.files(generation))?;
        }
        disk::remove(&self.spare())
    }

    /// Takes a generation out of sight. If it is sound its blocks become the spare, when there is none and nobody else has
    /// them.
    fn retire(&self, generation: u64, sound: bool) -> Result<()> {
        let (manifest, spare) = (self.manifest(generation), self.spare());
        let reusable = !spare.exists() && Disk::to_write(&manifest, false).is_ok_and(|disk| disk.is_only_ours());
        match sound && reusable {
            true => disk::rename(&manifest, &spare)?,
            false => disk::remove(&manifest)?,
        }
        self.known.lock().remove(&generation);
        disk::flush_directory(&self.directory).inspect_err(|_| self.discard_spare())?;
        disk::remove_tree(&self.files(generation))
    }

    /// After a failure: what is in the spare, and where its blocks are, nobody can tell.
    pub(super) fn discard_spare(&self) {
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
