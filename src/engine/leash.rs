//! What holds a job back: the run may be stopped, and an attempt may take too long. Every wait of a job
//! goes through here, but for the last one of an attempt: a body that is complete is committed whole or not at all, and
//! one that failed is discarded within a limit of its own.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_channel::Receiver;
use async_io::Timer;
use futures_lite::Stream;

use super::pace::Pace;
use super::stop::Stopper;
use crate::error::{Error, ErrorKind, Phase};
use crate::race::{Guard, Race};
use crate::text::seconds;

/// One worker's leash; it serves all of the worker's jobs.
#[derive(Debug)]
pub(super) struct Leash {
    stopper: Stopper,
    stopped: Pin<Box<Receiver<()>>>,
    total: Option<Total>,
    pace: Option<(Pace, Timer)>,
}

/// The limit on the attempt under way.
#[derive(Debug)]
struct Total {
    limit: Duration,
    until: Instant,
    timer: Timer,
}

impl Leash {
    pub fn new(stopper: &Stopper) -> Self {
        Self { stopper: stopper.clone(), stopped: Box::pin(stopper.stopped()), total: None, pace: None }
    }

    /// An attempt begins, and may take so long; where it goes on, no more than is `left` of that.
    pub fn begin(&mut self, limit: Option<Duration>, left: Option<Duration>) {
        self.total = limit.map(|limit| {
            let until = Instant::now() + left.unwrap_or(limit);
            Total { limit, until, timer: Timer::at(until) }
        });
    }

    /// How long the attempt may still take, if there is a limit.
    pub fn left(&self) -> Option<Duration> {
        self.total.as_ref().map(|total| total.until.saturating_duration_since(Instant::now()))
    }

    /// The attempt is over: what follows has no limit.
    pub fn end(&mut self) {
        self.total = None;
        self.pace = None;
    }

    /// The attempt's body begins, and has to bring so many bytes a second.
    pub fn begin_body(&mut self, least: Option<u64>) {
        self.pace = least.map(|least| {
            let pace = Pace::begin(least, Instant::now());
            let timer = Timer::at(pace.end());
            (pace, timer)
        });
    }

    /// The body has come to its end.
    pub fn end_body(&mut self) {
        self.pace = None;
    }

    /// So many of its bytes came.
    pub fn moved(&mut self, bytes: usize) {
        if let Some((pace, _)) = &mut self.pace {
            pace.moved(bytes);
        }
    }

    /// It is held back for so long, which is not the server's doing.
    pub fn excuse(&mut self, wait: Duration) {
        if let Some((pace, _)) = &mut self.pace {
            pace.excuse(wait);
        }
    }

    /// The future's output, unless the run is stopped or the attempt's time is up before.
    ///
    /// # Errors
    ///
    /// Kind [`Interrupted`](ErrorKind::Interrupted), or a timeout of phase [`Deadline`](Phase::Deadline) or [`Total`](Phase::Total).
    pub fn hold<F: Future>(&mut self, future: F) -> Race<F, &mut Self> {
        Race::new(future, self)
    }
}

impl Guard for &mut Leash {
    type End = Error;

    /// A server that always has another byte must not outrun its limits.
    fn check(&mut self) -> Option<Error> {
        if self.stopper.is_stopped() {
            return Some(self.stopper.in_flight());
        }
        if let Some((pace, _)) = &mut self.pace
            && let Err(error) = pace.judge(Instant::now())
        {
            return Some(error);
        }
        self.total.as_ref().filter(|total| Instant::now() >= total.until).map(|total| too_long(total.limit))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if self.stopped.as_mut().poll_next(cx).is_ready() {
            return Poll::Ready(self.stopper.in_flight());
        }
        if let Some((pace, timer)) = &mut self.pace {
            // It rings for a window's end that may have been put off since.
            while Pin::new(&mut *timer).poll(cx).is_ready() {
                if let Err(error) = pace.judge(Instant::now()) {
                    return Poll::Ready(error);
                }
                timer.set_at(pace.end());
            }
        }
        match &mut self.total {
            Some(total) => Pin::new(&mut total.timer).poll(cx).map(|_| too_long(total.limit)),
            None => Poll::Pending,
        }
    }
}

fn too_long(limit: Duration) -> Error {
    let message = format!("the attempt took over {}; raise --max-time to wait longer", seconds(limit));
    Error::new(ErrorKind::Timeout(Phase::Total), message)
}

#[cfg(test)]
mod tests {
    use futures_lite::future;

    use super::*;

    #[test]
    fn a_stop_and_a_limit_end_what_would_wait_for_ever() {
        async_io::block_on(async {
            let stopper = Stopper::new();
            let mut leash = Leash::new(&stopper);
            assert_eq!(leash.hold(future::ready(1)).await.unwrap(), 1);

            leash.begin(Some(Duration::from_millis(5)), None);
            let error = leash.hold(future::pending::<()>()).await.unwrap_err();
            assert_eq!(error.phase(), Some(Phase::Total));

            leash.end();
            stopper.stop();
            assert!(leash.hold(future::pending::<()>()).await.unwrap_err().is_interrupted());
        });
    }

    #[test]
    fn what_is_always_ready_does_not_outrun_its_limit() {
        async_io::block_on(async {
            let mut leash = Leash::new(&Stopper::new());
            leash.begin(Some(Duration::ZERO), None);
            assert!(leash.hold(future::ready(())).await.unwrap_err().is_timeout());
        });
    }

    #[test]
    fn an_attempt_that_goes_on_has_what_is_left_of_its_time_and_is_told_of_the_whole() {
        async_io::block_on(async {
            let (mut leash, limit) = (Leash::new(&Stopper::new()), Some(Duration::from_secs(60)));
            assert_eq!(leash.left(), None);
            leash.begin(limit, None);
            assert!(leash.left() > Some(Duration::from_secs(50)) && leash.left() <= limit);
            leash.begin(limit, Some(Duration::ZERO));
            let error = leash.hold(future::ready(())).await.unwrap_err();
            assert!(leash.left() == Some(Duration::ZERO) && error.to_string().contains("over 60 s"), "{error}");
        });
    }

    #[test]
    fn a_body_that_is_too_slow_is_ended_whether_something_comes_or_not() {
        let begun = || Instant::now().checked_sub(Duration::from_secs(30)).unwrap();
        let leash = || Leash {
            pace: Some((Pace::begin(100, begun()), Timer::after(Duration::from_millis(5)))),
            ..Leash::new(&Stopper::new())
        };
        async_io::block_on(async {
            let mut slow = leash();
            slow.moved(2999);
            assert_eq!(slow.hold(future::ready(())).await.unwrap_err().phase(), Some(Phase::Body));
            let mut silent = leash();
            silent.excuse(Duration::from_millis(20));
            assert_eq!(silent.hold(future::pending::<()>()).await.unwrap_err().phase(), Some(Phase::Body));
            let mut fast = leash();
            fast.moved(3000);
            assert!(fast.hold(future::ready(())).await.is_ok());
            let mut over = leash();
            over.end_body();
            assert!(over.hold(future::ready(())).await.is_ok());
        });
    }
}
