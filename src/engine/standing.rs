//! How attempts at a host went → whether it can be reached, and when to try again. Values in, verdict out.
//!
//! ```text
//!  New ──▶ Proven ◀── an answer, from whichever state
//!   │        │ a miss: an attempt, since whose start nobody had an answer, that did not reach it
//!   ▼        ▼
//!  Suspect: 1 s, 2 s, 4 s … between probes ─── too many misses in a row ──▶ Down, for a minute ──▶ as New
//! ```
//!
//! The waits are the host's, not a URL's: attempts that were under way together and all missed are one miss.

use std::time::{Duration, Instant};

use super::retry;
use crate::error::{Error, ErrorKind, Phase, Recovery};

/// How long nothing is tried at a host that is down.
const REST: Duration = Duration::from_secs(60);

/// The fewest misses in a row that make a host one that is down: one may be chance, and would fail all the jobs that wait.
const FEWEST: u32 = 2;

/// The misses in a row that a host is granted that has answered in this run: with the waits between them, about a minute,
/// which is what a router takes to come back. A long list is not failed for less.
const GRANTED: u32 = 7;

/// What an attempt tells of its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contact {
    /// Something came from it.
    Made,
    /// Nothing did, for want of an address, a connection or an answer.
    Missed(ErrorKind),
    /// Nothing was tried, or it was stopped.
    Unknown,
}

impl Contact {
    /// What an attempt tells that failed before there was a response head.
    pub fn of(error: &Error) -> Self {
        use ErrorKind::{Clock, Connect, Dns, Protocol, Timeout, Tls, Truncated};
        match error.kind() {
            // The host does not exist, or must not be asked: each job is told so for itself, at once.
            Dns | Connect if error.recovery() == Recovery::Hopeless => Self::Unknown,
            Timeout(Phase::Body | Phase::Deadline) => Self::Unknown,
            kind @ (Dns | Connect | Timeout(_)) => Self::Missed(kind),
            Tls | Clock | Protocol | Truncated => Self::Made,
            _ => Self::Unknown,
        }
    }
}

/// What is known of a host.
#[derive(Debug)]
pub(super) struct Standing {
    state: State,
    has_answered: bool,
    /// Counts answers and misses: a miss is one only if there was neither since its attempt began.
    epoch: u32,
}

#[derive(Debug, Clone, Copy)]
enum State {
    New,
    Proven,
    Suspect { misses: u32, resume: Instant },
    Down { until: Instant, kind: ErrorKind },
}

impl Standing {
    pub fn new() -> Self {
        Self { state: State::New, has_answered: false, epoch: 0 }
    }

    /// Whether it answers.
    pub fn is_proven(&self) -> bool {
        matches!(self.state, State::Proven)
    }

    /// Whether it has answered before and does not now.
    pub fn is_lost(&self) -> bool {
        self.has_answered && !self.is_proven()
    }

    /// What an attempt that begins now has to bring along.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Something came from it.
    pub fn answered(&mut self) {
        self.state = State::Proven;
        self.has_answered = true;
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// An attempt that began in `epoch` did not reach it; whether that counts.
    pub fn missed(&mut self, epoch: u32, kind: ErrorKind, retries: u32, now: Instant, chance: f64) -> bool {
        if epoch != self.epoch {
            return false;
        }
        self.epoch = self.epoch.wrapping_add(1);
        let misses = match self.state {
            State::Suspect { misses, .. } => misses.saturating_add(1),
            _ => 1,
        };
        let granted = if self.has_answered { GRANTED } else { FEWEST };
        self.state = if misses > retries && misses >= granted {
            State::Down { until: now + REST, kind }
        } else {
            State::Suspect { misses, resume: now + retry::backoff(misses, chance) }
        };
        true
    }

    /// When it may be tried again, if it is to be left alone until then.
    pub fn resume(&self) -> Option<Instant> {
        match self.state {
            State::Suspect { resume, .. } => Some(resume),
            _ => None,
        }
    }

    /// How it could not be reached, if it is down.
    pub fn down(&self, now: Instant) -> Option<ErrorKind> {
        match self.state {
            State::Down { until, kind } if now < until => Some(kind),
            _ => None,
        }
    }

    /// Whether there is something to remember beside that it answers.
    pub fn matters(&self, now: Instant) -> bool {
        match self.state {
            State::New | State::Proven => false,
            State::Suspect { resume, .. } => now < resume + REST,
            State::Down { until, .. } => now < until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRIES: u32 = 3;

    fn miss(standing: &mut Standing, now: Instant) -> bool {
        standing.missed(standing.epoch(), ErrorKind::Connect, RETRIES, now, 1.0)
    }

    #[test]
    fn a_host_that_is_missed_once_more_than_there_are_retries_is_down_for_a_minute() {
        let (mut standing, mut now) = (Standing::new(), Instant::now());
        for wait in [1, 2, 4] {
            assert!(miss(&mut standing, now) && standing.down(now).is_none());
            let resume = standing.resume().unwrap();
            assert_eq!(resume - now, Duration::from_secs(wait));
            now = resume;
        }
        assert!(miss(&mut standing, now) && standing.resume().is_none());
        assert_eq!(standing.down(now + REST - Duration::from_nanos(1)), Some(ErrorKind::Connect));
        now += REST;
        assert!(standing.down(now).is_none() && !standing.is_proven() && !standing.matters(now));
        assert!(miss(&mut standing, now) && standing.down(now).is_none());
    }

    #[test]
    fn attempts_that_were_under_way_together_are_one_miss() {
        let (mut standing, now) = (Standing::new(), Instant::now());
        let epoch = standing.epoch();
        assert!(standing.missed(epoch, ErrorKind::Dns, RETRIES, now, 1.0));
        assert!((0..10).all(|_| !standing.missed(epoch, ErrorKind::Dns, RETRIES, now, 1.0)));
        assert_eq!(standing.resume(), Some(now + Duration::from_secs(1)));
    }

    #[test]
    fn an_answer_since_the_attempt_began_outweighs_it() {
        let (mut standing, now) = (Standing::new(), Instant::now());
        let epoch = standing.epoch();
        standing.answered();
        assert!(!standing.missed(epoch, ErrorKind::Connect, RETRIES, now, 1.0) && standing.is_proven());
        assert!(miss(&mut standing, now) && standing.is_lost());
        standing.answered();
        assert!(standing.is_proven() && standing.resume().is_none());
    }

    #[test]
    fn one_miss_is_not_enough_and_a_host_that_has_answered_is_granted_a_minute() {
        let now = Instant::now();
        let misses_until_down = |mut standing: Standing| {
            (1..).find(|_| {
                standing.missed(standing.epoch(), ErrorKind::Connect, 0, now, 1.0);
                standing.down(now).is_some()
            })
        };
        assert_eq!(misses_until_down(Standing::new()), Some(2));
        let mut proven = Standing::new();
        proven.answered();
        assert_eq!(misses_until_down(proven), Some(7));
    }

    #[test]
    fn what_an_error_tells_of_its_host() {
        use ErrorKind as K;
        let of = |kind| Contact::of(&Error::new(kind, ""));
        for kind in [K::Dns, K::Connect, K::Timeout(Phase::Connect), K::Timeout(Phase::Head), K::Timeout(Phase::Total)]
        {
            assert_eq!(of(kind), Contact::Missed(kind));
        }
        assert!([K::Tls, K::Protocol, K::Truncated].into_iter().all(|kind| of(kind) == Contact::Made));
        assert!(
            [K::Interrupted, K::Io, K::Timeout(Phase::Deadline)].into_iter().all(|kind| of(kind) == Contact::Unknown)
        );
        assert_eq!(Contact::of(&Error::new(K::Dns, "").hopeless()), Contact::Unknown);
    }
}
