//! The endpoint's thread: takes connections, requests and events, in turns, and rests.
//!
//! It must not cost the loop its processor. So it keeps account of the processor time that it uses: of a stock that fills
//! by [`SHARE`] of the time that passes. While that is used up it sleeps, and whoever floods it waits in the kernel's own
//! queues. Those who have stayed and those who came of late are served in turns; of both, those come first who have asked for
//! little.

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
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// What all clients together may have sent in unfinished lines, and may leave unread.
const MOST_INCOMING_OF_ALL: usize = 16 << 20;
const MOST_OUTGOING_OF_ALL: usize = 32 << 20;

/// The share of one processor that the thread may use in the long run: where there is only one, the loop loses so much,
/// and what serving the requests costs it, and both together are to be below 1 %.
const SHARE: f64 = 0.006;
/// Processor time that it may use at once, in seconds: some thousand requests.
const STOCK: f64 = 0.05;
/// A round is not much longer: who asks then waits no longer than for the rest after it.
const ROUND: Duration = Duration::from_millis(3);
const LONGEST_REST: Duration = Duration::from_millis(300);
/// Lines of all clients, a second and at once. A request costs the loop some 10 us.
const LINES_A_SECOND: f64 = 250.0;
const LINES_AT_ONCE: f64 = 500.0;
/// With clients alone that have asked for much of late, it is not worth a round to serve one line.
const LINES_A_ROUND: f64 = 5.0;
/// Connections of all clients, a second and at once. They have a budget of their own: who comes and goes does not keep
/// those waiting who are in, nor the other way round.
const COMING_A_SECOND: f64 = 200.0;
pub(super) const COMING_AT_ONCE: f64 = 400.0;

pub(super) const LISTENER: Token = Token(usize::MAX);
pub(super) const WAKER: Token = Token(usize::MAX - 1);

pub(super) struct Server {
    pub(super) handler: Arc<Handler>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) poll: Poll,
    pub(super) listener: UnixListener,
    pub(super) someone_knocks: bool,
    pub(super) peers: BTreeMap<u64, Peer>,
    pub(super) last_peer: u64,
    pub(super) last_call: u64,
    pub(super) in_flight: usize,
    pub(super) processor: Bucket,
    pub(super) lines: Bucket,
    pub(super) coming: Bucket,
    /// Which of the two queues of requests comes next.
    pub(super) whose_turn: usize,
    /// Whose turn it is to be sent something.
    flush_from: u64,
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
            peers: BTreeMap::new(),
            last_peer: 0,
            last_call: 0,
            in_flight: 0,
            processor: Bucket::new(STOCK, SHARE, now),
            lines: Bucket::new(LINES_AT_ONCE, LINES_A_SECOND, now),
            coming: Bucket::new(COMING_AT_ONCE, COMING_A_SECOND, now),
            whose_turn: 0,
            flush_from: 0,
            feed: Feed::new(now),
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
                self.outbox.rest(self.processor.time_until(0.0).min(LONGEST_REST));
                self.processor.fill(Instant::now());
            }
        }
        self.say_good_bye();
    }

    /// When there will be something to do that no descriptor tells of.
    pub(super) fn next_look(&mut self) -> Option<Instant> {
        let now = Instant::now();
        self.lines.fill(now);
        self.coming.fill(now);
        let mut next = self.feed.due(now);
        let mut look = |at: Instant| next = Some(next.map_or(at, |before| before.min(at)));
        if self.someone_knocks {
            look(now + self.coming.time_until(1.0));
        }
        if self.peers.values().any(Peer::can_send) {
            look(self.feed.may_cost_from(now));
        }
        for peer in self.peers.values_mut() {
            peer.pending.values().filter_map(|pending| pending.deadline).for_each(&mut look);
            if peer.is_runnable() {
                peer.bucket.fill(now);
                let common = if peer.is_modest(now) { 1.0 } else { LINES_A_ROUND };
                look(now + peer.bucket.time_until(1.0).max(self.lines.time_until(common)));
            }
        }
        next
    }

    pub(super) fn round(&mut self, now: Instant) {
        let end = Instant::now() + ROUND / 2;
        self.lines.fill(now);
        self.coming.fill(now);
        self.take_answers();
        self.time_out(now);
        self.open_the_door(now);
        self.take_requests(now, end);
        self.pass_on_events(now);
        self.bound_memory();
        self.take_out();
    }

    /// Events go out while they may cost something. What is left of replies goes with them.
    fn pass_on_events(&mut self, now: Instant) {
        if self.feed.may_cost_from(now) > now {
            return;
        }
        let before = thread_time();
        if self.feed.due(now).is_some_and(|due| due <= now) {
            self.look_for_events(Instant::now() + ROUND / 2);
            self.feed.rest(now);
        }
        self.flush(Instant::now() + ROUND / 2);
        self.feed.pay(thread_time().saturating_sub(before));
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

    /// Sends each client a portion, in turns, and goes on the next time with the one at which the time was over.
    fn flush(&mut self, end: Instant) {
        let from = std::mem::take(&mut self.flush_from);
        let waiting = |(&id, peer): (&u64, &Peer)| peer.can_send().then_some(id);
        let later = self.peers.range(from..).filter_map(waiting);
        let turns: Vec<u64> = later.chain(self.peers.range(..from).filter_map(waiting)).collect();
        for id in turns {
            if Instant::now() >= end {
                self.flush_from = id;
                return;
            }
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.flush();
            }
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
