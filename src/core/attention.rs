//! The attention word, and the requests behind it.
//!
//! Two words are shared between the computation thread and everybody else:
//!
//! - the *attention word*: the handle itself while nothing is pending, the handle with [`ATTENTION`] set otherwise.
//!   `park_ready` compares it with the handle that it was called with, so one load and one compare check the
//!   handle and find out that nothing is pending.
//! - the *control word*: what is asked for. Levels stay until they are withdrawn or the run ends (pause, abort,
//!   stop); edges are taken by the computation thread (mail, events to deliver, timers that are due).
//!
//! # The race that matters
//!
//! Who asks changes the control word first and then raises attention; who serves lowers attention first and then
//! looks at the control word. If the one who serves misses a change, that change's raise comes after the lowering
//! and stays. Needed for it: the raise is a Release and the lowering an Acquire on the attention word. With either
//! weakened, a request could wait for ever in a loop that calls ready all the time; the loom model
//! `attention_is_never_lost` shows it.
//!
//! A computation thread that is halted sleeps on the control word itself, so that `park_signal` needs nothing but
//! atomics and one futex call: it is async-signal-safe.

use super::status::Status;
use super::sync::{AtomicU64, Futex, Ordering};
use std::time::Instant;

/// Set in the attention word while a ready point has something to do.
pub(crate) const ATTENTION: u64 = 1 << 62;

/// Which part of its life the handler is in.
const PHASE: u32 = 0b11;
// 0 is idle: nothing has run yet.
const PHASE_RUNNING: u32 = 1;
const PHASE_ENDED: u32 = 2;

// Levels.
pub(crate) const PAUSE: u32 = 1 << 2;
pub(crate) const ABORT: u32 = 1 << 3;
pub(crate) const STOP: u32 = 1 << 4;
/// A delta is 0: every ready point has something to do.
pub(crate) const EVERY_PROGRESS: u32 = 1 << 5;
pub(crate) const EVERY_CHECKPOINT: u32 = 1 << 6;
/// The computation thread is halted by a pause. Set and cleared by that thread alone.
pub(crate) const HALTED: u32 = 1 << 7;
/// Somebody sleeps on the control word: a halted computation thread, or threads of a map. Whoever changes the word
/// takes the bit away and wakes them all.
const WATCHED: u32 = 1 << 14;

// Edges.
pub(crate) const CHECKPOINT: u32 = 1 << 8;
pub(crate) const MAIL: u32 = 1 << 9;
pub(crate) const DELIVER: u32 = 1 << 10;
pub(crate) const PROGRESS: u32 = 1 << 11;

/// The time since the last checkpoint is up.
pub(crate) const CHECKPOINT_TIME: u32 = 1 << 12;
/// Somebody wants to know whether the loop still comes by: there is nothing to do but to come.
pub(crate) const LOOK: u32 = 1 << 13;

/// All that is asked for, and the phase.
const ASKED: u32 = WATCHED - 1;
/// What is left of the word counts how often sleepers were woken. Without it a word could look untouched to one who is about
/// to sleep: one nudge took WATCHED away, and the next sleeper set it again.
const ONE_WAKING: u32 = WATCHED << 1;

pub(crate) const EDGES: u32 = CHECKPOINT | MAIL | DELIVER | PROGRESS | CHECKPOINT_TIME | LOOK;
pub(crate) const LEVELS: u32 = PAUSE | ABORT | STOP | EVERY_PROGRESS | EVERY_CHECKPOINT;

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub(crate) enum Signal {
    Pause = 1,
    Resume = 2,
    Abort = 3,
    Checkpoint = 4,
    Stop = 5,
}

impl Signal {
    pub(crate) const ALL: [Signal; 5] =
        [Signal::Pause, Signal::Resume, Signal::Abort, Signal::Checkpoint, Signal::Stop];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Signal::Pause => "pause",
            Signal::Resume => "resume",
            Signal::Abort => "abort",
            Signal::Checkpoint => "checkpoint",
            Signal::Stop => "stop",
        }
    }

    /// The control word after this signal. Abort and stop let a halted computation go on, to its end.
    fn applied_to(self, control: u32) -> u32 {
        match self {
            Signal::Pause => control | PAUSE,
            Signal::Resume => control & !PAUSE,
            Signal::Abort => (control | ABORT) & !PAUSE,
            Signal::Checkpoint => control | CHECKPOINT,
            Signal::Stop => (control | STOP) & !PAUSE,
        }
    }
}

/// One handler's two words.
#[derive(Clone, Copy)]
pub(crate) struct Attention<'a> {
    pub(crate) word: &'a AtomicU64,
    pub(crate) control: &'a Futex,
}

impl Attention<'_> {
    pub(crate) fn control(&self) -> u32 {
        // Acquire: what was prepared before a bit was set is seen with it.
        asked_in(self.control.load(Ordering::Acquire))
    }

    fn raise_attention(&self) {
        // Release: pairs with the Acquire in `settle`; see the race above.
        self.word.fetch_or(ATTENTION, Ordering::Release);
    }

    /// Changes the control word, raises attention, and wakes whoever sleeps on it.
    /// `None` from `change` leaves all as it is. Returns whether there was a change.
    fn change(&self, change: impl Fn(u32) -> Option<u32>) -> bool {
        // Release: what the caller prepared is seen by the thread that finds the bits. Nothing is read by them here.
        let change = |word| change(asked_in(word)).map(|changed| changed | woken(word));
        match self.control.fetch_update(Ordering::Release, Ordering::Relaxed, change) {
            Err(_) => false,
            Ok(before) => {
                self.raise_attention();
                if before & WATCHED != 0 {
                    self.control.wake_all();
                }
                true
            }
        }
    }

    /// Says that the caller is about to sleep on the control word, and returns it. What else is to end the sleep must be
    /// looked at after this, and whoever brings it about must call [`Attention::nudge`] after.
    pub(crate) fn watch(&self) -> u32 {
        // Acquire: pairs with `nudge`.
        self.control.fetch_or(WATCHED, Ordering::Acquire) | WATCHED
    }

    /// Wakes those who sleep on the control word: what one of them waits for may have come.
    pub(crate) fn nudge(&self) {
        // Release: who comes to sleep too late for it sees what was done before.
        let wake = |word| Some(asked_in(word) | woken(word));
        let before = self.control.fetch_update(Ordering::Release, Ordering::Relaxed, wake);
        if before.is_ok_and(|before| before & WATCHED != 0) {
            self.control.wake_all();
        }
    }

    /// Asks for something. Async-signal-safe. After the end of the run: `Expired`.
    pub(crate) fn signal(&self, signal: Signal) -> Status {
        let sent = self.change(|control| (control & PHASE != PHASE_ENDED).then(|| signal.applied_to(control)));
        if sent {
            Status::Ok
        } else {
            Status::Expired
        }
    }

    /// Sets bits, edges or levels.
    pub(crate) fn raise(&self, bits: u32) {
        self.change(|control| Some(control | bits));
    }

    /// Clears a level.
    pub(crate) fn withdraw(&self, bits: u32) {
        self.change(|control| Some(control & !bits));
    }

    /// Takes the edges that are up. Computation thread.
    pub(crate) fn take_edges(&self) -> u32 {
        // Acquire: what the raisers prepared is seen from here on.
        self.control.fetch_and(!EDGES, Ordering::Acquire)
    }

    /// Lowers attention unless something is pending. Returns what the control word holds. Computation thread.
    pub(crate) fn settle(&self) -> u32 {
        // Acquire: pairs with the Release of a raise that came before; see the race above.
        self.word.fetch_and(!ATTENTION, Ordering::Acquire);
        let control = self.control();
        if control & (EDGES | LEVELS) != 0 || control & PHASE != PHASE_RUNNING {
            self.raise_attention();
        }
        control
    }

    /// Begins a run: what was asked of a handler that was idle counts, what was left of an earlier run does not.
    /// The first ready point looks into the inbox and the queues in any case. Does nothing to a run that has begun.
    pub(crate) fn begin(&self) {
        self.change(|control| {
            let kept = match control & PHASE {
                PHASE_ENDED => control & (EVERY_PROGRESS | EVERY_CHECKPOINT),
                _ => control & !PHASE,
            };
            Some(kept | MAIL | DELIVER | PHASE_RUNNING)
        });
    }

    /// Takes back the begin of a run that could not be: whether anything has run is as it was before.
    pub(crate) fn take_back_begin(&self, has_ended_before: bool) {
        let phase = if has_ended_before { PHASE_ENDED } else { 0 };
        self.change(|control| Some(control & !PHASE | phase));
    }

    /// Ends a run: from now on every signal is refused, and every ready point says so.
    pub(crate) fn end(&self) {
        self.change(|control| Some((control & (EVERY_PROGRESS | EVERY_CHECKPOINT)) | PHASE_ENDED));
    }

    /// Says that the computation thread is halted, or goes on.
    pub(crate) fn set_halted(&self, halted: bool) {
        // Nobody sleeps on it but this thread, so nobody is woken.
        if halted {
            // Release: who finds it halted finds what it did before.
            self.control.fetch_or(HALTED, Ordering::Release);
        } else {
            // Relaxed: it says nothing but itself.
            self.control.fetch_and(!HALTED, Ordering::Relaxed);
        }
    }

    /// Sleeps until the control word is no longer `seen`, which [`Attention::watch`] returned. May return early.
    pub(crate) fn sleep(&self, seen: u32) {
        self.control.wait(seen, None);
    }

    /// As [`Attention::sleep`], at most until the deadline.
    pub(crate) fn sleep_until(&self, seen: u32, deadline: Option<Instant>) {
        self.control.wait(seen, deadline.map(|at| at.saturating_duration_since(Instant::now())));
    }
}

/// What is asked for, in the control word: in one that [`Attention::watch`] returned, say.
pub(crate) fn asked_in(watched: u32) -> u32 {
    watched & ASKED
}

/// The rest of the word when those who sleep on it are woken.
fn woken(word: u32) -> u32 {
    let count = word & !(ASKED | WATCHED);
    if word & WATCHED != 0 {
        count.wrapping_add(ONE_WAKING)
    } else {
        count
    }
}

/// Whether the control word is that of a running computation.
pub(crate) fn is_running(control: u32) -> bool {
    control & PHASE == PHASE_RUNNING
}

/// Whether the computation thread is halted by a pause.
pub(crate) fn is_halted(control: u32) -> bool {
    control & HALTED != 0
}

/// Whether the run that the control word speaks of is over.
pub(crate) fn has_ended(control: u32) -> bool {
    control & PHASE == PHASE_ENDED
}
