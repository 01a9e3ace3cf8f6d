//! Any bytes as what a client of the control endpoint sends: they come in pieces, are cut into lines, and each is read as a
//! request or refused, by a reply that is JSON and one line.
//!
//! The first byte of the input says how large the pieces are.
#![no_main]
#![allow(dead_code, unused_imports, unreachable_pub)]

/// The protocol and what it stands on, which call each other `crate::core` and `crate::sys`.
#[path = "../src"]
mod house {
    pub(crate) mod sys;
    pub(crate) mod core {
        pub(crate) mod attention;
        pub(crate) mod event;
        pub(crate) mod inbox;
        pub(crate) mod json;
        pub(crate) mod message;
        pub(crate) mod reply;
        pub(crate) mod status;
        pub(crate) mod sync;
        pub(crate) mod timer;
        pub(crate) mod value;
        pub(crate) mod control {
            mod json;
            mod lines;
            mod rpc;

            /// What each line is answered. A request is answered with its own values.
            pub(crate) fn answers(sent: &[u8], size: usize) -> Vec<Option<String>> {
                let mut lines = lines::Lines::default();
                let mut answers = Vec::new();
                for piece in sent.chunks(size) {
                    lines.push(piece);
                    while let Some(line) = lines.take() {
                        answers.push(answer(&line));
                    }
                }
                answers
            }

            fn answer(line: &[u8]) -> Option<String> {
                match rpc::parse(line) {
                    Ok(rpc::Call { id, want: rpc::Want::Ask { message, .. } }) => {
                        Some(rpc::reply(&id?, &crate::core::json::object_of(&message)))
                    }
                    Ok(rpc::Call { id, .. }) => Some(rpc::reply(&id?, "{}")),
                    Err(fault) => fault.reply(),
                }
            }
        }
    }
}

use house::{core, sys};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&size, sent)) = input.split_first() else { return };
    let answers = core::control::answers(sent, usize::from(size) + 1);
    // However it came, nothing is lost and nothing comes twice.
    assert_eq!(answers.len(), sent.iter().filter(|&&byte| byte == b'\n').count());
    assert_eq!(answers, core::control::answers(sent, sent.len().max(1)));
    for answer in answers.iter().flatten() {
        assert!(!answer.contains('\n'));
        let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
        assert!(answer["jsonrpc"] == "2.0" && answer.get("id").is_some());
        assert!(answer.get("error").is_some() != answer.get("result").is_some());
    }
});
