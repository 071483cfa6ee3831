//! Tickets → workers: reads the list when there is room, and keeps the tickets that wait for another attempt.
//!
//! ```text
//!  list ──▶ dispatcher ─▶ [bounded channel] ─▶ N workers ─▶ outcomes
//!              ▲  waiting, by due time            │
//!              └──── [bounded channel of reports] ◀┘
//! ```
//!
//! A job that waits holds no worker. The channel is the limit: it is filled, and the list is read no further then. When the run
//! is stopped every ticket goes to a worker at once, which gives its outcome.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use async_channel::{Receiver, Sender};
use futures_lite::Stream;

use super::clock::Wait;
use super::feed::{Appetite, Intake};
use super::run::Run;
use super::ticket::{Back, Report, Ticket};
use crate::job::Entry;

/// How many tickets may wait for another attempt. Past that the list is read no further.
const MAX_WAITING: usize = 256;

/// Hands tickets out. As a future it is done when the list has ended and every ticket has come to its end.
pub(super) struct Dispatcher<'a, S> {
    run: &'a Run,
    /// `None` at its end.
    list: Option<Intake<'a, S>>,
    tickets: Sender<Ticket>,
    reports: Pin<Box<Receiver<Report>>>,
    stopped: Pin<Box<Receiver<()>>>,
    /// Tickets that are queued or in a worker's hands.
    out: usize,
    waiting: BinaryHeap<Waiting>,
    timer: Option<(Instant, Wait)>,
}

/// A ticket that is to go out again.
#[derive(Debug)]
struct Waiting {
    due: Instant,
    ticket: Ticket,
}

impl<'a, S: Stream<Item = Entry> + Send> Dispatcher<'a, S> {
    pub fn new(run: &'a Run, list: Intake<'a, S>, tickets: Sender<Ticket>, reports: Receiver<Report>) -> Self {
        Self {
            run,
            list: Some(list),
            tickets,
            reports: Box::pin(reports),
            stopped: Box::pin(run.stopper.stopped()),
            out: 0,
            waiting: BinaryHeap::new(),
            timer: None,
        }
    }

    /// Takes the reports that there are. False if no worker is left.
    fn hear(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            match self.reports.as_mut().poll_next(cx) {
                Poll::Ready(Some(Report { back })) => {
                    self.out = self.out.saturating_sub(1);
                    if let Some(Back { ticket, wait }) = back.map(|back| *back) {
                        self.waiting.push(Waiting { due: self.run.clock.instant() + wait, ticket });
                    }
                }
                Poll::Ready(None) => return false,
                Poll::Pending => return true,
            }
        }
    }

    /// Fills the channel: with what is due, else from the list.
    fn hand_out(&mut self, cx: &mut Context<'_>) {
        while !self.tickets.is_full() {
            let ticket = match self.due() {
                Some(ticket) => ticket,
                None => match self.read(cx) {
                    Some(ticket) => ticket,
                    None => return,
                },
            };
            if self.tickets.try_send(ticket).is_ok() {
                self.out += 1;
            }
        }
    }

    /// A ticket that has waited long enough: any, when the run is stopped.
    fn due(&mut self) -> Option<Ticket> {
        let due = self.waiting.peek()?.due;
        let is_due = self.run.stopper.is_stopped() || due <= self.run.clock.instant();
        if is_due { self.waiting.pop().map(|waiting| waiting.ticket) } else { None }
    }

    /// The next ticket of the list, if there is one now and it is to be read.
    fn read(&mut self, cx: &mut Context<'_>) -> Option<Ticket> {
        let list = self.list.as_mut()?;
        let appetite = match self.run.stopper.is_stopped() {
            true => Appetite::Enough,
            false if self.waiting.len() >= MAX_WAITING => return None,
            false => Appetite::More,
        };
        match list.poll_next(cx, appetite) {
            Poll::Ready(None) => {
                self.list = None;
                None
            }
            Poll::Ready(ticket) => ticket,
            Poll::Pending => None,
        }
    }

    /// Ready when the next ticket is due.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.waiting.peek().map(|waiting| waiting.due).filter(|_| !self.tickets.is_full()) else {
            return Poll::Pending;
        };
        if self.timer.as_ref().is_none_or(|(set, _)| *set != due) {
            let wait = due.saturating_duration_since(self.run.clock.instant());
            self.timer = Some((due, self.run.clock.wait(wait)));
        }
        let Some((_, wait)) = &mut self.timer else { return Poll::Pending };
        ready!(wait.as_mut().poll(cx));
        self.timer = None;
        Poll::Ready(())
    }
}

impl<S: Stream<Item = Entry> + Send> Future for Dispatcher<'_, S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            // Where no worker is left, the run is being dropped, or one of them has panicked.
            if !this.hear(cx) {
                return Poll::Ready(());
            }
            let _ = this.stopped.as_mut().poll_next(cx);
            this.hand_out(cx);
            if this.list.is_none() && this.waiting.is_empty() && this.out == 0 {
                return Poll::Ready(());
            }
            ready!(this.poll_due(cx));
        }
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    /// The soonest is the greatest: the heap gives that first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.due.cmp(&self.due)
    }
}
