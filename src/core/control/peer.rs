//! One client's connection: what has come, what is to go out, and what it still waits for.

use super::budget::Bucket;
use super::lines::Lines;
use crate::core::reply::Claim;
use crate::core::sync::Arc;
use crate::sys::NotForChildren;
use mio::net::UnixStream;
use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::time::Instant;

/// Requests of one client that may wait for the job: far more than a person has, and 256 such clients can still not fill
/// memory.
pub(super) const MOST_PENDING: usize = 64;
/// What may wait to be read by one client: 10,000 events and more. A client that lets more wait is cut off.
const MOST_OUTGOING: usize = 4 << 20;
/// With so much unread, no more requests are taken from a client: its replies would only wait, too.
const ENOUGH_OUTGOING: usize = 64 << 10;
/// What one read takes, and one write gives: a round serves many clients.
const PIECE: usize = 16 << 10;
const MOST_SLICES: usize = 64;
/// What a queued line costs beyond its bytes.
const LINE_OVERHEAD: usize = 32;
/// Lines in a row that are no requests: whoever sends so many does not speak the protocol.
const MOST_GARBAGE: u32 = 16;
/// Requests a second, and at once: more than a person or a script that waits for replies makes.
const REQUESTS_A_SECOND: f64 = 100.0;
const REQUESTS_AT_ONCE: f64 = 200.0;
/// For how long it counts what a client has asked for, in seconds, and how many lines are little.
const MEMORY: f64 = 10.0;
const MODEST: f64 = 20.0;
/// So many bytes, of a request or of a reply that the endpoint makes itself, cost as much as a request.
pub(super) const BYTES_A_TOKEN: f64 = 4096.0;

/// A request that has no reply yet.
pub(super) struct Pending {
    pub(super) id: String,
    pub(super) claim: Claim,
    pub(super) deadline: Option<Instant>,
}

pub(super) struct Subscription {
    pub(super) mask: i32,
    /// Events up to this number are older than the subscription.
    pub(super) after: u64,
}

pub(super) struct Peer {
    // Dropped before the stream is.
    _not_for_children: NotForChildren,
    stream: UnixStream,
    lines: Lines,
    outgoing: VecDeque<Arc<str>>,
    /// How many lines were taken from its front, and the number of the one that is a progress: a newer one takes its place.
    taken: u64,
    progress: Option<u64>,
    outgoing_bytes: usize,
    /// How much of the first line is sent.
    sent: usize,
    readable: bool,
    writable: bool,
    /// It sends no more.
    pub(super) ended: bool,
    /// It reads no more: what it sent before is still done, up to a limit.
    pub(super) gone: bool,
    /// To be taken out.
    pub(super) dead: bool,
    garbage: u32,
    came: Instant,
    pub(super) bucket: Bucket,
    /// What it has asked for, the longer ago the less, and as of when.
    used: (f64, Instant),
    pub(super) pending: HashMap<u64, Pending>,
    /// Requests that the job still has, those included whose time was up.
    pub(super) in_flight: usize,
    pub(super) subscription: Option<Subscription>,
    pub(super) heard: Instant,
    /// Since when it has taken nothing of what waits for it.
    stuck: Option<Instant>,
    lines_after_going: usize,
}

impl Peer {
    pub(super) fn new(stream: UnixStream, now: Instant) -> Peer {
        Peer {
            _not_for_children: NotForChildren::new(&stream),
            stream,
            lines: Lines::default(),
            outgoing: VecDeque::new(),
            taken: 0,
            progress: None,
            outgoing_bytes: 0,
            sent: 0,
            readable: true,
            writable: true,
            ended: false,
            gone: false,
            dead: false,
            garbage: 0,
            came: now,
            bucket: Bucket::new(REQUESTS_AT_ONCE, REQUESTS_A_SECOND, now),
            used: (0.0, now),
            pending: HashMap::new(),
            in_flight: 0,
            subscription: None,
            heard: now,
            stuck: None,
            lines_after_going: 0,
        }
    }

    pub(super) fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    pub(super) fn note(&mut self, event: &mio::event::Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable();
        self.gone |= event.is_write_closed() || event.is_error();
    }

    /// Whether there is something of it to be read or done.
    pub(super) fn is_runnable(&mut self) -> bool {
        !self.dead && self.outgoing_bytes <= ENOUGH_OUTGOING && (self.readable || self.lines.has_line())
    }

    /// What it has asked for of late, in lines.
    pub(super) fn recent_use(&mut self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.used.1).as_secs_f64();
        self.used = (self.used.0 * (-passed / MEMORY).exp(), now);
        self.used.0
    }

    /// Whether that is little.
    pub(super) fn is_modest(&mut self, now: Instant) -> bool {
        self.recent_use(now) < MODEST
    }

    /// Whether it has been here for so long that what it has asked for of late says something of it.
    pub(super) fn has_stayed(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.came).as_secs_f64() >= MEMORY
    }

    /// Counts work by what it cost.
    pub(super) fn pay(&mut self, tokens: f64) {
        self.bucket.spend(tokens);
        self.used.0 += tokens;
    }

    /// The next line, if one has come.
    pub(super) fn next_line(&mut self) -> Option<Vec<u8>> {
        if !self.lines.has_line() && self.readable {
            self.read();
        }
        if self.lines.is_too_long() {
            return None;
        }
        let line = self.lines.take()?;
        self.pay(1.0);
        self.lines_after_going += usize::from(self.gone);
        Some(line)
    }

    pub(super) fn is_too_long(&mut self) -> bool {
        self.lines.is_too_long()
    }

    fn read(&mut self) {
        let mut piece = [0; PIECE];
        match self.stream.read(&mut piece) {
            Ok(0) => {
                self.ended = true;
                self.readable = false;
            }
            Ok(count) => {
                self.pay(count as f64 / BYTES_A_TOKEN);
                self.lines.push(&piece[..count]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                self.readable = false;
                self.dead |= error.kind() != ErrorKind::WouldBlock;
            }
        }
    }

    /// Counts a line that was no request, or one that was.
    pub(super) fn judge(&mut self, is_garbage: bool, now: Instant) {
        self.heard = now;
        self.garbage = if is_garbage { self.garbage + 1 } else { 0 };
        if self.garbage >= MOST_GARBAGE {
            self.close();
        }
    }

    /// Sends what it can of what waits, then no more.
    pub(super) fn close(&mut self) {
        self.flush();
        self.dead = true;
    }

    pub(super) fn send(&mut self, text: &str) {
        self.push(Arc::from(format!("{text}\n")), false);
    }

    /// Queues a line, which ends in a newline.
    pub(super) fn push(&mut self, line: Arc<str>, is_progress: bool) {
        if self.dead || self.gone {
            return;
        }
        if is_progress {
            let newest = self.taken + self.outgoing.len() as u64;
            // The first line may be half sent.
            let first = self.taken + u64::from(self.sent > 0);
            let older = self.progress.replace(newest).filter(|&older| older >= first);
            if let Some(older) = older.and_then(|older| self.outgoing.get_mut((older - self.taken) as usize)) {
                self.outgoing_bytes -= older.len();
                *older = Arc::from("");
            }
        }
        self.outgoing_bytes += line.len() + LINE_OVERHEAD;
        self.outgoing.push_back(line);
        self.dead |= self.outgoing_bytes > MOST_OUTGOING;
    }

    /// Sends a portion of what waits, if it can be sent now.
    pub(super) fn flush(&mut self) {
        if self.writable && !self.outgoing.is_empty() {
            let sent = self.sent;
            let slices: Vec<_> = self
                .outgoing
                .iter()
                .take(MOST_SLICES)
                .enumerate()
                .map(|(index, line)| IoSlice::new(&line.as_bytes()[if index == 0 { sent } else { 0 }..]))
                .collect();
            let written = self.stream.write_vectored(&slices);
            match written {
                Ok(count) => {
                    self.stuck = None;
                    self.forget(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.writable = false;
                    self.stuck.get_or_insert_with(Instant::now);
                }
                Err(_) => self.gone = true,
            }
        }
        if self.gone {
            self.taken += self.outgoing.len() as u64;
            self.outgoing.clear();
            self.outgoing_bytes = 0;
            self.sent = 0;
        }
    }

    /// So many more bytes are sent.
    fn forget(&mut self, mut count: usize) {
        while let Some(first) = self.outgoing.front() {
            let left = first.len() - self.sent;
            if count < left {
                self.sent += count;
                return;
            }
            count -= left;
            self.sent = 0;
            self.outgoing_bytes -= first.len() + LINE_OVERHEAD;
            self.outgoing.pop_front();
            self.taken += 1;
        }
    }

    /// Since when nothing has been heard of it: not by what it asks, nor by what it reads. `None`: something is still to
    /// come of it.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        let waits = self.subscription.is_some() || !self.pending.is_empty();
        if waits {
            self.stuck
        } else {
            Some(self.heard)
        }
    }

    /// Whether nothing can come of it any more.
    pub(super) fn is_done(&mut self) -> bool {
        let heard_all = self.ended && !self.lines.has_line();
        let told_all = self.pending.is_empty() && self.outgoing.is_empty() && self.subscription.is_none();
        self.dead || (self.gone && (heard_all || self.lines_after_going > MOST_PENDING)) || (heard_all && told_all)
    }

    pub(super) fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether something waits that can be sent.
    pub(super) fn can_send(&self) -> bool {
        self.writable && self.has_outgoing() && !self.dead
    }

    pub(super) fn incoming_size(&self) -> usize {
        self.lines.size()
    }

    pub(super) fn outgoing_size(&self) -> usize {
        self.outgoing_bytes
    }
}
