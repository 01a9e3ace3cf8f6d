//! A generation that is read, and verified.

use super::buffer::pages;
use super::disk::{Disk, Unread, BLOCK};
use super::files;
use super::header::{self, Header};
use super::layout::{Description, Entry, OwnFile, PREFIX};
use super::pool::Pool;
use super::sums::{piece, pieces, Sums, PIECE};
use crate::core::status::{Error, Result, Status};
use crate::core::sync::Mutex;
use crate::sys::pages::Pages;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

type Read<T> = std::result::Result<T, Unread>;

/// A generation whose header is whole.
pub(crate) struct Opened {
    disk: Disk,
    files: PathBuf,
    header: Header,
    /// All of the file, once [`Opened::verify`] has kept it.
    memory: Option<Pages>,
}

impl Opened {
    /// Reads the header, from the medium.
    pub(crate) fn open(path: &Path, files: PathBuf, generation: u64) -> Read<Opened> {
        let disk = Disk::to_read(path, true)?;
        let length = disk.size().map_err(Unread::Failed)?.0;
        let mut buffer = pages(BLOCK).map_err(Unread::Failed)?;
        let first = length.min(BLOCK as u64) as usize;
        if first < PREFIX {
            return Err(Unread::Broken(format!("it has {length} bytes")));
        }
        disk.read_at(&mut buffer, first, 0)?;
        let prefix = *buffer.first_chunk().expect("a block is longer");
        let bytes = header::length_of_header(prefix, length).map_err(Unread::Broken)? as usize;
        if bytes > first {
            buffer = pages(bytes.next_multiple_of(BLOCK)).map_err(Unread::Failed)?;
            disk.read_at(&mut buffer, bytes, 0)?;
        }
        let header = header::parse(&buffer[..bytes], length).map_err(Unread::Broken)?;
        if header.generation != generation {
            return Err(Unread::Broken(format!("it is generation {} under another name", header.generation)));
        }
        Ok(Opened { disk, files, header, memory: None })
    }

    /// Compares all checksums, those of the user's own files too. `keep` what was read in memory. When `stop` is set it
    /// ends early and returns `false`.
    pub(crate) fn verify(&mut self, pool: &Pool, keep: bool, stop: &AtomicBool) -> Read<bool> {
        let (begin, end) = (self.header.data_begin, self.header.length);
        let count = pieces(begin, end);
        let sums = Sums::new(&self.header.ranges);
        let mut memory = match keep {
            true => Some(pages((end as usize).next_multiple_of(BLOCK)).map_err(Unread::Failed)?),
            false => None,
        };
        let whole: &mut [u8] = memory.as_mut().map_or(&mut [], |pages| &mut pages[begin as usize..]);
        let parts: Vec<_> = whole.chunks_mut(PIECE).map(Mutex::new).collect();
        let read = |into: &mut [u8], index| {
            let piece = piece(begin, end, index);
            let bytes = (piece.end - piece.start) as usize;
            self.disk.read_at(into, bytes, piece.start)?;
            sums.add(piece.start, &into[..bytes]);
            Ok(())
        };
        self.disk.drop_cached();
        let room = if keep { 0 } else { PIECE.min((end - begin) as usize).next_multiple_of(BLOCK) };
        let make = || pages(room).map_err(Unread::Failed);
        pool.each(count, stop, make, |own, index| match keep {
            true => read(&mut parts[index].lock(), index),
            false => read(own, index),
        })?;
        // Relaxed: it is set by whoever waits for this to end.
        if stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(false);
        }
        drop(parts);
        let found = sums.finish();
        if let Some(place) = (0..found.len()).find(|&place| found[place] != self.header.sums[place]) {
            let name = &self.header.entries[place].name;
            return Err(Unread::Broken(format!("'{name}' is not what was saved: the checksum differs")));
        }
        files::verify(&self.files, &self.header.files)?;
        self.memory = memory;
        Ok(true)
    }

    /// Seconds since 1970.
    pub(crate) fn saved_at(&self) -> f64 {
        self.header.saved_at
    }

    /// The version of park that saved it.
    pub(crate) fn version(&self) -> &str {
        &self.header.version
    }

    /// How long the file is.
    pub(crate) fn bytes(&self) -> u64 {
        self.header.length
    }

    pub(crate) fn path(&self) -> &Path {
        self.disk.path()
    }

    pub(crate) fn description(&self) -> &Description {
        &self.header.description
    }

    /// What is stored, in the order of the file.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.header.entries
    }

    /// The user's own files, and the directory that they are in.
    pub(crate) fn files(&self) -> (&Path, &[OwnFile]) {
        (&self.files, &self.header.files)
    }

    /// Gives out an entry, by its index, in pieces from its begin on; their sum is compared at the end. What was kept in
    /// memory comes in one piece and was verified before, so this cannot fail.
    pub(crate) fn read(&self, entry: usize, take: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        let range = self.header.ranges[entry].clone();
        if let Some(memory) = &self.memory {
            take(0, &memory[range.start as usize..range.end as usize]);
            return Ok(());
        }
        let broken = |why| {
            let name = &self.header.entries[entry].name;
            Error::new(Status::Failed, format!("{}: '{name}': {why}", self.path().display()))
        };
        let mut buffer = pages(PIECE)?;
        let mut hasher = crc32fast::Hasher::new();
        // Past the page cache a transfer begins at a block.
        let from = range.start - range.start % BLOCK as u64;
        for index in 0..pieces(from, range.end) {
            let piece = piece(from, range.end, index);
            self.disk
                .read_at(&mut buffer, (piece.end - piece.start) as usize, piece.start)
                .map_err(|unread| unread.told(broken))?;
            let begin = range.start.max(piece.start);
            let bytes = &buffer[(begin - piece.start) as usize..(piece.end - piece.start) as usize];
            hasher.update(bytes);
            take(begin - range.start, bytes);
        }
        match hasher.finalize() == self.header.sums[entry] {
            true => Ok(()),
            false => Err(broken("not what was saved: the checksum differs".into())),
        }
    }
}
