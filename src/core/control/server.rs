//! The endpoint's thread: takes connections, requests and events, in turns, and rests.
//!
//! It must not cost the loop its processor. So it keeps account of the processor time that it uses: of a stock that fills
//! by [`SHARE`] of the time that passes. While that is used up it sleeps, and whoever floods it waits in the kernel's own
//! queues. Within a round those come first who have asked for little.

use super::budget::Bucket;
use super::feed::{Feed, News};
use super::info::info;
use super::json::{names_in, object_of, Object};
use super::outbox::{Answered, Outbox};
use super::peer::{Peer, Pending, Subscription, MOST_PENDING};
use super::rpc::{self, Call, Want};
use crate::core::event::Kind;
use crate::core::handler::Handler;
use crate::core::inbox::Ask;
use crate::core::message::Message;
use crate::core::status::{Error, Result, Status};
use crate::core::sync::Arc;
use crate::sys::{own_uid, peer_uid, thread_time};
use mio::net::{UnixListener, UnixStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// Clients of one job. A person has a few, a batch system's prolog and epilog some more.
const MOST_CLIENTS: usize = 256;
/// Requests of all clients that the job has not answered: a quarter of what its inbox holds, so that the program's own
/// threads find room.
const MOST_IN_FLIGHT: usize = 1024;
/// What all clients together may have sent in unfinished lines, and may leave unread.
const MOST_INCOMING_OF_ALL: usize = 16 << 20;
const MOST_OUTGOING_OF_ALL: usize = 32 << 20;
/// A reply that is larger is refused: it would fill its client's queue at once.
const LARGEST_REPLY: usize = 2 << 20;
/// Lines that one client may have done in a round.
const LINES_A_TURN: usize = 8;
/// A client that has been silent for so long makes room when there are too many.
const SILENCE: Duration = Duration::from_secs(10);

/// How long a client may take to read its last lines, when the job is freed.
const GOOD_BYE: Duration = Duration::from_millis(200);

/// The share of one processor that the thread may use in the long run.
const SHARE: f64 = 0.01;
/// Processor time that it may use at once, in seconds: some thousand requests.
const STOCK: f64 = 0.05;
/// No round is longer, so that no rest is longer than a hundred times this.
const ROUND: Duration = Duration::from_millis(2);
/// Lines and connections of all clients, a second and at once. A request costs the loop some 10 us.
const LINES_A_SECOND: f64 = 250.0;
const LINES_AT_ONCE: f64 = 500.0;
/// Who has used more than half of his own stock must leave this much of the common one to the others.
const RESERVE: f64 = 0.5;

pub(super) const LISTENER: Token = Token(usize::MAX);
pub(super) const WAKER: Token = Token(usize::MAX - 1);

pub(super) struct Server {
    handler: Arc<Handler>,
    outbox: Arc<Outbox>,
    poll: Poll,
    listener: UnixListener,
    someone_knocks: bool,
    peers: HashMap<u64, Peer>,
    last_peer: u64,
    last_call: u64,
    in_flight: usize,
    processor: Bucket,
    lines: Bucket,
    feed: Feed,
    /// It is being closed: the job is asked for nothing more.
    closing: bool,
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
        while !self.outbox.is_stopped() {
            let wait = self.next_look().map(|at| at.saturating_duration_since(Instant::now()));
            if let Err(error) = self.poll.poll(&mut events, wait) {
                if error.kind() != ErrorKind::Interrupted {
                    // It cannot be: the descriptor is its own. To try again is better than to spin or to end.
                    self.outbox.rest(SILENCE);
                }
                continue;
            }
            let before = thread_time();
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
            self.processor.spend(thread_time().saturating_sub(before).as_secs_f64());
            self.processor.fill(Instant::now());
            if !self.processor.has(0.0) {
                self.outbox.rest(self.processor.time_until(0.0));
                self.processor.fill(Instant::now());
            }
        }
        self.say_good_bye();
    }

    /// When there will be something to do that no descriptor tells of.
    fn next_look(&mut self) -> Option<Instant> {
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

    fn round(&mut self, now: Instant) {
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

    // Connections.

    fn open_the_door(&mut self, now: Instant) {
        while self.someone_knocks && self.lines.has(1.0) {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    self.lines.spend(1.0);
                    self.let_in(stream, now);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.someone_knocks = false,
                Err(_) => {
                    // No descriptors are left, or the like: one more look when some time has passed.
                    self.lines.spend(LINES_A_SECOND.min(LINES_AT_ONCE));
                    return;
                }
            }
        }
    }

    fn let_in(&mut self, stream: UnixStream, now: Instant) {
        // Somebody else learns nothing, not even why.
        if !peer_uid(&stream).is_ok_and(|uid| uid == own_uid()) {
            return;
        }
        let mut peer = Peer::new(stream, now);
        if self.peers.len() >= MOST_CLIENTS && !self.make_room(now) {
            let error = Error::new(Status::Full, format!("the job has {MOST_CLIENTS} clients already"));
            peer.send(&rpc::refusal("null", &error));
            return peer.close();
        }
        self.last_peer += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(peer.stream(), Token(self.last_peer as usize), interest).is_ok() {
            self.peers.insert(self.last_peer, peer);
        }
    }

    /// Takes out the one that has been silent for longest, if that is long.
    fn make_room(&mut self, now: Instant) -> bool {
        let is_idle = |peer: &Peer| peer.gone || (peer.subscription.is_none() && peer.pending.is_empty());
        let silent = self.peers.iter().filter(|(_, peer)| is_idle(peer)).min_by_key(|(_, peer)| peer.heard);
        match silent {
            Some((&id, peer)) if peer.gone || now.saturating_duration_since(peer.heard) >= SILENCE => {
                self.forget(id);
                true
            }
            _ => false,
        }
    }

    fn forget(&mut self, id: u64) {
        if let Some(mut peer) = self.peers.remove(&id) {
            let _ = self.poll.registry().deregister(peer.stream());
        }
    }

    fn take_out(&mut self) {
        let done: Vec<u64> = self.peers.iter_mut().filter_map(|(&id, peer)| peer.is_done().then_some(id)).collect();
        let subscribed = done.iter().any(|id| self.peers[id].subscription.is_some());
        done.into_iter().for_each(|id| self.forget(id));
        if subscribed {
            self.unsubscribe_from_unwanted();
        }
    }

    /// Cuts off those who take the most, while all together take too much.
    fn bound_memory(&mut self) {
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

    // Requests.

    fn take_requests(&mut self, now: Instant, end: Instant) {
        let mut runnable: Vec<(f64, u64)> = Vec::new();
        for (&id, peer) in &mut self.peers {
            if peer.is_runnable() {
                peer.bucket.fill(now);
                runnable.push((peer.bucket.level(), id));
            }
        }
        // Who has asked for the least comes first.
        runnable.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (_, id) in runnable {
            if Instant::now() >= end {
                return;
            }
            self.take_requests_of(id, now);
        }
    }

    fn take_requests_of(&mut self, id: u64, now: Instant) {
        for _ in 0..LINES_A_TURN {
            let Some(peer) = self.peers.get_mut(&id) else { return };
            let common = if is_modest(peer) { 1.0 } else { LINES_AT_ONCE * RESERVE };
            if !peer.is_runnable() || !peer.bucket.has(1.0) || !self.lines.has(common) {
                return;
            }
            match peer.next_line() {
                Some(line) => {
                    self.lines.spend(1.0);
                    self.take_line(id, &line, now);
                }
                None if peer.is_too_long() => {
                    let text = format!("a line has at most {} bytes", super::lines::LONGEST_LINE);
                    peer.send(&rpc::refusal("null", &Error::new(Status::Full, text)));
                    return peer.close();
                }
                None => {}
            }
        }
    }

    fn take_line(&mut self, id: u64, line: &[u8], now: Instant) {
        let parsed = rpc::parse(line);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        match parsed {
            Ok(call) => {
                peer.judge(false, now);
                self.take_call(id, call, now);
            }
            Err(fault) => {
                if let Some(reply) = fault.reply() {
                    peer.send(&reply);
                }
                peer.judge(fault.is_garbage(), now);
            }
        }
    }

    fn take_call(&mut self, id: u64, call: Call, now: Instant) {
        let Call { id: name, want } = call;
        let done = match want {
            Want::Ask { ask, message, timeout } => match self.ask(id, &name, ask, message, timeout, now) {
                Ok(()) => return,
                Err(error) => Err(error),
            },
            Want::Info => Ok(info(&self.handler)),
            Want::Ping => Ok("{}".to_owned()),
            Want::Subscribe(mask) => return self.subscribe(id, name, mask),
            Want::Unsubscribe(mask) => Ok(self.unsubscribe(id, mask)),
        };
        self.reply(id, name.as_deref(), done);
    }

    fn reply(&mut self, id: u64, name: Option<&str>, done: Result<String>) {
        let (Some(peer), Some(name)) = (self.peers.get_mut(&id), name) else { return };
        let text = done.and_then(|result| {
            if result.len() > LARGEST_REPLY {
                let text = format!("the reply has {} bytes, at most {LARGEST_REPLY} are sent", result.len());
                return Err(Error::new(Status::Full, text));
            }
            Ok(rpc::reply(name, &result))
        });
        peer.send(&text.unwrap_or_else(|error| rpc::refusal(name, &error)));
    }

    /// Leaves a request to the job. Its answer comes to the outbox.
    fn ask(
        &mut self,
        id: u64,
        name: &Option<String>,
        ask: Ask,
        message: Message,
        timeout: Option<Duration>,
        now: Instant,
    ) -> Result<()> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if self.closing {
            return Err(Error::new(Status::Closed, "the job takes no more requests here"));
        }
        if peer.in_flight >= MOST_PENDING || self.in_flight >= MOST_IN_FLIGHT {
            let text = format!("{MOST_PENDING} requests of this client, or {MOST_IN_FLIGHT} of all, wait for the job");
            return Err(Error::new(Status::Full, text));
        }
        self.last_call += 1;
        let call = self.last_call;
        let outbox = self.outbox.clone();
        let post = move |answer| outbox.post(Answered { peer: id, call, answer });
        let claim = self.handler.ask_later(ask, message, Box::new(post))?;
        peer.in_flight += 1;
        self.in_flight += 1;
        if let Some(name) = name {
            let deadline = timeout.and_then(|timeout| now.checked_add(timeout));
            peer.pending.insert(call, Pending { id: name.clone(), claim, deadline });
        }
        Ok(())
    }

    fn take_answers(&mut self) {
        for Answered { peer: id, call, answer } in self.outbox.take() {
            self.in_flight -= 1;
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            peer.in_flight -= 1;
            if let Some(pending) = peer.pending.remove(&call) {
                self.reply(id, Some(&pending.id), answer.map(|message| object_of(&message)));
            }
        }
    }

    /// Withdraws the requests whose time is up. One that is being served at this moment is not withdrawn.
    fn time_out(&mut self, now: Instant) {
        for peer in self.peers.values_mut() {
            let is_late = |pending: &Pending| pending.deadline.is_some_and(|deadline| deadline <= now);
            let late: Vec<u64> =
                peer.pending.iter().filter_map(|(&call, pending)| is_late(pending).then_some(call)).collect();
            for call in late {
                let Some(pending) = peer.pending.remove(&call) else { continue };
                let text = if pending.claim.withdraw() {
                    "the time was up before a ready point: the request is withdrawn and has no effect"
                } else {
                    "the time was up while the request was being served: it may still have its effect"
                };
                peer.send(&rpc::refusal(&pending.id, &Error::new(Status::Timeout, text)));
            }
        }
    }

    // The end.

    /// Answers what has come, sends what is left to say, for as long as clients take it and not longer than [`GOOD_BYE`].
    fn say_good_bye(&mut self) {
        let end = Instant::now() + GOOD_BYE;
        self.closing = true;
        self.lines = Bucket::new(f64::MAX, 0.0, Instant::now());
        self.open_the_door(Instant::now());
        self.take_answers();
        let ids: Vec<u64> = self.peers.keys().copied().collect();
        for id in ids {
            for _ in 0..MOST_PENDING {
                let Some(peer) = self.peers.get_mut(&id) else { break };
                if !peer.is_runnable() {
                    break;
                }
                let Some(line) = peer.next_line() else { continue };
                self.take_line(id, &line, Instant::now());
            }
        }
        self.look_for_events(Instant::now(), end);
        for peer in self.peers.values_mut() {
            for (_, pending) in std::mem::take(&mut peer.pending) {
                let text = if pending.claim.withdraw() {
                    "the job stopped listening before it served the request: it is withdrawn and has no effect"
                } else {
                    "the job stopped listening while it served the request: it may still have its effect"
                };
                peer.send(&rpc::refusal(&pending.id, &Error::new(Status::Closed, text)));
            }
            peer.flush();
        }
        let mut events = Events::with_capacity(MOST_CLIENTS);
        loop {
            self.peers.retain(|_, peer| peer.has_outgoing() && !peer.dead);
            let left = end.saturating_duration_since(Instant::now());
            if self.peers.is_empty() || left.is_zero() || self.poll.poll(&mut events, Some(left)).is_err() {
                return;
            }
            for event in &events {
                if let Some(peer) = self.peers.get_mut(&(event.token().0 as u64)) {
                    peer.note(event);
                    peer.flush();
                }
            }
        }
    }

    // Events.

    fn subscribe(&mut self, id: u64, name: Option<String>, mask: i32) {
        let Some(before) = self.peers.get(&id).map(|peer| peer.subscription.as_ref().map(|it| it.mask)) else { return };
        let all = self.peers.values().filter_map(|peer| peer.subscription.as_ref()).fold(mask, |all, it| all | it.mask);
        let outbox = self.outbox.clone();
        let (after, join) = match self.feed.want(&self.handler, all, move || outbox.wake()) {
            Ok(wanted) => wanted,
            Err(error) => return self.reply(id, name.as_deref(), Err(error)),
        };
        let mask = mask | before.unwrap_or(0);
        self.reply(id, name.as_deref(), Ok(Object::new().texts("events", &names_in(mask)).end()));
        let Some(peer) = self.peers.get_mut(&id) else { return };
        match &mut peer.subscription {
            // It goes on where it is.
            Some(subscription) => subscription.mask = mask,
            None => {
                peer.subscription = Some(Subscription { mask, after });
                if let Some(join) = join.filter(|_| mask & Kind::Join as i32 != 0) {
                    peer.push(join.line, false);
                }
            }
        }
    }

    fn unsubscribe(&mut self, id: u64, mask: i32) -> String {
        let Some(peer) = self.peers.get_mut(&id) else { return String::new() };
        let left = peer.subscription.as_ref().map_or(0, |subscription| subscription.mask & !mask);
        match &mut peer.subscription {
            Some(subscription) if left != 0 => subscription.mask = left,
            _ => peer.subscription = None,
        }
        self.unsubscribe_from_unwanted();
        Object::new().texts("events", &names_in(left)).end()
    }

    /// The loop makes no events that nobody wants.
    fn unsubscribe_from_unwanted(&mut self) {
        if self.peers.values().all(|peer| peer.subscription.is_none()) {
            self.feed.forget(&self.handler);
        }
    }

    fn look_for_events(&mut self, now: Instant, end: Instant) {
        let peers = &mut self.peers;
        let hand_out = |news: News| {
            let is_progress = news.kind == Kind::Progress;
            for peer in peers.values_mut() {
                let wants = |it: &Subscription| it.mask & news.kind as i32 != 0 && it.after < news.sequence;
                if peer.subscription.as_ref().is_some_and(wants) {
                    peer.push(news.line.clone(), is_progress);
                }
            }
        };
        if self.feed.look(now, hand_out, || Instant::now() < end) {
            self.cut_off();
        }
    }

    /// Events were lost: whoever subscribed is told, and may do so again.
    fn cut_off(&mut self) {
        let text = super::json::notification(&self.handler.cut_off_event());
        for peer in self.peers.values_mut().filter(|peer| peer.subscription.is_some()) {
            peer.subscription = None;
            peer.send(&text);
        }
        self.feed.forget(&self.handler);
    }
}

/// Whether a client has asked for little of late.
fn is_modest(peer: &Peer) -> bool {
    peer.bucket.level() > 0.5
}
