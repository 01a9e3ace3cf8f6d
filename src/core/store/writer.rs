//! A generation, written and flushed: checksums of one piece while another is on its way to the medium.

use super::buffer::{pages, Gather};
use super::disk::{Disk, BLOCK};
use super::layout::{Layout, Source};
use super::pool::Pool;
use super::sums::{piece, pieces, Sums, PIECE};
use crate::core::status::Result;
use crate::sys::pages::Pages;
use std::sync::atomic::AtomicBool;

/// Where the bytes come from.
pub(crate) enum Content<'a> {
    /// All that stands in the file, at its place.
    Image(&'a Pages),
    /// The memory of each entry as they were given, which nobody changes meanwhile.
    Sources(&'a [&'a dyn Source]),
}

/// Writes the file, its header last, and flushes it.
pub(crate) fn write(pool: &Pool, disk: &Disk, layout: &Layout, content: Content<'_>) -> Result<()> {
    // Whole blocks are written; the file is cut to its length afterwards.
    let room = layout.length.next_multiple_of(BLOCK as u64);
    disk.allocate(room)?;
    let sums = Sums::new(&layout.ranges);
    let (begin, end) = (layout.data_begin, layout.length);
    let stop = AtomicBool::new(false);
    let put = |bytes: &[u8], index| {
        let piece = piece(begin, end, index);
        sums.add(piece.start, &bytes[..(piece.end - piece.start) as usize]);
        disk.write_at(&bytes[..(piece.end.next_multiple_of(BLOCK as u64) - piece.start) as usize], piece.start)
    };
    match content {
        Content::Image(image) => {
            pool.each(
                pieces(begin, end),
                &stop,
                || Ok(()),
                |(), index| put(&image[piece(begin, end, index).start as usize..], index),
            )?;
        }
        Content::Sources(sources) => {
            let gather = Gather::new(layout, sources);
            let make = || pages(PIECE.min((room - begin) as usize));
            pool.each(pieces(begin, end), &stop, make, |own, index| {
                let piece = piece(begin, end, index);
                gather.copy(piece.start, &mut own[..(piece.end - piece.start) as usize]);
                put(own, index)
            })?;
        }
    }
    let header = layout.header(&sums.finish())?;
    let mut aligned = pages(header.len())?;
    aligned[..header.len()].copy_from_slice(&header);
    disk.write_at(&aligned[..header.len()], 0)?;
    disk.set_length(layout.length)?;
    disk.flush()
}
