//! A failed attempt → whether to try again, and when. Values in, verdict out.

use std::time::{Duration, SystemTime};

use crate::error::{Error, ErrorKind, Phase, Recovery};

/// The wait before the second attempt; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest of these waits.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The longest wait that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Try again after this wait.
    Again(Duration),
    /// It has failed for good.
    GiveUp,
}

/// Judges an attempt that failed as the `failed`-th of at most `1 + retries`.
///
/// `status` is that of its final response, `pause` what the server asked for in `Retry-After`, and `chance` a number from
/// 0 to 1 that spreads the waits of many jobs over the half of each.
pub(super) fn judge(
    error: &Error,
    status: Option<u16>,
    pause: Option<Duration>,
    failed: u32,
    retries: u32,
    chance: f64,
) -> Verdict {
    if failed > retries || !may_pass(error, status) {
        return Verdict::GiveUp;
    }
    match pause {
        Some(pause) if pause > LONGEST_PAUSE => Verdict::GiveUp,
        Some(pause) => Verdict::Again(pause),
        None => Verdict::Again(backoff(failed, chance)),
    }
}

/// How long the host that answered so asks to be left alone as a whole: a status that says it is overloaded (RFC 9110,
/// section 15.6.4; RFC 6585, section 4), with a `Retry-After` that is waited for.
pub(super) fn park(status: Option<u16>, pause: Option<Duration>) -> Option<Duration> {
    pause.filter(|pause| matches!(status, Some(429 | 503)) && !pause.is_zero() && *pause <= LONGEST_PAUSE)
}

/// Whether the same request may succeed later.
fn may_pass(error: &Error, status: Option<u16>) -> bool {
    if error.recovery() == Recovery::Hopeless {
        return false;
    }
    match error.kind() {
        ErrorKind::Dns | ErrorKind::Connect | ErrorKind::Truncated => true,
        ErrorKind::Timeout(phase) => phase != Phase::Deadline,
        ErrorKind::Status => matches!(status, Some(408 | 425 | 429 | 500 | 502 | 503 | 504 | 520..=524)),
        _ => false,
    }
}

/// The wait after the `failed`-th failure: between half and the whole of 1 s, 2 s, 4 s … 60 s.
pub(super) fn backoff(failed: u32, chance: f64) -> Duration {
    let doublings = failed.saturating_sub(1).min(16);
    let whole = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    whole.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

/// Reads `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. What is neither is no answer.
///
/// A date is counted from the response's own `Date` where it has one, since this machine's clock may be wrong.
pub(super) fn pause(retry_after: &[u8], date: Option<&[u8]>, now: SystemTime) -> Option<Duration> {
    let text = std::str::from_utf8(retry_after).ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More than a u64 holds is longer than anybody waits.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let sent = date.and_then(|date| httpdate::parse_http_date(std::str::from_utf8(date).ok()?).ok());
    Some(until.duration_since(sent.unwrap_or(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "")
    }

    #[test]
    fn what_can_pass_is_tried_again_and_nothing_else() {
        use ErrorKind as K;
        for kind in [K::Dns, K::Connect, K::Truncated, K::Timeout(Phase::Head), K::Timeout(Phase::Total)] {
            assert!(may_pass(&error(kind), None), "{kind:?}");
        }
        for kind in
            [K::Tls, K::Clock, K::Protocol, K::Redirect, K::Url, K::TooLarge, K::Checksum, K::Io, K::Interrupted]
        {
            assert!(!may_pass(&error(kind), None), "{kind:?}");
        }
        assert!(!may_pass(&error(K::Timeout(Phase::Deadline)), None));
        assert!(!may_pass(&error(K::Dns).hopeless(), None));
    }

    #[test]
    fn the_statuses_that_can_pass() {
        let passing = |status| may_pass(&error(ErrorKind::Status), Some(status));
        for status in [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524] {
            assert!(passing(status), "{status}");
        }
        for status in [400, 401, 403, 404, 410, 501, 505, 519, 525, 999] {
            assert!(!passing(status), "{status}");
        }
    }

    #[test]
    fn the_waits_double_up_to_a_minute_and_are_drawn_from_their_upper_half() {
        let wholes = [1, 2, 4, 8, 16, 32, 60, 60];
        for (failed, whole) in (1..).zip(wholes.map(Duration::from_secs)) {
            assert_eq!(backoff(failed, 1.0), whole);
            assert_eq!(backoff(failed, 0.0), whole / 2);
        }
        assert_eq!(backoff(u32::MAX, 1.0), LONGEST_WAIT);
    }

    #[test]
    fn retries_are_counted_after_the_first_attempt() {
        let judge = |failed, retries| judge(&error(ErrorKind::Connect), None, None, failed, retries, 1.0);
        assert_eq!(judge(1, 0), Verdict::GiveUp);
        assert_eq!(judge(3, 3), Verdict::Again(Duration::from_secs(4)));
        assert_eq!(judge(4, 3), Verdict::GiveUp);
    }

    #[test]
    fn a_server_may_ask_for_ten_minutes_and_no_more() {
        let judge = |pause| judge(&error(ErrorKind::Status), Some(503), Some(pause), 1, 3, 1.0);
        assert_eq!(judge(Duration::ZERO), Verdict::Again(Duration::ZERO));
        assert_eq!(judge(LONGEST_PAUSE), Verdict::Again(LONGEST_PAUSE));
        assert_eq!(judge(LONGEST_PAUSE + Duration::from_secs(1)), Verdict::GiveUp);
    }

    #[test]
    fn a_host_is_left_alone_if_it_says_that_it_is_overloaded_and_for_how_long() {
        let ten = Some(LONGEST_PAUSE);
        assert_eq!((park(Some(429), ten), park(Some(503), ten)), (ten, ten));
        assert_eq!((park(Some(500), ten), park(None, ten), park(Some(503), None)), (None, None, None));
        let longer = Some(LONGEST_PAUSE + Duration::from_secs(1));
        assert_eq!((park(Some(503), longer), park(Some(503), Some(Duration::ZERO))), (None, None));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let pause = |value: &str| pause(value.as_bytes(), None, now);
        assert_eq!(pause("120"), Some(Duration::from_secs(120)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(pause("Sunday, 06-Nov-94 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:27 GMT"), Some(Duration::ZERO));
        assert_eq!(pause("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        for nonsense in ["", "soon", "-1", "1.5", "+3", "Sun, 99 Nov 1994 08:49:47 GMT"] {
            assert_eq!(pause(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_date_is_counted_from_the_servers_own_clock() {
        let at_boot = SystemTime::UNIX_EPOCH;
        let later = b"Sun, 06 Nov 1994 08:50:37 GMT";
        let sent = b"Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(pause(later, Some(sent), at_boot), Some(Duration::from_secs(60)));
        assert!(pause(later, None, at_boot).unwrap() > LONGEST_PAUSE);
    }
}
