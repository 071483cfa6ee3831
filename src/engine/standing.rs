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
//!
//! Silence is a weaker sign than a connection that can't be made, for it may be one URL's: it takes several URLs to make a host
//! one that is down, and one that has answered in this run never is for silence alone.

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

/// How many URLs a host has to leave without an answer to be down for it: one that hangs, or two, are not the host.
const SILENT: usize = 3;

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

    /// Whether the host took the request, or was about to, and then nothing came for too long.
    pub fn is_silence(self) -> bool {
        matches!(self, Self::Missed(kind) if is_silence(kind))
    }
}

/// Whether this is no more than that an answer did not come in time.
pub(super) fn is_silence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Timeout(Phase::Head | Phase::Total))
}

/// An attempt that did not reach its host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Miss {
    pub kind: ErrorKind,
    /// The standing's [epoch](Standing::epoch) when it began.
    pub epoch: u32,
    /// Tells its URL from others; never 0.
    pub line: u64,
}

/// What is known of a host.
#[derive(Debug)]
pub(super) struct Standing {
    state: State,
    has_answered: bool,
    /// Counts answers and misses: a miss is one only if there was neither since its attempt began.
    epoch: u32,
    silence: Silence,
}

/// The URLs that a host has left without an answer.
#[derive(Debug, Default)]
struct Silence {
    /// The first of them, 0 where there is none.
    lines: [u64; SILENT],
    last: u64,
}

#[derive(Debug, Clone, Copy)]
enum State {
    New,
    Proven,
    /// Each time is waited longer, but not each counts as a miss.
    Suspect {
        misses: u32,
        times: u32,
        resume: Instant,
    },
    Down {
        until: Instant,
        kind: ErrorKind,
    },
}

impl Standing {
    pub fn new() -> Self {
        Self { state: State::New, has_answered: false, epoch: 0, silence: Silence::default() }
    }

    /// Whether it answers.
    pub fn is_proven(&self) -> bool {
        matches!(self.state, State::Proven)
    }

    /// Whether it has answered before and does not now.
    pub fn is_lost(&self) -> bool {
        self.has_answered && matches!(self.state, State::Suspect { .. } | State::Down { .. })
    }

    /// Whether a URL that was left without an answer is to wait until others have been tried.
    pub fn puts_off(&self) -> bool {
        !self.has_answered
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

    /// An attempt did not reach it; whether the host waits for that.
    pub fn missed(&mut self, miss: Miss, retries: u32, now: Instant, chance: f64) -> bool {
        let Miss { kind, epoch, line } = miss;
        if epoch != self.epoch {
            return false;
        }
        if is_silence(kind) && self.has_answered {
            self.doubt();
            return false;
        }
        self.epoch = self.epoch.wrapping_add(1);
        let (misses, times) = match self.state {
            State::Suspect { misses, times, .. } => (misses, times.saturating_add(1)),
            _ => (0, 1),
        };
        let counts = !is_silence(kind) || self.silence.is_new(line);
        let misses = misses.saturating_add(u32::from(counts));
        let granted = if self.has_answered { GRANTED } else { FEWEST };
        let is_sure = !is_silence(kind) || self.silence.is_enough();
        self.state = if misses > retries && misses >= granted && is_sure {
            self.silence = Silence::default();
            State::Down { until: now + REST, kind }
        } else {
            State::Suspect { misses, times, resume: now + retry::backoff(times, chance) }
        };
        true
    }

    /// It has answered before, and a URL hangs: until the next answer it has no more of the workers than a new one, but nobody
    /// waits for it.
    fn doubt(&mut self) {
        if self.is_proven() {
            self.state = State::New;
        }
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

impl Silence {
    /// Notes a URL; whether it is another than the last.
    fn is_new(&mut self, line: u64) -> bool {
        if !self.lines.contains(&line)
            && let Some(free) = self.lines.iter_mut().find(|line| **line == 0)
        {
            *free = line;
        }
        std::mem::replace(&mut self.last, line) != line
    }

    /// Whether so many URLs hang that it is the host.
    fn is_enough(&self) -> bool {
        !self.lines.contains(&0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRIES: u32 = 3;

    fn miss(standing: &mut Standing, now: Instant) -> bool {
        standing.missed(of(standing, ErrorKind::Connect, 1), RETRIES, now, 1.0)
    }

    fn of(standing: &Standing, kind: ErrorKind, line: u64) -> Miss {
        Miss { kind, epoch: standing.epoch(), line }
    }

    /// Leaves a URL without an answer, after the wait.
    fn is_silent(standing: &mut Standing, line: u64, now: &mut Instant) -> bool {
        *now = standing.resume().unwrap_or(*now);
        standing.missed(of(standing, ErrorKind::Timeout(Phase::Head), line), RETRIES, *now, 1.0)
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
        let miss = of(&standing, ErrorKind::Dns, 1);
        assert!(standing.missed(miss, RETRIES, now, 1.0));
        assert!((0..10).all(|_| !standing.missed(miss, RETRIES, now, 1.0)));
        assert_eq!(standing.resume(), Some(now + Duration::from_secs(1)));
    }

    #[test]
    fn an_answer_since_the_attempt_began_outweighs_it() {
        let (mut standing, now) = (Standing::new(), Instant::now());
        let before = of(&standing, ErrorKind::Connect, 1);
        standing.answered();
        assert!(!standing.missed(before, RETRIES, now, 1.0) && standing.is_proven());
        assert!(miss(&mut standing, now) && standing.is_lost());
        standing.answered();
        assert!(standing.is_proven() && standing.resume().is_none());
    }

    #[test]
    fn one_miss_is_not_enough_and_a_host_that_has_answered_is_granted_a_minute() {
        let now = Instant::now();
        let misses_until_down = |mut standing: Standing| {
            (1..).find(|_| {
                standing.missed(of(&standing, ErrorKind::Connect, 1), 0, now, 1.0);
                standing.down(now).is_some()
            })
        };
        assert_eq!(misses_until_down(Standing::new()), Some(2));
        let mut proven = Standing::new();
        proven.answered();
        assert_eq!(misses_until_down(proven), Some(7));
    }

    #[test]
    fn a_host_is_down_for_its_silence_only_if_three_urls_hang() {
        for (lines, is_down) in [([1; 8], false), ([1, 2, 1, 2, 1, 2, 1, 2], false), ([1, 2, 3, 4, 0, 0, 0, 0], true)] {
            let (mut standing, mut now) = (Standing::new(), Instant::now());
            for line in lines.into_iter().filter(|line| *line > 0) {
                assert!(standing.down(now).is_none());
                assert!(is_silent(&mut standing, line, &mut now));
            }
            assert_eq!(standing.down(now).is_some(), is_down, "{lines:?}");
        }
        // Three that hang, of which none counts twice in a row.
        let (mut standing, mut now) = (Standing::new(), Instant::now());
        assert!([1, 1, 1, 2, 2, 2, 3, 3, 3].into_iter().all(|line| is_silent(&mut standing, line, &mut now)));
        assert!(standing.down(now).is_none());
    }

    #[test]
    fn a_url_that_hangs_again_and_again_is_waited_for_longer_each_time() {
        let (mut standing, mut now) = (Standing::new(), Instant::now());
        for wait in [1, 2, 4, 8] {
            assert!(is_silent(&mut standing, 1, &mut now));
            assert_eq!(standing.resume(), Some(now + Duration::from_secs(wait)));
        }
    }

    #[test]
    fn a_host_that_has_answered_is_doubted_for_a_url_that_hangs_and_never_down() {
        let (mut standing, mut now) = (Standing::new(), Instant::now());
        standing.answered();
        assert!((1..100).all(|line| !is_silent(&mut standing, line, &mut now)));
        assert!(!standing.is_proven() && !standing.is_lost() && standing.resume().is_none());
        assert!(standing.down(now).is_none());
        standing.answered();
        assert!(standing.is_proven());
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
