//! The hub: numbers the events, hands each to the clients that want it, and keeps the best so far.

use super::client::{Client, Place};
use super::event::{Bytes, Event, Kind};
use super::status::{Error, Result, Status};
use super::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

/// Buffers of earlier bests that are kept for the next ones: a burst then copies into warm memory.
const MOST_SPARES: usize = 4;
const MOST_SPARE_BYTES: usize = 32 << 20;

#[derive(Clone)]
pub(crate) struct Best {
    pub(crate) value: f64,
    pub(crate) bytes: Bytes,
}

struct State {
    clients: Vec<Arc<Client>>,
    last_id: i64,
    sequence: u64,
    units: Option<Arc<str>>,
    best: Option<Best>,
    /// The best was kept back, for improved_delta's sake.
    best_waits: bool,
    spares: Vec<Bytes>,
    /// A run has begun, now or earlier: a client that comes from now on comes late.
    begun: bool,
    closed: bool,
}

pub(crate) struct Hub(Mutex<State>);

/// Who must be told of events that were just handed out. To be done when no lock is held.
#[derive(Default)]
pub(crate) struct ToTell {
    pub(crate) computation: bool,
    pub(crate) service: bool,
    pub(crate) queues: Vec<Arc<Client>>,
}

impl State {
    fn is_wanted(&self, kind: Kind) -> bool {
        self.clients.iter().any(|client| client.wants(kind))
    }

    /// Fills in what every event carries.
    fn stamp(&mut self, mut event: Event) -> Arc<Event> {
        self.sequence += 1;
        event.sequence = self.sequence;
        event.time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        event.units.clone_from(&self.units);
        if event.value.is_none() {
            event.value = self.best.as_ref().map(|best| best.value);
        }
        if event.bytes.is_none() && matches!(event.kind, Kind::Improved | Kind::Join | Kind::Abort | Kind::Error) {
            event.bytes = self.best.as_ref().map(|best| best.bytes.clone());
        }
        Arc::new(event)
    }

    fn hand(client: &Arc<Client>, event: &Arc<Event>, to_tell: &mut ToTell) {
        if client.push(event) {
            match client.place {
                Place::Computation(_) => to_tell.computation = true,
                Place::Service(_) => to_tell.service = true,
                Place::Queue => to_tell.queues.push(client.clone()),
            }
        }
    }

    fn hand_out(&mut self, event: Event) -> ToTell {
        let mut to_tell = ToTell::default();
        let event = self.stamp(event);
        for client in self.clients.iter().filter(|client| client.wants(event.kind)) {
            State::hand(client, &event, &mut to_tell);
        }
        to_tell
    }

    /// Copies the state into a buffer that nobody holds, a warm one where there is one.
    fn keep_best(&mut self, value: f64, state: &[u8]) {
        let mut bytes = self.best.take().map(|best| best.bytes).unwrap_or_default();
        if Arc::get_mut(&mut bytes).is_none() {
            // A client still holds the one before.
            let free = self.spares.iter_mut().position(|spare| Arc::get_mut(spare).is_some());
            let free = free.map(|index| self.spares.swap_remove(index)).unwrap_or_default();
            let held = std::mem::replace(&mut bytes, free);
            let kept: usize = self.spares.iter().map(|spare| spare.capacity()).sum();
            if self.spares.len() < MOST_SPARES && kept + held.capacity() <= MOST_SPARE_BYTES {
                self.spares.push(held);
            }
        }
        if let Some(buffer) = Arc::get_mut(&mut bytes) {
            buffer.clear();
            buffer.extend_from_slice(state);
        }
        self.best = Some(Best { value, bytes });
    }
}

impl Hub {
    pub(crate) fn new() -> Hub {
        Hub(Mutex::new(State {
            clients: Vec::new(),
            last_id: 0,
            sequence: 0,
            units: None,
            best: None,
            best_waits: false,
            spares: Vec::new(),
            begun: false,
            closed: false,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// Adds a client. When a run has begun already, `join` makes its first event; else start is still to come.
    pub(crate) fn add(&self, mask: i32, place: Place, join: impl FnOnce() -> Event) -> Result<(Arc<Client>, ToTell)> {
        let mut state = self.lock();
        if state.closed {
            return Err(Error::new(Status::Closed, "the handler is being freed"));
        }
        state.last_id += 1;
        let client = Arc::new(Client::new(state.last_id, mask, place));
        let mut to_tell = ToTell::default();
        if state.begun && client.wants(Kind::Join) {
            let join = state.stamp(join());
            State::hand(&client, &join, &mut to_tell);
        }
        state.clients.push(client.clone());
        Ok((client, to_tell))
    }

    /// Takes a client out. It is returned so that it is dropped with no lock held.
    pub(crate) fn remove(&self, id: i64) -> Option<Arc<Client>> {
        let mut state = self.lock();
        let index = state.clients.iter().position(|client| client.id == id)?;
        let client = state.clients.remove(index);
        drop(state);
        client.remove();
        Some(client)
    }

    /// The clients whose events are delivered in `chosen` places.
    pub(crate) fn clients(&self, chosen: fn(&Place) -> bool) -> Vec<Arc<Client>> {
        self.lock().clients.iter().filter(|client| chosen(&client.place)).cloned().collect()
    }

    /// Hands an event to every client that wants it; what it carries is only made when somebody does.
    pub(crate) fn emit(&self, kind: Kind, make: impl FnOnce() -> Event) -> ToTell {
        let mut state = self.lock();
        state.begun |= kind == Kind::Start;
        if !state.is_wanted(kind) {
            return ToTell::default();
        }
        state.hand_out(make())
    }

    /// Keeps a new best, and hands it out unless it is to wait. The first that waits is told to the service thread:
    /// it must know when to look again.
    pub(crate) fn improve(&self, value: f64, bytes: &[u8], now: bool, make: impl FnOnce() -> Event) -> ToTell {
        let mut state = self.lock();
        state.keep_best(value, bytes);
        let waited = std::mem::replace(&mut state.best_waits, !now);
        if !now {
            return ToTell { service: !waited, ..ToTell::default() };
        }
        if !state.is_wanted(Kind::Improved) {
            return ToTell::default();
        }
        state.hand_out(make())
    }

    pub(crate) fn best_waits(&self) -> bool {
        self.lock().best_waits
    }

    /// Hands out the best that was kept back. `None`: there was none. One step: else the service thread could take
    /// it, and hand it out only after the final event.
    pub(crate) fn flush(&self, make: impl FnOnce() -> Event) -> Option<ToTell> {
        let mut state = self.lock();
        if !std::mem::take(&mut state.best_waits) {
            return None;
        }
        Some(if state.is_wanted(Kind::Improved) { state.hand_out(make()) } else { ToTell::default() })
    }

    pub(crate) fn best(&self) -> Option<Best> {
        self.lock().best.clone()
    }

    /// Forgets the best of an earlier run.
    pub(crate) fn forget_best(&self) {
        let before = {
            let mut state = self.lock();
            state.best_waits = false;
            state.best.take()
        };
        drop(before);
    }

    pub(crate) fn set_units(&self, units: &str) {
        self.lock().units = Some(Arc::from(units));
    }

    /// Takes all clients out, and lets no new one in.
    pub(crate) fn close(&self) -> Vec<Arc<Client>> {
        let mut state = self.lock();
        state.closed = true;
        std::mem::take(&mut state.clients)
    }
}
