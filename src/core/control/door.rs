//! The door: who comes in, and who makes room.

use super::peer::Peer;
use super::rpc;
use super::server::{Server, COMING_AT_ONCE};
use crate::core::status::{Error, Status};
use crate::sys::{own_uid, peer_uid};
use mio::net::UnixStream;
use mio::{Interest, Token};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// Clients of one job. A person has a few, a batch system's prolog and epilog some more.
pub(super) const MOST_CLIENTS: usize = 256;
/// Then comes a look at who has gone: those make room for the next.
pub(super) const COMERS_A_ROUND: usize = 16;
/// A client that has been silent for so long makes room when there are too many.
pub(super) const SILENCE: Duration = Duration::from_secs(10);

impl Server {
    pub(super) fn open_the_door(&mut self, now: Instant) {
        for _ in 0..COMERS_A_ROUND {
            if !self.someone_knocks || !self.coming.has(1.0) {
                return;
            }
            match self.listener.accept() {
                Ok((stream, _)) => {
                    self.coming.spend(1.0);
                    self.let_in(stream, now);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.someone_knocks = false,
                Err(_) => {
                    // No descriptors are left, or the like: one more look when some time has passed.
                    self.coming.spend(COMING_AT_ONCE);
                    return;
                }
            }
        }
    }

    pub(super) fn let_in(&mut self, stream: UnixStream, now: Instant) {
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

    /// Takes out one that has gone, or has been silent for longest, if that is long.
    pub(super) fn make_room(&mut self, now: Instant) -> bool {
        if let Some(gone) = self.peers.iter().find_map(|(&id, peer)| peer.gone.then_some(id)) {
            self.forget(gone);
            return true;
        }
        let silent = self.peers.iter().filter_map(|(&id, peer)| Some((peer.silent_since()?, id))).min();
        match silent {
            Some((since, id)) if now.saturating_duration_since(since) >= SILENCE => {
                self.forget(id);
                true
            }
            _ => false,
        }
    }
}
