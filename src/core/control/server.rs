//! The endpoint's thread: takes connections, requests and events, in turns, and rests.
//!
//! It must not cost the loop its processor. So it keeps account of the processor time that it uses: of a stock that fills
//! by [`SHARE`] of the time that passes. While that is used up it sleeps, and whoever floods it waits in the kernel's own
//! queues. Within a round those come first who have asked for little.

use super::budget::Bucket;
use super::door::{MOST_CLIENTS, SILENCE};
use super::feed::Feed;
use super::outbox::Outbox;
use super::peer::Peer;
use crate::core::handler::Handler;
use crate::core::sync::Arc;
use crate::sys::thread_time;
use mio::net::UnixListener;
use mio::{Events, Poll, Token};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// What all clients together may have sent in unfinished lines, and may leave unread.
const MOST_INCOMING_OF_ALL: usize = 16 << 20;
const MOST_OUTGOING_OF_ALL: usize = 32 << 20;

/// The share of one processor that the thread may use in the long run.
const SHARE: f64 = 0.01;
/// Processor time that it may use at once, in seconds: some thousand requests.
const STOCK: f64 = 0.05;
/// No round is longer, so that no rest is longer than a hundred times this.
const ROUND: Duration = Duration::from_millis(2);
/// Lines and connections of all clients, a second and at once. A request costs the loop some 10 us.
pub(super) const LINES_A_SECOND: f64 = 250.0;
pub(super) const LINES_AT_ONCE: f64 = 500.0;
/// Who has used more than half of his own stock must leave this much of the common one to the others.
pub(super) const RESERVE: f64 = 0.5;

pub(super) const LISTENER: Token = Token(usize::MAX);
pub(super) const WAKER: Token = Token(usize::MAX - 1);

pub(super) struct Server {
    pub(super) handler: Arc<Handler>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) poll: Poll,
    pub(super) listener: UnixListener,
    pub(super) someone_knocks: bool,
    pub(super) peers: HashMap<u64, Peer>,
    pub(super) last_peer: u64,
    pub(super) last_call: u64,
    pub(super) in_flight: usize,
    pub(super) processor: Bucket,
    pub(super) lines: Bucket,
    pub(super) feed: Feed,
    /// It is being closed: the job is asked for nothing more.
    pub(super) closing: bool,
}

impl Server {
    pub(super) fn new(handler: Arc<Handler>, outbox: Arc<Outbox>, poll: Poll, listener: UnixListener) -> Server {
        let now = Instant::now();
        Server {
            handler,
            outbox,
            poll,
            listener,
            someone_knocks: false,
            peers: HashMap::new(),
            last_peer: 0,
            last_call: 0,
            in_flight: 0,
            processor: Bucket::new(STOCK, SHARE, now),
            lines: Bucket::new(LINES_AT_ONCE, LINES_A_SECOND, now),
            feed: Feed::default(),
            closing: false,
        }
    }

    /// Serves until it is stopped, and then says good-bye.
    pub(super) fn serve(&mut self) {
        let mut events = Events::with_capacity(MOST_CLIENTS);
        let mut used = thread_time();
        while !self.outbox.is_stopped() {
            let wait = self.next_look().map(|at| at.saturating_duration_since(Instant::now()));
            if let Err(error) = self.poll.poll(&mut events, wait) {
                if error.kind() != ErrorKind::Interrupted {
                    // It cannot be: the descriptor is its own. To try again is better than to spin or to end.
                    self.outbox.rest(SILENCE);
                }
                continue;
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.someone_knocks = true,
                    WAKER => {}
                    Token(peer) => {
                        if let Some(peer) = self.peers.get_mut(&(peer as u64)) {
                            peer.note(event);
                        }
                    }
                }
            }
            self.round(Instant::now());
            let before = std::mem::replace(&mut used, thread_time());
            self.processor.spend(used.saturating_sub(before).as_secs_f64());
            self.processor.fill(Instant::now());
            if !self.processor.has(0.0) {
                self.outbox.rest(self.processor.time_until(0.0));
                self.processor.fill(Instant::now());
            }
        }
        self.say_good_bye();
    }

    /// When there will be something to do that no descriptor tells of.
    pub(super) fn next_look(&mut self) -> Option<Instant> {
        let now = Instant::now();
        self.lines.fill(now);
        let mut next = self.feed.due(now);
        let mut look = |at: Instant| next = Some(next.map_or(at, |before| before.min(at)));
        if self.someone_knocks {
            look(now + self.lines.time_until(1.0));
        }
        for peer in self.peers.values_mut() {
            peer.pending.values().filter_map(|pending| pending.deadline).for_each(&mut look);
            if peer.is_runnable() {
                peer.bucket.fill(now);
                let common = if is_modest(peer) { 1.0 } else { LINES_AT_ONCE * RESERVE };
                look(now + peer.bucket.time_until(1.0).max(self.lines.time_until(common)));
            }
        }
        next
    }

    pub(super) fn round(&mut self, now: Instant) {
        let end = Instant::now() + ROUND;
        self.lines.fill(now);
        self.take_answers();
        self.time_out(now);
        self.open_the_door(now);
        self.take_requests(now, end);
        if self.feed.due(now).is_some_and(|due| due <= now) {
            self.look_for_events(now, Instant::now() + ROUND);
        }
        for peer in self.peers.values_mut().filter(|peer| peer.has_outgoing()) {
            peer.flush();
        }
        self.bound_memory();
        self.take_out();
    }

    pub(super) fn forget(&mut self, id: u64) {
        if let Some(mut peer) = self.peers.remove(&id) {
            let _ = self.poll.registry().deregister(peer.stream());
        }
    }

    pub(super) fn take_out(&mut self) {
        let done: Vec<u64> = self.peers.iter_mut().filter_map(|(&id, peer)| peer.is_done().then_some(id)).collect();
        let subscribed = done.iter().any(|id| self.peers[id].subscription.is_some());
        done.into_iter().for_each(|id| self.forget(id));
        if subscribed {
            self.unsubscribe_from_unwanted();
        }
    }

    /// Cuts off those who take the most, while all together take too much.
    pub(super) fn bound_memory(&mut self) {
        for (size_of, most) in [
            (Peer::incoming_size as fn(&Peer) -> usize, MOST_INCOMING_OF_ALL),
            (Peer::outgoing_size as fn(&Peer) -> usize, MOST_OUTGOING_OF_ALL),
        ] {
            let mut all: usize = self.peers.values().filter(|peer| !peer.dead).map(size_of).sum();
            while all > most {
                let largest = self.peers.values_mut().filter(|peer| !peer.dead).max_by_key(|peer| size_of(peer));
                let Some(largest) = largest else { break };
                all -= size_of(largest);
                largest.dead = true;
            }
        }
    }
}

/// Whether a client has asked for little of late.
pub(super) fn is_modest(peer: &Peer) -> bool {
    peer.bucket.level() > 0.5
}
