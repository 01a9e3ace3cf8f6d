//! A generation, written and flushed, and checksummed meanwhile.

use super::buffer::{pages, Gather};
use super::copy::{Full, Segment};
use super::disk::{Disk, BLOCK};
use super::layout::{Layout, Source};
use super::pool::Pool;
use super::sums::{piece, pieces, Sums, PIECE};
use crate::core::status::Result;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Where the bytes come from.
pub(crate) enum Content<'a> {
    /// A copy, perhaps still under way.
    Copied(&'a Full),
    /// The memory of each entry as they were given, which nobody changes meanwhile.
    Sources(&'a [&'a dyn Source]),
}

/// How fast the medium was the last time, in bytes a second; 0: nobody knows.
#[derive(Default)]
pub(super) struct Speed(AtomicU64);

impl Speed {
    /// A third of what memory is copied at: a medium slower than this takes no bandwidth away from the loop that copies.
    const OF_A_FAST_ONE: u64 = 3_000_000_000;
    /// Less says more of how long the medium takes to answer.
    const TELLING: u64 = 16 << 20;

    fn is_slow(&self) -> bool {
        // Relaxed, here and below: a number by itself.
        (1..Self::OF_A_FAST_ONE).contains(&self.0.load(Ordering::Relaxed))
    }

    pub(super) fn measured(&self, bytes: u64, began: Instant) {
        if bytes >= Self::TELLING {
            self.0.store((bytes as f64 / began.elapsed().as_secs_f64()) as u64, Ordering::Relaxed);
        }
    }
}

/// Writes what is full while others are still being filled, one after the other and nothing else: the loop has the
/// processors and most of the memory's bandwidth. What was written has no checksum yet.
fn write_early(disk: &Disk, full: &Full) -> Result<Vec<Segment>> {
    let mut written = Vec::new();
    while written.len() + full.waiting() < full.count() {
        let segment = full.take()?;
        disk.write_at(segment.blocks(), segment.at)?;
        written.push(segment);
    }
    Ok(written)
}

/// Writes the file, its header last, and flushes it.
pub(super) fn write(pool: &Pool, speed: &Speed, disk: &Disk, layout: &Layout, content: Content<'_>) -> Result<()> {
    // Whole blocks are written; the file is cut to its length afterwards.
    let room = layout.length.next_multiple_of(BLOCK as u64);
    disk.allocate(room)?;
    let sums = Sums::new(&layout.ranges);
    let (begin, end) = (layout.data_begin, layout.length);
    let never = AtomicBool::new(false);
    match content {
        // The header comes last, so the data need not wait for its checksums.
        Content::Copied(full) => {
            let whole;
            let (early, full, began) = if speed.is_slow() {
                let began = Instant::now();
                (write_early(disk, full)?, full, began)
            } else {
                whole = full.whole()?;
                (Vec::new(), &whole, Instant::now())
            };
            let late = full.count() - early.len();
            pool.each(
                full.count(),
                &never,
                || Ok(()),
                |(), index| {
                    if let Some(segment) = index.checked_sub(late).map(|index| &early[index]) {
                        sums.add(segment.at, segment.data());
                        return Ok(());
                    }
                    let segment = full.take()?;
                    disk.write_at(segment.blocks(), segment.at)?;
                    sums.add(segment.at, segment.data());
                    Ok(())
                },
            )?;
            speed.measured(end - begin, began);
        }
        Content::Sources(sources) => {
            let gather = Gather::new(layout, sources);
            let make = || pages(PIECE.min((room - begin) as usize));
            pool.each(pieces(begin, end), &never, make, |own, index| {
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
