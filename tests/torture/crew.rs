//! Points to try → what came of each, some at a time, until there are enough.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many runs go on at once: each waits for strace more than it computes.
const HANDS: usize = 4;

/// When to stop.
#[derive(Clone, Copy)]
pub enum Enough {
    /// At so many results.
    Points(u64),
    /// After this time.
    Time(Duration),
    /// At the end.
    All,
}

impl Enough {
    /// Whether so many results are.
    pub fn judge(self, results: usize) -> Result<String, String> {
        let least = match self {
            Self::Points(points) => points,
            Self::Time(_) | Self::All => 1,
        };
        if results as u64 >= least { Ok(format!("{results} made")) } else { Err(format!("only {results} made")) }
    }
}

/// Tries points in their order. `None` is no result: the point was not there.
pub fn work<P: Send, R: Send>(
    points: impl Iterator<Item = P> + Send,
    enough: Enough,
    attempt: impl Fn(&P) -> Option<R> + Sync,
) -> Vec<(P, R)> {
    let (points, results) = (Mutex::new(points), Mutex::new(Vec::new()));
    let (started, done) = (Instant::now(), AtomicU64::new(0));
    let is_enough = || match enough {
        Enough::Points(points) => done.load(Ordering::SeqCst) >= points,
        Enough::Time(time) => started.elapsed() >= time,
        Enough::All => false,
    };
    let next = || points.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..HANDS {
            scope.spawn(|| {
                while !is_enough()
                    && let Some(point) = next()
                {
                    if let Some(result) = attempt(&point) {
                        done.fetch_add(1, Ordering::SeqCst);
                        results.lock().unwrap().push((point, result));
                    }
                }
            });
        }
    });
    results.into_inner().unwrap()
}
