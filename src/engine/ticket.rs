//! A job on its way: to a worker, back from it while it waits for another attempt, and to a worker again.
//!
//! ```text
//!  list ─▶ Ticket ─▶ worker: one attempt ─┬▶ outcome
//!             ▲                           └▶ Back: the ticket, and how long it is to wait
//!             └──────────── dispatcher ◀──────┘
//! ```
//!
//! What a worker does with a ticket is its [`Shift`]; at its end, however that comes, there is one [`Report`].

use std::time::{Duration, Instant};

use async_channel::Sender;
use surf::Url;

use super::attempt::Record;
use crate::job::{Entry, Job};
use crate::outcome::Outcome;
use crate::output::Name;

/// A job, how far it came, and where its outcome goes.
#[derive(Debug)]
pub(super) struct Ticket {
    pub entry: Entry,
    /// The name of its file, where bodies are saved.
    pub name: Option<Name>,
    /// `None` until its first attempt has failed: most jobs never need it.
    pub past: Option<Box<Past>>,
    pub reply: Sender<Outcome>,
}

/// What a job has behind it.
#[derive(Debug)]
pub(super) struct Past {
    pub start: Instant,
    /// Which of its mirrors is next; none for its own URL.
    pub mirror: Option<usize>,
    /// How many attempts at that URL have failed.
    pub failed: u32,
    pub record: Record,
}

/// A ticket that is to come to a worker again.
#[derive(Debug)]
pub(super) struct Back {
    pub ticket: Ticket,
    /// How long it waits before.
    pub wait: Duration,
}

/// What a worker tells the dispatcher: it is done with a ticket.
#[derive(Debug)]
pub(super) struct Report {
    pub back: Option<Box<Back>>,
}

/// How many reports there may be that were not heard yet: one for each ticket that is queued or in a worker's hands.
pub(super) fn reports(workers: usize) -> usize {
    workers * 2
}

/// A worker's time with one ticket. It reports when it is dropped, so a worker that panics has told of its end, too.
#[derive(Debug)]
pub(super) struct Shift<'a> {
    reports: &'a Sender<Report>,
    back: Option<Box<Back>>,
}

impl Ticket {
    pub fn new(entry: Entry, reply: Sender<Outcome>) -> Self {
        Self { entry, name: None, past: None, reply }
    }
}

impl Past {
    /// Of a job that begins now.
    pub fn begin() -> Self {
        Self { start: Instant::now(), mirror: None, failed: 0, record: Record::default() }
    }

    /// Which of the job's URLs is asked.
    pub fn url<'j>(&self, job: &'j Job) -> &'j Url {
        self.mirror.and_then(|mirror| job.mirrors.get(mirror)).unwrap_or(&job.url)
    }
}

impl<'a> Shift<'a> {
    pub fn begin(reports: &'a Sender<Report>) -> Self {
        Self { reports, back: None }
    }

    /// The ticket is to come again.
    pub fn hand_back(&mut self, back: Box<Back>) {
        self.back = Some(back);
    }
}

impl Drop for Shift<'_> {
    fn drop(&mut self) {
        // It has room for all; where it is closed the run is being dropped.
        let _ = self.reports.try_send(Report { back: self.back.take() });
    }
}
