//! The list → tickets for the workers, each with a way for its job's outcome.

use std::future::Future;
use std::iter::repeat_with;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_channel::{Receiver, Sender};
use futures_lite::{Stream, StreamExt};
use smol::Executor;

use super::Fetcher;
use super::dispatch::Dispatcher;
use super::gather::{self, Desk};
use super::leash::Leash;
use super::meter::Meter;
use super::online::Online;
use super::reports;
use super::run::{Run, Traffic, work};
use super::stop::Stopper;
use super::ticket::Ticket;
use crate::error::{Error, ErrorKind};
use crate::job::Entry;
use crate::outcome::Outcome;
use crate::output::Folder;

/// What a run is made of, before its directory is open.
#[derive(Debug)]
pub(super) struct Plan {
    pub fetcher: Fetcher,
    pub stopper: Stopper,
    pub traffic: Traffic,
}

impl Plan {
    fn begin(self, folder: Option<Folder>) -> Arc<Run> {
        let Fetcher { config, client, messages, common, spare, clock, dialler, .. } = self.fetcher;
        let meter = config.courtesy.limit_rate.map(|rate| Meter::new(rate, config.jobs));
        let online = config.wait_online.map(|limit| Online::new(limit, config.limits.connect, dialler));
        Arc::new(Run {
            config,
            client,
            messages,
            common,
            spare,
            folder,
            online,
            clock,
            stopper: self.stopper,
            traffic: self.traffic,
            meter,
        })
    }
}

/// The list. Boxed, so that what a run does is in the library once, and not in each program for each kind of list.
pub(super) type Entries = Pin<Box<dyn Stream<Item = Entry> + Send>>;

/// The order in which outcomes are given.
#[derive(Debug)]
pub(super) enum Order {
    /// All go into one channel as they come.
    Completion(Sender<Outcome>),
    /// Each has a channel of its own, and these are queued as the jobs are. The queue's capacity is how far a job may get ahead.
    Input(Sender<Receiver<Outcome>>),
}

/// The list and the way of outcomes → tickets, one after the other.
pub(super) struct Intake<'a> {
    jobs: &'a mut Entries,
    order: &'a Order,
    /// A job that was read, while there is no room for its outcome.
    late: Option<Late<'a>>,
}

/// A ticket that waits for room.
type Late<'a> = Pin<Box<dyn Future<Output = Option<Box<Ticket>>> + Send + 'a>>;

/// Whether another job is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appetite {
    More,
    /// None, but what was read already has its outcome.
    Enough,
}

impl<'a> Intake<'a> {
    fn new(jobs: &'a mut Entries, order: &'a Order) -> Self {
        Self { jobs, order, late: None }
    }

    /// The next job's ticket; `None` at the list's end, and when nobody wants outcomes any more.
    pub fn poll_next(&mut self, cx: &mut Context<'_>, appetite: Appetite) -> Poll<Option<Box<Ticket>>> {
        if self.late.is_none() {
            if appetite == Appetite::Enough {
                return Poll::Ready(None);
            }
            let Some(entry) = ready!(self.jobs.poll_next(cx)) else { return Poll::Ready(None) };
            match self.order {
                Order::Completion(outcomes) => return Poll::Ready(Some(Ticket::new(entry, outcomes.clone()))),
                Order::Input(queue) => self.late = Some(Box::pin(queued(queue, entry))),
            }
        }
        let Some(late) = &mut self.late else { return Poll::Ready(None) };
        let ticket = ready!(late.as_mut().poll(cx));
        self.late = None;
        Poll::Ready(ticket)
    }
}

/// A ticket whose outcome has its place in the queue.
async fn queued(queue: &Sender<Receiver<Outcome>>, entry: Entry) -> Option<Box<Ticket>> {
    let (sender, receiver) = async_channel::bounded(1);
    queue.send(receiver).await.ok()?;
    Some(Ticket::new(entry, sender))
}

impl Order {
    /// Where the next job's outcome goes; `None` if nobody wants it any more.
    async fn reply(&self) -> Option<Sender<Outcome>> {
        match self {
            Self::Completion(outcomes) => Some(outcomes.clone()),
            Self::Input(queue) => {
                let (sender, receiver) = async_channel::bounded(1);
                queue.send(receiver).await.ok()?;
                Some(sender)
            }
        }
    }
}

/// Opens the directory, hires the workers, hands them job after job until the list ends or the run is stopped, and waits for
/// them to be done.
pub(super) async fn conduct(plan: Plan, mut jobs: Entries, order: Order, executor: &Executor<'static>) {
    let mut leash = Leash::new(&plan.stopper);
    let folder = match plan.fetcher.open_folder().await {
        Ok(folder) => folder,
        Err(error) => return fail_all(&mut leash, &mut jobs, &order, &error).await,
    };
    let run = plan.begin(folder);
    // As many wait as work: a worker that is done finds its next ticket there.
    let (sender, tickets) = async_channel::bounded(run.config.jobs);
    let (counter, ear) = reports::open(run.config.jobs, tickets.clone());
    let (desk, clerks) = gather::open(&run, executor).unzip();
    let hire = || executor.spawn(work(Arc::clone(&run), counter.clone(), desk.as_ref().map(Desk::enter)));
    let workers: Vec<_> = repeat_with(hire).take(run.config.jobs).collect();
    drop((counter, desk));
    Dispatcher::new(&run, Intake::new(&mut jobs, &order), sender, tickets, ear).await;
    // Not detached: a worker that panics takes the run with it, so no outcome is lost in silence.
    for worker in workers {
        worker.await;
    }
    if let Some(clerks) = clerks {
        clerks.finish().await;
    }
}

/// Without its directory a run can do nothing, but still says so of every job.
async fn fail_all(leash: &mut Leash, jobs: &mut Entries, order: &Order, error: &Error) {
    while let Ok(Some(entry)) = leash.hold(jobs.next()).await {
        let outcome = match entry {
            Entry::Job(job) => Outcome::failed(&job, Error::new(ErrorKind::Io, error.to_string())),
            Entry::Rejected(rejected) => Outcome::rejected(rejected),
        };
        let Some(reply) = order.reply().await else { return };
        if reply.send(outcome).await.is_err() {
            return;
        }
    }
}
