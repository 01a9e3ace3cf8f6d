//! Memory by the page: aligned for transfers past the page cache, huge pages asked for, not handed to a forked child.

use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// What the kernel calls a huge page on the processors that park knows.
const HUGE: usize = 2 << 20;

/// Zeroed memory that begins at a page.
pub(crate) struct Pages {
    begin: NonNull<u8>,
    length: usize,
}

// SAFETY: it owns its memory, like a boxed slice.
unsafe impl Send for Pages {}
// SAFETY: as above: shared, it is only read.
unsafe impl Sync for Pages {}

impl Pages {
    /// Room for at least so many bytes.
    pub(crate) fn new(bytes: usize) -> io::Result<Pages> {
        let too_much = || io::Error::from_raw_os_error(libc::ENOMEM);
        let unit = if bytes >= HUGE { HUGE } else { 4096 };
        let length = bytes.max(1).checked_next_multiple_of(unit).ok_or_else(too_much)?;
        // So much more that a huge page can begin in it.
        let wide = length.checked_add(unit).ok_or_else(too_much)?;
        // SAFETY: a new anonymous mapping; nothing that exists is touched.
        let mapped = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                wide,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let before = mapped.cast::<u8>().align_offset(unit);
        // SAFETY: gives back the ends of the mapping made above, whole pages that nobody has seen; what is between
        // them is `length` bytes and begins inside it, so not at null. The advice changes nothing that can be read.
        unsafe {
            let begin = mapped.cast::<u8>().add(before);
            if before > 0 {
                libc::munmap(mapped, before);
            }
            if wide > before + length {
                libc::munmap(begin.add(length).cast(), wide - before - length);
            }
            if unit == HUGE {
                libc::madvise(begin.cast(), length, libc::MADV_HUGEPAGE);
            }
            // A child of fork has no use for it, and pages shared with one would be copied at the next save.
            libc::madvise(begin.cast(), length, libc::MADV_DONTFORK);
            Ok(Pages { begin: NonNull::new_unchecked(begin), length })
        }
    }
}

impl Deref for Pages {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping is ours, `length` bytes long and initialised by the kernel.
        unsafe { std::slice::from_raw_parts(self.begin.as_ptr(), self.length) }
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and borrowed by nobody else.
        unsafe { std::slice::from_raw_parts_mut(self.begin.as_ptr(), self.length) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: unmaps what `new` mapped, once.
        unsafe { libc::munmap(self.begin.as_ptr().cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zeroed_aligned_and_enough() {
        for bytes in [0, 1, 4096, 4097, HUGE - 1, HUGE, 3 * HUGE + 5] {
            let mut pages = Pages::new(bytes).unwrap();
            assert!(pages.len() >= bytes && pages.iter().all(|&byte| byte == 0));
            let unit = if bytes >= HUGE { HUGE } else { 4096 };
            assert_eq!(pages.as_ptr().align_offset(unit), 0);
            pages.fill(7);
        }
        assert!(Pages::new(usize::MAX).is_err());
        assert!(Pages::new(1 << 60).is_err());
    }
}
