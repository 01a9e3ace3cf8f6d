//! park in safe Rust. The floors, lowest first; a file uses only files above it in this list:
//!
//! | file | noun |
//! |---|---|
//! | `sync` | the locks and atomics: std's, or those of a model |
//! | `status` | a status and its sentence |
//! | `value`, `message` | named values that travel |
//! | `bell` | how a thread sleeps until something happens, and what waking it costs |
//! | `mailbox` | what a thread is asked to do, and the bell that it sleeps by |
//! | `attention` | the one word that the loop looks at, and the requests behind it |
//! | `point` | a ready point: it serves what is asked, and halts while paused |
//! | `stance` | whether the threads of a map stand still |
//! | `range`, `alarm` | a thread's range of items, from which others steal; how idle workers learn of work |
//! | `reply` | exactly one answer to each request |
//! | `timer` | the deltas, and when each is due |
//! | `inbox` | requests that wait for a ready point |
//! | `event`, `client`, `curve`, `hub` | what flows out, to whom, the bests over time, and the best so far |
//! | `stream`, `turn`, `desk` | what an imap runs; whose turn it is; where blocks of items are handed over |
//! | `table` | the static table of attention words: handles, checked in one compare |
//! | `catch`, `pulse` | POSIX signals that ask for something; whether the loop still comes by |
//! | `estimate` | the time that is left |
//! | `store` | generations of checkpoints on the disk: a floor of its own |
//! | `variable` | exposed variables |
//! | `json` | values, written as JSON |
//! | `protect`, `exposed`, `budget` | what goes into a checkpoint; its values read back; what checkpoints cost |
//! | `service` | the service thread |
//! | `seat`, `pace`, `tally` | where a thread sits in a map; how many items it takes; what became of them |
//! | `work` | a map that several threads do |
//! | `rhythm`, `crew` | when the next map will come; the threads, and the board where they find it |
//! | `handler` | a job: all of the above |
//! | `lifecycle`, `ready`, `request`, `map` | what a handler does: runs, ready points, requests, maps |
//! | `checkpoint`, `snapshot`, `save`, `restore` | and checkpoints: when, what, how, and back |
//! | `catalog`, `deadline` | which there are; a stop in time |
//! | `inside` | whose functions a thread is inside of, and who waits for whom to leave them |
//! | `imap`, `taker` | an imap, and the one who takes its results |
//! | `control` | the endpoint by which other programs watch and steer the job |
//! | `journal`, `notify` | what a job says on standard error, and to a service manager, when the environment asks for it |
//!
//! What threads do to each other is all on the floors up to `desk`; `models.rs` runs them under loom and shuttle.
#![forbid(unsafe_code)]
#![cfg_attr(model, allow(dead_code))]

pub(crate) mod sync;
pub(crate) mod status;
pub(crate) mod value;
pub(crate) mod message;
pub(crate) mod bell;
pub(crate) mod mailbox;
pub(crate) mod attention;
pub(crate) mod point;
pub(crate) mod stance;
pub(crate) mod range;
pub(crate) mod alarm;
pub(crate) mod reply;
pub(crate) mod timer;
pub(crate) mod inbox;
pub(crate) mod event;
pub(crate) mod client;
pub(crate) mod curve;
pub(crate) mod hub;
pub(crate) mod stream;
pub(crate) mod turn;
pub(crate) mod desk;

#[cfg(all(test, loom))]
#[path = "models.rs"]
mod loom_models;
#[cfg(all(test, shuttle))]
#[path = "models.rs"]
mod shuttle_models;

// From here on a model cannot run: static tables, real threads.
#[cfg(not(model))]
pub(crate) mod table;
#[cfg(not(model))]
pub(crate) mod catch;
#[cfg(not(model))]
pub(crate) mod pulse;
#[cfg(not(model))]
pub(crate) mod estimate;
#[cfg(not(model))]
pub(crate) mod store;
#[cfg(not(model))]
pub(crate) mod variable;
#[cfg(not(model))]
pub(crate) mod json;
#[cfg(not(model))]
pub(crate) mod protect;
#[cfg(not(model))]
pub(crate) mod exposed;
#[cfg(not(model))]
pub(crate) mod budget;
#[cfg(not(model))]
pub(crate) mod service;
#[cfg(not(model))]
pub(crate) mod seat;
#[cfg(not(model))]
pub(crate) mod pace;
#[cfg(not(model))]
pub(crate) mod tally;
#[cfg(not(model))]
pub(crate) mod work;
#[cfg(not(model))]
pub(crate) mod rhythm;
#[cfg(not(model))]
pub(crate) mod crew;
#[cfg(not(model))]
pub(crate) mod handler;
#[cfg(not(model))]
pub(crate) mod lifecycle;
#[cfg(not(model))]
pub(crate) mod ready;
#[cfg(not(model))]
pub(crate) mod request;
#[cfg(not(model))]
pub(crate) mod checkpoint;
#[cfg(not(model))]
pub(crate) mod snapshot;
#[cfg(not(model))]
pub(crate) mod save;
#[cfg(not(model))]
pub(crate) mod restore;
#[cfg(not(model))]
pub(crate) mod catalog;
#[cfg(not(model))]
pub(crate) mod deadline;
#[cfg(not(model))]
pub(crate) mod map;
#[cfg(not(model))]
pub(crate) mod inside;
#[cfg(not(model))]
pub(crate) mod imap;
#[cfg(not(model))]
pub(crate) mod taker;
#[cfg(not(model))]
pub(crate) mod control;
#[cfg(not(model))]
pub(crate) mod journal;
#[cfg(not(model))]
pub(crate) mod notify;
