//! Any bytes as what a client of the control endpoint sends: they come in pieces, are cut into lines, and each is read as a
//! request or refused by a reply that is JSON and one line.
//!
//! The first byte of the input says how large the pieces are.
#![no_main]
#![allow(dead_code, unused_imports, unreachable_pub)]

/// The house below ffi, which calls its floors `crate::core` and `crate::sys`.
#[path = "../src"]
mod house {
    pub(crate) mod sys;
    pub(crate) mod core;
}

use house::{core, sys};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&size, sent)) = input.split_first() else { return };
    let mut lines = 0;
    core::control::read_all(sent, usize::from(size) + 1, |replies| {
        lines += 1;
        for reply in replies {
            assert!(!reply.contains('\n') && !reply.is_empty());
            let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
            assert!(reply["jsonrpc"] == "2.0" && (reply.get("error").is_some() != reply.get("result").is_some()));
        }
    });
    // However it came, nothing is lost and nothing comes twice.
    assert_eq!(lines, sent.iter().filter(|&&byte| byte == b'\n').count());
});
