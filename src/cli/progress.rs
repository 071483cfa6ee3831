//! Counts and times → the text of the progress line. Owns no clock and draws nothing: both are handed in or up.

use std::time::Duration;

use super::report::Tally;

/// How often the rate is measured anew: sooner it would flicker.
const MEASURE: Duration = Duration::from_secs(1);

/// What the line is made from: all bytes so far and how fast they came.
#[derive(Default)]
pub struct Progress {
    bytes: u64,
    rate: u64,
    /// When the rate was measured last, and the bytes there were then.
    measured: (Duration, u64),
}

impl Progress {
    /// The line `now`, a time since the start, when `arrived` more bytes have come, cut to fit `width` columns.
    pub fn line(&mut self, now: Duration, arrived: u64, tally: Tally, width: usize) -> String {
        self.bytes = self.bytes.saturating_add(arrived);
        self.measure(now);
        let done = tally.ok.saturating_add(tally.skipped);
        let (bytes, rate) = (amount(self.bytes), amount(self.rate));
        let mut line = format!("{done} done, {} failed, {bytes}, {rate}/s", tally.failed);
        // The last column is left free: some terminals wrap as soon as it is written. The text is ASCII.
        line.truncate(width.saturating_sub(1));
        line
    }

    fn measure(&mut self, now: Duration) {
        let (then, before) = self.measured;
        let millis = u64::try_from(now.saturating_sub(then).as_millis()).unwrap_or(u64::MAX);
        let first = then.is_zero();
        if millis > 0 && (first || now.saturating_sub(then) >= MEASURE) {
            self.rate = self.bytes.saturating_sub(before).saturating_mul(1000) / millis;
        }
        if now.saturating_sub(then) >= MEASURE {
            self.measured = (now, self.bytes);
        }
    }
}

/// Bytes in the largest unit of which there is one: `512 B`, `3.4 MiB`.
fn amount(bytes: u64) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{}.{} {unit}", bytes / size, bytes % size * 10 / size),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1024;

    fn tally(ok: u64, failed: u64, skipped: u64) -> Tally {
        Tally { ok, failed, skipped, ..Tally::default() }
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_line_tells_jobs_bytes_and_rate() {
        let mut progress = Progress::default();
        assert_eq!(progress.line(millis(0), 0, tally(0, 0, 0), 80), "0 done, 0 failed, 0 B, 0 B/s");
        assert_eq!(
            progress.line(millis(500), 1700 * KIB, tally(10, 1, 2), 80),
            "12 done, 1 failed, 1.6 MiB, 3.3 MiB/s"
        );
    }

    #[test]
    fn the_rate_is_that_of_the_last_second_and_falls_when_nothing_comes() {
        let mut progress = Progress::default();
        let mut rate = |now, arrived| {
            let line = progress.line(millis(now), arrived, tally(0, 0, 0), 80);
            line.rsplit(", ").next().unwrap().to_owned()
        };
        assert_eq!(rate(1000, 4 * KIB), "4.0 KiB/s");
        assert_eq!(rate(1100, 100 * KIB), "4.0 KiB/s");
        assert_eq!(rate(2000, 0), "100.0 KiB/s");
        assert_eq!(rate(3000, 0), "0 B/s");
    }

    #[test]
    fn the_line_is_cut_to_leave_the_last_column_free() {
        let line = Progress::default().line(millis(0), 0, tally(1, 0, 0), 10);
        assert_eq!(line, "1 done, 0");
        assert_eq!(Progress::default().line(millis(0), 0, tally(1, 0, 0), 0), "");
    }

    #[test]
    fn amounts_are_cut_to_a_tenth_and_never_overflow() {
        for (bytes, text) in [
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (KIB * KIB - 1, "1023.9 KiB"),
            (3_565_159, "3.4 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(amount(bytes), text);
        }
        let mut progress = Progress::default();
        progress.line(millis(1), u64::MAX, tally(u64::MAX, 0, u64::MAX), 80);
        progress.line(millis(2), u64::MAX, tally(0, 0, 0), 80);
    }
}
