//! The control endpoint: a socket by which other programs watch and steer the job. docs/control.md is its protocol.
//!
//! | file | noun |
//! |---|---|
//! | `place` | where a job listens |
//! | `lines`, `json`, `rpc` | the protocol: what has come, as lines, as values, as requests and replies |
//! | `budget` | what clients may ask for, and what they may cost |
//! | `peer` | one client's connection |
//! | `outbox` | what other threads leave for the endpoint's thread |
//! | `feed`, `info` | the job's events; what is known of it without its loop |
//! | `server` | the endpoint's thread; what it does is in: |
//! | `door`, `calls`, `subscribers`, `farewell` | who comes in; what they ask; who gets which events; the end |
//!
//! The thread `park-listen`, one a handler and only while it listens, is to the job what any thread of the program is that
//! sends requests and has a client: it touches nothing of the user's, and runs no user code. The computation thread never
//! waits for it, nor for what a client does.

mod budget;
mod calls;
mod door;
mod farewell;
mod feed;
mod info;
mod json;
mod lines;
mod outbox;
mod peer;
mod place;
mod rpc;
mod server;
mod subscribers;

use super::event::Level;
use super::handler::Handler;
use super::status::{Error, Result, Status};
use super::sync::{Arc, Mutex};
use crate::sys::NotForChildren;
use mio::{Interest, Poll, Waker};
use outbox::Outbox;
use place::Place;
use server::{Server, LISTENER, WAKER};
use std::io;
use std::thread::JoinHandle;

/// It runs no user code, and nests JSON by a limit.
const STACK_BYTES: usize = 1 << 20;

/// What one job has of it.
pub(crate) struct Control(Mutex<State>);

enum State {
    Silent,
    Listening(Endpoint),
    /// The handler is being freed.
    Closed,
}

struct Endpoint {
    place: Place,
    outbox: Arc<Outbox>,
    thread: JoinHandle<()>,
}

impl Endpoint {
    fn open(handler: &Arc<Handler>, path: Option<&str>) -> Result<Endpoint> {
        let (place, mut listener) = Place::open(path)?;
        let opened = || -> io::Result<_> {
            let poll = Poll::new()?;
            let not_for_children = NotForChildren::new(&listener);
            poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
            let outbox = Arc::new(Outbox::new(Waker::new(poll.registry(), WAKER)?));
            let (handler, its_outbox) = (handler.clone(), outbox.clone());
            let thread = crate::sys::with_signals_blocked(|| {
                std::thread::Builder::new().name("park-listen".into()).stack_size(STACK_BYTES).spawn(move || {
                    let _uncancelled = crate::sys::CancelDisabled::new();
                    serve(handler, its_outbox, poll, listener, not_for_children);
                })
            })?;
            Ok((outbox, thread))
        };
        match opened() {
            Ok((outbox, thread)) => Ok(Endpoint { place, outbox, thread }),
            Err(error) => {
                place.remove();
                Err(Error::new(Status::System, format!("the job cannot listen: {error}")))
            }
        }
    }

    fn close(self) {
        // Nobody finds it any more, and then it answers whom it has.
        self.place.remove();
        self.outbox.stop();
        // It catches panics itself; there is nothing to learn from the result.
        let _ = self.thread.join();
    }
}

fn serve(
    handler: Arc<Handler>,
    outbox: Arc<Outbox>,
    poll: Poll,
    listener: mio::net::UnixListener,
    not_for_children: NotForChildren,
) {
    let mut server = Server::new(handler.clone(), outbox, poll, listener);
    let work = std::panic::AssertUnwindSafe(|| server.serve());
    if std::panic::catch_unwind(work).is_err() {
        handler.note_error("the endpoint's thread met a panic, and listens no more: please report it");
    }
    drop(not_for_children);
}

impl Control {
    pub(super) fn new() -> Control {
        Control(Mutex::new(State::Silent))
    }
}

impl Handler {
    /// Lets other programs in: at the path, or where everybody looks for jobs.
    pub(crate) fn listen(self: &Arc<Self>, path: Option<&str>) -> Result<()> {
        let mut state = self.control.0.lock();
        match &*state {
            State::Silent => {
                *state = State::Listening(Endpoint::open(self, path)?);
                // So that the first one who asks is told.
                self.watch_pulse();
                Ok(())
            }
            // As PARK_LISTEN has asked for already.
            State::Listening(endpoint) if path.is_none() && endpoint.place.is_usual() => Ok(()),
            State::Listening(endpoint) => {
                let text = format!("path: the job listens at {} already", endpoint.place.path.display());
                Err(Error::new(Status::Exists, text))
            }
            State::Closed => Err(Error::new(Status::InvalidHandle, "job: it is being freed by another thread")),
        }
    }

    /// Listens if the environment says so.
    pub(crate) fn listen_if_asked(self: &Arc<Self>) {
        if std::env::var_os("PARK_LISTEN").is_some_and(|value| value == "1") {
            if let Err(error) = self.listen(None) {
                let text = format!("PARK_LISTEN: {error}");
                self.note_error(&text);
                self.log(Level::Warning, text);
            }
        }
    }

    /// Where the job listens.
    pub(crate) fn listen_path(&self) -> Result<String> {
        match &*self.control.0.lock() {
            State::Listening(endpoint) => Ok(endpoint.place.path.to_string_lossy().into_owned()),
            _ => Err(Error::new(Status::Unknown, "the job does not listen")),
        }
    }

    /// Lets nobody in any more, and those who are in out.
    pub(crate) fn unlisten(&self) -> Result<()> {
        match self.end_listening(State::Silent) {
            true => Ok(()),
            false => Err(Error::new(Status::Unknown, "the job does not listen")),
        }
    }

    /// As [`Handler::unlisten`], for good.
    pub(super) fn close_control(&self) {
        self.end_listening(State::Closed);
    }

    fn end_listening(&self, after: State) -> bool {
        let before = std::mem::replace(&mut *self.control.0.lock(), after);
        // With no lock held: it takes its time.
        match before {
            State::Listening(endpoint) => {
                endpoint.close();
                true
            }
            State::Silent => false,
            State::Closed => {
                *self.control.0.lock() = State::Closed;
                false
            }
        }
    }
}
