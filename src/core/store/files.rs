//! The user's own files of a generation.

use super::buffer::pages;
use super::disk::{self, Disk, Unread, BLOCK};
use super::layout::OwnFile;
use super::sums::{piece, pieces, PIECE};
use crate::core::status::{Error, Result, Status};
use std::path::Path;

/// What lies in a directory and below it, by name; sums are not yet known.
pub(crate) fn list(directory: &Path) -> Result<Vec<OwnFile>> {
    let mut found = Vec::new();
    walk(directory, "", &mut |name, length| {
        found.extend(length.map(|bytes| OwnFile { name: name.to_owned(), bytes, sum: 0 }));
        Ok(())
    })?;
    Ok(found)
}

/// Calls `visit` with each file and its length, and with each directory after what is in it.
fn walk(directory: &Path, below: &str, visit: &mut dyn FnMut(&str, Option<u64>) -> Result<()>) -> Result<()> {
    for name in disk::names(&directory.join(below))? {
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        match disk::kind(&directory.join(&name))? {
            disk::Kind::Directory => walk(directory, &name, visit)?,
            disk::Kind::File(length) => visit(&name, Some(length))?,
            disk::Kind::Other => {
                let text = format!("{}: only files and directories can be saved", directory.join(&name).display());
                return Err(Error::new(Status::Failed, text));
            }
        }
    }
    visit(below, None)
}

/// Flushes the files and their directories, and returns the sum of each file.
pub(crate) fn flush(directory: &Path, files: &[OwnFile]) -> Result<Vec<u32>> {
    let mut sums = Vec::new();
    for file in files {
        let path = directory.join(&file.name);
        let changed =
            |why| Error::new(Status::Failed, format!("{}: changed while it was saved: {why}", path.display()));
        let disk = Disk::to_read(&path, false).map_err(|unread| unread.told(changed))?;
        if disk.size()?.0 != file.bytes {
            return Err(changed("its length".into()));
        }
        sums.push(sum(&disk, file.bytes).map_err(|unread| unread.told(changed))?);
        disk.flush()?;
    }
    walk(directory, "", &mut |name, length| match length {
        Some(_) => Ok(()),
        None => disk::flush_directory(&directory.join(name)),
    })?;
    Ok(sums)
}

/// Whether the files are as they were saved.
pub(crate) fn verify(directory: &Path, files: &[OwnFile]) -> std::result::Result<(), Unread> {
    for file in files {
        let named = |why| Unread::Broken(format!("the file '{}': {why}", file.name));
        let checked = || {
            let disk = Disk::to_read(&directory.join(&file.name), true)?;
            let length = disk.size().map_err(Unread::Failed)?.0;
            match length == file.bytes && sum(&disk, length)? == file.sum {
                true => Ok(()),
                false => Err(Unread::Broken("not what was saved".into())),
            }
        };
        match checked() {
            Err(Unread::Broken(why)) => return Err(named(why)),
            other => other?,
        }
    }
    Ok(())
}

fn sum(disk: &Disk, length: u64) -> std::result::Result<u32, Unread> {
    let mut buffer = pages(PIECE.min(length as usize).next_multiple_of(BLOCK)).map_err(Unread::Failed)?;
    let mut hasher = crc32fast::Hasher::new();
    for index in 0..pieces(0, length) {
        let piece = piece(0, length, index);
        let bytes = (piece.end - piece.start) as usize;
        disk.read_at(&mut buffer, bytes, piece.start)?;
        hasher.update(&buffer[..bytes]);
    }
    Ok(hasher.finalize())
}
