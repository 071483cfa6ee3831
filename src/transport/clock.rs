//! The clock that certificates are judged by: the system's, but never before this release was made.
//!
//! A router that boots in 1970 can still verify certificates, and can be told about its clock where it can't.

use std::time::{Duration, SystemTime};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// 2026-11-01: no clock that is right is behind the release it runs. Raised with each release.
const RELEASED: Duration = Duration::from_secs(1_793_491_200);

/// Tells the time since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(fn() -> Duration);

impl Clock {
    /// This machine's.
    pub const SYSTEM: Self = Self(system_time);

    /// One that stands still at boot.
    #[cfg(test)]
    pub const OF_1970: Self = Self(|| Duration::from_secs(1000));

    /// Whether it is surely wrong.
    pub fn is_behind(self) -> bool {
        (self.0)() < RELEASED
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch((self.0)().max(RELEASED)))
    }
}

fn system_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_not_in_the_future() {
        assert!(!Clock::SYSTEM.is_behind());
    }

    #[test]
    fn a_clock_that_is_behind_is_taken_for_the_release() {
        let told = |clock: Clock| clock.current_time().map(|time| time.as_secs());
        assert!(Clock::OF_1970.is_behind());
        assert_eq!(told(Clock::OF_1970), Some(RELEASED.as_secs()));
        let later = Clock(|| RELEASED + Duration::from_secs(1));
        assert!(!later.is_behind());
        assert_eq!(told(later), Some(RELEASED.as_secs() + 1));
    }
}
