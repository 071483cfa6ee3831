//! A future, and what may end it before it is done → whichever comes first.
//!
//! An `async fn` that raced them would have a place for the future as its argument and one for it while it waits, and each
//! worker would have both: what every wait goes through is worth a future by hand.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

/// What may end a future before it is done.
pub(crate) trait Guard {
    /// Why it ends.
    type End;

    /// Asked each time before the future: whether it has ended already, be it done or not.
    fn check(&mut self) -> Option<Self::End> {
        None
    }

    /// Asked where the future is not done.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Self::End>;
}

pin_project! {
    /// The future's output, unless its guard ends it before.
    #[must_use = "futures do nothing unless they are polled"]
    pub(crate) struct Race<F, G> {
        #[pin]
        future: F,
        guard: G,
    }
}

impl<F: Future, G: Guard> Race<F, G> {
    pub fn new(future: F, guard: G) -> Self {
        Self { future, guard }
    }
}

impl<F: Future, G: Guard> Future for Race<F, G> {
    type Output = Result<F::Output, G::End>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let race = self.project();
        if let Some(end) = race.guard.check() {
            return Poll::Ready(Err(end));
        }
        match race.future.poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => race.guard.poll_end(cx).map(Err),
        }
    }
}
