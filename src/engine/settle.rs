//! Bodies that are written, but not committed → outcomes, each as soon as the disk has the file and its name.
//!
//! ```text
//!  workers ─▶ [bounded channel] ─▶ what came while the last batch was synced ─▶ the disk ─▶ outcomes
//! ```
//!
//! No worker waits for the disk's word, and no batch for more to come: the slower the disk, the more files share a wait.
//! When the channel is full, the workers wait, so few files are open at once.

use std::sync::Arc;
use std::time::Instant;

use async_channel::{Receiver, Sender};
use rustix::process::{Resource, getrlimit};

use super::run::Run;
use crate::config::Durability;
use crate::error::Error;
use crate::offload::{Lane, unblock};
use crate::outcome::Outcome;
use crate::output::{self, Written};
use crate::text::escape;

/// The most files of a batch: at 64, the two waits for the disk that a batch has are little beside the files' own syncs.
const MAX_BATCH: usize = 64;

/// How many syncs wait for the disk at once: it empties its cache for all of them together. With one at a time 64 files
/// took 12 ms on an ext4 whose flush takes 0.2 ms, with four 7 ms, with more no less.
const SYNCS: usize = 4;

/// Which part of the descriptors that the process may have a batch may take; as many files wait for the next one.
const SHARE: u64 = 16;

/// A body that is written, and what its job's outcome is if it can be committed.
#[derive(Debug)]
pub(super) struct Unsettled {
    pub written: Written,
    pub outcome: Outcome,
    pub reply: Sender<Outcome>,
    /// When it was written: what comes after is a part of the job's time.
    pub since: Instant,
}

/// The way for bodies that are to be synced; `None` where none is, or where descriptors are too few for files that wait.
pub(super) fn queue(durability: Durability) -> Option<(Sender<Unsettled>, Receiver<Unsettled>)> {
    let batch = batch();
    (durability == Durability::Synced && batch > 1).then(|| async_channel::bounded(batch))
}

/// How many files a batch may have.
fn batch() -> usize {
    let share = getrlimit(Resource::Nofile).current.map_or(MAX_BATCH as u64, |descriptors| descriptors / SHARE);
    usize::try_from(share).unwrap_or(MAX_BATCH).clamp(1, MAX_BATCH)
}

/// Commits what the workers have written, batch after batch, until they are gone.
pub(super) async fn settle(run: Arc<Run>, queue: Receiver<Unsettled>) {
    while let Ok(first) = queue.recv().await {
        let more = std::iter::from_fn(|| queue.try_recv().ok()).take(queue.capacity().unwrap_or(MAX_BATCH) - 1);
        let batch = std::iter::once(first).chain(more).collect();
        // Nobody listens any more: the run is being dropped, and this with it.
        if settle_batch(&run, batch).await.is_err() {
            return;
        }
    }
}

/// Commits a batch, and gives the outcomes.
///
/// # Errors
///
/// If nobody listens.
pub(super) async fn settle_batch(run: &Run, batch: Vec<Unsettled>) -> Result<(), ()> {
    let mut jobs = Vec::with_capacity(batch.len());
    let mut bodies = Vec::with_capacity(batch.len());
    for Unsettled { written, outcome, reply, since } in batch {
        bodies.push(written);
        jobs.push((outcome, reply, since));
    }
    let results = commit(bodies).await;
    debug_assert_eq!(results.len(), jobs.len());
    for ((mut outcome, reply, since), result) in jobs.into_iter().zip(results) {
        outcome.elapsed += since.elapsed();
        if let Err(error) = result {
            let url = outcome.final_url.as_ref().unwrap_or(&outcome.url);
            outcome.result = Err(error.at(escape(url)));
        }
        run.tell(outcome, &reply).await?;
    }
    Ok(())
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
        assert!((1..=MAX_BATCH).contains(&batch()));
        assert!(batch() as u64 * SHARE <= descriptors.max(SHARE));
    }

    #[test]
    fn only_what_is_synced_is_queued() {
        assert!(queue(Durability::Written).is_none());
        assert_eq!(queue(Durability::Synced).is_some(), batch() > 1);
    }
}
