//! Bytes received and not yet used.

use std::fmt;
use std::mem;
use std::sync::Arc;

use super::shelf::USUAL;

/// What it may grow to, for a head of the largest size that is taken.
const MAX_SIZE: usize = super::h1::MAX_HEAD;

/// A piece of memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    bytes: Vec<u8>,
    /// Its share of what there may be at most, as long as it lives.
    share: Option<Arc<()>>,
}

impl Memory {
    pub fn new(size: usize, share: Option<Arc<()>>) -> Self {
        Self { bytes: vec![0; size], share }
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it is one of the few large pieces.
    pub fn has_share(&self) -> bool {
        self.share.is_some()
    }
}

/// A queue of bytes in one piece of memory, which it has only while it needs it.
#[derive(Default)]
pub(super) struct Buffer {
    memory: Memory,
    start: usize,
    end: usize,
}

impl Buffer {
    /// The bytes that wait to be used.
    pub fn unread(&self) -> &[u8] {
        self.memory.bytes.get(self.start..self.end).unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Marks the first `n` bytes as used.
    pub fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Room for at least one byte more; empty once the largest size is reached.
    pub fn room(&mut self) -> &mut [u8] {
        if self.end == self.memory.bytes.len() {
            self.make_room();
        }
        self.memory.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Counts `n` bytes that were written to [`room`](Self::room).
    pub fn filled(&mut self, n: usize) {
        self.end = self.end.saturating_add(n).min(self.memory.bytes.len());
    }

    pub fn has_memory(&self) -> bool {
        self.memory.len() > 0
    }

    pub fn is_usual_and_empty(&self) -> bool {
        self.memory.len() == USUAL && self.is_empty()
    }

    /// Takes memory to use; it has none.
    pub fn take(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// Gives its memory back, if it has any and nothing is in it.
    pub fn give_back(&mut self) -> Option<Memory> {
        (self.has_memory() && self.is_empty()).then(|| mem::take(&mut self.memory))
    }

    /// Moves what waits to the front; if that gains nothing, grows.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.memory.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        } else if self.memory.bytes.len() < MAX_SIZE {
            let size = (self.memory.bytes.len() * 2).clamp(USUAL, MAX_SIZE);
            self.memory.bytes.reserve_exact(size - self.memory.bytes.len());
            self.memory.bytes.resize(size, 0);
        }
    }
}

/// Copies as many bytes as fit: how many.
pub(super) fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let n = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..n), to.get_mut(..n)) {
        to.copy_from_slice(from);
    }
    n
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} of {})", self.end - self.start, self.memory.bytes.len())
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
    }

    #[test]
    fn what_is_consumed_makes_room_without_growing() {
        let mut buffer = Buffer::default();
        fill(&mut buffer, b'a');
        buffer.consume(USUAL - 2);
        assert_eq!(buffer.unread(), b"aa");
        assert_eq!(fill(&mut buffer, b'b'), USUAL - 2);
        assert_eq!(buffer.memory.len(), USUAL);
        assert!(buffer.unread().starts_with(b"aab"));
        buffer.consume(usize::MAX);
        assert!(buffer.is_empty());
    }
}
