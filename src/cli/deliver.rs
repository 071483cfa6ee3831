//! Outcomes → batches, each reported while the next is gathered.
//!
//! It keeps the engine and the commands going whatever the writer waits for, and knows when waiting has become pointless.
//! It writes nothing itself.

use std::future::Future;
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use async_io::Timer;
use futures_lite::Stream;
use futures_lite::future::{poll_fn, yield_now};
use smolget::{Outcome, Outcomes};

use super::console::Console;
use super::hooks::{Command, Order};
use super::options::Output;
use super::report::Report;
use super::run::Board;
use super::turns::Turns;
use super::waiting::Taken;
use super::writer::Writer;

/// The most outcomes that are reported at once: a row is small.
const BATCH: usize = 64;

/// The same where each holds a body, which may be in memory.
const BATCH_OF_BODIES: usize = 8;

/// How long a run that is to end waits for a standard stream that takes nothing.
const GRACE: Duration = Duration::from_secs(1);

/// The outcomes of a run on their way to the report.
pub struct Delivery<'a> {
    outcomes: Outcomes,
    /// What is gathered for the next batch.
    batch: Vec<Outcome>,
    /// The size of a batch.
    most: usize,
    /// What standard output has taken.
    taken: Taken,
    board: &'a Board,
    /// What is run for each saved file.
    exec: Option<&'a Command>,
    /// The commands that are still to be run.
    turns: Turns<'a>,
}

impl<'a> Delivery<'a> {
    /// Delivers what goes to `output`, where `taken` counts what arrives, and has `exec` run for what is saved.
    pub fn new(
        outcomes: Outcomes,
        output: Output,
        taken: Taken,
        board: &'a Board,
        exec: Option<&'a Command>,
        console: &'a Console,
    ) -> Self {
        let most = if matches!(output, Output::Bodies | Output::BodiesAndRows) { BATCH_OF_BODIES } else { BATCH };
        Self { outcomes, batch: Vec::new(), most, taken, board, exec, turns: Turns::new(board, console) }
    }

    /// Reports every outcome of the run, then those of jobs that it has left `unfinished`. All commands have ended then.
    ///
    /// # Errors
    ///
    /// Why results are missing on standard output, or in the list of the jobs that failed.
    pub async fn deliver(
        &mut self,
        report: Report,
        writer: &mut Writer,
        mut unfinished: impl Iterator<Item = Outcome>,
    ) -> Result<(), String> {
        let again = report.again();
        let delivered = self.try_deliver(report, writer, &mut unfinished).await;
        if delivered.is_err() && (again.is_some() || self.exec.is_some()) {
            // The run ends, and nobody is told of it: that list and the commands are what is left.
            self.board.stopper.stop();
            loop {
                let batch = self.next().await;
                if batch.is_empty() {
                    break;
                }
                again.iter().for_each(|again| again.expect(&batch));
                self.order(self.orders(&batch)).await;
            }
            if let Some(again) = again {
                again.expect(&unfinished.collect::<Vec<_>>());
                again.finish();
            }
        }
        self.end_turns().await;
        delivered
    }

    async fn try_deliver(
        &mut self,
        mut report: Report,
        writer: &mut Writer,
        unfinished: impl Iterator<Item = Outcome>,
    ) -> Result<(), String> {
        loop {
            let batch = self.next().await;
            if batch.is_empty() {
                break;
            }
            let orders = self.orders(&batch);
            let reported = self.report(report, writer, batch).await;
            // Also where nobody could be told: those that are left out are named.
            self.order(orders).await;
            report = reported?;
        }
        report.end();
        report = self.report(report, writer, unfinished.collect()).await?;
        report.lacks().map_or(Ok(()), Err)
    }

    /// The next batch, empty after the last.
    async fn next(&mut self) -> Vec<Outcome> {
        poll_fn(|cx| {
            let gathered = gather(&mut self.outcomes, &mut self.batch, self.most, cx);
            let _ = self.turns.poll(cx);
            gathered
        })
        .await;
        mem::take(&mut self.batch)
    }

    /// Reports a batch; the report afterwards.
    async fn report(&mut self, mut report: Report, writer: &mut Writer, batch: Vec<Outcome>) -> Result<Report, String> {
        if report.has_news(&batch) {
            report.expect(&batch);
            self.board.terminal_taken.set(report.is_on_terminal());
            let written = self.wait_for(writer.write(report, batch)).await;
            report =
                written.unwrap_or_else(|| Err("standard output did not take the rest of the results".to_owned()))?;
            self.board.terminal_taken.set(false);
        } else {
            report.count(&batch);
            yield_now().await;
        }
        self.board.tally.set(report.tally());
        if report.broken().is_some() {
            self.board.stopper.stop();
        }
        Ok(report)
    }

    /// What is to be run for the files of a batch.
    fn orders(&self, batch: &[Outcome]) -> Vec<Order> {
        self.exec.map_or_else(Vec::new, |_| batch.iter().filter_map(Order::for_saved).collect())
    }

    /// Has commands run for files, and waits if too many of them wait.
    async fn order(&mut self, orders: Vec<Order>) {
        let Some(exec) = self.exec else { return };
        orders.into_iter().for_each(|order| self.turns.add(exec, order));
        poll_fn(
            |cx| if self.go_on(cx).is_pending() && self.turns.are_many() { Poll::Pending } else { Poll::Ready(()) },
        )
        .await;
    }

    /// Runs the last command, to its end.
    pub async fn run_last(&mut self, command: &'a Command, order: Order) {
        self.turns.add(command, order);
        self.end_turns().await;
    }

    /// Waits until no command is left.
    async fn end_turns(&mut self) {
        poll_fn(|cx| self.go_on(cx)).await;
    }

    /// Lets the run go on, and then the commands; ready when none of those is left.
    fn go_on(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = gather(&mut self.outcomes, &mut self.batch, self.most, cx);
        self.outcomes.drive(cx);
        self.turns.poll(cx)
    }

    /// Waits for something to be written, with the run going on; `None` if the run is to end and nothing moves any more.
    ///
    /// Meanwhile the next batch is gathered. Once that is full the run still goes on, until its workers have no room
    /// for what they have done.
    pub async fn wait_for<T>(&mut self, written: impl Future<Output = T>) -> Option<T> {
        let mut written = pin!(written);
        let mut stuck = pin!(stuck(self.taken.clone()));
        poll_fn(|cx| {
            if let Poll::Ready(result) = written.as_mut().poll(cx) {
                return Poll::Ready(Some(result));
            }
            let _ = self.go_on(cx);
            if self.board.is_to_end() { stuck.as_mut().poll(cx).map(|()| None) } else { Poll::Pending }
        })
        .await
    }
}

/// Done when nothing was taken for a whole [`GRACE`], counted from the first poll.
async fn stuck(taken: Taken) {
    let mut before = taken.bytes();
    loop {
        Timer::after(GRACE).await;
        let now = taken.bytes();
        if now == before {
            return;
        }
        before = now;
    }
}

/// Takes what the stream has ready, up to `most` in all. Ready as soon as there is any, or the stream has ended.
fn gather<S: Stream + Unpin>(stream: &mut S, batch: &mut Vec<S::Item>, most: usize, cx: &mut Context<'_>) -> Poll<()> {
    while batch.len() < most {
        match Pin::new(&mut *stream).poll_next(cx) {
            Poll::Ready(Some(item)) => batch.push(item),
            Poll::Ready(None) => return Poll::Ready(()),
            Poll::Pending if batch.is_empty() => return Poll::Pending,
            Poll::Pending => break,
        }
    }
    Poll::Ready(())
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures_lite::{StreamExt as _, stream};

    use super::*;

    #[test]
    fn a_batch_takes_what_is_ready_and_no_more_than_it_may() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut batch = Vec::new();
        let mut ready = stream::iter(0..5);
        assert_eq!(gather(&mut ready, &mut batch, 3, &mut cx), Poll::Ready(()));
        assert_eq!(batch, [0, 1, 2]);
        assert_eq!(gather(&mut ready, &mut batch, 3, &mut cx), Poll::Ready(()));
        assert_eq!(batch, [0, 1, 2]);
        batch.clear();
        assert_eq!(gather(&mut ready, &mut batch, 3, &mut cx), Poll::Ready(()));
        assert_eq!(batch, [3, 4]);
    }

    #[test]
    fn a_batch_waits_for_its_first_item_alone() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut batch = Vec::new();
        let mut nothing = stream::pending::<u8>();
        assert_eq!(gather(&mut nothing, &mut batch, 3, &mut cx), Poll::Pending);
        let mut one = stream::once(7).chain(stream::pending());
        assert_eq!(gather(&mut one, &mut batch, 3, &mut cx), Poll::Ready(()));
        assert_eq!(batch, [7]);
        let mut none = stream::empty::<u8>();
        let mut batch = Vec::new();
        assert_eq!(gather(&mut none, &mut batch, 3, &mut cx), Poll::Ready(()));
        assert!(batch.is_empty());
    }
}
