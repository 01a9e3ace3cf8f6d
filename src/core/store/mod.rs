//! The store of checkpoints: a directory of generations, each one safetensors file that is whole or not seen.
//!
//! | file | noun |
//! |---|---|
//! | `disk` | a file, a directory: what is done to them, and the sentence when it fails |
//! | `pool` | the threads that transfer and checksum |
//! | `sums` | checksums of tensors, from pieces in any order |
//! | `layout`, `header` | where each tensor lies, written to a header; what a header says, checked |
//! | `buffer` | memory that is kept from save to save |
//! | `files` | the user's own files beside it |
//! | `lock` | one process, one handler on a directory |
//! | `reader`, `writer` | a generation, read and verified; written and flushed |
//! | `vault` | the directory: what is in it, which is the newest whole one, what goes |
//! | `draft`, `copy` | a generation that is being made; its copy in memory |
//! | `saver` | the thread that writes while the loop goes on |
//!
//! # What is in the directory
//!
//! - `000007.safetensors`: generation 7. It bears this name only once it and all that belongs to it is on the medium.
//! - `000007.files/`: the user's own files of generation 7, told with their checksums in the header of the former.
//! - `spare`: a file that no generation uses. The next save overwrites its blocks, which is twice as fast as asking for
//!   new ones, and then it gets its name.
//! - `lock`: locked by the process that has the directory.
//!
//! # Why nothing is lost
//!
//! A save overwrites `spare`, flushes it, renames it and flushes the directory; only then is it told as done. A generation
//! that is no longer kept becomes the spare only after a newer one was read back from the medium, and the directory is
//! flushed before its bytes are overwritten: at no moment does a name lead to bytes that are not its own. After a failed
//! save the spare is thrown away, for what a failed flush leaves behind cannot be told. A kill leaves behind a spare half
//! written, which the next save overwrites, or files without a generation, which the next open removes.

mod disk;
mod pool;
mod sums;
mod layout;
mod header;
mod buffer;
mod files;
mod lock;
mod reader;
mod writer;
mod vault;
mod draft;
mod copy;
mod saver;
#[cfg(test)]
mod tests;

pub(crate) use draft::{Draft, Saved};
pub(crate) use layout::{Description, Dtype, Entry, Source};
pub(crate) use reader::Opened;
pub(crate) use saver::Saver;
pub(crate) use vault::{Info, Known, Vault};
