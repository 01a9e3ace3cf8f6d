//! A copy of what is to be written, in segments: the loop fills one after the other, and whoever writes takes those that are
//! full.

use super::buffer::{Gather, Keep};
use super::disk::BLOCK;
use super::layout::Layout;
use crate::core::status::{Error, Result, Status};
use crate::core::sync::Mutex;
use crate::sys::pages::Pages;
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;

/// How much is copied, and written, at a time: long enough for a disk, and short enough that threads share the copying evenly.
const SEGMENT: usize = 4 << 20;

/// Does the parts with the indices below a count, each once, on whatever threads, and returns when all are done.
pub(crate) type Share<'a> = &'a dyn Fn(usize, &(dyn Fn(usize) + Sync));

/// A part of the file.
pub(super) struct Segment {
    /// Where in the file it begins.
    pub(super) at: u64,
    bytes: usize,
    /// `None` once it was given back.
    pages: Option<Pages>,
    keep: Arc<Keep>,
}

impl Segment {
    pub(super) fn data(&self) -> &[u8] {
        &self.blocks()[..self.bytes]
    }

    /// Whole blocks, as a disk wants them.
    pub(super) fn blocks(&self) -> &[u8] {
        self.pages.as_ref().map_or(&[], |pages| &pages[..self.bytes.next_multiple_of(BLOCK)])
    }

    fn fill(&mut self, gather: &Gather<'_>) {
        let Some(pages) = &mut self.pages else { return };
        let (data, rest) = pages[..self.bytes.next_multiple_of(BLOCK)].split_at_mut(self.bytes);
        gather.copy(self.at, data);
        // What is written past the end, before the file is cut to its length.
        rest.fill(0);
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.pages.take().into_iter().for_each(|pages| self.keep.give_back(pages));
    }
}

/// The end of who copies.
pub(super) struct Empty {
    segments: Vec<Segment>,
    full: Sender<Segment>,
}

/// The end of who writes.
pub(crate) struct Full {
    count: usize,
    segments: Receiver<Segment>,
}

/// Room for the data of a file. All of it is taken at once: what has begun does not fail for want of memory.
pub(super) fn room_for(layout: &Layout, keep: &Arc<Keep>) -> Result<(Empty, Full)> {
    let data = layout.data_begin..layout.length;
    let pages = keep.take(data.end - data.start, SEGMENT)?;
    let segments: Vec<_> = (data.clone().step_by(SEGMENT).zip(pages))
        .map(|(at, pages)| {
            let bytes = (data.end - at).min(SEGMENT as u64) as usize;
            Segment { at, bytes, pages: Some(pages), keep: keep.clone() }
        })
        .collect();
    let count = segments.len();
    let (sender, receiver) = crossbeam_channel::bounded(count);
    Ok((Empty { segments, full: sender }, Full { count, segments: receiver }))
}

impl Empty {
    /// Copies all, and hands on each segment as soon as it is full.
    pub(super) fn fill(self, gather: &Gather<'_>, share: Share<'_>) {
        let Empty { segments, full } = self;
        let segments: Vec<_> = segments.into_iter().map(|segment| Mutex::new(Some(segment))).collect();
        share(segments.len(), &|index| {
            if let Some(mut segment) = segments[index].lock().take() {
                segment.fill(gather);
                // Nobody takes it after a write has failed, which is told by who writes.
                let _ = full.send(segment);
            }
        });
    }
}

impl Full {
    /// How many segments there are to be taken.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// How many are full and were not taken.
    pub(super) fn waiting(&self) -> usize {
        self.segments.len()
    }

    /// Waits until all are full.
    pub(super) fn whole(&self) -> Result<Full> {
        let (sender, segments) = crossbeam_channel::bounded(self.count);
        for _ in 0..self.count {
            sender.send(self.take()?).expect("there is room for all, and the other end is held here");
        }
        Ok(Full { count: self.count, segments })
    }

    /// Waits for another segment.
    pub(super) fn take(&self) -> Result<Segment> {
        // Who copies has gone before the end.
        self.segments
            .recv()
            .map_err(|_| Error::new(Status::Panic, "park itself failed while it copied: please report it"))
    }
}
