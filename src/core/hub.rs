//! The hub: numbers the events, hands each to the clients that want it, and keeps the best so far.

use super::client::{Client, Place};
use super::curve::Curve;
use super::event::{Bytes, Event, Kind};
use super::status::{Error, Result, Status};
use super::sync::{coarse_time, Arc, Mutex, MutexGuard};
use std::collections::VecDeque;

/// A copy of this size takes less than a microsecond.
const MOST_COPIED_UNDER_LOCK: usize = 16 << 10;
/// A thread that lingers before it looks at its events lets this many be in flight.
const MOST_SPARES: usize = 16;
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
    curve: Curve,
    /// The best was kept back, for improved_delta's sake.
    best_waits: bool,
    spares: Spares,
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
    fn stamp(&mut self, mut event: Event) -> Event {
        self.sequence += 1;
        event.sequence = self.sequence;
        event.time = coarse_time();
        event.units.clone_from(&self.units);
        if event.value.is_none() {
            event.value = self.best.as_ref().map(|best| best.value);
        }
        if event.bytes.is_none() && matches!(event.kind, Kind::Improved | Kind::Join | Kind::Abort | Kind::Error) {
            event.bytes = self.best.as_ref().map(|best| best.bytes.clone());
        }
        event
    }

    fn hand(client: &Arc<Client>, event: Event, to_tell: &mut ToTell) {
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
        let kind = event.kind;
        let mut wanting = self.clients.iter().filter(|client| client.wants(kind)).peekable();
        while let Some(client) = wanting.next() {
            if wanting.peek().is_none() {
                // The last one may have it: a copy less on the loop's time.
                State::hand(client, event, &mut to_tell);
                break;
            }
            State::hand(client, event.clone(), &mut to_tell);
        }
        to_tell
    }
}

/// The bytes of earlier bests, for the next ones: a burst copies into warm memory and allocates nothing.
struct Spares(VecDeque<Bytes>);

impl Spares {
    /// Bytes of this size that nobody holds: the oldest, which clients let go of first.
    fn take(&mut self, size: usize) -> Option<Bytes> {
        let oldest = self.0.front_mut()?;
        if oldest.len() != size {
            // The states have another size now.
            self.0.clear();
            return None;
        }
        Arc::get_mut(oldest)?;
        self.0.pop_front()
    }

    /// Keeps the bytes of a best that is no longer the best; clients may still hold them.
    fn keep(&mut self, bytes: Bytes) {
        let size = bytes.len().max(1);
        if self.0.len() < MOST_SPARES.min((MOST_SPARE_BYTES / size).max(1)) {
            self.0.push_back(bytes);
        }
    }
}

/// A copy of the state, in `spare` where there is one.
fn copied(state: &[u8], spare: Option<Bytes>) -> Bytes {
    if let Some(mut bytes) = spare {
        if let Some(buffer) = Arc::get_mut(&mut bytes) {
            buffer.copy_from_slice(state);
            return bytes;
        }
    }
    Arc::from(state)
}

impl Hub {
    pub(crate) fn new() -> Hub {
        let state = State {
            clients: Vec::new(),
            last_id: 0,
            sequence: 0,
            units: None,
            best: None,
            curve: Curve::default(),
            best_waits: false,
            spares: Spares(VecDeque::new()),
            begun: false,
            closed: false,
        };
        Hub(Mutex::new(state))
    }

    /// For what the loop does.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// For what others do.
    fn lock_patiently(&self) -> MutexGuard<'_, State> {
        self.0.lock_patiently()
    }

    /// Adds a client. When a run has begun already, `join` makes its first event; else start is still to come.
    pub(crate) fn add(&self, mask: i32, place: Place, join: impl FnOnce() -> Event) -> Result<(Arc<Client>, ToTell)> {
        let mut state = self.lock_patiently();
        if state.closed {
            return Err(Error::new(Status::Closed, "the handler is being freed"));
        }
        state.last_id += 1;
        let client = Arc::new(Client::new(state.last_id, mask, place));
        let mut to_tell = ToTell::default();
        if state.begun && client.wants(Kind::Join) {
            let join = state.stamp(join());
            State::hand(&client, join, &mut to_tell);
        }
        state.clients.push(client.clone());
        Ok((client, to_tell))
    }

    /// Changes what a client wants. Returns the number of the last event before that and, when a run has begun already, a
    /// join that says how things stand at this moment: it is numbered, and handed to nobody.
    pub(crate) fn rejoin(&self, client: &Client, mask: i32, join: impl FnOnce() -> Event) -> (u64, Option<Event>) {
        let mut state = self.lock_patiently();
        client.set_mask(mask);
        let join = state.begun.then(|| state.stamp(join()));
        (state.sequence, join)
    }

    /// Takes a client out. It is returned so that it is dropped with no lock held.
    pub(crate) fn remove(&self, id: i64) -> Option<Arc<Client>> {
        let mut state = self.lock_patiently();
        let index = state.clients.iter().position(|client| client.id == id)?;
        let client = state.clients.remove(index);
        drop(state);
        client.remove();
        Some(client)
    }

    /// The clients whose events are delivered in `chosen` places.
    pub(crate) fn clients(&self, chosen: fn(&Place) -> bool) -> Vec<Arc<Client>> {
        self.lock_patiently().clients.iter().filter(|client| chosen(&client.place)).cloned().collect()
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
        let spare = state.spares.take(bytes.len());
        let copy = if bytes.len() <= MOST_COPIED_UNDER_LOCK {
            copied(bytes, spare)
        } else {
            // Others would have to wait for the lock all the while.
            drop(state);
            let copy = copied(bytes, spare);
            state = self.lock();
            copy
        };
        if let Some(before) = state.best.replace(Best { value, bytes: copy }) {
            state.spares.keep(before.bytes);
        }
        state.curve.add(coarse_time(), value);
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
        self.lock_patiently().best_waits
    }

    /// Hands out the best that was kept back. `None`: there was none. One step: else the service thread could take
    /// it, and hand it out only after the final event.
    pub(crate) fn flush(&self, make: impl FnOnce() -> Event) -> Option<ToTell> {
        let mut state = self.lock_patiently();
        if !std::mem::take(&mut state.best_waits) {
            return None;
        }
        Some(if state.is_wanted(Kind::Improved) { state.hand_out(make()) } else { ToTell::default() })
    }

    pub(crate) fn best(&self) -> Option<Best> {
        self.lock_patiently().best.clone()
    }

    pub(crate) fn curve(&self) -> Curve {
        self.lock_patiently().curve.clone()
    }

    /// A run begins: forgets the best of an earlier one.
    pub(crate) fn forget_best(&self) {
        let before = {
            let mut state = self.lock_patiently();
            state.curve.begin(coarse_time());
            state.best_waits = false;
            state.best.take()
        };
        drop(before);
    }

    pub(crate) fn units(&self) -> Option<Arc<str>> {
        self.lock_patiently().units.clone()
    }

    pub(crate) fn set_units(&self, units: &str) {
        self.lock_patiently().units = Some(Arc::from(units));
    }

    /// Takes all clients out, and lets no new one in.
    pub(crate) fn close(&self) -> Vec<Arc<Client>> {
        let mut state = self.lock_patiently();
        state.closed = true;
        std::mem::take(&mut state.clients)
    }
}
