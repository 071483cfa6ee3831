//! Out of descriptors → some that are only kept for later are given up, or others are waited for.
//!
//! A process may have few (16, in a tight container), and all of them may be in use: fewer things at once is slower, and
//! no reason for a job to fail.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

use crate::error::Error;

/// How long to wait for a descriptor before asking again.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);
/// How often work on the disk asks: for 5 s, since it keeps one of few threads meanwhile.
const TRIES: u32 = 100;

/// Knows of descriptors that are only kept for later.
#[derive(Clone)]
pub(crate) struct Spare(Arc<dyn Fn() -> bool + Send + Sync>);

impl Spare {
    /// `give_up` closes a descriptor and says whether there was one to close.
    pub(crate) fn new(give_up: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(give_up))
    }

    /// Tries what takes a descriptor until there is one, or waiting for it is in vain. This blocks.
    pub(crate) fn try_with<T>(&self, attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
        self.persist(PAUSE, attempt)
    }

    fn persist<T>(&self, pause: Duration, mut attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
        for tries in 0..TRIES {
            match attempt() {
                Err(error) if is_told_in(&error) => {
                    // What was given up once may have been taken by others, or by the attempt itself.
                    if !self.give_up() || tries > 0 {
                        thread::sleep(pause);
                    }
                }
                tried => return tried,
            }
        }
        attempt()
    }

    /// Closes a descriptor that is only kept for later; false if there is none.
    pub(crate) fn give_up(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for Spare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spare").finish_non_exhaustive()
    }
}

/// Whether the process, or the system, has no descriptor left.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

fn is_told_in(error: &Error) -> bool {
    std::error::Error::source(error).and_then(|source| source.downcast_ref()).is_some_and(is_out_of_descriptors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Instant;

    fn out_of_descriptors() -> Error {
        Error::io("opening", Errno::MFILE.into())
    }

    #[test]
    fn what_can_be_given_up_is_until_there_is_room() {
        let kept = Arc::new(AtomicU32::new(3));
        let left = Arc::clone(&kept);
        let spare = Spare::new(move || kept.fetch_sub(1, Ordering::SeqCst) > 0);
        let room = || left.load(Ordering::SeqCst) == 1;
        assert!(spare.try_with(|| if room() { Ok(()) } else { Err(out_of_descriptors()) }).is_ok());
        assert_eq!(left.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn what_fails_for_another_reason_fails_at_once() {
        let spare = Spare::new(|| panic!("nothing is to be given up"));
        let mut attempts = 0;
        let failed: Result<(), _> = spare.try_with(|| {
            attempts += 1;
            Err(Error::io("opening", Errno::NOSPC.into()))
        });
        assert!(failed.is_err());
        assert_eq!(attempts, 1);
    }

    #[test]
    fn what_is_out_of_descriptors_for_good_fails_with_that() {
        for given_up in [true, false] {
            let spare = Spare::new(move || given_up);
            let (start, pause) = (Instant::now(), Duration::from_millis(1));
            let failed: Result<(), _> = spare.persist(pause, || Err(out_of_descriptors()));
            assert!(failed.unwrap_err().to_string().contains("Too many open files"));
            assert!(start.elapsed() >= pause * (TRIES - 1), "it gave others no time");
        }
    }
}
