//! Tickets that wait, in the order in which they come again.

use std::cmp::Ordering;
use std::time::Instant;

use super::{LaneId, Place};

/// A ticket that is to come again.
#[derive(Debug)]
pub(super) struct Later<T> {
    pub due: Instant,
    pub lane: LaneId,
    pub place: Place,
    pub ticket: T,
}

impl<T> PartialEq for Later<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Later<T> {}

impl<T> PartialOrd for Later<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Later<T> {
    /// The soonest is the greatest: the heap gives that first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.place).cmp(&(self.due, self.place))
    }
}
