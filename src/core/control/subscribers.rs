//! Subscribers: who gets which events.

use super::feed::News;
use super::json::{names_in, notification};
use super::peer::Subscription;
use super::server::Server;
use crate::core::event::Kind;
use crate::core::json::Object;
use std::time::Instant;

impl Server {
    pub(super) fn subscribe(&mut self, id: u64, name: Option<String>, mask: i32) {
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

    pub(super) fn unsubscribe(&mut self, id: u64, mask: i32) -> String {
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
    pub(super) fn unsubscribe_from_unwanted(&mut self) {
        if self.peers.values().all(|peer| peer.subscription.is_none()) {
            self.feed.forget(&self.handler);
        }
    }

    pub(super) fn look_for_events(&mut self, end: Instant) {
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
        if self.feed.look(hand_out, || Instant::now() < end) {
            self.cut_off();
        }
    }

    /// Events were lost: whoever subscribed is told, and may do so again.
    pub(super) fn cut_off(&mut self) {
        let text = notification(&self.handler.cut_off_event());
        for peer in self.peers.values_mut().filter(|peer| peer.subscription.is_some()) {
            peer.subscription = None;
            peer.send(&text);
        }
        self.feed.forget(&self.handler);
    }
}
