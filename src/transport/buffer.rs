//! Bytes received and not yet used.

use std::fmt;

/// What a buffer holds at first: a full TLS record, and a few responses' heads.
const SIZE: usize = 16 * 1024;
/// What it may grow to, for a head of the largest size that is taken.
const MAX_SIZE: usize = 2 * super::h1::MAX_HEAD;

/// A queue of bytes in one piece of memory.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// The bytes that wait to be used.
    pub fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Marks the first `n` bytes as used.
    pub fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
        if self.is_empty() {
            self.clear();
        }
    }

    /// Room for at least one byte more; empty once the largest size is reached.
    pub fn room(&mut self) -> &mut [u8] {
        if self.end == self.bytes.len() {
            self.make_room();
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Counts `n` bytes that were written to [`room`](Self::room).
    pub fn filled(&mut self, n: usize) {
        self.end = self.end.saturating_add(n).min(self.bytes.len());
    }

    /// Forgets all bytes.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Whether it is of the usual size, so worth keeping for another response.
    pub fn is_reusable(&self) -> bool {
        self.bytes.len() == SIZE
    }

    /// Moves what waits to the front; if that gains nothing, grows.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        } else if self.bytes.len() < MAX_SIZE {
            let size = (self.bytes.len() * 2).clamp(SIZE, MAX_SIZE);
            self.bytes.reserve_exact(size - self.bytes.len());
            self.bytes.resize(size, 0);
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} of {})", self.end - self.start, self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(buffer: &mut Buffer, byte: u8) -> usize {
        let room = buffer.room();
        room.fill(byte);
        let n = room.len();
        buffer.filled(n);
        n
    }

    #[test]
    fn it_grows_to_its_limit_and_no_further() {
        let mut buffer = Buffer::default();
        let mut total = 0;
        loop {
            match fill(&mut buffer, b'x') {
                0 => break,
                n => total += n,
            }
        }
        assert_eq!(total, MAX_SIZE);
        assert_eq!(buffer.unread().len(), MAX_SIZE);
        assert!(!buffer.is_reusable());
    }

    #[test]
    fn what_is_consumed_makes_room_without_growing() {
        let mut buffer = Buffer::default();
        fill(&mut buffer, b'a');
        buffer.consume(SIZE - 2);
        assert_eq!(buffer.unread(), b"aa");
        assert_eq!(fill(&mut buffer, b'b'), SIZE - 2);
        assert!(buffer.is_reusable());
        assert!(buffer.unread().starts_with(b"aab"));
        buffer.consume(usize::MAX);
        assert!(buffer.is_empty());
    }
}
