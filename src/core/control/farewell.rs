//! The end of the endpoint: what has come is answered, what is left to say is sent.

use super::budget::Bucket;
use super::door::{COMERS_A_ROUND, MOST_CLIENTS};
use super::peer::{Peer, MOST_PENDING};
use super::rpc;
use super::server::Server;
use crate::core::status::{Error, Status};
use mio::Events;
use std::time::{Duration, Instant};

/// How long a client may take to read its last lines, when the job is freed.
const GOOD_BYE: Duration = Duration::from_millis(200);

impl Server {
    /// Answers what has come, sends what is left to say, for as long as clients take it and not longer than [`GOOD_BYE`].
    pub(super) fn say_good_bye(&mut self) {
        let end = Instant::now() + GOOD_BYE;
        self.closing = true;
        self.coming = Bucket::new(f64::MAX, 0.0, Instant::now());
        for _ in 0..MOST_CLIENTS / COMERS_A_ROUND {
            self.open_the_door(Instant::now());
        }
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
        self.look_for_events(end);
        for peer in self.peers.values_mut() {
            for (_, pending) in std::mem::take(&mut peer.pending) {
                let text = if pending.claim.withdraw() {
                    "the job stopped listening before it served the request: it is withdrawn and has no effect"
                } else {
                    "the job stopped listening while it served the request: it may still have its effect"
                };
                peer.send(&rpc::refusal(&pending.id, &Error::new(Status::Closed, text)));
            }
        }
        let mut events = Events::with_capacity(MOST_CLIENTS);
        loop {
            self.peers.retain(|_, peer| peer.has_outgoing() && !peer.dead);
            let left = end.saturating_duration_since(Instant::now());
            self.peers.values_mut().for_each(Peer::flush);
            let left = if self.peers.values().any(Peer::can_send) { Duration::ZERO } else { left };
            if self.peers.is_empty() || Instant::now() >= end || self.poll.poll(&mut events, Some(left)).is_err() {
                return;
            }
            for event in &events {
                if let Some(peer) = self.peers.get_mut(&(event.token().0 as u64)) {
                    peer.note(event);
                }
            }
        }
    }
}
