//! Where a job listens: the directory, the socket's file, and what dead jobs have left there.

use crate::core::status::{Error, Result, Status};
use crate::core::sync::Mutex;
use mio::net::{UnixListener, UnixStream};
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the kernel takes: 108 bytes with a NUL.
const LONGEST_PATH: usize = 107;
/// The numbers of this process's sockets where everybody looks: the least free one is taken.
static NUMBERS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());
/// Other processes of the same number, in other containers, that may share the directory.
const MOST_NAMESAKES: u32 = 64;
/// A third of a second's connections: who comes after a flood does not wait for longer.
const BACKLOG: u16 = 64;
/// Between the making of a socket and listening at it, connecting is refused: for microseconds, or while its process has
/// lost its processor.
const BEING_MADE: Duration = Duration::from_millis(100);
/// How many dead sockets are taken away at once: the next job takes the rest.
const MOST_SWEPT: usize = 256;

/// A socket that is listened at, and its file.
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// Its number where everybody looks for jobs; `None`: it is elsewhere.
    number: Option<u32>,
    /// Device and inode: the file may be another one's by the time it is taken away.
    file: (u64, u64),
}

impl Place {
    /// Listens at the path, or in the directory where everybody looks for jobs.
    pub(super) fn open(path: Option<&str>) -> Result<(Place, UnixListener)> {
        let (path, listener, number) = match path {
            Some(path) => at_path(Path::new(path))?,
            None => in_directory(&usual_directory()?)?,
        };
        // Only its owner may connect, whoever may enter the directory. Who connects before this is refused by his uid.
        let made = fs::set_permissions(&path, Permissions::from_mode(0o600)).and_then(|()| fs::symlink_metadata(&path));
        match made {
            Ok(file) => Ok((Place { path, number, file: (file.dev(), file.ino()) }, listener)),
            Err(error) => {
                let _ = fs::remove_file(&path);
                number.into_iter().for_each(give_back);
                Err(system(&path, "cannot be made its owner's alone", &error))
            }
        }
    }

    /// Takes the file away, if it is still this one.
    pub(super) fn remove(&self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == self.file) {
            let _ = fs::remove_file(&self.path);
        }
        self.number.into_iter().for_each(give_back);
    }

    /// Whether it is where everybody looks for jobs.
    pub(super) fn is_usual(&self) -> bool {
        self.number.is_some()
    }
}

fn system(path: &Path, what: &str, error: &io::Error) -> Error {
    Error::new(Status::System, format!("path: {} {what}: {error}", path.display()))
}

/// The directory where the jobs of this user listen.
fn usual_directory() -> Result<PathBuf> {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(directory) = named("PARK_RUNTIME_DIR") {
        if directory.is_relative() {
            return Err(Error::argument(format!("PARK_RUNTIME_DIR: {} is not an absolute path", directory.display())));
        }
        return Ok(directory);
    }
    // A batch system hands the variable down to machines that have no such directory.
    let own = crate::sys::own_uid();
    let is_ours = |directory: &PathBuf| {
        directory.is_absolute() && fs::metadata(directory).is_ok_and(|it| it.is_dir() && it.uid() == own)
    };
    match named("XDG_RUNTIME_DIR").filter(is_ours) {
        Some(directory) => Ok(directory.join("park")),
        None => Ok(PathBuf::from(format!("/tmp/park-{own}"))),
    }
}

/// Makes the directory if it is not there; refuses one that others may enter or change.
fn prepare(directory: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(system(directory, "cannot be made", &error)),
    }
    let found = fs::symlink_metadata(directory).map_err(|error| system(directory, "cannot be looked at", &error))?;
    match why_not_private(&found, crate::sys::own_uid()) {
        None => Ok(()),
        Some(why) => Err(Error::new(Status::Refused, format!("path: {} {why}", directory.display()))),
    }
}

fn why_not_private(directory: &Metadata, own: u32) -> Option<String> {
    if directory.is_symlink() {
        Some("is a link".to_owned())
    } else if !directory.is_dir() {
        Some("is not a directory".to_owned())
    } else if directory.uid() != own {
        Some(format!("belongs to the user with number {}", directory.uid()))
    } else if directory.mode() & 0o077 != 0 {
        Some(format!("may be entered by others (mode {:o}): chmod 700 it", directory.mode() & 0o777))
    } else {
        None
    }
}

type Opened = (PathBuf, UnixListener, Option<u32>);

fn in_directory(directory: &Path) -> Result<Opened> {
    prepare(directory)?;
    sweep(directory);
    let mut numbers = NUMBERS.lock();
    let free = (1..).filter(|number| !numbers.contains(number)).take(MOST_NAMESAKES as usize).collect::<Vec<_>>();
    for number in free {
        let process = std::process::id();
        // Not the job's name: the kernel shows the paths of sockets to every user.
        let file = if number == 1 { format!("{process}.sock") } else { format!("{process}-{number}.sock") };
        let path = directory.join(file);
        if let Some(listener) = bind_anew(&path)? {
            numbers.insert(number);
            return Ok((path, listener, Some(number)));
        }
    }
    Err(Error::new(Status::Full, format!("path: {} is full of sockets of this process's number", directory.display())))
}

fn give_back(number: u32) {
    let mut numbers = NUMBERS.lock();
    numbers.remove(&number);
    if numbers.is_empty() {
        // An empty one keeps memory.
        *numbers = BTreeSet::new();
    }
}

fn at_path(path: &Path) -> Result<Opened> {
    let path = std::path::absolute(path).map_err(|error| system(path, "has no absolute form", &error))?;
    match bind_anew(&path)? {
        Some(listener) => Ok((path, listener, None)),
        None => {
            let text = format!("path: {} is a file, or a socket that somebody listens at", path.display());
            Err(Error::new(Status::Exists, text))
        }
    }
}

/// Listens at a path, in the place of a dead job. `None`: it is in use.
fn bind_anew(path: &Path) -> Result<Option<UnixListener>> {
    if let Some(listener) = bind(path)? {
        return Ok(Some(listener));
    }
    match fs::symlink_metadata(path) {
        Ok(file) if !file.file_type().is_socket() => return Ok(None),
        Ok(_) if !is_dead(path) => return Ok(None),
        Ok(_) => {
            fs::remove_file(path).map_err(|error| system(path, "is a dead job's and cannot be removed", &error))?
        }
        // Gone in between.
        Err(_) => {}
    }
    bind(path)
}

/// Listens at a path. `None`: there is a file.
fn bind(path: &Path) -> Result<Option<UnixListener>> {
    let length = path.as_os_str().len();
    if length > LONGEST_PATH {
        let text = format!("path: {} has {length} bytes, a socket's path at most {LONGEST_PATH}", path.display());
        return Err(Error::argument(text));
    }
    match UnixListener::bind(path) {
        Ok(listener) => {
            crate::sys::set_backlog(&listener, BACKLOG);
            Ok(Some(listener))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(system(path, "cannot be listened at", &error)),
    }
}

/// Whether somebody listens. Does not wait: a full queue of connections is as good as an answer.
fn is_live(path: &Path) -> bool {
    match UnixStream::connect(path) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound),
    }
}

/// Whether a socket is one that its process has left behind.
fn is_dead(path: &Path) -> bool {
    !is_live(path) && {
        std::thread::sleep(BEING_MADE);
        !is_live(path)
    }
}

/// Whether the process that the file is named for does not exist.
fn is_process_gone(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
    let process = stem.split('-').next().unwrap_or("");
    process.parse::<u32>().is_ok_and(|number| !Path::new(&format!("/proc/{number}")).exists())
}

/// Takes away what dead jobs have left.
fn sweep(directory: &Path) {
    let own = crate::sys::own_uid();
    let Ok(entries) = fs::read_dir(directory) else { return };
    let is_left = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "sock")
            && is_process_gone(path)
            && fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket() && file.uid() == own)
            && !is_live(path)
    };
    let left: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_left).take(MOST_SWEPT).collect();
    if !left.is_empty() {
        // A second look, as in `is_dead`: the process may be one of another container, which this one does not see.
        std::thread::sleep(BEING_MADE);
    }
    for path in left.iter().filter(|path| !is_live(path)) {
        let _ = fs::remove_file(path);
    }
}
