//! The image of a file in memory: laid out as the file will be, so that it is written as it stands.

use super::buffer::{Gather, Keep};
use super::disk::BLOCK;
use super::draft::Plan;
use super::layout::Source;
use crate::core::status::Result;
use crate::core::sync::Mutex;
use crate::sys::pages::Pages;
use std::sync::Arc;

/// How much one thread copies at a time, when several do.
const SHARE: usize = 2 << 20;

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
        let room = plan.layout().length.next_multiple_of(BLOCK as u64);
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
