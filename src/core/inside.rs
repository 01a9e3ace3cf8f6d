//! Whose functions a thread is inside of, and who waits for whom to leave them.
//!
//! To free an imap waits for the threads inside its functions. An item of one imap may free another; but when an item of
//! the other frees the first one at that moment, each would wait for the other. So whoever is about to wait leaves a note
//! from every imap that his thread is inside of to the one that he waits for, and is refused when the notes make a ring.

use super::status::{Error, Result, Status};
use super::sync::Mutex;
use std::cell::RefCell;

/// An imap, by its address.
type Id = usize;

thread_local! {
    static INSIDE: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

static WAITS: Mutex<Vec<(Id, Id)>> = Mutex::new(Vec::new());

/// The calling thread is inside the functions of an imap until it is dropped.
pub(crate) struct Inside;

impl Inside {
    pub(crate) fn of(id: Id) -> Inside {
        INSIDE.with(|inside| inside.borrow_mut().push(id));
        Inside
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.borrow_mut().pop());
    }
}

/// The calling thread is about to wait until nobody is inside an imap, or does so, until it is dropped.
pub(crate) struct Wait(Vec<(Id, Id)>);

impl Wait {
    pub(crate) fn new(id: Id) -> Result<Wait> {
        let inside = INSIDE.try_with(|inside| inside.borrow().clone()).unwrap_or_default();
        if inside.contains(&id) {
            return Err(Error::new(Status::Reentrant, "not from inside a function of this imap"));
        }
        let mut waits = WAITS.lock();
        if inside.iter().any(|&one| leads(&waits, id, one)) {
            let text = "an item of this imap is freeing the imap that this thread is inside of";
            return Err(Error::new(Status::Reentrant, text));
        }
        let notes: Vec<_> = inside.into_iter().map(|one| (one, id)).collect();
        waits.extend(&notes);
        Ok(Wait(notes))
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut waits = WAITS.lock();
        for note in &self.0 {
            if let Some(at) = waits.iter().position(|other| other == note) {
                waits.swap_remove(at);
            }
        }
        if waits.is_empty() {
            // Its memory is not kept for nothing.
            *waits = Vec::new();
        }
    }
}

/// Whether the notes lead from one to the other. They make no ring.
fn leads(waits: &[(Id, Id)], from: Id, to: Id) -> bool {
    from == to || waits.iter().any(|&(one, next)| one == from && leads(waits, next, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_of_waits_is_refused_and_a_chain_is_not() {
        let in_one = Inside::of(1);
        assert!(Wait::new(1).is_err());
        let one_for_two = Wait::new(2).unwrap();
        let others = std::thread::spawn(|| {
            let _in_two = Inside::of(2);
            let two_for_three = Wait::new(3).unwrap();
            let refused = std::thread::spawn(|| {
                let _in_three = Inside::of(3);
                (Wait::new(1).is_err(), Wait::new(4).is_ok())
            });
            assert_eq!(refused.join().unwrap(), (true, true));
            drop(two_for_three);
            Wait::new(1).is_err()
        });
        assert!(others.join().unwrap());
        drop(one_for_two);
        drop(in_one);
        let _in_two = Inside::of(2);
        assert!(Wait::new(1).is_ok());
    }
}
