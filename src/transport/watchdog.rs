//! The limit on silence: time since a byte last moved → whether that is too long.
//!
//! One timer serves a connection for its whole life. A byte that moves costs a look at the clock; the timer is touched only
//! when it rings, and then set to what is left. It also keeps one waker for life, which passes the ring on to whichever
//! task has the connection by then: setting a timer, or giving it to another task, costs the reactor two system calls.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::Stream;

use crate::race::{Guard, Race};
use crate::relay::Relay;

/// Rings when nothing has moved for a while.
#[derive(Debug)]
pub(super) struct Watchdog {
    limit: Duration,
    moved: Instant,
    timer: Timer,
    /// Passes the timer's ring on to the task that waits.
    relay: Arc<Relay>,
    /// The relay, as the timer knows it.
    waker: Waker,
}

/// Nothing moved for the whole limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Silence;

impl Watchdog {
    pub fn new(limit: Duration) -> Self {
        let relay = Arc::<Relay>::default();
        let waker = Waker::from(Arc::clone(&relay));
        Self { limit, moved: Instant::now(), timer: Timer::after(limit), relay, waker }
    }

    /// How long a silence it takes.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// A byte moved, or a new wait begins.
    pub fn feed(&mut self) {
        self.moved = Instant::now();
    }

    /// Ready once nothing has moved for the limit.
    pub fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Silence> {
        self.relay.set(cx.waker());
        let mut cx = Context::from_waker(&self.waker);
        while Pin::new(&mut self.timer).poll_next(&mut cx).is_ready() {
            let left = self.limit.saturating_sub(self.moved.elapsed());
            if left.is_zero() {
                // A timer that has rung is silent until it is set again.
                self.timer.set_after(self.limit);
                return Poll::Ready(Silence);
            }
            self.timer.set_after(left);
        }
        Poll::Pending
    }

    /// The future's output, unless it makes no progress for the limit. It starts anew.
    pub fn watch<F: Future>(&mut self, future: F) -> Race<F, &mut Self> {
        self.feed();
        Race::new(future, self)
    }
}

impl Guard for &mut Watchdog {
    type End = Silence;

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Silence> {
        self.poll_silence(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{self, poll_fn};

    use super::*;

    #[test]
    fn silence_is_noticed_and_movement_postpones_it() {
        crate::reactor::block_on(async {
            let limit = Duration::from_millis(30);
            let mut dog = Watchdog::new(limit);
            assert_eq!(dog.watch(future::pending::<()>()).await, Err(Silence));
            assert_eq!(dog.watch(future::ready(1)).await, Ok(1));
            let fed = Instant::now();
            dog.feed();
            poll_fn(|cx| dog.poll_silence(cx)).await;
            assert!(fed.elapsed() >= limit);
        });
    }
}
