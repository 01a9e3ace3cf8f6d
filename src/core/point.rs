//! A ready point: rounds of serving what is asked, and the halt of a pause.

use super::attention::{Attention, EDGES, PAUSE};
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
            if halted {
                // Not if anything has changed since it was looked at.
                attention.sleep(control);
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
