//! A client: one receiver of events, with its mask and its bounded queue.

use super::bell::{Bell, LINGER};
use super::event::{Event, Kind};
use super::status::{Error, Result, Status};
use super::sync::{sleep, Arc, AtomicBool, AtomicU32, CancelDisabled, Flag, Mutex, Ordering};
use std::collections::VecDeque;
use std::time::Instant;

/// Called with an event; nonzero asks the job to stop.
pub(crate) type EventFn = Box<dyn Fn(Event) -> i32 + Send + Sync>;
/// Called when a queue is no longer empty.
pub(crate) type NotifyFn = Box<dyn Fn() + Send + Sync>;

/// Where a client takes its events.
pub(crate) enum Place {
    /// A callback on the computation thread, inside ready.
    Computation(EventFn),
    /// A callback on the service thread.
    Service(EventFn),
    /// A queue that the client empties itself.
    Queue,
}

/// What a queue keeps for a client before it cuts the client off.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

pub(crate) const DEFAULT_LIMIT: Limit = Limit { events: 4096, bytes: 64 << 20 };

struct Queue {
    /// By value: an event then needs no memory of its own, which the loop would allocate and another thread free.
    events: VecDeque<Event>,
    /// The newest progress: it takes the place of one that was not fetched.
    progress: Option<Event>,
    bytes: usize,
    limit: Limit,
    /// An event was fetched since the client last slept.
    lively: bool,
    cut_off: bool,
    closed: bool,
    /// What poll(2) looks at, when the client asked for it, and whether it is raised.
    flag: Option<(Flag, bool)>,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.progress.is_none()
    }

    /// Whether a client that asks would get something other than nothing.
    fn has_news(&self) -> bool {
        !self.is_empty() || self.cut_off || self.closed
    }

    /// Makes the flag say what the queue says. Under the queue's lock: else a late lowering could hide an event.
    fn show_flag(&mut self) {
        let news = self.has_news();
        if let Some((flag, raised)) = self.flag.as_mut().filter(|(_, raised)| *raised != news) {
            *raised = news;
            if news {
                flag.raise();
            } else {
                flag.lower();
            }
        }
    }

    fn pop(&mut self) -> Option<Event> {
        let progress_first = match (&self.progress, self.events.front()) {
            (Some(progress), Some(event)) => progress.sequence < event.sequence,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if progress_first {
            return self.progress.take();
        }
        let event = self.events.pop_front()?;
        self.bytes -= size_of(&event);
        Some(event)
    }
}

/// What a client got when it asked for its next event.
pub(crate) enum Next {
    Event(Event),
    Nothing,
    CutOff,
    Closed,
}

pub(crate) struct Client {
    pub(crate) id: i64,
    mask: AtomicU32,
    pub(crate) place: Place,
    queue: Mutex<Queue>,
    /// The emptied queue of the last delivery, for the next exchange: its memory is used again.
    drained: Mutex<VecDeque<Event>>,
    bell: Bell,
    notify: Mutex<Option<Arc<NotifyFn>>>,
    removed: AtomicBool,
}

fn size_of(event: &Event) -> usize {
    event.bytes.as_ref().map_or(0, |bytes| bytes.len()) + event.text.len()
}

impl Client {
    pub(crate) fn new(id: i64, mask: i32, place: Place) -> Client {
        Client {
            id,
            mask: AtomicU32::new(mask as u32),
            place,
            queue: Mutex::new(Queue {
                events: VecDeque::new(),
                progress: None,
                bytes: 0,
                limit: DEFAULT_LIMIT,
                lively: false,
                cut_off: false,
                closed: false,
                flag: None,
            }),
            drained: Mutex::new(VecDeque::new()),
            bell: Bell::new(),
            notify: Mutex::new(None),
            removed: AtomicBool::new(false),
        }
    }

    pub(crate) fn wants(&self, kind: Kind) -> bool {
        // Relaxed: it changes under the hub's lock, and is looked at under it.
        self.mask.load(Ordering::Relaxed) & kind as u32 != 0 || kind == Kind::CutOff
    }

    pub(super) fn set_mask(&self, mask: i32) {
        self.mask.store(mask as u32, Ordering::Relaxed);
    }

    #[cfg(not(model))]
    pub(super) fn has_news(&self) -> bool {
        self.queue.lock_patiently().has_news()
    }

    pub(crate) fn set_limit(&self, limit: Limit) {
        self.queue.lock_patiently().limit = limit;
    }

    /// Adds an event. True: the queue was empty before, so somebody must be told.
    pub(crate) fn push(&self, event: Event) -> bool {
        let mut queue = self.queue.lock();
        if queue.cut_off || queue.closed {
            return false;
        }
        let was_empty = queue.is_empty();
        let size = size_of(&event);
        let full = queue.events.len() >= queue.limit.events
            || (!queue.events.is_empty() && queue.bytes.saturating_add(size) > queue.limit.bytes);
        match event.kind {
            Kind::Progress => queue.progress = Some(event),
            // A line of the log is not worth a client.
            Kind::Log if full => {}
            _ if full => queue.cut_off = true,
            _ => {
                queue.bytes += size;
                queue.events.push_back(event);
            }
        }
        was_empty && queue.has_news()
    }

    /// Tells a client that empties its own queue that there is something. No lock may be held.
    pub(crate) fn tell(&self) {
        self.queue.lock_patiently().show_flag();
        self.bell.ring();
        let notify = self.notify.lock().clone();
        if let Some(notify) = notify {
            let _uncancelled = CancelDisabled::new();
            notify();
        }
    }

    /// Hands all that waits to `take`, in order, with no lock held. True: and then the client is cut off.
    pub(crate) fn take_all(&self, mut take: impl FnMut(Event)) -> bool {
        let mut events = std::mem::take(&mut *self.drained.lock());
        let cut_off = {
            let mut queue = self.queue.lock_patiently();
            // One exchange, not a loop: whoever makes events waits for this lock.
            std::mem::swap(&mut queue.events, &mut events);
            queue.bytes = 0;
            if let Some(progress) = queue.progress.take() {
                let place = events.partition_point(|event| event.sequence < progress.sequence);
                events.insert(place, progress);
            }
            queue.cut_off && !std::mem::replace(&mut queue.closed, true)
        };
        events.drain(..).for_each(&mut take);
        *self.drained.lock() = events;
        cut_off
    }

    /// The next event, without waiting.
    pub(crate) fn pop(&self) -> Next {
        let mut queue = self.queue.lock_patiently();
        let event = queue.pop();
        queue.show_flag();
        match event {
            Some(event) => {
                queue.lively = true;
                Next::Event(event)
            }
            None if queue.cut_off => Next::CutOff,
            None if queue.closed => Next::Closed,
            None => Next::Nothing,
        }
    }

    /// The next event, waited for until the deadline, for ever without one.
    pub(crate) fn next(&self, deadline: Option<Instant>) -> Next {
        loop {
            let ticket = self.bell.ticket();
            match self.pop() {
                Next::Nothing => {}
                next => return next,
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Next::Nothing;
            }
            if std::mem::replace(&mut self.queue.lock_patiently().lively, false) {
                sleep(left.map_or(LINGER, |left| left.min(LINGER)));
            } else {
                self.bell.sleep(ticket, deadline);
            }
        }
    }

    /// A descriptor that is readable while events wait. The client owns it.
    pub(crate) fn descriptor(&self) -> Result<i32> {
        let mut queue = self.queue.lock_patiently();
        if queue.flag.is_none() {
            let flag = Flag::new()
                .map_err(|error| Error::new(Status::System, format!("no descriptor for the client: {error}")))?;
            queue.flag = Some((flag, false));
            queue.show_flag();
        }
        Ok(queue.flag.as_ref().map_or(-1, |(flag, _)| flag.descriptor()))
    }

    pub(crate) fn set_notify(&self, notify: NotifyFn) {
        let notify = Arc::new(notify);
        // The one before it is dropped, with its user data, after the lock is free.
        let before = self.notify.lock().replace(notify.clone());
        drop(before);
        // Looked at afterwards: an event that comes from here on tells the new one.
        let waiting = self.queue.lock_patiently().has_news();
        if waiting {
            notify();
        }
    }

    /// No event comes any more: the handler is freed.
    pub(crate) fn close(&self) {
        self.queue.lock_patiently().closed = true;
        self.tell();
    }

    /// No callback begins any more.
    pub(crate) fn remove(&self) {
        // Relaxed: a callback that begins at this very moment is as good as one that began before.
        self.removed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    fn event(kind: Kind, sequence: u64) -> Event {
        Event { sequence, ..Event::new(kind) }
    }

    fn sequences(client: &Client) -> Vec<u64> {
        let mut sequences = Vec::new();
        client.take_all(|event| sequences.push(event.sequence));
        sequences
    }

    #[test]
    fn progress_merges_and_keeps_the_order() {
        let client = Client::new(1, super::super::event::ALL_KINDS, Place::Queue);
        assert!(client.push(event(Kind::Progress, 1)));
        assert!(!client.push(event(Kind::Improved, 2)));
        assert!(!client.push(event(Kind::Progress, 3)));
        assert!(!client.push(event(Kind::Improved, 4)));
        assert_eq!(sequences(&client), [2, 3, 4]);
    }

    #[test]
    fn a_full_queue_keeps_what_it_has_then_tells() {
        let client = Client::new(1, super::super::event::ALL_KINDS, Place::Queue);
        client.set_limit(Limit { events: 2, bytes: 100 });
        for sequence in 1..=2 {
            client.push(event(Kind::Improved, sequence));
        }
        client.push(event(Kind::Log, 3));
        client.push(event(Kind::Improved, 4));
        assert!(matches!(client.pop(), Next::Event(event) if event.sequence == 1));
        assert!(matches!(client.pop(), Next::Event(event) if event.sequence == 2));
        assert!(matches!(client.pop(), Next::CutOff));
    }
}
