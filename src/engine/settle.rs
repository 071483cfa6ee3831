//! Bodies that are not committed yet → outcomes, each as soon as the system, or the disk, has the file and its name.
//!
//! A batch of small bodies is put in place by one trip to the disk's threads, in its order. What is to be synced takes a few
//! trips: no batch waits for more to come, and the slower the disk, the more files share a wait.

use std::sync::Arc;
use std::time::Instant;

use async_channel::Sender;
use rustix::process::{Resource, getrlimit};

use super::run::Run;
use crate::error::Error;
use crate::offload::{Lane, unblock};
use crate::outcome::Outcome;
use crate::output::{self, Held, Uncommitted, Written};
use crate::text::escape;

/// The most files of a batch: at 64, the two waits for the disk that a batch has are little beside the files' own syncs.
const MAX_BATCH: usize = 64;

/// How many syncs wait for the disk at once: it empties its cache for all of them together. With one at a time 64 files
/// took 12 ms on an ext4 whose flush takes 0.2 ms, with four 7 ms, with more no less.
const SYNCS: usize = 4;

/// Which part of the descriptors that the process may have a batch may take; as many files wait for the next one.
const SHARE: u64 = 16;

/// What an outcome takes in memory, about.
const OUTCOME: usize = 512;

/// A body that is complete, and what its job's outcome is if it can be committed.
#[derive(Debug)]
pub(super) struct Unsettled {
    pub body: Uncommitted,
    pub outcome: Outcome,
    pub reply: Sender<Outcome>,
    /// When it was complete: what comes after is a part of the job's time.
    pub since: Instant,
}

impl Unsettled {
    /// How much memory it takes.
    pub fn memory(&self) -> usize {
        self.body.memory() + OUTCOME
    }
}

/// How many files that are to be synced may wait for the disk: each is open.
pub(super) fn max_batch() -> usize {
    let share = getrlimit(Resource::Nofile).current.map_or(MAX_BATCH as u64, |descriptors| descriptors / SHARE);
    usize::try_from(share).unwrap_or(MAX_BATCH).clamp(1, MAX_BATCH)
}

/// What is left of a job when its body is on its way.
struct Waiting {
    outcome: Outcome,
    reply: Sender<Outcome>,
    since: Instant,
}

/// Commits a batch, and gives the outcomes.
///
/// # Errors
///
/// If nobody listens.
pub(super) async fn settle(run: &Run, batch: Vec<Unsettled>) -> Result<(), ()> {
    let (mut held, mut written) = (Vec::new(), Vec::new());
    let (mut of_held, mut of_written) = (Vec::new(), Vec::new());
    for Unsettled { body, outcome, reply, since } in batch {
        let waiting = Waiting { outcome, reply, since };
        match body {
            Uncommitted::Held(body) => {
                of_held.push(waiting);
                held.push(body);
            }
            Uncommitted::Written(body) => {
                of_written.push(waiting);
                written.push(body);
            }
        }
    }
    if !held.is_empty() {
        tell(run, of_held, put(held).await).await?;
    }
    if !written.is_empty() {
        tell(run, of_written, commit(written).await).await?;
    }
    Ok(())
}

async fn tell(run: &Run, batch: Vec<Waiting>, results: Vec<Result<(), Error>>) -> Result<(), ()> {
    debug_assert_eq!(results.len(), batch.len());
    for (Waiting { mut outcome, reply, since }, result) in batch.into_iter().zip(results) {
        outcome.elapsed += since.elapsed();
        if let Err(error) = result {
            let url = outcome.final_url.as_ref().unwrap_or(&outcome.url);
            outcome.result = Err(error.at(escape(url)));
        }
        run.tell(outcome, &reply).await?;
    }
    Ok(())
}

/// Puts bodies in their places, in their order.
async fn put(batch: Vec<Held>) -> Vec<Result<(), Error>> {
    // Gone when the run is being dropped: a batch that is under way ends after the file that it is at.
    let wanted = Arc::new(());
    let wants = Arc::downgrade(&wanted);
    let put = move || {
        let results = batch.iter().take_while(|_| wants.strong_count() > 0).map(Held::put).collect();
        // They come back to go where they came from: memory that one thread takes and another gives back has both wait for
        // the allocator's lock.
        (batch, results)
    };
    let (_batch, results) = unblock(Lane::Disk, put).await;
    drop(wanted);
    results
}

/// Syncs and names what was written, in its order.
async fn commit(mut batch: Vec<Written>) -> Vec<Result<(), Error>> {
    let share = batch.len().div_ceil(SYNCS);
    let mut syncs = Vec::with_capacity(SYNCS);
    while !batch.is_empty() {
        let rest = batch.split_off(share.min(batch.len()));
        syncs.push(unblock(Lane::Sync, move || output::sync(batch)));
        batch = rest;
    }
    let mut synced = Vec::new();
    for sync in syncs {
        synced.extend(sync.await);
    }
    unblock(Lane::Sync, move || output::commit(synced)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_takes_few_of_the_descriptors_that_there_are() {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!((1..=MAX_BATCH).contains(&max_batch()));
        assert!(max_batch() as u64 * SHARE <= descriptors.max(SHARE));
    }
}
