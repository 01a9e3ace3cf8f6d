//! A generation, written and flushed, and checksummed meanwhile.

use super::buffer::{pages, Gather};
use super::disk::{Disk, BLOCK};
use super::layout::{Layout, Source};
use super::pool::Pool;
use super::sums::{piece, pieces, Sums, PIECE};
use crate::core::status::Result;
use crate::sys::pages::Pages;
use std::sync::atomic::AtomicBool;

/// How much is written at a time from an image: between two transfers the medium has nothing to do.
const TRANSFER: usize = 64 << 20;

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
    match content {
        // The header comes last, so the data need not wait for its checksums: one thread writes, another one sums.
        Content::Image(image) => {
            let write = || {
                let starts = (begin..room).step_by(TRANSFER);
                starts
                    .map(|at| (at, room.min(at + TRANSFER as u64)))
                    .try_for_each(|(at, end)| disk.write_at(&image[at as usize..end as usize], at))
            };
            let sum = || {
                for piece in (0..pieces(begin, end)).map(|index| piece(begin, end, index)) {
                    sums.add(piece.start, &image[piece.start as usize..piece.end as usize]);
                }
            };
            pool.both(write, sum).0?;
        }
        Content::Sources(sources) => {
            let gather = Gather::new(layout, sources);
            let make = || pages(PIECE.min((room - begin) as usize));
            pool.each(pieces(begin, end), &AtomicBool::new(false), make, |own, index| {
                let piece = piece(begin, end, index);
                let bytes = (piece.end - piece.start) as usize;
                gather.copy(piece.start, &mut own[..bytes]);
                sums.add(piece.start, &own[..bytes]);
                disk.write_at(&own[..bytes.next_multiple_of(BLOCK)], piece.start)
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
