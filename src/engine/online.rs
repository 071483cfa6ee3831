//! For runs that start before the network is there: the first job waits until its host takes a connection, or refuses one, the
//! others wait for the first.
//!
//! ```text
//!  knock ─┬▶ taken, or refused by the host ──────▶ open, for every job
//!    ▲    └▶ no ─▶ wait 1 s, doubled to 8 s ─┬───▶ the time is over ─▲
//!    └───────────────────────────────────────┘
//! ```
//!
//! When the time is over the jobs begin all the same, and fail by themselves if nothing has changed.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use surf::Url;

use super::clock::Clock;
use crate::error::{Error, ErrorKind, Recovery};
use crate::sync::lock;
use crate::text::Shown;
use crate::transport::Dialler;

/// The wait after the first knock; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest of these waits: what has come up meanwhile should not be waited for long.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// Holds the jobs of a run back until the network is there.
#[derive(Debug)]
pub(super) struct Online {
    limit: Duration,
    /// How long one knock may take.
    knock: Duration,
    dialler: Arc<Dialler>,
    /// For the first job. It is dropped when the waiting is over, however it ends.
    first: Mutex<Option<Sender<()>>>,
    /// For the others. Nothing is ever sent.
    opened: Receiver<()>,
}

impl Online {
    /// Waits for no more than `limit` in all, and `knock` for one answer.
    pub fn new(limit: Duration, knock: Duration, dialler: Arc<Dialler>) -> Self {
        let (first, opened) = async_channel::bounded(1);
        Self { limit, knock, dialler, first: Mutex::new(Some(first)), opened }
    }

    /// Returns when the network is there, as far as the host of the first URL tells, or the time is over.
    pub async fn wait(&self, url: &Url, clock: &dyn Clock) {
        let first = lock(&self.first).take();
        match first {
            Some(first) => {
                self.knock(url, clock).await;
                drop(first);
            }
            None => drop(self.opened.recv().await),
        }
    }

    async fn knock(&self, url: &Url, clock: &dyn Clock) {
        let (mut left, mut wait) = (self.limit, FIRST_WAIT);
        while !left.is_zero() {
            let since = Instant::now();
            let Err(error) = self.dialler.knock(url, self.knock.min(left)).await else { return };
            if is_for_good(&error) {
                return;
            }
            log::debug!("{}: waiting for the network: {error}", Shown(url));
            left = left.saturating_sub(since.elapsed());
            let pause = wait.min(left);
            clock.wait(pause).await;
            left -= pause;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        log::debug!("{}: the network is not there in time", Shown(url));
    }
}

/// Whether waiting changes nothing: the address is one that may not be connected to. A name that does not exist may do so
/// once the right name server is asked.
fn is_for_good(error: &Error) -> bool {
    error.kind() == ErrorKind::Connect && error.recovery() == Recovery::Hopeless
}
