//! Time and chance, handed in: what the attempt loop waits by and draws from, so that its tests need no waiting.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

use async_io::Timer;

/// A wait under way.
pub(super) type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where time and chance come from.
pub(super) trait Clock: Debug + Send + Sync {
    /// The date, as far as this machine knows it.
    fn now(&self) -> SystemTime;
    /// The time that waits are counted by.
    fn instant(&self) -> Instant;
    /// Ends after `time`.
    fn wait(&self, time: Duration) -> Wait;
    /// A number from 0 to 1.
    fn chance(&self) -> f64;
}

/// The machine's own.
#[derive(Debug)]
pub(super) struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn wait(&self, time: Duration) -> Wait {
        Box::pin(async move {
            Timer::after(time).await;
        })
    }

    fn chance(&self) -> f64 {
        fastrand::f64()
    }
}
