//! The events of the job, on their way to those who subscribed.
//!
//! The endpoint is one client of the hub, however many subscribe: the loop pays for one. A subscriber's join is numbered
//! like any event, so what it gets after it is exactly what came later.

use super::budget::Bucket;
use super::json::notification;
use crate::core::client::{Client, Next, Place};
use crate::core::event::{Event, Kind};
use crate::core::handler::Handler;
use crate::core::status::Result;
use crate::core::sync::Arc;
use std::time::{Duration, Instant};

/// The least time between two looks at the events. The first of a burst is sent at once; the loop then wakes nobody until
/// the next look.
const REST: Duration = Duration::from_millis(20);
/// The share of one processor that events may cost in the long run, and the seconds at once, for a burst of some thousand:
/// the rest of the endpoint's is for those who ask.
const SHARE: f64 = 0.0025;
const STOCK: f64 = 0.02;

/// What is sent to subscribers: a line, and for whom.
pub(super) struct News {
    pub(super) line: Arc<str>,
    pub(super) kind: Kind,
    pub(super) sequence: u64,
}

impl News {
    fn of(event: &Event) -> News {
        News { line: Arc::from(notification(event) + "\n"), kind: event.kind, sequence: event.sequence }
    }
}

pub(super) struct Feed {
    client: Option<Arc<Client>>,
    processor: Bucket,
    /// When to look again, at the earliest.
    next: Option<Instant>,
}

impl Feed {
    pub(super) fn new(now: Instant) -> Feed {
        Feed { client: None, processor: Bucket::new(STOCK, SHARE, now), next: None }
    }

    /// Wants the events of the mask from now on; those in `join` know nothing yet. Returns the number of the last event
    /// before this, and the join.
    pub(super) fn want(
        &mut self,
        handler: &Handler,
        mask: i32,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<(u64, Option<News>)> {
        let client = match &self.client {
            Some(client) => client,
            None => {
                let client = handler.subscribe(0, Place::Queue)?;
                client.set_notify(Box::new(wake));
                self.client.insert(client)
            }
        };
        let (after, join) = handler.rejoin(client, mask);
        Ok((after, join.as_ref().map(News::of)))
    }

    /// Nobody wants anything any more.
    pub(super) fn forget(&mut self, handler: &Handler) {
        if let Some(client) = self.client.take() {
            // Unknown to a handler that is being freed: then it is out already.
            let _ = handler.unsubscribe(client.id);
        }
    }

    /// When to look for events; `None`: there are none.
    pub(super) fn due(&mut self, now: Instant) -> Option<Instant> {
        if !self.client.as_ref()?.has_news() {
            return None;
        }
        let from = self.may_cost_from(now);
        Some(self.next.map_or(from, |next| next.max(from)))
    }

    /// From when on events may cost something again.
    pub(super) fn may_cost_from(&mut self, now: Instant) -> Instant {
        self.processor.fill(now);
        now + self.processor.time_until(0.0)
    }

    /// Events have cost so much processor time.
    pub(super) fn pay(&mut self, used: Duration) {
        self.processor.spend(used.as_secs_f64());
    }

    /// There was a look.
    pub(super) fn rest(&mut self, now: Instant) {
        self.next = Some(now + REST);
    }

    /// Hands out events while `go_on` says so. True: events were lost, for they came faster than they could be sent.
    pub(super) fn look(&self, mut take: impl FnMut(News), mut go_on: impl FnMut() -> bool) -> bool {
        let Some(client) = &self.client else { return false };
        loop {
            match client.pop() {
                Next::Event(event) => take(News::of(&event)),
                Next::CutOff => return true,
                Next::Nothing | Next::Closed => return false,
            }
            if !go_on() {
                return false;
            }
        }
    }
}
