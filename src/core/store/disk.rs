//! Files and directories: all that the store does to them goes through here.

use crate::core::status::{Error, Result, Status};
use crate::sys::files;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// What transfers past the page cache begin at and are a multiple of, in the file and in memory.
pub(crate) const BLOCK: usize = 4096;

/// Why a file could not be read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is broken: what it holds is not what was written.
    Broken(String),
    /// Another time it may be read.
    Failed(Error),
}

impl Unread {
    /// As an error; `broken` says what is broken.
    pub(crate) fn told(self, broken: impl FnOnce(String) -> Error) -> Error {
        match self {
            Unread::Broken(why) => broken(why),
            Unread::Failed(error) => error,
        }
    }
}

/// The sentence that goes with an error of the system's.
pub(crate) fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    let status = if error.kind() == ErrorKind::OutOfMemory { Status::NoMemory } else { Status::System };
    Error::new(status, format!("{}: cannot {what}: {error}", path.display()))
}

/// As often as a signal gets in between.
fn again<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Done, also when there was nothing to do it to.
fn unless_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// An open file.
pub(crate) struct Disk {
    file: File,
    path: PathBuf,
    direct: AtomicBool,
}

impl Disk {
    fn open(options: &OpenOptions, path: &Path, direct: bool) -> io::Result<Disk> {
        let opened = again(|| files::open(options, path, direct));
        let (file, direct) = match opened {
            Err(error) if direct && files::is_not_offered(&error) => {
                (again(|| files::open(options, path, false))?, false)
            }
            opened => (opened?, direct),
        };
        Ok(Disk { file, path: path.to_owned(), direct: AtomicBool::new(direct) })
    }

    /// Opens a file to write, past the page cache where that can be done. `make` it when it is not there.
    pub(crate) fn to_write(path: &Path, make: bool) -> Result<Disk> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(make).mode(0o600);
        Disk::open(&options, path, true).map_err(|error| failed("open to write", path, &error))
    }

    /// Opens a file to read, from the medium when `direct` and that can be done.
    pub(crate) fn to_read(path: &Path, direct: bool) -> std::result::Result<Disk, Unread> {
        // Before it is opened: a pipe would wait for a writer.
        if again(|| fs::symlink_metadata(path)).is_ok_and(|named| !named.is_file()) {
            return Err(Unread::Broken("it is not a plain file".into()));
        }
        Disk::open(OpenOptions::new().read(true), path, direct).map_err(|error| unread("open", path, &error))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, what: &str, error: &io::Error) -> Error {
        failed(what, &self.path, error)
    }

    /// Its length, and the bytes of the medium that are allocated to it.
    pub(crate) fn size(&self) -> Result<(u64, u64)> {
        let metadata = again(|| self.file.metadata()).map_err(|error| self.failed("look at", &error))?;
        Ok((metadata.len(), metadata.blocks().saturating_mul(512)))
    }

    /// Whether nobody else has it: by another name, or open.
    pub(crate) fn is_only_ours(&self) -> bool {
        let plain = again(|| self.file.metadata()).is_ok_and(|metadata| metadata.is_file() && metadata.nlink() == 1);
        plain && !files::is_open_elsewhere(&self.file)
    }

    /// Makes sure of the room for so many bytes, so that a full disk is found before anything is overwritten.
    pub(crate) fn allocate(&self, length: u64) -> Result<()> {
        let (bytes, allocated) = self.size()?;
        if bytes >= length && allocated >= length {
            return Ok(());
        }
        match again(|| files::allocate(&self.file, length)) {
            Err(error) if !files::is_not_offered(&error) => Err(self.failed("make room in", &error)),
            _ => Ok(()),
        }
    }

    pub(crate) fn set_length(&self, length: u64) -> Result<()> {
        if self.size()?.0 == length {
            return Ok(());
        }
        again(|| self.file.set_len(length)).map_err(|error| self.failed("set the length of", &error))
    }

    fn is_direct(&self) -> bool {
        // Relaxed: who sees it late finds out by the same error.
        self.direct.load(Ordering::Relaxed)
    }

    fn leave_direct(&self) -> io::Result<()> {
        again(|| files::leave_direct(&self.file))?;
        self.direct.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Writes all of it. While the transfer goes past the page cache, offset, memory and length are multiples of [`BLOCK`].
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let told = |error: io::Error| self.failed("write", &error);
        let mut written = 0;
        while written < bytes.len() {
            match self.file.write_at(&bytes[written..], offset + written as u64) {
                Ok(0) => return Err(told(ErrorKind::WriteZero.into())),
                Ok(more) => written = self.next_block(written, more, bytes.len()).map_err(told)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if self.is_direct() && files::is_not_offered(&error) => self.leave_direct().map_err(told)?,
                Err(error) => return Err(told(error)),
            }
        }
        if !self.is_direct() {
            files::begin_writeback(&self.file, offset, bytes.len());
        }
        Ok(())
    }

    /// Reads so many bytes; less is a broken file. While the transfer goes past the page cache, offset and memory are
    /// multiples of [`BLOCK`], and there is room to the next one.
    pub(crate) fn read_at(&self, into: &mut [u8], wanted: usize, offset: u64) -> std::result::Result<(), Unread> {
        let told = |error: io::Error| unread("read", &self.path, &error);
        let mut read = 0;
        while read < wanted {
            // To the next block, for a transfer past the page cache; the end of the file cuts it short.
            let end = if self.is_direct() { wanted.next_multiple_of(BLOCK) } else { wanted };
            match self.file.read_at(&mut into[read..end], offset + read as u64) {
                Ok(0) => return Err(Unread::Broken(format!("it ends at byte {}", offset + read as u64))),
                Ok(more) => read = self.next_block(read, more, wanted).map_err(told)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if self.is_direct() && files::is_not_offered(&error) => self.leave_direct().map_err(told)?,
                Err(error) => return Err(told(error)),
            }
        }
        Ok(())
    }

    /// Where a transfer that was cut short goes on: past the page cache, at a block.
    fn next_block(&self, done: usize, more: usize, wanted: usize) -> io::Result<usize> {
        let reached = done + more;
        if reached >= wanted || !self.is_direct() {
            return Ok(reached);
        }
        let at = reached - reached % BLOCK;
        if at == done {
            self.leave_direct()?;
        }
        Ok(at)
    }

    /// Returns once everything written is on the medium. When it fails, nobody can tell what is.
    pub(crate) fn flush(&self) -> Result<()> {
        again(|| self.file.sync_data()).map_err(|error| self.failed("flush", &error))
    }

    /// The same with all that is known of the file, its name's time too: what xfs wants after a rename.
    pub(crate) fn flush_all(&self) -> Result<()> {
        again(|| self.file.sync_all()).map_err(|error| self.failed("flush", &error))
    }

    /// Lets the next reads come from the medium.
    pub(crate) fn drop_cached(&self) {
        if !self.is_direct() {
            files::drop_cached(&self.file);
        }
    }

    /// See [`files::keeps_names`].
    pub(crate) fn keeps_names(&self) -> bool {
        files::keeps_names(&self.file)
    }
}

fn unread(what: &str, path: &Path, error: &io::Error) -> Unread {
    if files::is_medium(error) || error.kind() == ErrorKind::NotFound {
        return Unread::Broken(format!("cannot {what}: {error}"));
    }
    Unread::Failed(failed(what, path, error))
}

/// Makes a directory that only its owner can enter. `false`: it was there.
pub(crate) fn make_directory(path: &Path) -> Result<bool> {
    match again(|| fs::DirBuilder::new().mode(0o700).create(path)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match again(|| fs::metadata(path)) {
            Ok(there) if there.is_dir() => Ok(false),
            Ok(_) => {
                let not_a_directory = fs::read_dir(path).err().unwrap_or(error);
                Err(failed("make the directory", path, &not_a_directory))
            }
            Err(error) => Err(failed("look at", path, &error)),
        },
        Err(error) => Err(failed("make the directory", path, &error)),
    }
}

/// Returns once the names in a directory are on the medium.
pub(crate) fn flush_directory(path: &Path) -> Result<()> {
    let flushed = again(|| File::open(path)).and_then(|directory| again(|| directory.sync_all()));
    match flushed {
        // A file system that cannot flush a directory has nothing to flush.
        Err(error) if !files::is_not_offered(&error) => Err(failed("flush the directory", path, &error)),
        _ => Ok(()),
    }
}

/// The names in a directory that are text.
pub(crate) fn names(path: &Path) -> Result<Vec<String>> {
    let listed = again(|| fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().into_string())).collect());
    let listed: Vec<_> = listed.map_err(|error| failed("list", path, &error))?;
    let mut names: Vec<String> = listed.into_iter().flatten().collect();
    names.sort();
    Ok(names)
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    again(|| fs::rename(from, to)).map_err(|error| failed(&format!("rename to {}", to.display()), from, &error))
}

/// Removes a file; one that is not there is fine.
pub(crate) fn remove(path: &Path) -> Result<()> {
    unless_gone(again(|| fs::remove_file(path))).map_err(|error| failed("remove", path, &error))
}

/// Removes a directory with all that is in it; one that is not there is fine.
pub(crate) fn remove_tree(path: &Path) -> Result<()> {
    unless_gone(again(|| fs::remove_dir_all(path))).map_err(|error| failed("remove", path, &error))
}

/// What a name in a directory leads to.
pub(crate) enum Kind {
    File(u64),
    Directory,
    Other,
}

pub(crate) fn kind(path: &Path) -> Result<Kind> {
    let metadata = again(|| fs::symlink_metadata(path)).map_err(|error| failed("look at", path, &error))?;
    Ok(match metadata {
        file if file.is_file() => Kind::File(file.len()),
        directory if directory.is_dir() => Kind::Directory,
        _ => Kind::Other,
    })
}

/// The path that leads there from everywhere.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    again(|| fs::canonicalize(path)).map_err(|error| failed("find", path, &error))
}

/// Device and inode.
pub(crate) fn identity(path: &Path) -> Result<(u64, u64)> {
    let metadata = again(|| fs::metadata(path)).map_err(|error| failed("look at", path, &error))?;
    Ok((metadata.dev(), metadata.ino()))
}

/// A file that is locked for this process while this lives.
pub(crate) struct Held {
    _locked: File,
}

impl Held {
    /// The inner `Err`: the process that has it.
    pub(crate) fn new(path: &Path) -> Result<std::result::Result<Held, i32>> {
        let told = |error: io::Error| failed("lock", path, &error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        loop {
            let file = again(|| files::open(&options, path, false)).map_err(told)?;
            if let Some(process) = again(|| files::lock(&file)).map_err(told)? {
                return Ok(Err(process));
            }
            // Somebody may have removed it meanwhile: then this locks nobody out.
            let ours = again(|| file.metadata()).map_err(told)?;
            if again(|| fs::metadata(path)).is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
                return Ok(Ok(Held { _locked: file }));
            }
        }
    }
}
