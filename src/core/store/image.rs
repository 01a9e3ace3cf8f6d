//! The image of a file in memory: laid out as the file will be, in a buffer that is kept from save to save.

use super::layout::{Layout, Source};
use super::vault::Plan;
use crate::core::status::{Error, Result, Status};
use crate::core::sync::Mutex;
use crate::sys::pages::Pages;
use std::ops::Range;
use std::sync::Arc;

/// How much one thread copies at a time, when several do.
const SHARE: usize = 2 << 20;

/// The buffer of the last image: warm memory is copied to at three times the speed of new.
pub(crate) struct Keep(Mutex<Option<Pages>>);

impl Keep {
    pub(crate) fn new() -> Keep {
        Keep(Mutex::new(None))
    }

    /// Room for so many bytes.
    fn take(&self, bytes: u64) -> Result<Pages> {
        let kept = self.0.lock().take();
        let room = usize::try_from(bytes).unwrap_or(usize::MAX);
        // A much larger one than is needed is not kept for good.
        if let Some(pages) = kept.filter(|pages| pages.len() >= room && pages.len() / 4 <= room.max(SHARE)) {
            return Ok(pages);
        }
        pages(room)
    }

    fn give_back(&self, pages: Pages) {
        *self.0.lock() = Some(pages);
    }
}

/// New memory.
pub(crate) fn pages(bytes: usize) -> Result<Pages> {
    let told = |error| Error::new(Status::NoMemory, format!("no memory for {bytes} bytes of a checkpoint: {error}"));
    Pages::new(bytes).map_err(told)
}

/// A generation that is copied, and then written by the [`super::Saver`].
pub(crate) struct Image {
    /// `None` once it is being written.
    plan: Option<Plan>,
    /// `None` once it was given back.
    pages: Option<Pages>,
    keep: Arc<Keep>,
}

impl Image {
    pub(crate) fn new(plan: Plan, keep: &Arc<Keep>) -> Result<Image> {
        let room = plan.layout().length.next_multiple_of(super::disk::BLOCK as u64);
        let mut pages = keep.take(room)?;
        // What is written past the end, before the file is cut to its length.
        pages[plan.layout().length as usize..room as usize].fill(0);
        Ok(Image { plan: Some(plan), pages: Some(pages), keep: keep.clone() })
    }

    /// Copies what is to be stored: one source for each entry, as they were planned. `share` is given how many parts
    /// there are and what copies the one with an index; it calls that once for each, on whatever threads, and returns
    /// when all are done.
    pub(crate) fn fill(&mut self, sources: &[&dyn Source], share: impl FnOnce(usize, &(dyn Fn(usize) + Sync))) {
        let (Some(plan), Some(pages)) = (&self.plan, &mut self.pages) else { return };
        let gather = Gather::new(plan.layout(), sources);
        let (begin, end) = (plan.layout().data_begin as usize, plan.layout().length as usize);
        let parts: Vec<_> = pages[begin..end].chunks_mut(SHARE).map(Mutex::new).collect();
        share(parts.len(), &|index| {
            gather.copy((begin + index * SHARE) as u64, &mut parts[index].lock());
        });
    }

    /// How many bytes are to be copied.
    pub(crate) fn bytes(&self) -> u64 {
        self.plan.as_ref().map_or(0, |plan| plan.layout().length - plan.layout().data_begin)
    }

    /// What is to be written, and from where.
    pub(crate) fn take(&mut self) -> Option<(Plan, &Pages)> {
        Some((self.plan.take()?, self.pages.as_ref()?))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        self.pages.take().into_iter().for_each(|pages| self.keep.give_back(pages));
    }
}

/// Reads parts of the file from the memory of the entries.
pub(crate) struct Gather<'a> {
    ranges: &'a [Range<u64>],
    /// In the order of the file.
    sources: Vec<&'a dyn Source>,
}

impl<'a> Gather<'a> {
    pub(crate) fn new(layout: &'a Layout, given: &[&'a dyn Source]) -> Gather<'a> {
        assert_eq!(given.len(), layout.places.len(), "one source for each entry");
        let mut sources: Vec<_> = given.iter().zip(&layout.places).collect();
        sources.sort_by_key(|(_, &place)| place);
        Gather { ranges: &layout.ranges, sources: sources.into_iter().map(|(&source, _)| source).collect() }
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
