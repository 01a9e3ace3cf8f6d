//! The store of checkpoints: a directory of generations, each one safetensors file that is whole or not seen.
//!
//! | file | noun |
//! |---|---|
//! | `disk` | a file, a directory: what is done to them, and the sentence when it fails |
//! | `pool` | the threads that transfer and checksum |
//! | `layout` | where each tensor lies, and the header that says so |
//! | `header` | what a header says, checked |
//! | `sums` | checksums of tensors, from pieces in any order |
//! | `image` | the buffer that is laid out as the file will be |
//! | `files` | the user's own files beside it |
//! | `lock` | one process, one handler on a directory |
//! | `reader`, `writer` | a generation, read and verified; written and flushed |
//! | `vault` | the directory: what is in it, which is the newest whole one, what goes |
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
mod files;
mod header;
mod image;
mod layout;
mod lock;
mod pool;
mod reader;
mod saver;
mod sums;
#[cfg(test)]
mod tests;
mod vault;
mod writer;

pub(crate) use image::Image;
pub(crate) use layout::{Description, Dtype, Entry, Source};
pub(crate) use reader::Opened;
pub(crate) use saver::Saver;
pub(crate) use vault::{Draft, Info, Known, Saved, Vault};
