//! What workers tell the dispatcher, and when it hears of it.
//!
//! ```text
//!  workers ─▶ [bounded channel of reports] ─▶ dispatcher, whenever it looks
//!     └──────────────── bell ───────────────▶ wakes it
//! ```
//!
//! To be woken for each job that ends would cost some hundred instructions a job. So where no ticket waits for another's end,
//! the bell rings only for what is out of the ordinary, and when the queue of tickets runs low. Both sides are tasks of one
//! executor on one thread: between looking at the queue and telling, nothing changes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;
use std::time::Duration;

use async_channel::{Receiver, RecvError, Sender, TryRecvError};

use super::lanes::{LaneId, Pass};
use super::standing::Contact;
use super::ticket::{Back, Going};
use crate::relay::Relay;

/// How many reports there are of one ticket, at most.
const MOST: usize = 2;

/// What a worker tells the dispatcher.
#[derive(Debug)]
pub(super) enum Report {
    /// A host of which nothing was known has sent a response head.
    Answered(LaneId),
    /// It is done with a ticket.
    Ended {
        pass: Pass,
        contact: Contact,
        /// How long the host asks to be left alone.
        park: Option<Duration>,
        back: Option<Back>,
    },
}

impl Report {
    /// Whether it changes nothing but how many tickets are out.
    fn is_ordinary(&self) -> bool {
        matches!(self, Self::Ended { contact: Contact::Made | Contact::Unknown, park: None, back: None, .. })
    }
}

/// A worker's side: where tickets come from, and reports go.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    queue: Receiver<Going>,
    reports: Sender<Report>,
    bell: Arc<Relay>,
    is_calm: Arc<AtomicBool>,
}

/// The dispatcher's side.
#[derive(Debug)]
pub(super) struct Ear {
    reports: Pin<Box<Receiver<Report>>>,
    bell: Arc<Relay>,
    is_calm: Arc<AtomicBool>,
}

/// For so many workers, who take their tickets from this queue.
pub(super) fn open(workers: usize, queue: Receiver<Going>) -> (Counter, Ear) {
    let waiting = queue.capacity().unwrap_or_default();
    let (sender, reports) = async_channel::bounded((workers + waiting) * MOST);
    let (bell, is_calm) = <(Arc<Relay>, Arc<AtomicBool>)>::default();
    let ear = Ear { reports: Box::pin(reports), bell: Arc::clone(&bell), is_calm: Arc::clone(&is_calm) };
    (Counter { queue, reports: sender, bell, is_calm }, ear)
}

impl Counter {
    /// The next ticket, if there is one now.
    pub fn try_take(&self) -> Option<Going> {
        let going = self.queue.try_recv().ok()?;
        self.mind_the_queue();
        Some(going)
    }

    /// The next ticket.
    ///
    /// # Errors
    ///
    /// If there are no more.
    pub async fn take(&self) -> Result<Going, RecvError> {
        let going = self.queue.recv().await?;
        self.mind_the_queue();
        Ok(going)
    }

    /// Tells the dispatcher, at once if that matters.
    pub fn tell(&self, report: Report) {
        let can_wait = report.is_ordinary() && self.is_calm.load(Ordering::Relaxed) && !self.is_low();
        // There is room for all; where it is closed the run is being dropped.
        let _ = self.reports.try_send(report);
        if !can_wait {
            self.bell.pass();
        }
    }

    fn mind_the_queue(&self) {
        if self.is_low() {
            self.bell.pass();
        }
    }

    fn is_low(&self) -> bool {
        self.queue.len() <= self.queue.capacity().unwrap_or_default() / 2
    }
}

/// That no worker is left is to be heard, too.
impl Drop for Counter {
    fn drop(&mut self) {
        self.bell.pass();
    }
}

impl Ear {
    /// From now on the task is woken when the bell rings.
    pub fn listen(&self, cx: &Context<'_>) {
        self.bell.set(cx.waker());
    }

    /// The next report that there is.
    ///
    /// # Errors
    ///
    /// Whether there is none now, or no worker is left.
    pub fn next(&self) -> Result<Report, TryRecvError> {
        self.reports.try_recv()
    }

    /// Whether no ticket waits for what an ordinary report tells.
    pub fn set_calm(&self, is_calm: bool) {
        self.is_calm.store(is_calm, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};
    use std::time::Instant;

    use super::super::lanes::{Lanes, Rules};
    use super::super::ticket::Ticket;
    use super::*;
    use crate::job::{Entry, Job};

    const ROOM: usize = 4;

    /// A dispatcher, as far as it listens.
    struct Dispatcher {
        ear: Ear,
        woken: Arc<Woken>,
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Dispatcher {
        /// Whether it was woken. It goes on listening.
        fn heard(&self) -> bool {
            let woken = self.woken.0.swap(0, Ordering::Relaxed) > 0;
            self.ear.listen(&Context::from_waker(&Waker::from(Arc::clone(&self.woken))));
            woken
        }
    }

    /// A counter with a full queue, a dispatcher that listens, and the passes of the tickets.
    fn full() -> (Counter, Dispatcher, Vec<Pass>) {
        let (sender, queue) = async_channel::bounded(ROOM);
        let (counter, ear) = open(ROOM, queue);
        let dispatcher = Dispatcher { ear, woken: Arc::default() };
        let now = Instant::now();
        let mut lanes = Lanes::new(Rules { workers: ROOM, per_host: usize::MAX, interval: None, retries: 0 });
        let mut passes = Vec::new();
        for _ in 0..ROOM {
            let entry = Entry::Job(Job::new("http://h/").unwrap());
            let going = lanes.admit("", Ticket::new(entry, async_channel::bounded(1).0), now).unwrap();
            passes.push(going.1);
            sender.try_send(going).unwrap();
        }
        assert!(!dispatcher.heard());
        (counter, dispatcher, passes)
    }

    fn ended(pass: Pass) -> Report {
        Report::Ended { pass, contact: Contact::Made, park: None, back: None }
    }

    #[test]
    fn the_bell_rings_for_what_is_out_of_the_ordinary() {
        let (counter, dispatcher, passes) = full();
        dispatcher.ear.set_calm(true);
        counter.tell(ended(passes[0]));
        assert!(!dispatcher.heard());
        let mut parked = ended(passes[1]);
        if let Report::Ended { park, .. } = &mut parked {
            *park = Some(Duration::from_secs(1));
        }
        counter.tell(parked);
        assert!(dispatcher.heard());
        assert!(dispatcher.ear.next().is_ok() && dispatcher.ear.next().is_ok() && dispatcher.ear.next().is_err());
    }

    #[test]
    fn the_bell_rings_for_every_end_while_somebody_waits_for_one() {
        let (counter, dispatcher, passes) = full();
        counter.tell(ended(passes[0]));
        assert!(dispatcher.heard());
    }

    #[test]
    fn the_bell_rings_when_half_of_the_queue_is_left() {
        let (counter, dispatcher, passes) = full();
        dispatcher.ear.set_calm(true);
        assert!(counter.try_take().is_some() && !dispatcher.heard());
        assert!(counter.try_take().is_some() && dispatcher.heard());
        counter.tell(ended(passes[0]));
        assert!(dispatcher.heard());
    }

    #[test]
    fn the_dispatcher_hears_that_no_worker_is_left() {
        let (counter, dispatcher, _) = full();
        assert_eq!(dispatcher.ear.next().unwrap_err(), TryRecvError::Empty);
        drop(counter);
        assert!(dispatcher.heard());
        assert_eq!(dispatcher.ear.next().unwrap_err(), TryRecvError::Closed);
    }
}
