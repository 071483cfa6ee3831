//! How a run ends before its time: one latch, which everybody who waits for anything also waits for.

use std::sync::{Arc, OnceLock};

use async_channel::{Receiver, Sender};

use crate::error::{Error, ErrorKind, Phase};

/// Why a run was stopped. The first reason counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Somebody asked: [`Stopper::stop`].
    Asked,
    /// A job failed, and the run was to stop then.
    Failure,
    /// The run's time was up.
    Deadline,
}

/// Stops a run; got from [`Outcomes::stopper`](super::Outcomes::stopper).
#[derive(Debug, Clone)]
pub struct Stopper {
    latch: Arc<Latch>,
}

#[derive(Debug)]
struct Latch {
    reason: OnceLock<Reason>,
    /// Set when the run's time is up, be it stopped already or not.
    expired: OnceLock<()>,
    /// Nothing is ever sent: closing the channel is the signal.
    held: Sender<()>,
    closed: Receiver<()>,
}

impl Stopper {
    pub(super) fn new() -> Self {
        let (held, closed) = async_channel::bounded(1);
        Self { latch: Arc::new(Latch { reason: OnceLock::new(), expired: OnceLock::new(), held, closed }) }
    }

    /// Stops the run: no job starts any more, what is in flight is stopped. Every job that was read still has its
    /// outcome, of kind [`Interrupted`](ErrorKind::Interrupted); then the stream of outcomes ends. Once is enough.
    pub fn stop(&self) {
        self.stop_for(Reason::Asked);
    }

    pub(super) fn stop_for(&self, reason: Reason) {
        if reason == Reason::Deadline {
            self.latch.expired.get_or_init(|| ());
        }
        if self.latch.reason.set(reason).is_ok() {
            log::debug!("the run is stopped: {reason:?}");
        }
        self.latch.held.close();
    }

    /// Whether the run's [`deadline`](crate::Builder::deadline) has passed, whatever stopped the run.
    #[must_use]
    pub fn is_past_deadline(&self) -> bool {
        self.latch.expired.get().is_some()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.latch.reason.get().is_some()
    }

    /// A stream that ends, without an item, when the run is stopped.
    pub(super) fn stopped(&self) -> Receiver<()> {
        self.latch.closed.clone()
    }

    /// What a job fails with that was in flight when the run was stopped.
    pub(super) fn in_flight(&self) -> Error {
        match self.latch.reason.get() {
            Some(Reason::Deadline) => Error::new(
                ErrorKind::Timeout(Phase::Deadline),
                "not done when the time of the run was up; raise --deadline",
            ),
            _ => Error::new(ErrorKind::Interrupted, "the run was stopped before this was done"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_counts_and_all_who_wait_are_told() {
        let stopper = Stopper::new();
        assert!(!stopper.is_stopped());
        stopper.stop_for(Reason::Deadline);
        stopper.stop();
        assert!(stopper.is_stopped());
        assert!(stopper.stopped().try_recv().is_err_and(|e| e.is_closed()));
        assert_eq!(stopper.in_flight().phase(), Some(Phase::Deadline));
    }

    #[test]
    fn what_was_asked_to_stop_is_interrupted_also_when_its_time_is_up_later() {
        let stopper = Stopper::new();
        stopper.stop();
        assert!(stopper.in_flight().is_interrupted() && !stopper.is_past_deadline());
        stopper.stop_for(Reason::Deadline);
        assert!(stopper.in_flight().is_interrupted() && stopper.is_past_deadline());
    }
}
