//! Calls: what clients ask for, and what they are answered.

use super::info::{curve, info};
use super::lines::LONGEST_LINE;
use super::outbox::Answered;
use super::peer::{Peer, Pending, BYTES_A_TOKEN, MOST_PENDING};
use super::rpc::{self, Call, Want};
use super::server::Server;
use crate::core::inbox::Ask;
use crate::core::json::object_of;
use crate::core::message::Message;
use crate::core::status::{Error, Result, Status};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Requests of all clients that the job has not answered: a quarter of what its inbox holds, so that the program's own
/// threads find room.
const MOST_IN_FLIGHT: usize = 1024;
/// A reply that is larger is refused: it would fill its client's queue at once.
const LARGEST_REPLY: usize = 2 << 20;
/// What one `get` may copy: 512 KiB, some 50 us of the loop's time. As many cost as much as a request.
const MOST_ELEMENTS: usize = 65_536;
const ELEMENTS_A_TOKEN: f64 = 512.0;
/// Lines that one client may have done in a round.
const LINES_A_TURN: usize = 8;

impl Server {
    /// Lines of those who have stayed and of those who have come of late are taken in turns: whoever comes anew for each
    /// request has asked for nothing yet, and would always come before who stays.
    pub(super) fn take_requests(&mut self, now: Instant, end: Instant) {
        let mut queues = [self.queue(now, Peer::has_stayed), self.queue(now, |peer, now| !peer.has_stayed(now))];
        while self.lines.has(1.0) && Instant::now() < end {
            if queues[self.whose_turn].is_empty() {
                self.whose_turn = 1 - self.whose_turn;
            }
            let queue = &mut queues[self.whose_turn];
            let Some(&(id, lines)) = queue.front() else { return };
            match self.take_request_of(id, now) {
                true if lines > 1 => queue[0].1 -= 1,
                _ => drop(queue.pop_front()),
            }
            self.whose_turn = 1 - self.whose_turn;
        }
    }

    /// Those of whom there is something to be read or done, and how many lines of each: who has asked for the least of late
    /// comes first, and after them who has gone, for nobody waits for that.
    fn queue(&mut self, now: Instant, belongs: impl Fn(&Peer, Instant) -> bool) -> VecDeque<(u64, usize)> {
        let mut runnable: Vec<(bool, f64, u64)> = Vec::new();
        for (&id, peer) in &mut self.peers {
            if belongs(peer, now) && peer.is_runnable() {
                peer.bucket.fill(now);
                runnable.push((peer.gone, peer.recent_use(now), id));
            }
        }
        runnable.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        runnable.into_iter().map(|(_, _, id)| (id, LINES_A_TURN)).collect()
    }

    /// Takes what has come of one: a line, or a part of one. False: there is nothing more for now.
    fn take_request_of(&mut self, id: u64, now: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        if !peer.is_runnable() || !peer.bucket.has(1.0) {
            return false;
        }
        match peer.next_line() {
            Some(line) => {
                self.lines.spend(1.0);
                self.take_line(id, &line, now);
            }
            None if peer.is_too_long() => {
                let text = format!("a line has at most {} bytes", LONGEST_LINE);
                peer.send(&rpc::refusal("null", &Error::new(Status::Full, text)));
                peer.close();
                return false;
            }
            None => {}
        }
        true
    }

    pub(super) fn take_line(&mut self, id: u64, line: &[u8], now: Instant) {
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

    pub(super) fn take_call(&mut self, id: u64, call: Call, now: Instant) {
        let Call { id: name, want } = call;
        let done = match want {
            Want::Ask { ask, message, timeout } => match self.ask(id, &name, ask, message, timeout, now) {
                Ok(()) => return,
                Err(error) => Err(error),
            },
            Want::Info => Ok(info(&self.handler)),
            Want::Curve => Ok(curve(&self.handler)),
            Want::Ping => Ok("{}".to_owned()),
            Want::Subscribe(mask) => return self.subscribe(id, name, mask),
            Want::Unsubscribe(mask) => Ok(self.unsubscribe(id, mask)),
        };
        if let (Ok(text), Some(peer)) = (&done, self.peers.get_mut(&id)) {
            // A get has paid for its elements.
            let tokens = text.len() as f64 / BYTES_A_TOKEN;
            peer.pay(tokens);
            self.lines.spend(tokens);
        }
        self.reply(id, name.as_deref(), done);
    }

    pub(super) fn reply(&mut self, id: u64, name: Option<&str>, done: Result<String>) {
        let (Some(peer), Some(name)) = (self.peers.get_mut(&id), name) else { return };
        let text = done.and_then(|result| {
            if result.len() > LARGEST_REPLY {
                let text = format!("the reply has {} bytes, at most {LARGEST_REPLY} are sent", result.len());
                return Err(Error::new(Status::Full, text));
            }
            Ok(rpc::reply(name, &result))
        });
        peer.send(&text.unwrap_or_else(|error| rpc::refusal(name, &error)));
        // Not in its turn: a reply waits for nobody's events.
        peer.flush();
    }

    /// Leaves a request to the job. Its answer comes to the outbox.
    pub(super) fn ask(
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
        if ask == Ask::Get {
            // The loop would copy them all, so it is not even asked.
            let elements = self.handler.variables().elements(&message);
            if elements > MOST_ELEMENTS {
                let text = format!("names: {elements} elements, at most {MOST_ELEMENTS} are sent: name fewer");
                return Err(Error::new(Status::Full, text));
            }
            let tokens = elements as f64 / ELEMENTS_A_TOKEN;
            peer.pay(tokens);
            self.lines.spend(tokens);
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

    pub(super) fn take_answers(&mut self) {
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
    pub(super) fn time_out(&mut self, now: Instant) {
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
}
