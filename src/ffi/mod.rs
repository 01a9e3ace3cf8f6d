//! What C sees: convert, call core, convert back. With [`crate::sys`] the only place with unsafe code.
//!
//! One file a section of the header, in the header's order: `constants`, `errors`, `lifecycle`, `looping`,
//! `protect`, `checkpoint`, `mapping`, `options`, `imap`, `signals`, `catching`, `variables`, `events`, `logging`,
//! `messages`, `listening`. Beside them `items` (what a map calls), `program` (what an imap runs), `taking` (how its
//! results are taken), `convert` (text, slices, times),
//! `guard` (handles, panics, cancellation), `callback` (function, user data, destroy) and `registry` (the handles of
//! clients, events and messages).
#![allow(non_camel_case_types, unreachable_pub, clippy::missing_safety_doc)] // The header needs the names, and pub.

mod callback;
mod convert;
mod guard;
mod items;
mod program;
mod registry;
mod taking;

// The header's order.
pub(crate) mod constants;
pub(crate) mod errors;
pub(crate) mod lifecycle;
pub(crate) mod looping;
pub(crate) mod protect;
pub(crate) mod checkpoint;
pub(crate) mod mapping;
pub(crate) mod options;
pub(crate) mod imap;
pub(crate) mod signals;
pub(crate) mod catching;
pub(crate) mod variables;
pub(crate) mod events;
pub(crate) mod logging;
pub(crate) mod messages;
pub(crate) mod listening;
