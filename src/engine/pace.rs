//! The bytes of one body over time → whether it comes too slowly. Values in, verdict out.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Phase};

/// Over how long the speed is taken: a mean of less would take a pause for a slow transfer.
const WINDOW: Duration = Duration::from_secs(30);

/// How fast a body comes, judged at the end of each window.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes a second.
    least: u64,
    moved: u64,
    end: Instant,
}

impl Pace {
    /// Of a body that begins now, and has to bring `least` bytes a second.
    pub fn begin(least: u64, now: Instant) -> Self {
        Self { least, moved: 0, end: now + WINDOW }
    }

    /// So many bytes came.
    pub fn moved(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes as u64);
    }

    /// This program itself is about to hold the transfer back for so long.
    pub fn excuse(&mut self, wait: Duration) {
        self.end += wait;
    }

    /// When it is judged next.
    pub fn end(&self) -> Instant {
        self.end
    }

    /// Judges the window that has ended, and begins another.
    ///
    /// # Errors
    ///
    /// A timeout of the body.
    pub fn judge(&mut self, now: Instant) -> Result<(), Error> {
        if now < self.end {
            return Ok(());
        }
        let speed = self.moved / WINDOW.as_secs();
        if speed < self.least {
            let message = format!(
                "the body came at {speed} bytes a second over {} s; lower --min-speed to take it",
                WINDOW.as_secs()
            );
            return Err(Error::new(ErrorKind::Timeout(Phase::Body), message));
        }
        (self.moved, self.end) = (0, now + WINDOW);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_judged_by_its_mean_over_half_a_minute() {
        let start = Instant::now();
        for (moved, is_fast_enough) in [(3000, true), (2999, false)] {
            let mut pace = Pace::begin(100, start);
            assert!(pace.judge(start + WINDOW - Duration::from_nanos(1)).is_ok());
            pace.moved(moved);
            assert_eq!(pace.judge(start + WINDOW).is_ok(), is_fast_enough);
        }
    }

    #[test]
    fn every_window_counts_for_itself() {
        let start = Instant::now();
        let mut pace = Pace::begin(100, start);
        pace.moved(1_000_000);
        assert!(pace.judge(start + WINDOW).is_ok());
        let error = pace.judge(pace.end()).unwrap_err();
        assert_eq!(error.phase(), Some(Phase::Body));
    }

    #[test]
    fn what_this_program_holds_back_is_not_slow() {
        let start = Instant::now();
        let mut pace = Pace::begin(100, start);
        pace.excuse(WINDOW);
        assert!(pace.judge(start + WINDOW).is_ok() && pace.judge(start + 2 * WINDOW).is_err());
    }
}
