//! The table of attention words: what a handle is, and how it is checked.
//!
//! A handle is not an address but a number that C carries as a pointer: bit 63 set (no address of a user program
//! has it), bit 62 clear (it is [`ATTENTION`]'s), then a generation, and in the lowest 16 bits the index of its row
//! in one static array. A freed or foreign handle differs from the word that its row holds, so no memory that is
//! not park's is ever touched, and the check is the same compare that finds out whether anything is pending.
//!
//! The index addresses words, not rows: that saves the loop an instruction. A row is sixteen words (two cache lines,
//! which processors fetch in pairs), so the lowest four bits of a true handle are 0. A false handle may meet a word
//! inside a row; to pass it would have to equal that word.

use super::attention::{Attention, ATTENTION};
use super::handler::Handler;
use super::sync::{Arc, AtomicU64, Futex, Mutex, Ordering};

const WORDS_PER_ROW: usize = 16;
const WORDS: usize = 1 << 16;
/// How many handlers can live at once. Row 0 is NULL's.
pub(crate) const MOST_HANDLERS: usize = WORDS / WORDS_PER_ROW - 1;

const MARK: u64 = 1 << 63;
const GENERATION: u64 = (1 << 46) - 1;
/// What the word of a row holds that is being prepared. Not a handle: bit 63 is clear.
const CLAIMED: u64 = 1;

// The words behind the attention word in a row.
const DONE: usize = 1;
const TOTAL: usize = 2;
/// The progress that was shown last: what a progress that is no number is replaced by.
const SHOWN: usize = 3;

static WORD: [AtomicU64; WORDS + WORDS_PER_ROW] = [const { AtomicU64::new(0) }; WORDS + WORDS_PER_ROW];
static CONTROL: [Futex; WORDS / WORDS_PER_ROW] = [const { Futex::new(0) }; WORDS / WORDS_PER_ROW];
static HANDLER: [Mutex<Option<Arc<Handler>>>; WORDS / WORDS_PER_ROW] =
    [const { Mutex::new(None) }; WORDS / WORDS_PER_ROW];

/// Makes the row of NULL unlike NULL. To be called when the library is loaded.
pub(crate) fn prepare() {
    WORD[0].store(CLAIMED, Ordering::Relaxed);
}

/// `park_ready`'s question: is this a live handle for which nothing is pending?
#[inline(always)]
pub(crate) fn nothing_pending(handle: u64) -> bool {
    // Relaxed: "nothing" hands over no data. A raise becomes visible here in the time a store takes.
    crate::sys::holds(&WORD, handle as u16, handle)
}

/// What became of a progress.
pub(crate) enum Stored {
    Well,
    /// Something is pending, or the handle is no live one: nothing was stored.
    NotYet,
    /// A number is not finite: [`Row::take_progress_back`] is to be called.
    NotFinite,
}

/// `park_progress`: two plain stores, when nothing is pending.
#[inline(always)]
pub(crate) fn store_progress(handle: u64, done: f64, total: f64) -> Stored {
    if !nothing_pending(handle) {
        return Stored::NotYet;
    }
    // Relaxed: a reader may see one number without the other; the next sample mends it. Stored before they are
    // tested: so they need not be kept meanwhile, which saves the loop an instruction.
    let index = handle as u16 as usize;
    WORD[index + DONE].store(done.to_bits(), Ordering::Relaxed);
    WORD[index + TOTAL].store(total.to_bits(), Ordering::Relaxed);
    let sum = done + total;
    // A number that is not finite makes the sum so, and the difference NaN: one test for both.
    #[allow(clippy::eq_op)]
    let difference = sum - sum;
    if difference.is_nan() {
        return Stored::NotFinite;
    }
    Stored::Well
}

/// A row of the table that belongs to one handler until it is dropped.
pub(crate) struct Row {
    handle: u64,
}

impl Row {
    /// Claims a free row. `None`: all are taken.
    pub(crate) fn claim() -> Option<Row> {
        static GENERATIONS: AtomicU64 = AtomicU64::new(1);
        for (row, control) in CONTROL.iter().enumerate().skip(1) {
            let index = row * WORDS_PER_ROW;
            // A signal that came too late may have left its mark on a free row.
            let free = WORD[index].load(Ordering::Relaxed);
            // Acquire and Release: the one who freed the row is done with it.
            if free & !ATTENTION == 0
                && WORD[index].compare_exchange(free, CLAIMED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            {
                // Relaxed: only uniqueness matters.
                let generation = GENERATIONS.fetch_add(1, Ordering::Relaxed) & GENERATION;
                let handle = MARK | generation << 16 | index as u64;
                control.store(0, Ordering::Relaxed);
                let row = Row { handle };
                row.note_shown((0.0, 0.0));
                row.take_progress_back();
                return Some(row);
            }
        }
        None
    }

    pub(crate) fn handle(&self) -> u64 {
        self.handle
    }

    fn number(&self) -> usize {
        row_of(self.handle)
    }

    pub(crate) fn attention(&self) -> Attention<'static> {
        attention_of(self.handle)
    }

    fn read_progress(&self, first: usize) -> (f64, f64) {
        let index = self.handle as u16 as usize + first;
        let read = |index: usize| f64::from_bits(WORD[index].load(Ordering::Relaxed));
        (read(index), read(index + 1))
    }

    /// The progress that was stored last: done, total. Numbers that are about to be taken back are not seen.
    pub(crate) fn progress(&self) -> (f64, f64) {
        match self.read_progress(DONE) {
            (done, total) if done.is_finite() && total.is_finite() => (done, total),
            _ => self.read_progress(SHOWN),
        }
    }

    fn write_progress(&self, first: usize, (done, total): (f64, f64)) {
        let index = self.handle as u16 as usize + first;
        WORD[index].store(done.to_bits(), Ordering::Relaxed);
        WORD[index + 1].store(total.to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn store_progress(&self, done: f64, total: f64) {
        self.write_progress(DONE, (done, total));
    }

    /// Stores how much is done, unless more is stored already.
    pub(crate) fn raise_progress(&self, done: f64) {
        // The bits of numbers from 0 on are in the numbers' order.
        WORD[self.handle as u16 as usize + DONE].fetch_max(done.to_bits(), Ordering::Relaxed);
    }

    /// Keeps what was just shown.
    pub(crate) fn note_shown(&self, shown: (f64, f64)) {
        self.write_progress(SHOWN, shown);
    }

    /// Puts back what was shown last, in place of numbers that were not finite; returns those.
    pub(crate) fn take_progress_back(&self) -> (f64, f64) {
        let refused = self.read_progress(DONE);
        self.write_progress(DONE, self.read_progress(SHOWN));
        refused
    }

    /// Lets the handle be found.
    pub(crate) fn publish(&self, handler: &Arc<Handler>) {
        *HANDLER[self.number()].lock() = Some(handler.clone());
        // Release: the handler is whole before its handle can be met.
        WORD[self.handle as u16 as usize].store(self.handle | ATTENTION, Ordering::Release);
    }

    /// From now on the handle is a freed one.
    pub(crate) fn withdraw(&self) {
        let found = HANDLER[self.number()].lock().take();
        WORD[self.handle as u16 as usize].store(CLAIMED, Ordering::Release);
        drop(found);
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        // Release: whoever claims the row next finds it as this handler left it.
        WORD[self.handle as u16 as usize].store(0, Ordering::Release);
    }
}

fn row_of(handle: u64) -> usize {
    handle as u16 as usize / WORDS_PER_ROW
}

fn attention_of(handle: u64) -> Attention<'static> {
    Attention { word: &WORD[handle as u16 as usize], control: &CONTROL[row_of(handle)] }
}

fn is_live(handle: u64) -> bool {
    handle & MARK != 0
        && handle & ATTENTION == 0
        && (handle as usize).is_multiple_of(WORDS_PER_ROW)
        && WORD[handle as u16 as usize].load(Ordering::Acquire) & !ATTENTION == handle
}

/// The words of a live handle, without a lock: for a POSIX signal handler.
pub(crate) fn find_attention(handle: u64) -> Option<Attention<'static>> {
    is_live(handle).then(|| attention_of(handle))
}

/// The handler of a live handle.
pub(crate) fn find(handle: u64) -> Option<Arc<Handler>> {
    if !is_live(handle) {
        return None;
    }
    // The row may have changed hands since: the handler knows its own handle.
    HANDLER[row_of(handle)].lock().as_ref().filter(|handler| handler.handle() == handle).cloned()
}

/// Makes every ready point of every handler look up: in a forked child. Async-signal-safe.
pub(crate) fn raise_all() {
    for row in 1..=MOST_HANDLERS {
        let word = &WORD[row * WORDS_PER_ROW];
        if word.load(Ordering::Relaxed) != 0 {
            word.fetch_or(ATTENTION, Ordering::Relaxed);
        }
    }
}
