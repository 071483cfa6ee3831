//! What all workers of a run share, and the workers.

use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use async_channel::Sender;

use super::attempt::Answer;
use super::clock::Clock;
use super::fetch::{Done, fetch};
use super::gather::Desk;
use super::leash::Leash;
use super::meter::Meter;
use super::online::Online;
use super::reports::Counter;
use super::settle::{Unsettled, settle};
use super::stop::{Reason, Stopper};
use super::target::Target;
use super::ticket::{Back, Going, Shift};
use crate::config::{Config, Keep, OnFailure};
use crate::outcome::Outcome;
use crate::output::{Folder, Rest, Sink};
use crate::spare::Spare;
use crate::transport::{Fields, Messages};

/// What all workers of a run share.
#[derive(Debug)]
pub(super) struct Run {
    pub config: Arc<Config>,
    pub client: surf::Client,
    pub messages: Arc<Messages>,
    /// The fields of every request that needs no others.
    pub common: Fields,
    pub spare: Spare,
    /// Where bodies are saved, if they are.
    pub folder: Option<Folder>,
    /// What jobs wait for before they begin, if they do.
    pub online: Option<Online>,
    pub clock: Arc<dyn Clock>,
    pub stopper: Stopper,
    pub traffic: Traffic,
    /// What keeps all transfers together to a rate, if there is one.
    pub meter: Option<Meter>,
}

impl Run {
    /// Where the body of a response goes, which has this length if its head says it, behind a part that is there.
    pub fn sink(
        &self,
        target: Option<&Target<'_>>,
        answer: &Answer<'_>,
        length: Option<u64>,
        rest: Option<Rest>,
    ) -> Sink {
        match (&self.folder, target) {
            (Some(folder), Some(target)) => target.sink(self, folder, answer, length, rest),
            _ if self.config.keep == Keep::Hold => Sink::hold(&self.spare),
            _ => Sink::count(),
        }
    }

    /// How many bytes of a body are taken at a time.
    pub fn piece(&self) -> usize {
        self.meter.as_ref().map_or(usize::MAX, Meter::piece)
    }

    /// Gives a job's outcome, and stops the run if it is to stop then.
    ///
    /// # Errors
    ///
    /// If nobody listens.
    pub async fn tell(&self, outcome: Outcome, reply: &Sender<Outcome>) -> Result<(), ()> {
        if !outcome.is_ok() && self.config.on_failure == OnFailure::Stop {
            self.stopper.stop_for(Reason::Failure);
        }
        reply.send(outcome).await.map_err(drop)
    }
}

/// Takes tickets until there are no more: makes an attempt, and gives the job's outcome or hands the ticket back. A body that is
/// to be committed with others goes to `desk`, and the worker to the next ticket.
pub(super) async fn work(run: Arc<Run>, counter: Counter, desk: Option<Desk>) {
    let mut leash = Leash::new(&run.stopper);
    while let Some(mut going) = next(&counter, desk.as_ref()).await {
        // The ticket stays here meanwhile: handed on, it would have a place in each future below, and each worker has those.
        let (ticket, pass) = &mut going;
        if let (Some(online), Some(url), false) = (&run.online, ticket.url(), pass.is_free()) {
            // A run that is stopped meanwhile has the job told as not begun.
            let _ = leash.hold(Box::pin(online.wait(url, &*run.clock))).await;
        }
        let mut shift = Shift::begin(&counter, *pass);
        let done = match fetch(&run, ticket, &mut leash, &mut shift).await {
            Continue(wait) => {
                shift.hand_back(Back { ticket: going.0, wait });
                continue;
            }
            Break(done) => done,
        };
        // Nobody listens any more: the run is being dropped, and this worker with it.
        if conclude(&run, done, &ticket.reply, desk.as_ref()).await.is_err() {
            return;
        }
    }
}

/// Gives a job's outcome, once its body is committed if there is one to be.
async fn conclude(
    run: &Arc<Run>,
    Done { outcome, body }: Done,
    reply: &Sender<Outcome>,
    desk: Option<&Desk>,
) -> Result<(), ()> {
    let Some(body) = body else { return run.tell(outcome, reply).await };
    let unsettled = Unsettled { body, outcome, reply: reply.clone(), since: Instant::now() };
    match desk {
        Some(desk) => desk.bring(run, unsettled).await,
        None => Box::pin(settle(run, vec![unsettled])).await,
    }
}

/// The next ticket; `None` if there are no more.
async fn next(counter: &Counter, desk: Option<&Desk>) -> Option<Going> {
    if let Some(going) = counter.try_take() {
        return Some(going);
    }
    desk.inspect(|desk| desk.pause());
    let going = counter.take().await.ok()?;
    desk.inspect(|desk| desk.resume());
    Some(going)
}

/// Counts the bytes of bodies as they arrive, for whoever shows progress.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    // Not 64 bits: some routers' processors have no atomics of that size. It is emptied often enough.
    fresh: Arc<AtomicUsize>,
}

impl Traffic {
    pub(super) fn add(&self, bytes: usize) {
        self.fresh.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The bytes that arrived since the last call, those of attempts that failed later among them.
    ///
    /// On a 32-bit machine it has to be called before 4 GiB have passed.
    #[must_use]
    pub fn take(&self) -> u64 {
        self.fresh.swap(0, Ordering::Relaxed) as u64
    }
}
