//! Memory for checkpoints: what is kept from save to save, and what is gathered in it.

use super::layout::{Layout, Source};
use crate::core::status::{Error, Result, Status};
use crate::core::sync::Mutex;
use crate::sys::pages::Pages;
use std::ops::Range;

/// The segments of the last copy: warm memory is copied to at three times the speed of new.
pub(crate) struct Keep(Mutex<Vec<Pages>>);

impl Keep {
    pub(crate) fn new() -> Keep {
        Keep(Mutex::new(Vec::new()))
    }

    /// Room for so many bytes, in segments of this length, or one as short as it may be.
    pub(crate) fn take(&self, bytes: u64, segment: usize) -> Result<Vec<Pages>> {
        let count = bytes.div_ceil(segment as u64) as usize;
        let length = bytes.min(segment as u64) as usize;
        let mut taken: Vec<_> = {
            let mut kept = self.0.lock();
            kept.retain(|pages| pages.len() >= length);
            let from = kept.len().saturating_sub(count);
            let taken = kept.drain(from..).collect();
            // Much more than is needed is not kept for good.
            kept.truncate(3 * count);
            taken
        };
        while taken.len() < count {
            taken.push(pages(length)?);
        }
        Ok(taken)
    }

    pub(crate) fn give_back(&self, pages: Pages) {
        self.0.lock().push(pages);
    }
}

/// New memory.
pub(crate) fn pages(bytes: usize) -> Result<Pages> {
    let told = |error| Error::new(Status::NoMemory, format!("no memory for {bytes} bytes of a checkpoint: {error}"));
    Pages::new(bytes).map_err(told)
}

/// Reads parts of the file from the memory of the entries.
pub(crate) struct Gather<'a> {
    ranges: Vec<Range<u64>>,
    /// In the order of the file.
    sources: Vec<&'a dyn Source>,
}

impl<'a> Gather<'a> {
    pub(crate) fn new(layout: &Layout, given: &[&'a dyn Source]) -> Gather<'a> {
        assert_eq!(given.len(), layout.places.len(), "one source for each entry");
        let mut sources: Vec<_> = given.iter().zip(&layout.places).collect();
        sources.sort_by_key(|(_, &place)| place);
        Gather { ranges: layout.ranges.clone(), sources: sources.into_iter().map(|(&source, _)| source).collect() }
    }

    /// Reads what will stand in the file from byte `at` on.
    pub(crate) fn copy(&self, at: u64, into: &mut [u8]) {
        let end = at + into.len() as u64;
        let first = self.ranges.partition_point(|range| range.end <= at);
        let touched = self.ranges.iter().zip(&self.sources).skip(first).take_while(|(range, _)| range.start < end);
        for (range, source) in touched {
            let (from, to) = (range.start.max(at), range.end.min(end));
            source.read(from - range.start, &mut into[(from - at) as usize..(to - at) as usize]);
        }
    }
}
