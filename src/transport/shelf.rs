//! Memory for what is received, lent while there is something in it: a connection that waits has none.
//!
//! Few connections have bytes at a time that nobody has used yet, so hundreds get by with a few pieces of memory. A body
//! that goes on for long gets a large piece, and needs fewer reads; a few at a time do, so that memory stays bounded.

use std::sync::{Arc, Mutex};

use super::buffer::{Buffer, Memory};
use crate::sync::lock;

/// What a piece holds: a full TLS record, and a few responses' heads.
pub(super) const USUAL: usize = 16 * 1024;
/// What a large piece holds: with more, a read costs no less a byte.
const LARGE: usize = 64 * 1024;
/// How many large pieces there are at most.
const MAX_LARGE: usize = 4;
/// How many pieces are kept for later, of each size.
const MAX_SPARE: usize = 4;

/// How much is expected to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Little,
    Much,
}

impl Expected {
    /// From how much has come already.
    pub fn after(received: u64) -> Self {
        if received < LARGE as u64 { Self::Little } else { Self::Much }
    }
}

/// Memory that nobody uses.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    spare: Mutex<Spare>,
    /// Every large piece has a share of it.
    large: Arc<()>,
}

#[derive(Debug, Default)]
struct Spare {
    usual: Vec<Memory>,
    large: Vec<Memory>,
}

impl Shelf {
    /// Lends memory to a buffer that has none, or a large piece in place of a usual one in which nothing is.
    pub fn lend(&self, buffer: &mut Buffer, expected: Expected) {
        let has_memory = buffer.has_memory();
        if has_memory && (expected == Expected::Little || !buffer.is_usual_and_empty()) {
            return;
        }
        if let Some(large) = self.large(expected) {
            self.take_back(buffer);
            buffer.take(large);
        } else if !has_memory {
            buffer.take(self.usual());
        }
    }

    fn usual(&self) -> Memory {
        let spare = lock(&self.spare).usual.pop();
        spare.unwrap_or_else(|| Memory::new(USUAL, None))
    }

    fn large(&self, expected: Expected) -> Option<Memory> {
        if expected == Expected::Little {
            return None;
        }
        let mut spare = lock(&self.spare);
        let is_left = || Arc::strong_count(&self.large) <= MAX_LARGE;
        spare.large.pop().or_else(|| is_left().then(|| Memory::new(LARGE, Some(Arc::clone(&self.large)))))
    }

    /// Takes its memory back from a buffer that has nothing in it.
    pub fn take_back(&self, buffer: &mut Buffer) {
        let Some(memory) = buffer.give_back() else { return };
        let mut spare = lock(&self.spare);
        let shelf = match (memory.len(), memory.has_share()) {
            (USUAL, _) => &mut spare.usual,
            (_, true) => &mut spare.large,
            // It has grown for a head of unusual size.
            _ => return,
        };
        if shelf.len() < MAX_SPARE {
            shelf.push(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lent(shelf: &Shelf, expected: Expected) -> (Buffer, usize) {
        let mut buffer = Buffer::default();
        shelf.lend(&mut buffer, expected);
        let size = buffer.room().len();
        (buffer, size)
    }

    #[test]
    fn large_pieces_are_few_and_who_gets_none_gets_a_usual_one() {
        let shelf = Shelf::default();
        assert_eq!(lent(&shelf, Expected::Little).1, USUAL);
        let mut lent_out: Vec<_> = (0..MAX_LARGE).map(|_| lent(&shelf, Expected::Much)).collect();
        assert!(lent_out.iter().all(|(_, size)| *size == LARGE));
        assert_eq!(lent(&shelf, Expected::Much).1, USUAL);
        // One whose connection has ended is there for others, as is one that was given back.
        drop(lent_out.pop());
        assert_eq!(lent(&shelf, Expected::Much).1, LARGE);
        shelf.take_back(&mut lent_out[0].0);
        assert_eq!(lent(&shelf, Expected::Much).1, LARGE);
    }

    #[test]
    fn a_large_piece_takes_the_place_of_a_usual_one_that_is_empty() {
        let shelf = Shelf::default();
        let (mut buffer, _) = lent(&shelf, Expected::Little);
        buffer.filled(1);
        shelf.lend(&mut buffer, Expected::Much);
        assert_eq!(buffer.room().len(), USUAL - 1);
        buffer.consume(1);
        shelf.lend(&mut buffer, Expected::Much);
        assert_eq!(buffer.room().len(), LARGE);
    }

    #[test]
    fn what_has_something_in_it_is_not_taken_back() {
        let shelf = Shelf::default();
        let (mut buffer, _) = lent(&shelf, Expected::Little);
        buffer.filled(1);
        shelf.take_back(&mut buffer);
        assert_eq!(buffer.unread().len(), 1);
        buffer.consume(1);
        shelf.take_back(&mut buffer);
        assert!(!buffer.has_memory());
    }
}
