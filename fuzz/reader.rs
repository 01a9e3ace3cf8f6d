//! Any bytes as the file of a checkpoint: it is read like one on restore, or refused with a sentence.
//!
//! The first byte of the input says what becomes of the rest. 1: the header's checksum is put right, so that what comes
//! after it is reached. 2: the text up to the first byte 0xff is a header, which gets its length before it and blanks
//! after it. 4: what was read is not kept in memory.
#![no_main]
#![allow(dead_code, unused_imports, unreachable_pub)]

/// The store and what it stands on, which call each other `crate::core` and `crate::sys`.
#[path = "../src"]
mod house {
    pub(crate) mod sys;
    pub(crate) mod core {
        pub(crate) mod status;
        pub(crate) mod store;
        pub(crate) mod sync;
    }
}

use house::core::store::Vault;
use house::{core, sys};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

const KEY: &[u8] = b"\"park.header_crc32\":\"";

/// A directory in memory, with one generation.
static PLACE: LazyLock<(PathBuf, Arc<Vault>)> = LazyLock::new(|| {
    let directory = PathBuf::from(format!("/dev/shm/park-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("000001.safetensors");
    std::fs::write(&file, "").unwrap();
    let vault = Vault::open(&directory, 1, Box::new(|warning| panic!("{warning}"))).unwrap();
    // Both are still open or known, and nobody else is to find them.
    extern "C" fn remove() {
        let _ = std::fs::remove_dir_all(format!("/dev/shm/park-fuzz-{}", std::process::id()));
    }
    // SAFETY: a function that lives as long as the process.
    unsafe { libc::atexit(remove) };
    (file, vault)
});

fn framed(input: &[u8]) -> Vec<u8> {
    let header = input.iter().position(|&byte| byte == 0xff).unwrap_or(input.len());
    let data = input.get(header + 1..).unwrap_or(&[]);
    // As park pads it, so that the data begins at a block.
    let padded = (header + 8).next_multiple_of(4096) - 8;
    [&(padded as u64).to_le_bytes()[..], &input[..header], &vec![b' '; padded - header], data].concat()
}

fn put_right(file: &mut [u8]) {
    let Some(length) = file.first_chunk().map(|prefix| u64::from_le_bytes(*prefix)) else { return };
    let Some(header) = usize::try_from(length).ok().and_then(|length| file.get_mut(..length.checked_add(8)?)) else {
        return;
    };
    let Some(at) = header.windows(KEY.len()).position(|window| window[0] == b'"' && window == KEY) else { return };
    let at = at + KEY.len();
    if let Some(digits) = header.get_mut(at..at + 8) {
        digits.fill(b'0');
        let sum = format!("{:08x}", crc32fast::hash(header));
        header[at..at + 8].copy_from_slice(sum.as_bytes());
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&how, rest)) = input.split_first() else { return };
    let mut bytes = if how & 2 != 0 { framed(rest) } else { rest.to_vec() };
    if how & 1 != 0 {
        put_right(&mut bytes);
    }
    let (file, vault) = &*PLACE;
    std::fs::write(file, &bytes).unwrap();
    let (opened, skipped) = vault.newest(how & 4 == 0).unwrap();
    let Some(opened) = opened else {
        assert!(skipped.len() == 1 && !skipped[0].reason.is_empty());
        return;
    };
    // What was taken for whole is whole.
    let mut all = 0;
    for (index, entry) in opened.entries().iter().enumerate() {
        let mut next = 0;
        opened
            .read(index, &mut |offset, piece| {
                assert_eq!(offset, next);
                next += piece.len() as u64;
            })
            .unwrap();
        assert_eq!(entry.bytes(), Some(next));
        all += next;
    }
    assert!(all < bytes.len() as u64 && opened.bytes() == bytes.len() as u64);
    assert!(opened.files().1.is_empty(), "there are none");
});
