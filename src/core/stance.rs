//! Whether the threads of a map stand still.
//!
//! A request, or a checkpoint in the middle of a map, is served by the computation thread while no other thread is
//! inside an item: the job's memory is consistent then. `moving` counts the threads that may be inside one.
//!
//! # The race
//!
//! A thread counts itself in, and then looks whether it is to stand; who wants it to stand asks for that (by `held`, or
//! by a pause in the control word), and then looks who moves. Both touch `moving` by a read-modify-write, so one comes
//! after the other: either the one who asks finds the thread counted, or the thread, counting itself in, sees all that
//! was done before the look, and so what it is asked for. A plain load would be early; the loom models
//! `who_holds_is_alone_with_the_memory` and `a_halted_map_has_no_item_in_hand` show it.

use super::attention::{asked_in, Attention};
use super::sync::{AtomicBool, AtomicU32, Ordering};

pub(crate) struct Stance {
    held: AtomicBool,
    moving: AtomicU32,
}

impl Stance {
    pub(crate) fn new() -> Stance {
        Stance { held: AtomicBool::new(false), moving: AtomicU32::new(0) }
    }

    /// The calling thread may be inside an item from here on; it must look first whether it is to [`Stance::stand`].
    pub(crate) fn start_moving(&self) {
        // AcqRel: see the race above.
        self.moving.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn stop_moving(&self, attention: &Attention<'_>) {
        // Release: what the items wrote is seen by the one who finds that nobody moves.
        self.moving.fetch_sub(1, Ordering::Release);
        attention.nudge();
    }

    pub(crate) fn is_held(&self) -> bool {
        // Acquire: what was done while it was held is seen after it.
        self.held.load(Ordering::Acquire)
    }

    /// Whether no thread is inside an item.
    pub(crate) fn is_still(&self) -> bool {
        // A read-modify-write, because it must not be early: see the race above.
        self.moving.fetch_add(0, Ordering::AcqRel) == 0
    }

    /// Stands still while the control word asks for it. A thread that was counted in is counted out meanwhile.
    pub(crate) fn stand(&self, attention: &Attention<'_>, counted: bool, is_asked_to: impl Fn(u32) -> bool) {
        while is_asked_to(attention.control()) {
            if counted {
                self.stop_moving(attention);
            }
            loop {
                let word = attention.watch();
                if !is_asked_to(asked_in(word)) {
                    break;
                }
                attention.sleep(word);
            }
            if !counted {
                return;
            }
            // Then it looks again: it may be asked anew.
            self.start_moving();
        }
    }

    /// Until it is dropped, no other thread is inside an item. Computation thread, not inside one itself.
    pub(crate) fn hold<'a>(&'a self, attention: Attention<'a>) -> Held<'a> {
        self.held.store(true, Ordering::Relaxed);
        loop {
            let word = attention.watch();
            if self.is_still() {
                return Held { stance: self, attention };
            }
            attention.sleep(word);
        }
    }
}

/// See [`Stance::hold`].
pub(crate) struct Held<'a> {
    stance: &'a Stance,
    attention: Attention<'a>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Release: see `is_held`.
        self.stance.held.store(false, Ordering::Release);
        self.attention.nudge();
    }
}
