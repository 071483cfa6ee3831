//! The one thread that waits for standard output: a report and a batch in, the report out when the batch is written.
//!
//! A thread of its own, not one of a pool. Where results go to standard output it is made before the run starts, or the run
//! does not start; else when there first is something to be told, which is seldom. Nobody joins it, so a write that never
//! ends does not keep the process from ending.

use std::io;
use std::thread;

use async_channel::{Receiver, Sender, bounded};
use smolget::Outcome;

use super::options::Output;
use super::report::Report;

/// Writes batches, one at a time.
pub struct Writer {
    thread: Option<Thread>,
}

/// A handle to the thread, which ends with it.
struct Thread {
    batches: Sender<(Report, Vec<Outcome>)>,
    reports: Receiver<Report>,
}

impl Writer {
    /// Is ready for what goes to `output`.
    ///
    /// # Errors
    ///
    /// That there can't be one more thread, where one is certainly needed.
    pub fn new(output: Output) -> Result<Self, String> {
        let thread = if output == Output::Nothing { None } else { Some(Thread::start()?) };
        Ok(Self { thread })
    }

    /// Has a batch written. One at a time: a report that is given up is never given back.
    ///
    /// # Errors
    ///
    /// That there can't be one more thread, or the thread is gone.
    pub async fn write(&mut self, report: Report, batch: Vec<Outcome>) -> Result<Report, String> {
        let thread = match &self.thread {
            Some(thread) => thread,
            None => self.thread.insert(Thread::start()?),
        };
        thread.write(report, batch).await.ok_or_else(|| "the thread for standard output is gone".to_owned())
    }
}

impl Thread {
    fn start() -> Result<Self, String> {
        Self::try_start().map_err(|error| format!("no thread for standard output: {error}"))
    }

    fn try_start() -> io::Result<Self> {
        let (batches, orders) = bounded::<(Report, Vec<Outcome>)>(1);
        let (done, reports) = bounded(1);
        thread::Builder::new().name("stdout".to_owned()).spawn(move || {
            while let Ok((mut report, batch)) = orders.recv_blocking() {
                report.write(batch);
                if done.send_blocking(report).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { batches, reports })
    }

    async fn write(&self, report: Report, batch: Vec<Outcome>) -> Option<Report> {
        self.batches.send((report, batch)).await.ok()?;
        self.reports.recv().await.ok()
    }
}
