//! Bodies that are to be committed, one by one → batches, several at once if the disk is slow.
//!
//! ```text
//!  workers ─▶ [bounded channel] ─┬▶ clerk ─▶ settle ─▶ outcomes
//!                        bell ───┴▶ clerk ─▶ …
//! ```
//!
//! A trip to the disk's threads and back costs more than a small file does, so many files share one. Whoever brings a body
//! rings once there are [`FEW`], or nobody is left to bring more; but not while a batch is on its way, which takes what
//! has come by its end. A timer rings for what has waited long: for a few files that come seldom, and for another batch
//! beside those that a slow disk keeps. When the channel is full, the workers wait. What is to be synced waits for no others:
//! a batch of it is what came while the last one was synced.

use std::iter::{from_fn, repeat_with};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_io::Timer;
use smol::{Executor, Task};

use super::run::Run;
use super::settle::{Unsettled, max_batch, settle};
use crate::config::Durability;

/// How many files a batch of small ones has, as long as they keep coming: a trip costs each less than a system call then.
const FEW: usize = 32;

/// How many small files may wait for the next batch.
const MAX_WAITING: usize = 40;

/// How much memory all small bodies may take that wait or are on their way. What does not fit goes on its own, and its
/// worker waits for it.
const MAX_MEMORY: usize = 128 * 1024;

/// How much of that is enough for a batch, however few bodies it is.
const MUCH: usize = MAX_MEMORY / 2;

/// How long a body waits for others: too short to be noticed, and long enough for some to come where files are many.
const PATIENCE: Duration = Duration::from_millis(20);

/// As many batches at once as there are threads for the disk: those do what waits for a disk or a server that is slow.
const CLERKS: usize = 4;

/// Where the workers bring what is to be committed. Each has one of its own.
#[derive(Debug)]
pub(super) struct Desk {
    queue: Sender<Unsettled>,
    bell: Sender<()>,
    timer: Option<Sender<()>>,
    few: usize,
    counts: Arc<Counts>,
}

/// What those who bring bodies and those who take them both know.
#[derive(Debug, Default)]
struct Counts {
    /// The workers that have a job.
    busy: AtomicUsize,
    /// The batches that are on their way.
    batches: AtomicUsize,
    /// The bytes that are held.
    memory: AtomicUsize,
}

/// Those who take the bodies to the disk. Dropped, they leave it.
#[derive(Debug)]
pub(super) struct Clerks {
    clerks: Vec<Task<()>>,
    reminder: Option<Task<()>>,
}

/// Opens a desk, and hires clerks for it; `None` where nothing is to be committed, or nothing may wait for it.
pub(super) fn open(run: &Arc<Run>, executor: &Executor<'static>) -> Option<(Desk, Clerks)> {
    run.folder.as_ref()?;
    let is_synced = run.config.durability == Durability::Synced;
    let (most, few, clerks) = if is_synced { (max_batch(), 1, 1) } else { (MAX_WAITING, FEW, CLERKS) };
    if most == 1 {
        return None;
    }
    let (queue, bodies) = async_channel::bounded(most);
    let (bell, rings) = async_channel::bounded(1);
    let counts = Arc::<Counts>::default();
    let hire = || {
        let clerk = Clerk { run: Arc::clone(run), bodies: bodies.clone(), few, counts: Arc::clone(&counts) };
        executor.spawn(clerk.serve(rings.clone()))
    };
    let clerks = repeat_with(hire).take(clerks).collect();
    let (timer, reminder) = (few > 1)
        .then(|| {
            let (timer, reminders) = async_channel::bounded(1);
            (timer, executor.spawn(remind(reminders, bell.clone())))
        })
        .unzip();
    Some((Desk { queue, bell, timer, few, counts }, Clerks { clerks, reminder }))
}

/// Rings for what has waited long.
async fn remind(reminders: Receiver<()>, bell: Sender<()>) {
    while reminders.recv().await.is_ok() {
        Timer::after(PATIENCE).await;
        ring(&bell);
    }
}

/// Rings the bell; once is enough until it is heard.
fn ring(bell: &Sender<()>) {
    let _ = bell.try_send(());
}

impl Desk {
    /// For a worker that has a job.
    pub fn enter(&self) -> Self {
        self.counts.busy.fetch_add(1, Ordering::Relaxed);
        let (queue, bell, timer) = (self.queue.clone(), self.bell.clone(), self.timer.clone());
        Self { queue, bell, timer, few: self.few, counts: Arc::clone(&self.counts) }
    }

    /// The worker has to wait for its next job.
    pub fn pause(&self) {
        if self.counts.busy.fetch_sub(1, Ordering::Relaxed) == 1 && !self.queue.is_empty() {
            ring(&self.bell);
        }
    }

    /// It has one.
    pub fn resume(&self) {
        self.counts.busy.fetch_add(1, Ordering::Relaxed);
    }

    /// Leaves a body to be committed. It waits if many are there.
    ///
    /// # Errors
    ///
    /// If nobody listens.
    pub async fn bring(&self, run: &Run, unsettled: Unsettled) -> Result<(), ()> {
        let memory = unsettled.memory();
        if self.counts.memory.load(Ordering::Relaxed) + memory > MAX_MEMORY {
            self.ring_if_idle();
            return Box::pin(settle(run, vec![unsettled])).await;
        }
        self.counts.memory.fetch_add(memory, Ordering::Relaxed);
        self.queue.send(unsettled).await.map_err(drop)?;
        let is_enough = self.queue.len() >= self.few || self.counts.memory.load(Ordering::Relaxed) >= MUCH;
        if is_enough && self.ring_if_idle() {
            return Ok(());
        }
        if let Some(timer) = &self.timer {
            ring(timer);
        }
        Ok(())
    }

    /// Rings, unless a batch is on its way, which takes what has come by its end; whether it rang.
    fn ring_if_idle(&self) -> bool {
        let is_idle = self.counts.batches.load(Ordering::Relaxed) == 0;
        if is_idle {
            ring(&self.bell);
        }
        is_idle
    }
}

/// One who takes batches to the disk.
struct Clerk {
    run: Arc<Run>,
    bodies: Receiver<Unsettled>,
    few: usize,
    counts: Arc<Counts>,
}

impl Clerk {
    async fn serve(self, bell: Receiver<()>) {
        let mut is_open = true;
        while is_open {
            is_open = bell.recv().await.is_ok();
            loop {
                let batch: Vec<_> = from_fn(|| self.bodies.try_recv().ok()).collect();
                if batch.is_empty() {
                    break;
                }
                // Nobody listens any more: the run is being dropped, and this with it.
                if self.take(batch).await.is_err() {
                    return;
                }
                let is_over = !is_open || self.counts.busy.load(Ordering::Relaxed) == 0;
                if self.bodies.len() < self.few && !is_over {
                    break;
                }
            }
        }
    }

    async fn take(&self, batch: Vec<Unsettled>) -> Result<(), ()> {
        let memory = batch.iter().map(Unsettled::memory).sum();
        self.counts.batches.fetch_add(1, Ordering::Relaxed);
        let told = settle(&self.run, batch).await;
        self.counts.batches.fetch_sub(1, Ordering::Relaxed);
        self.counts.memory.fetch_sub(memory, Ordering::Relaxed);
        told
    }
}

impl Clerks {
    /// Waits until all that was brought is committed. Every worker has to be gone.
    pub async fn finish(self) {
        // It has a bell, and would be heard.
        drop(self.reminder);
        for clerk in self.clerks {
            clerk.await;
        }
    }
}
