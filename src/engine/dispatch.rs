//! The list → tickets for the workers, each when its host may be asked.
//!
//! ```text
//!  list ──▶ dispatcher: lanes ─▶ [bounded channel] ─▶ N workers ─▶ outcomes
//!               ▲                                        │
//!               └───── [bounded channel of reports] ◀────┘
//! ```
//!
//! It moves tickets; which of them goes next is for [`Lanes`] to say. A job that waits holds no worker. The channel is the
//! limit: it is filled, and the list is read no further then. When the run is stopped every ticket goes to a worker at once,
//! which gives its outcome.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use async_channel::{Receiver, Sender, TryRecvError};
use futures_lite::Stream;
use surf::Url;
use surf::http::url::Position;

use super::clock::Wait;
use super::feed::{Appetite, Intake};
use super::lanes::{Lanes, Queued, Rules, Supply};
use super::reports::{Ear, Report};
use super::run::Run;
use super::ticket::{Back, Going, Ticket};
use crate::config::{Config, Courtesy};
use crate::job::{Entry, Rejected};

/// Hands tickets out. As a future it is done when the list has ended and every ticket has come to its end.
pub(super) struct Dispatcher<'a> {
    run: &'a Run,
    /// `None` at its end.
    list: Option<Intake<'a>>,
    tickets: Sender<Going>,
    /// The channel's other end, to take back what no worker has begun.
    queue: Pin<Box<Receiver<Going>>>,
    ear: Ear,
    stopped: Pin<Box<Receiver<()>>>,
    lanes: Lanes<Box<Ticket>>,
    host: String,
    timer: Option<(Instant, Wait)>,
}

impl<'a> Dispatcher<'a> {
    pub fn new(run: &'a Run, list: Intake<'a>, tickets: Sender<Going>, queue: Receiver<Going>, ear: Ear) -> Self {
        Self {
            run,
            list: Some(list),
            tickets,
            queue: Box::pin(queue),
            ear,
            stopped: Box::pin(run.stopper.stopped()),
            lanes: Lanes::new(rules(&run.config)),
            host: String::new(),
            timer: None,
        }
    }

    /// Takes the reports that there are. False if no worker is left.
    fn hear(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        self.ear.listen(cx);
        loop {
            match self.ear.next() {
                Ok(Report::Answered(lane)) => self.lanes.answered(lane),
                Ok(Report::Ended { pass, contact, park, back }) => {
                    let chance = || self.run.clock.chance();
                    if self.lanes.ended(pass, contact, park, now, chance) == Queued::Recall {
                        self.recall();
                    }
                    if let Some(Back { ticket, wait }) = back {
                        name_host(&mut self.host, ticket.url());
                        // Not where it goes on to a mirror, at once.
                        let is_put_off = contact.is_silence() && !wait.is_zero();
                        let pass = if is_put_off { self.lanes.put_off(pass) } else { pass };
                        self.lanes.give_back(&self.host, pass, wait, ticket, now);
                    }
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Closed) => return false,
            }
        }
    }

    /// Takes back what no worker has begun: some of it must not go now.
    fn recall(&mut self) {
        while let Ok((ticket, pass)) = self.queue.try_recv() {
            self.lanes.recall(pass, ticket);
        }
    }

    /// Fills the channel, as far as there is what may go.
    fn hand_out(&mut self, cx: &mut Context<'_>, now: Instant) {
        while !self.tickets.is_full() {
            let next = match self.lanes.next(now) {
                Some(next) => next,
                None => match self.read(cx, now) {
                    Ok(Some(next)) => next,
                    Ok(None) => continue,
                    Err(supply) => match self.lanes.stretch(now, supply) {
                        Some(next) => next,
                        None => return,
                    },
                },
            };
            // It has room.
            let _ = self.tickets.try_send(next);
        }
    }

    /// Reads the list, if it is to be read now: a ticket that may go, or none if it is held.
    ///
    /// # Errors
    ///
    /// Why nothing came.
    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<Option<Going>, Supply> {
        let Some(list) = &mut self.list else { return Err(Supply::Ended) };
        let appetite = match self.run.stopper.is_stopped() {
            true => Appetite::Enough,
            false if self.lanes.wants_more(now) => Appetite::More,
            false => return Err(Supply::Open),
        };
        match list.poll_next(cx, appetite) {
            Poll::Ready(Some(ticket)) => Ok(self.admit(ticket, now)),
            Poll::Ready(None) => {
                self.list = None;
                Err(Supply::Ended)
            }
            Poll::Pending => {
                self.lanes.is_dry(now);
                Err(Supply::Dry)
            }
        }
    }

    /// Names the job's file, in the list's order whatever overtakes it, and lets it go when its host may be asked.
    fn admit(&mut self, mut ticket: Box<Ticket>, now: Instant) -> Option<Going> {
        let mut is_free = false;
        if let (Some(folder), Entry::Job(job)) = (&self.run.folder, &ticket.entry) {
            is_free = folder.skips();
            match folder.claim(&job.text, job.out.as_deref()) {
                Ok(name) => ticket.name = Some(name),
                Err(error) => {
                    ticket.entry = Entry::Rejected(Rejected { text: job.shown(), line: job.line, error });
                }
            }
        }
        name_host(&mut self.host, ticket.url().filter(|_| !is_free));
        self.lanes.admit(&self.host, ticket, now)
    }

    /// Ready when something may go.
    fn poll_wake(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let Some(due) = self.lanes.wake(now).filter(|_| !self.tickets.is_full()) else { return Poll::Pending };
        if self.timer.as_ref().is_none_or(|(set, _)| *set != due) {
            self.timer = Some((due, self.run.clock.wait(due.saturating_duration_since(now))));
        }
        let Some((_, wait)) = &mut self.timer else { return Poll::Pending };
        ready!(wait.as_mut().poll(cx));
        self.timer = None;
        Poll::Ready(())
    }
}

fn rules(config: &Config) -> Rules {
    let Config { jobs, retries, courtesy, .. } = config;
    let Courtesy { per_host, interval, .. } = *courtesy;
    Rules { workers: *jobs, retries: *retries, per_host: per_host.unwrap_or(usize::MAX), interval }
}

/// Writes what tells a URL's host from others, its scheme and port included; nothing where there is no URL.
fn name_host(name: &mut String, url: Option<&Url>) {
    name.clear();
    if let Some(url) = url {
        name.push_str(url.scheme());
        name.push_str("://");
        name.push_str(&url[Position::BeforeHost..Position::AfterPort]);
    }
}

impl Future for Dispatcher<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            let now = this.run.clock.instant();
            // Where no worker is left, the run is being dropped, or one of them has panicked.
            if !this.hear(cx, now) {
                return Poll::Ready(());
            }
            if this.run.stopper.is_stopped() || this.stopped.as_mut().poll_next(cx).is_ready() {
                this.lanes.release();
            }
            this.hand_out(cx, now);
            this.ear.set_calm(this.lanes.is_calm());
            if this.list.is_none() && this.lanes.is_empty() {
                return Poll::Ready(());
            }
            ready!(this.poll_wake(cx, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_told_apart_by_scheme_and_port_and_by_nothing_else() {
        let named = |url: &str| {
            let mut name = "old".to_owned();
            name_host(&mut name, Some(&Url::parse(url).unwrap()));
            name
        };
        assert_eq!(named("http://u:p@H.example:80/a?b#c"), "http://h.example");
        assert_eq!(named("https://h.example:80/"), "https://h.example:80");
        assert_eq!(named("http://[::1]:8080"), "http://[::1]:8080");
        let mut none = "old".to_owned();
        name_host(&mut none, None);
        assert_eq!(none, "");
    }
}
