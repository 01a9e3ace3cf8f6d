//! What a client has sent, cut into lines.

/// The longest line, its end not counted: room for an array of some ten thousand numbers.
pub(super) const LONGEST_LINE: usize = 1 << 20;

/// Bytes that have come, of which some are lines already.
#[derive(Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Where the first line that was not taken begins.
    begin: usize,
    /// Up to here no end of a line was found.
    searched: usize,
}

impl Lines {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.begin > 0 {
            self.bytes.drain(..self.begin);
            self.searched -= self.begin;
            self.begin = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn end(&mut self) -> Option<usize> {
        let found = self.bytes[self.searched..].iter().position(|&byte| byte == b'\n');
        match found {
            Some(at) => {
                // Found again by the next look.
                self.searched += at;
                Some(self.searched)
            }
            None => {
                self.searched = self.bytes.len();
                None
            }
        }
    }

    pub(super) fn has_line(&mut self) -> bool {
        self.end().is_some()
    }

    /// The next whole line, without its end.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        let end = self.end()?;
        let line = self.bytes[self.begin..end].to_vec();
        self.begin = end + 1;
        self.searched = self.begin;
        if self.begin == self.bytes.len() {
            // A long line leaves no long buffer behind.
            *self = Lines::default();
        }
        Some(line)
    }

    /// Whether what has come is no line and already too long for one.
    pub(super) fn is_too_long(&mut self) -> bool {
        match self.end() {
            Some(end) => end - self.begin > LONGEST_LINE,
            None => self.bytes.len() - self.begin > LONGEST_LINE,
        }
    }

    /// The memory that it takes.
    pub(super) fn size(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_the_bytes_come() {
        let sent = b"one\n\nthree is longer\nfour".as_slice();
        for size in 1..=sent.len() {
            let mut lines = Lines::default();
            let mut taken = Vec::new();
            for piece in sent.chunks(size) {
                lines.push(piece);
                while lines.has_line() {
                    taken.push(String::from_utf8(lines.take().unwrap()).unwrap());
                }
            }
            assert_eq!(taken, ["one", "", "three is longer"]);
            assert!(lines.take().is_none());
            lines.push(b"\n");
            assert_eq!(lines.take().unwrap(), b"four");
            assert_eq!(lines.size(), 0);
        }
    }

    #[test]
    fn a_line_may_be_as_long_as_is_allowed_and_no_longer() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; LONGEST_LINE]);
        assert!(!lines.is_too_long());
        lines.push(b"\n");
        assert!(!lines.is_too_long());
        lines.take().unwrap();
        lines.push(&vec![b'x'; LONGEST_LINE + 1]);
        assert!(lines.is_too_long());
        lines.push(b"\n");
        assert!(lines.is_too_long());
    }
}
