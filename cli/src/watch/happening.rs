//! What a watcher waits for, all in one queue: messages of the job, keys, signals.

use crate::connection::{Came, Connection};
use crate::failure::{Failure, Result};
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

/// A job that tells more than can be shown waits here: then it merges progress, or cuts this watcher off.
const MOST_WAITING: usize = 1024;

pub(super) enum Happening {
    Message(Value),
    /// The job closed the connection, or its process ended.
    Gone,
    Key(KeyEvent),
    Resized,
    Signal(i32),
}

pub(super) struct Happenings {
    sender: SyncSender<Happening>,
    receiver: Receiver<Happening>,
}

impl Happenings {
    /// With signals to begin with.
    pub(super) fn new() -> Result<Happenings> {
        let (sender, receiver) = sync_channel(MOST_WAITING);
        let mut signals =
            Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|error| Failure::system("signals", &error))?;
        let tell = sender.clone();
        thread::spawn(move || {
            for signal in signals.forever() {
                let _ = tell.send(Happening::Signal(signal));
            }
        });
        Ok(Happenings { sender, receiver })
    }

    pub(super) fn listen(&self, mut connection: Connection) {
        let tell = self.sender.clone();
        thread::spawn(move || loop {
            let happening = match connection.next(None) {
                Came::Message(message) => Happening::Message(message),
                Came::TimeUp => continue,
                Came::End => Happening::Gone,
            };
            let is_last = matches!(happening, Happening::Gone);
            if tell.send(happening).is_err() || is_last {
                return;
            }
        });
    }

    pub(super) fn read_keys(&self) {
        let tell = self.sender.clone();
        thread::spawn(move || loop {
            let happening = match event::read() {
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => Happening::Key(key),
                Ok(Event::Resize(..)) => Happening::Resized,
                Ok(_) => continue,
                // The terminal is gone.
                Err(_) => Happening::Signal(SIGHUP),
            };
            let is_last = matches!(happening, Happening::Signal(_));
            if tell.send(happening).is_err() || is_last {
                return;
            }
        });
    }

    pub(super) fn next(&self, patience: Duration) -> Option<Happening> {
        self.receiver.recv_timeout(patience).ok()
    }
}
