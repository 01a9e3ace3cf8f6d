//! The handles of clients, events and messages: like a handler's they are numbers, so a freed or foreign one is
//! found out without touching memory that is not park's.

use crate::core::status::{Error, Result, Status};
use crate::core::sync::Mutex;

/// Bits 63 and 62: no address, and no handler's handle, has both.
const MARK: u64 = 0b11 << 62;
const TAG_SHIFT: u32 = 59;
const GENERATION_SHIFT: u32 = 24;
const GENERATION: u64 = (1 << (TAG_SHIFT - GENERATION_SHIFT)) - 1;
const INDEX: u64 = (1 << GENERATION_SHIFT) - 1;

struct Entry<T> {
    generation: u64,
    object: Option<T>,
}

struct Entries<T> {
    all: Vec<Entry<T>>,
    free: Vec<usize>,
}

pub(super) struct Registry<T> {
    name: &'static str,
    tag: u64,
    entries: Mutex<Entries<T>>,
}

impl<T: Clone> Registry<T> {
    /// `tag` is one of 0 to 7 and differs between registries; `name` is for error texts.
    pub(super) const fn new(name: &'static str, tag: u64) -> Registry<T> {
        Registry { name, tag, entries: Mutex::new(Entries { all: Vec::new(), free: Vec::new() }) }
    }

    pub(super) fn add<H>(&self, object: T) -> Result<*mut H> {
        let mut entries = self.entries.lock();
        let index = match entries.free.pop() {
            Some(index) => index,
            None if entries.all.len() as u64 > INDEX => {
                return Err(Error::new(Status::Full, format!("there are too many {}s", self.name)));
            }
            None => {
                entries.all.push(Entry { generation: 0, object: None });
                entries.all.len() - 1
            }
        };
        let entry = &mut entries.all[index];
        entry.generation = (entry.generation + 1) & GENERATION;
        entry.object = Some(object);
        let handle = MARK | self.tag << TAG_SHIFT | entry.generation << GENERATION_SHIFT | index as u64;
        Ok(handle as usize as *mut H)
    }

    fn index_of(&self, entries: &Entries<T>, handle: u64) -> Option<usize> {
        let index = (handle & INDEX) as usize;
        let entry = entries.all.get(index)?;
        let expected = MARK | self.tag << TAG_SHIFT | entry.generation << GENERATION_SHIFT | index as u64;
        (entry.object.is_some() && handle == expected).then_some(index)
    }

    fn refuse<H>(&self, handle: *const H) -> Error {
        let name = self.name;
        let text = if handle.is_null() {
            format!("{name}: NULL")
        } else {
            format!("{name}: not one of park's, or one that was freed")
        };
        Error::new(Status::InvalidHandle, text)
    }

    pub(super) fn find<H>(&self, handle: *const H) -> Result<T> {
        let entries = self.entries.lock();
        let index = self.index_of(&entries, handle as u64).ok_or_else(|| self.refuse(handle))?;
        entries.all[index].object.clone().ok_or_else(|| self.refuse(handle))
    }

    /// Takes an object out. It is returned so that it is dropped with no lock held.
    pub(super) fn remove<H>(&self, handle: *const H) -> Result<T> {
        let mut entries = self.entries.lock();
        let index = self.index_of(&entries, handle as u64).ok_or_else(|| self.refuse(handle))?;
        entries.free.push(index);
        entries.all[index].object.take().ok_or_else(|| self.refuse(handle))
    }
}
