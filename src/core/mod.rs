//! park in safe Rust. The floors, lowest first; a file uses only files above it in this list:
//!
//! | file | noun |
//! |---|---|
//! | `sync` | the locks and atomics, std's or loom's |
//! | `status` | a status and its sentence |
//! | `value`, `message` | named values that travel |
//! | `bell` | how a thread sleeps until something happens, and what waking it costs |
//! | `attention` | the one word that the loop looks at, and the requests behind it |
//! | `range`, `alarm` | a thread's range of items, from which others steal; how idle workers learn of work |
//! | `table` | the static table of attention words: handles, checked in one compare |
//! | `reply` | exactly one answer to each request |
//! | `inbox` | requests that wait for a ready point |
//! | `estimate` | the time that is left |
//! | `event`, `client`, `hub` | what flows out, to whom, and the best so far |
//! | `variable` | exposed variables |
//! | `timer` | the deltas, and when each is due |
//! | `service` | the service thread |
//! | `seat`, `pace`, `tally` | where a thread sits in a map; how many items it takes; what became of them |
//! | `work` | a map that several threads do |
//! | `rhythm`, `crew` | when the next map will come; the threads, and the board where they find it |
//! | `handler` | a job: all of the above |
//! | `lifecycle`, `ready`, `request`, `map` | what a handler does: runs, ready points, requests, maps |
//! | `stream`, `turn`, `desk` | what an imap runs; whose turn it is; where blocks of items are handed over |
//! | `imap`, `taker` | an imap, and the one who takes its results |
#![forbid(unsafe_code)]

pub(crate) mod sync;
pub(crate) mod status;
pub(crate) mod value;
pub(crate) mod message;
pub(crate) mod bell;
pub(crate) mod attention;
pub(crate) mod range;
pub(crate) mod alarm;
pub(crate) mod reply;

pub(crate) mod stream;
pub(crate) mod turn;
pub(crate) mod desk;

// Above here a model cannot run: static tables, real threads.
#[cfg(not(loom))]
pub(crate) mod table;
#[cfg(not(loom))]
pub(crate) mod inbox;
#[cfg(not(loom))]
pub(crate) mod estimate;
#[cfg(not(loom))]
pub(crate) mod event;
#[cfg(not(loom))]
pub(crate) mod client;
#[cfg(not(loom))]
pub(crate) mod hub;
#[cfg(not(loom))]
pub(crate) mod variable;
#[cfg(not(loom))]
pub(crate) mod timer;
#[cfg(not(loom))]
pub(crate) mod service;
#[cfg(not(loom))]
pub(crate) mod seat;
#[cfg(not(loom))]
pub(crate) mod pace;
#[cfg(not(loom))]
pub(crate) mod tally;
#[cfg(not(loom))]
pub(crate) mod work;
#[cfg(not(loom))]
pub(crate) mod rhythm;
#[cfg(not(loom))]
pub(crate) mod crew;
#[cfg(not(loom))]
pub(crate) mod handler;
#[cfg(not(loom))]
pub(crate) mod lifecycle;
#[cfg(not(loom))]
pub(crate) mod ready;
#[cfg(not(loom))]
pub(crate) mod request;
#[cfg(not(loom))]
pub(crate) mod map;
#[cfg(not(loom))]
pub(crate) mod imap;
#[cfg(not(loom))]
pub(crate) mod taker;
