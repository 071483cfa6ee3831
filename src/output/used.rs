//! Names → whether they were seen before in this run, at less than 16 bytes a name.
//!
//! It owns 64-bit hashes, not the names: two names of a million share one with a chance of 1 in 30 million, and then
//! one of them gets a number that it didn't need. The table is a linear hash: it grows by splitting one bucket at a
//! time, so no moment needs the old and the new table at once, as doubling would.

use std::hash::{BuildHasher, RandomState};

/// The mean number of hashes in a bucket: the 24 bytes of a `Vec` and the allocator's share are spread over so many.
const LOAD: usize = 48;

/// By how many hashes a full bucket grows.
const STEP: usize = 4;

/// A full list of buckets grows by one part in so many: while it moves, the old one is there too.
const GROWTH: usize = 8;

/// A set that only grows, of what was seen.
#[derive(Debug)]
pub(super) struct Used {
    // Seeded at random: a list can't be written so that all its names fall into one bucket.
    hasher: RandomState,
    buckets: Vec<Vec<u64>>,
    len: usize,
}

impl Default for Used {
    fn default() -> Self {
        Self { hasher: RandomState::new(), buckets: vec![Vec::new()], len: 0 }
    }
}

impl Used {
    /// Whether `text` was inserted.
    pub(super) fn contains(&self, text: &str) -> bool {
        self.holds(self.hasher.hash_one(text))
    }

    /// Adds `text`; whether it was new.
    pub(super) fn insert(&mut self, text: &str) -> bool {
        let hash = self.hasher.hash_one(text);
        let new = !self.holds(hash);
        if new {
            self.add(hash);
            self.len += 1;
        }
        if self.len > self.buckets.len().saturating_mul(LOAD) {
            self.split();
        }
        new
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn holds(&self, hash: u64) -> bool {
        self.buckets.get(bucket(hash, self.buckets.len())).is_some_and(|bucket| bucket.contains(&hash))
    }

    fn add(&mut self, hash: u64) {
        let at = bucket(hash, self.buckets.len());
        if let Some(bucket) = self.buckets.get_mut(at) {
            if bucket.len() == bucket.capacity() {
                bucket.reserve_exact(STEP);
            }
            bucket.push(hash);
        }
    }

    /// Adds a bucket and moves there what belongs to it, all of which is in one bucket so far.
    fn split(&mut self) {
        let new = self.buckets.len();
        if new == self.buckets.capacity() {
            self.buckets.reserve_exact(new / GROWTH + 1);
        }
        // The hashes of the new bucket had its number without the highest bit, as long as it wasn't there.
        let Some(old) = self.buckets.get_mut(bucket(new as u64, new)) else { return };
        let belongs = |hash: &&u64| bucket(**hash, new + 1) == new;
        // Collected by count, because a `collect` would leave room for as many again.
        let mut moved = Vec::with_capacity(old.iter().filter(belongs).count());
        moved.extend(old.iter().filter(belongs));
        old.retain(|hash| !belongs(&hash));
        old.shrink_to_fit();
        self.buckets.push(moved);
    }
}

/// The bucket of a hash among `buckets`: its low bits, one bit fewer where that bucket is not there yet.
fn bucket(hash: u64, buckets: usize) -> usize {
    let mask = buckets.next_power_of_two() - 1;
    // Only the low bits are wanted, so it doesn't matter what a 32-bit machine cuts off.
    let low = hash as usize & mask;
    if low < buckets { low } else { low & (mask >> 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an allocator may add to each piece of memory: a header and rounding up.
    const ALLOCATION: usize = 16;

    /// All memory that the table has, counted.
    fn bytes(used: &Used) -> usize {
        let buckets: usize = used.buckets.iter().map(|bucket| bucket.capacity() * size_of::<u64>() + ALLOCATION).sum();
        size_of::<Used>() + ALLOCATION + list(used) + buckets
    }

    /// What the list of buckets takes, the buckets aside.
    fn list(used: &Used) -> usize {
        used.buckets.capacity() * size_of::<Vec<u64>>()
    }

    #[test]
    fn every_name_is_new_once_and_what_was_not_inserted_is_not_there() {
        let mut used = Used::default();
        for n in 0..200_000 {
            assert!(used.insert(&format!("file-{n}")), "{n}");
        }
        assert_eq!(used.len(), 200_000);
        for n in 0..200_000 {
            assert!(used.contains(&format!("file-{n}")), "{n}");
            assert!(!used.contains(&format!("other-{n}")), "{n}");
        }
        assert!((0..200_000).all(|n| !used.insert(&format!("file-{n}"))));
        assert_eq!(used.len(), 200_000);
    }

    #[test]
    fn a_name_takes_less_than_sixteen_bytes_at_every_size_also_while_the_table_grows() {
        let mut used = Used::default();
        for n in 1..200_000 {
            let before = list(&used);
            used.insert(&format!("file-{n}"));
            let grew = list(&used) != before;
            if n > 1000 && (grew || n % 499 == 0) {
                // While the list moves, the old one is still there; so is a bucket that is being split.
                let transient = if grew { before } else { 0 } + 4 * LOAD * size_of::<u64>();
                let each = (bytes(&used) + transient) as f64 / n as f64;
                assert!(each < 16.0, "{each} bytes a name at {n} names");
            }
        }
    }

    #[test]
    fn buckets_stay_near_their_load() {
        let mut used = Used::default();
        (0..100_000).for_each(|n| assert!(used.insert(&n.to_string())));
        assert!(used.buckets.iter().all(|bucket| bucket.len() < 4 * LOAD));
    }
}
