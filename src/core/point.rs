//! A ready point: rounds of serving what is asked, and the halt of a pause.

use super::attention::{asked_in, Attention, EDGES, PAUSE};
use super::status::Status;

/// How many requests one ready point serves before it lets the loop go on, and how many rounds it takes: a flood of
/// requests, signals or events must not hold it. What is left keeps attention up for the next ready point.
pub(crate) const MOST_REQUESTS: usize = 256;
const MOST_ROUNDS: usize = 8;

/// What a ready point works for.
pub(crate) trait Computation {
    /// Does what these edges ask for, and takes from `room` one for each request.
    fn serve(&mut self, edges: u32, room: &mut usize);
    /// Why the loop must end; `Ok`: it need not.
    fn verdict(&mut self, control: u32) -> Status;
    /// Whether it can be halted now.
    fn can_halt(&self) -> bool;
    /// Whether its other threads, if it has any, stand still. When they do, they say so by [`Attention::nudge`].
    fn others_stand_still(&self) -> bool {
        true
    }
    /// It is halted.
    fn halted(&mut self);
    /// It goes on.
    fn goes_on(&mut self);
}

/// Serves what is asked; stays while there is a pause; returns why the loop must end. Computation thread.
pub(crate) fn pass(attention: &Attention<'_>, computation: &mut impl Computation) -> Status {
    let mut halted = false;
    let mut room = MOST_REQUESTS;
    let mut rounds = MOST_ROUNDS;
    let verdict = loop {
        computation.serve(attention.take_edges(), &mut room);
        rounds = rounds.saturating_sub(1);
        let control = attention.control();
        if halted {
            // There is no loop to hold up.
            (room, rounds) = (MOST_REQUESTS, MOST_ROUNDS);
        }
        if control & EDGES != 0 && room > 0 && rounds > 0 {
            continue;
        }
        let verdict = computation.verdict(control);
        if verdict == Status::Ok && control & PAUSE != 0 && computation.can_halt() {
            if halted || !computation.others_stand_still() {
                let word = attention.watch();
                // Not if anything has changed since it was looked at.
                if asked_in(word) == control && (halted || !computation.others_stand_still()) {
                    attention.sleep(word);
                }
            } else {
                halted = true;
                attention.set_halted(true);
                computation.halted();
            }
        } else if halted {
            halted = false;
            attention.set_halted(false);
            computation.goes_on();
        } else {
            break verdict;
        }
    };
    attention.settle();
    verdict
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::super::attention::{Signal, CHECKPOINT, MAIL};
    use super::super::sync::{AtomicU64, Futex};
    use super::*;

    /// Requests that wait, and a sender of signals that never stops.
    struct Flooded<'a> {
        attention: Attention<'a>,
        waiting: usize,
        signals: bool,
        served: usize,
    }

    impl Computation for Flooded<'_> {
        fn serve(&mut self, edges: u32, room: &mut usize) {
            if edges & MAIL != 0 {
                let now = self.waiting.min(*room);
                (self.waiting, *room, self.served) = (self.waiting - now, *room - now, self.served + now);
                match self.waiting {
                    0 => drop(self.attention.signal(Signal::Resume)),
                    _ => self.attention.raise(MAIL),
                }
            }
            if edges & CHECKPOINT != 0 && self.signals {
                self.attention.signal(Signal::Checkpoint);
            }
        }
        fn verdict(&mut self, _control: u32) -> Status {
            Status::Ok
        }
        fn can_halt(&self) -> bool {
            true
        }
        fn halted(&mut self) {}
        fn goes_on(&mut self) {}
    }

    fn flooded(pauses: bool, waiting: usize, signals: bool) -> usize {
        let (word, control) = (AtomicU64::new(1 << 63), Futex::new(0));
        let attention = Attention { word: &word, control: &control };
        attention.begin();
        if pauses {
            attention.signal(Signal::Pause);
        }
        if signals {
            attention.signal(Signal::Checkpoint);
        }
        let mut computation = Flooded { attention, waiting, signals, served: 0 };
        pass(&attention, &mut computation);
        computation.served
    }

    #[test]
    fn a_flood_does_not_hold_the_loop() {
        assert_eq!(flooded(false, 3 * MOST_REQUESTS, false), MOST_REQUESTS);
        assert_eq!(flooded(false, 1, true), 1);
    }

    #[test]
    fn a_halted_computation_serves_all_that_waits() {
        assert_eq!(flooded(true, 3 * MOST_REQUESTS, false), 3 * MOST_REQUESTS);
    }
}
