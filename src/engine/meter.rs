//! Bytes of bodies as they come → how long whoever took them waits, so that all transfers together keep to a rate.
//!
//! Virtual time: each piece that is taken has its place on one line, behind the last, as long as the rate makes it, and its
//! transfer goes on at that place's end. Pieces are small and of one size, so all transfers have the same share. Time is
//! handed in.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::sync::lock;

/// How late the line may be without what follows being later, too: timers are never early, and a server may pause.
const LATENESS: Duration = Duration::from_millis(50);

/// How many pieces a second there are for up to [`FEW`] transfers; for more transfers there are more, so that the turn of each
/// comes as soon.
const PIECES: u64 = 20;
const FEW: u64 = 8;

/// The largest piece: what a connection is read for at a time.
const LARGEST: u64 = 64 * 1024;

/// What all transfers of a run share.
#[derive(Debug)]
pub(super) struct Meter {
    /// Bytes a second.
    rate: u64,
    piece: usize,
    /// The end of the line.
    end: Mutex<Option<Instant>>,
}

impl Meter {
    /// A meter for so many bytes a second, at least one, shared by so many transfers.
    pub fn new(rate: u64, transfers: usize) -> Self {
        let rate = rate.max(1);
        let pieces = PIECES * (transfers as u64).max(FEW) / FEW;
        let piece = (rate / pieces).clamp(1, LARGEST);
        Self { rate, piece: usize::try_from(piece).unwrap_or(usize::MAX), end: Mutex::default() }
    }

    /// How many bytes may be taken at a time.
    pub fn piece(&self) -> usize {
        self.piece
    }

    /// So many bytes were taken: how long to wait before more are.
    pub fn take(&self, bytes: usize, now: Instant) -> Duration {
        let length = Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        let mut line = lock(&self.end);
        let start = line.filter(|end| *end + LATENESS > now).unwrap_or(now);
        let end = start + length;
        *line = Some(end);
        end.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn transfers_take_turns_and_keep_to_the_rate_together() {
        let (meter, start) = (Meter::new(1_000_000, 4), Instant::now());
        let (mut now, mut taken) = ([start; 4], [0; 4]);
        while let Some(at) = (0..4).min_by_key(|at| now[*at]).filter(|at| now[*at] < start + 10 * SECOND) {
            taken[at] += meter.piece();
            // Each timer is some milliseconds late.
            now[at] += meter.take(meter.piece(), now[at]) + SECOND / 300;
        }
        let all: usize = taken.iter().sum();
        assert!((9_800_000..=10_300_000).contains(&all), "{all}");
        assert!(taken.iter().all(|one| one.abs_diff(all / 4) <= 2 * meter.piece()), "{taken:?}");
    }

    #[test]
    fn a_pause_is_no_credit() {
        let (meter, start) = (Meter::new(1000, 1), Instant::now());
        assert_eq!(meter.take(500, start), SECOND / 2);
        assert_eq!(meter.take(500, start + 60 * SECOND), SECOND / 2);
    }

    #[test]
    fn pieces_are_small_and_smaller_for_many() {
        assert_eq!(Meter::new(100_000, 1).piece(), 5000);
        assert_eq!(Meter::new(100_000, 80).piece(), 500);
        assert_eq!(Meter::new(1, 1024).piece(), 1);
        assert_eq!(Meter::new(u64::MAX, 1).piece(), 65_536);
        assert_eq!(Meter::new(0, 1).take(1, Instant::now()), SECOND);
    }
}
