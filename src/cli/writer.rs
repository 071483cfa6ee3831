//! The one thread that waits for standard output: a report and a batch in, the report out when the batch is written.
//!
//! A thread of its own, not one of a pool: it is made before the run starts, or the run does not start. Nobody joins
//! it, so a write that never ends does not keep the process from ending.

use std::io;
use std::thread;

use async_channel::{Receiver, Sender, bounded};
use smolget::Outcome;

use super::report::Report;

/// A handle to the thread, which ends with it.
pub struct Writer {
    batches: Sender<(Report, Vec<Outcome>)>,
    reports: Receiver<Report>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// What the system says if there can't be one more.
    pub fn start() -> io::Result<Self> {
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

    /// Has a batch written; `None` if the thread is gone. One at a time: a report that is given up is never given back.
    pub async fn write(&self, report: Report, batch: Vec<Outcome>) -> Option<Report> {
        self.batches.send((report, batch)).await.ok()?;
        self.reports.recv().await.ok()
    }
}
