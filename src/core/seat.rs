//! Where the calling thread sits in the maps that are going on.

use std::cell::Cell;

#[derive(Clone, Copy)]
pub(crate) struct Seat {
    /// The handler whose map it is; 0: none.
    pub(crate) handle: u64,
    /// How many maps of that handler the thread is inside an item of. 0: none, between items, or in a callback.
    pub(crate) depth: u32,
    /// 0 is the computation thread, the workers follow.
    pub(crate) index: u32,
    /// What the start hook returned.
    pub(crate) local: usize,
}

const NOWHERE: Seat = Seat { handle: 0, depth: 0, index: 0, local: 0 };

thread_local!(static SEAT: Cell<Seat> = const { Cell::new(NOWHERE) });

/// The seat of the calling thread.
pub(crate) fn current() -> Seat {
    SEAT.try_with(Cell::get).unwrap_or(NOWHERE)
}

/// Whether the calling thread is inside an item of a map of this handler.
pub(crate) fn is_in_item_of(handle: u64) -> bool {
    let seat = current();
    seat.handle == handle && seat.depth > 0
}

/// The calling thread sits there until it is dropped; then where it sat before.
pub(crate) struct Taken(Seat);

pub(crate) fn take(seat: Seat) -> Taken {
    Taken(SEAT.try_with(|place| place.replace(seat)).unwrap_or(NOWHERE))
}

/// Nowhere, as far as maps go: for callbacks of a ready point.
pub(crate) fn leave() -> Taken {
    take(NOWHERE)
}

impl Drop for Taken {
    fn drop(&mut self) {
        let _ = SEAT.try_with(|place| place.set(self.0));
    }
}
