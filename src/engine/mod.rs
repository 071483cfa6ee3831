//! The engine: a stream of jobs → a stream of outcomes.
//!
//! ```text
//!  jobs ─▶ dispatch ─▶ [bounded channel] ─▶ N workers ─┬──────────────▶ [bounded channel] ─▶ outcomes
//!             ▲─────── another attempt, later ──┘       └▶ gather ─▶ settle (files) ─▲
//! ```
//!
//! The workers are tasks of one executor that only runs while the stream of outcomes is polled, so a run needs no runtime
//! of its own; only what blocks, look-ups and the disk, is done on threads. The bounded channel and the number of workers are the limit on what is in flight: when nobody
//! takes outcomes, the workers stop taking jobs, and when they do, nobody reads the list.

mod attempt;
mod body;
mod builder;
mod clock;
mod content_range;
#[cfg(feature = "compressed")]
mod decode;
mod dispatch;
mod feed;
mod fetch;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod gatekeeper;
mod gather;
mod lanes;
mod leash;
mod meter;
mod online;
mod pace;
mod redirect;
mod reports;
mod resume;
mod retry;
mod route;
mod run;
mod settle;
mod standing;
mod stop;
mod target;
#[cfg(test)]
mod tests;
mod ticket;
mod validators;

use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::Receiver;
use async_io::Timer;
use futures_lite::{Stream, StreamExt as _, future};
use smol::Executor;

pub use self::builder::Builder;
use self::clock::{Clock, MachineClock};
use self::feed::{Entries, Order, Plan, conduct};
pub use self::run::Traffic;
use self::stop::Reason;
pub use self::stop::Stopper;
use crate::config::{Config, Durability, Keep, Method, Reach};
use crate::error::{Error, ErrorKind};
use crate::job::Entry;
use crate::offload::{Lane, unblock};
use crate::outcome::Outcome;
use crate::output::{Folder, Rules};
use crate::reactor::Pulse;
use crate::spare::Spare;
use crate::sync::lock;
use crate::transport::{Dialler, Fields, Messages, Transport};

/// The most outcomes that wait to be taken, beside those that the workers hold.
const MAX_WAITING: usize = 32;

/// Fetches lists of jobs, each as its [`Builder`] was set. Cheap to clone; runs of clones share connections, look-ups and
/// TLS sessions.
#[derive(Debug, Clone)]
pub struct Fetcher {
    config: Arc<Config>,
    client: surf::Client,
    messages: Arc<Messages>,
    common: Fields,
    spare: Spare,
    clock: Arc<dyn Clock>,
    dialler: Arc<Dialler>,
    /// The directory that [`prepare`](Fetcher::prepare) opened, until a run takes it.
    prepared: Arc<Mutex<Option<Folder>>>,
}

impl Fetcher {
    /// A fetcher's options, all at their defaults.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn new(config: Config) -> Result<Self, Error> {
        Self::with_clock(config, Arc::new(MachineClock))
    }

    fn with_clock(mut config: Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        if config.syncs() {
            // What is remembered of a file must not outlive it.
            config.durability = Durability::Synced;
        }
        if config.network.reach == Reach::Public && !config.network.proxies.is_empty() {
            let message =
                "a proxy connects to what it likes, so private addresses can't be denied; leave one of them out";
            return Err(Error::new(ErrorKind::Connect, message));
        }
        let transport = Transport::new(&config.network, config.limits, config.jobs)?;
        let (common, messages, spare) = (route::common(&config)?, transport.messages(), transport.spare());
        let dialler = transport.dialler();
        let client = surf::Client::with_http_client(transport);
        Ok(Self { config: Arc::new(config), client, messages, common, spare, clock, dialler, prepared: Arc::default() })
    }

    /// Fetches `jobs` and gives their outcomes in order of completion.
    ///
    /// Nothing happens until the stream is polled. Every job that was taken from `jobs` has exactly one outcome; the
    /// stream ends when all have. Dropping it stops everything at once.
    ///
    /// ```
    /// use futures_lite::{StreamExt, future::block_on, stream};
    /// use smolget::{ErrorKind, Fetcher};
    ///
    /// let fetcher = Fetcher::builder().retries(0).build()?;
    /// let mut outcomes = fetcher.fetch(stream::iter(["http://127.0.0.1:1/", "not a URL"]));
    /// let mut kinds = Vec::new();
    /// while let Some(outcome) = block_on(outcomes.next()) {
    ///     kinds.extend(outcome.result().err().map(smolget::Error::kind));
    /// }
    /// assert_eq!(kinds.len(), 2);
    /// assert!(kinds.contains(&ErrorKind::Connect) && kinds.contains(&ErrorKind::Url));
    /// # Ok::<(), smolget::Error>(())
    /// ```
    pub fn fetch<S>(&self, jobs: S) -> Outcomes
    where
        S: Stream + Send + 'static,
        S::Item: Into<Entry>,
    {
        // Of finished outcomes, few wait: each may hold a body.
        let (sender, receiver) = async_channel::bounded(self.config.jobs.min(MAX_WAITING));
        self.run(jobs, Order::Completion(sender), Finished::Completion(Box::pin(receiver)))
    }

    /// Fetches `jobs` and gives their outcomes in the order of the jobs.
    ///
    /// As [`fetch`](Self::fetch), but an outcome waits until all before it were given. At most twice as many jobs as there are
    /// workers are begun ahead of the one whose outcome is next, so a slow job holds up those after it, in bounded memory.
    ///
    /// ```
    /// use futures_lite::{StreamExt, future::block_on, stream};
    /// use smolget::Fetcher;
    ///
    /// let fetcher = Fetcher::builder().retries(0).build()?;
    /// let urls = ["http://127.0.0.1:1/a", "nonsense", "http://127.0.0.1:1/b"];
    /// let outcomes: Vec<_> = block_on(fetcher.fetch_in_order(stream::iter(urls)).collect());
    /// assert!(outcomes.iter().map(|outcome| outcome.url()).eq(urls));
    /// # Ok::<(), smolget::Error>(())
    /// ```
    pub fn fetch_in_order<S>(&self, jobs: S) -> Outcomes
    where
        S: Stream + Send + 'static,
        S::Item: Into<Entry>,
    {
        let (sender, receiver) = async_channel::bounded(self.config.jobs * 2);
        self.run(jobs, Order::Input(sender), Finished::Input { queue: Box::pin(receiver), next: None })
    }

    /// Makes the directory that bodies are saved to, if it is missing, checks that it can be written to, and clears away what
    /// a killed run left in it. A run does so itself; this tells beforehand whether it can.
    ///
    /// # Errors
    ///
    /// Kind [`Io`](crate::ErrorKind::Io) if it can't be made or written to.
    pub async fn prepare(&self) -> Result<(), Error> {
        let folder = self.open_folder().await?;
        *lock(&self.prepared) = folder;
        Ok(())
    }

    /// The directory for a run's files; `None` where nothing is saved.
    async fn open_folder(&self) -> Result<Option<Folder>, Error> {
        match (&self.config.keep, self.config.method) {
            (Keep::Save { dir, existing }, Method::Get) => {
                if let Some(folder) = lock(&self.prepared).take() {
                    return Ok(Some(folder));
                }
                let (dir, spare) = (dir.clone(), self.spare.clone());
                let rules = Rules { existing: *existing, durability: self.config.durability };
                unblock(Lane::Disk, move || Folder::open(&dir, rules, spare)).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    fn run<S>(&self, jobs: S, order: Order, finished: Finished) -> Outcomes
    where
        S: Stream + Send + 'static,
        S::Item: Into<Entry>,
    {
        self.begin(Box::pin(jobs.map(Into::into)), order, finished)
    }

    /// A run, which is the same whatever the list is.
    fn begin(&self, jobs: Entries, order: Order, finished: Finished) -> Outcomes {
        let (stopper, traffic) = (Stopper::new(), Traffic::default());
        let plan = Plan { fetcher: self.clone(), stopper: stopper.clone(), traffic: traffic.clone() };
        let deadline = deadline(self.config.deadline, stopper.clone());
        let engine = Box::pin(async move {
            let executor = Executor::new();
            // Never done: the outcomes end when the last worker has, and until they are all taken the deadline counts.
            let crew = async {
                conduct(plan, jobs, order, &executor).await;
                pending().await
            };
            executor.run(future::or(crew, deadline)).await
        });
        Outcomes { engine, pulse: Pulse::default(), finished, stopper, traffic }
    }
}

/// Stops the run when its time is up; never done.
async fn deadline(limit: Option<Duration>, stopper: Stopper) {
    if let Some(limit) = limit {
        Timer::after(limit).await;
        stopper.stop_for(Reason::Deadline);
    }
    pending().await
}

/// The outcomes of a run, as a stream. The run goes on while it is polled; dropping it stops everything at once.
pub struct Outcomes {
    engine: Pin<Box<dyn Future<Output = ()> + Send>>,
    pulse: Pulse,
    finished: Finished,
    stopper: Stopper,
    traffic: Traffic,
}

/// Where finished outcomes come from.
enum Finished {
    Completion(Pin<Box<Receiver<Outcome>>>),
    Input { queue: Pin<Box<Receiver<Receiver<Outcome>>>>, next: Option<Pin<Box<Receiver<Outcome>>>> },
}

impl Outcomes {
    /// A handle that stops this run.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Lets the run go on without taking an outcome, for whoever has no room for one yet: transfers move, time limits are kept,
    /// and the workers stop only when outcomes have filled their channel.
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        self.pulse.poll(cx);
        // It never ends by itself: when the last worker has, the channel of outcomes closes.
        let _ = self.engine.as_mut().poll(cx);
    }

    /// The count of body bytes that arrive in this run.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic.clone()
    }
}

impl Stream for Outcomes {
    type Item = Outcome;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        let this = self.get_mut();
        match this.finished.poll_next(cx) {
            Poll::Pending => {}
            ready => return ready,
        }
        this.drive(cx);
        this.finished.poll_next(cx)
    }
}

impl Finished {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        match self {
            Self::Completion(outcomes) => outcomes.as_mut().poll_next(cx),
            Self::Input { queue, next } => loop {
                if let Some(outcome) = next {
                    match outcome.as_mut().poll_next(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Some(outcome)) => {
                            *next = None;
                            return Poll::Ready(Some(outcome));
                        }
                        // Its worker is gone without an outcome, as only a run that is being dropped does.
                        Poll::Ready(None) => *next = None,
                    }
                }
                match queue.as_mut().poll_next(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Ready(Some(receiver)) => *next = Some(Box::pin(receiver)),
                }
            },
        }
    }
}

impl fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcomes").field("stopper", &self.stopper).finish_non_exhaustive()
    }
}
