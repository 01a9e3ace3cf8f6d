//! Checksums of tensors, from pieces of the file in any order. CRC-32 as zlib has it, which anything can verify.

use crate::core::sync::Mutex;
use std::ops::Range;

/// How a file is cut for the threads: long enough for a disk, short enough that a checksum finds it in the cache.
pub(crate) const PIECE: usize = 4 << 20;

/// The sum of a part of a tensor.
struct Part {
    tensor: usize,
    begin: u64,
    bytes: u64,
    sum: u32,
}

pub(crate) struct Sums<'a> {
    /// Where in the file each tensor lies, ascending.
    tensors: &'a [Range<u64>],
    parts: Mutex<Vec<Part>>,
}

impl<'a> Sums<'a> {
    pub(crate) fn new(tensors: &'a [Range<u64>]) -> Sums<'a> {
        Sums { tensors, parts: Mutex::new(Vec::new()) }
    }

    /// Takes in a piece of the file that begins at `offset`.
    pub(crate) fn add(&self, offset: u64, piece: &[u8]) {
        let end = offset + piece.len() as u64;
        let first = self.tensors.partition_point(|tensor| tensor.end <= offset);
        let mut parts = Vec::new();
        for (tensor, range) in self.tensors.iter().enumerate().skip(first).take_while(|(_, range)| range.start < end) {
            let (begin, end) = (range.start.max(offset), range.end.min(end));
            let bytes = &piece[(begin - offset) as usize..(end - offset) as usize];
            parts.push(Part { tensor, begin, bytes: end - begin, sum: crc32fast::hash(bytes) });
        }
        self.parts.lock().append(&mut parts);
    }

    /// The sum of each tensor, once every piece was added.
    pub(crate) fn finish(self) -> Vec<u32> {
        let mut parts = self.parts.into_inner();
        parts.sort_unstable_by_key(|part| (part.tensor, part.begin));
        let mut sums = vec![crc32fast::Hasher::new(); self.tensors.len()];
        for part in parts {
            sums[part.tensor].combine(&crc32fast::Hasher::new_with_initial_len(part.sum, part.bytes));
        }
        sums.into_iter().map(crc32fast::Hasher::finalize).collect()
    }
}

/// The pieces of the bytes from `begin` to `end`.
pub(crate) fn pieces(begin: u64, end: u64) -> usize {
    (end - begin).div_ceil(PIECE as u64) as usize
}

/// The piece with this index.
pub(crate) fn piece(begin: u64, end: u64, index: usize) -> Range<u64> {
    let from = begin + index as u64 * PIECE as u64;
    from..end.min(from + PIECE as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_give_the_sums_of_the_whole() {
        let bytes: Vec<u8> = (0..1000u32).map(|i| ((i * i) >> 3) as u8).collect();
        let tensors = [100..100, 100..101, 101..700, 700..700, 700..996];
        for length in [1, 7, 64, 333, 1000] {
            let sums = Sums::new(&tensors);
            let mut cuts: Vec<usize> = (0..1000).step_by(length).collect();
            cuts.reverse();
            for from in cuts {
                sums.add(from as u64, &bytes[from..1000.min(from + length)]);
            }
            let whole = tensors.clone().map(|range| crc32fast::hash(&bytes[range.start as usize..range.end as usize]));
            assert_eq!(sums.finish(), whole);
        }
    }

    #[test]
    fn pieces_cover_everything_once() {
        for bytes in [0, 1, PIECE as u64, PIECE as u64 + 1, 5 * PIECE as u64 - 1] {
            let mut at = 4096;
            for index in 0..pieces(4096, 4096 + bytes) {
                let piece = piece(4096, 4096 + bytes, index);
                assert!(piece.start == at && piece.end > at);
                at = piece.end;
            }
            assert_eq!(at, 4096 + bytes);
        }
    }
}
