//! One process, and in it one handler, has a directory.
//!
//! Between processes it is a POSIX record lock: a child made by fork does not inherit it, so it ends with its process
//! whatever becomes of the children. Within a process such a lock refuses nobody, and is lost when any descriptor of
//! its file is closed: so the directories of this process are registered, and the file is opened only by whoever
//! registered first.

use super::disk;
use crate::core::status::{Error, Result, Status};
use crate::core::sync::Mutex;
use std::path::Path;

/// What names a directory whatever path leads to it: device and inode.
type Identity = (u64, u64);

static TAKEN: Mutex<Vec<Identity>> = Mutex::new(Vec::new());

pub(crate) struct Lock {
    /// `None` only while it is made or dropped.
    held: Option<disk::Held>,
    identity: Identity,
}

impl Lock {
    /// PARK_BUSY: somebody has it; the text says who.
    pub(crate) fn new(directory: &Path) -> Result<Lock> {
        let identity = disk::identity(directory)?;
        let busy = |who: String| Error::new(Status::Busy, format!("{}: in use by {who}", directory.display()));
        let mut taken = TAKEN.lock();
        if taken.contains(&identity) {
            return Err(busy(format!("another handler of this process ({})", std::process::id())));
        }
        taken.push(identity);
        drop(taken);
        // From here on a drop takes it out of the registry.
        let mut lock = Lock { held: None, identity };
        match disk::Held::new(&directory.join("lock"))? {
            Ok(held) => lock.held = Some(held),
            Err(0) => return Err(busy("another process, of another machine or namespace".into())),
            Err(process) => return Err(busy(format!("process {process}"))),
        }
        Ok(lock)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Unlocked first: else another handler could register and lock, and this would unlock it for good.
        drop(self.held.take());
        let mut taken = TAKEN.lock();
        taken.retain(|&other| other != self.identity);
        if taken.is_empty() {
            // Its memory is not kept for nothing.
            *taken = Vec::new();
        }
    }
}
