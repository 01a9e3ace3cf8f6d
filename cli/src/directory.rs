//! Where jobs listen, as docs/control.md has it.

use crate::failure::{Failure, Result, SYSTEM};
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The directory of this user's jobs.
pub(crate) fn usual() -> Result<PathBuf> {
    let named = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(directory) = named("PARK_RUNTIME_DIR") {
        if directory.is_relative() {
            let text = format!("PARK_RUNTIME_DIR: {} is not an absolute path", directory.display());
            return Err(Failure::new(SYSTEM, text));
        }
        return Ok(directory);
    }
    let is_ours = |directory: &PathBuf| {
        directory.is_absolute()
            && fs::metadata(directory).is_ok_and(|found| found.is_dir() && found.uid() == own_user())
    };
    match named("XDG_RUNTIME_DIR").filter(is_ours) {
        Some(directory) => Ok(directory.join("park")),
        None => Ok(PathBuf::from(format!("/tmp/park-{}", own_user()))),
    }
}

/// Why jobs in a directory cannot be trusted to be this user's.
fn objection(found: &fs::Metadata) -> Option<String> {
    if found.is_symlink() {
        Some("is a link".to_owned())
    } else if !found.is_dir() {
        Some("is not a directory".to_owned())
    } else if found.uid() != own_user() {
        Some(format!("belongs to the user with number {}", found.uid()))
    } else if found.mode() & 0o077 != 0 {
        Some(format!("may be entered by others (mode {:o}): chmod 700 it", found.mode() & 0o777))
    } else {
        None
    }
}

/// The sockets in a directory, by process number.
pub(crate) fn sockets(directory: &Path) -> Result<Vec<PathBuf>> {
    let system = |error| Failure::system(directory.display(), &error);
    let found = match fs::symlink_metadata(directory) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(system(error)),
    };
    if let Some(why) = objection(&found) {
        return Err(Failure::new(SYSTEM, format!("{} {why}", directory.display())));
    }
    let is_socket = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "sock")
            && fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
    };
    let entries = fs::read_dir(directory).map_err(system)?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_socket).collect();
    paths.sort_by_key(|path| (process_of(path), stem(path)));
    Ok(paths)
}

/// What is unique of a socket: the file's name without its end.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The process that a socket is named for.
pub(crate) fn process_of(path: &Path) -> Option<u32> {
    stem(path).split('-').next()?.parse().ok()
}

/// Whether the process that the socket is named for does not exist.
pub(crate) fn is_left(path: &Path) -> bool {
    process_of(path).is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists())
}
