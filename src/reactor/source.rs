//! One descriptor's readiness: what the kernel said last, what calls found since, and who waits for news.
//!
//! ```text
//!  unknown or ready ─▶ call ─┬▶ all that was asked for: still ready
//!        ▲                   └▶ less, or EAGAIN: drained ─▶ wait ─┐
//!        └───────────────────────── news ◀────────────────────────┘
//! ```

use std::io;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use crate::sync::lock;

/// What a call did, beside its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// There may be more to read, or room to write.
    Maybe,
    /// The call took all there was: the kernel tells when there is more.
    Nothing,
}

/// What the kernel has to say of a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct News {
    pub input: bool,
    pub output: bool,
    /// A read may bring less than there is: reads have to go on until one says that there is no more.
    pub stops_short: bool,
}

/// The readiness of one descriptor.
#[derive(Debug, Default)]
pub(super) struct Source {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    input: Side,
    output: Side,
    stops_short: bool,
}

#[derive(Debug, Default)]
struct Side {
    is_ready: bool,
    waiting: Option<Waker>,
}

impl Source {
    /// Takes news, and wakes who waits for it.
    pub fn tell(&self, news: News) {
        let mut state = lock(&self.state);
        state.stops_short |= news.stops_short;
        let reader = news.input.then(|| state.input.tell()).flatten();
        let writer = news.output.then(|| state.output.tell()).flatten();
        drop(state);
        for waker in [reader, writer].into_iter().flatten() {
            waker.wake();
        }
    }

    /// Reads once there may be something to read. `read` is called under the lock, so no news is lost that comes meanwhile.
    pub fn poll_input<T>(
        &self,
        cx: &mut Context<'_>,
        read: impl FnMut() -> io::Result<(T, Left)>,
    ) -> Poll<io::Result<T>> {
        let State { input, stops_short, .. } = &mut *lock(&self.state);
        let read = input.poll(cx, read);
        input.is_ready |= *stops_short && read.is_ready();
        read
    }

    /// Writes once there may be room. As [`poll_input`](Self::poll_input).
    pub fn poll_output<T>(
        &self,
        cx: &mut Context<'_>,
        write: impl FnMut() -> io::Result<(T, Left)>,
    ) -> Poll<io::Result<T>> {
        lock(&self.state).output.poll(cx, write)
    }

    /// Forgets that all was read: news may be on their way that nobody has heard yet.
    pub fn doubt(&self) {
        lock(&self.state).input.is_ready = true;
    }

    /// Whether there may be something to read, as far as is known: nothing is called.
    pub fn may_have_input(&self) -> bool {
        lock(&self.state).input.is_ready
    }
}

impl Side {
    /// It may be ready: whom to wake.
    fn tell(&mut self) -> Option<Waker> {
        self.is_ready = true;
        self.waiting.take()
    }

    fn poll<T>(&mut self, cx: &Context<'_>, mut call: impl FnMut() -> io::Result<(T, Left)>) -> Poll<io::Result<T>> {
        while self.is_ready {
            match call() {
                Ok((done, left)) => {
                    self.is_ready = left == Left::Maybe;
                    return Poll::Ready(Ok(done));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_ready = false,
                // One call is as good as another, so what a signal interrupts is called once more. Layers above can't do
                // that for themselves: TLS may have taken the bytes of a write that it says has failed.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        match &mut self.waiting {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: News = News { input: true, output: false, stops_short: false };

    fn poll(source: &Source, results: &[io::Result<Left>]) -> (Poll<Option<io::ErrorKind>>, usize) {
        let mut calls = 0;
        let polled = source.poll_input(&mut Context::from_waker(Waker::noop()), || {
            calls += 1;
            match &results[calls - 1] {
                Ok(left) => Ok(((), *left)),
                Err(error) => Err(error.kind().into()),
            }
        });
        (polled.map(|result| result.err().map(|error| error.kind())), calls)
    }

    #[test]
    fn nothing_is_called_before_there_is_news_or_after_all_was_taken() {
        let source = Source::default();
        assert_eq!(poll(&source, &[]), (Poll::Pending, 0));
        source.tell(INPUT);
        assert_eq!(poll(&source, &[Ok(Left::Maybe)]), (Poll::Ready(None), 1));
        assert_eq!(poll(&source, &[Ok(Left::Nothing)]), (Poll::Ready(None), 1));
        assert!(!source.may_have_input());
        assert_eq!(poll(&source, &[]), (Poll::Pending, 0));
    }

    #[test]
    fn who_doubts_asks_again() {
        let source = Source::default();
        source.doubt();
        assert!(source.may_have_input());
        assert_eq!(poll(&source, &[Err(io::ErrorKind::WouldBlock.into())]), (Poll::Pending, 1));
    }

    #[test]
    fn the_end_is_read_although_all_before_it_was_taken() {
        let source = Source::default();
        source.tell(News { stops_short: true, ..INPUT });
        assert_eq!(poll(&source, &[Ok(Left::Nothing)]), (Poll::Ready(None), 1));
        assert_eq!(poll(&source, &[Ok(Left::Nothing)]), (Poll::Ready(None), 1));
    }

    #[test]
    fn what_is_interrupted_is_called_again_what_would_block_waits_and_what_fails_is_told() {
        let error = |kind: io::ErrorKind| Err(kind.into());
        let source = Source::default();
        source.tell(INPUT);
        let interrupted = [error(io::ErrorKind::Interrupted), Ok(Left::Maybe)];
        assert_eq!(poll(&source, &interrupted), (Poll::Ready(None), 2));
        let reset = io::ErrorKind::ConnectionReset;
        assert_eq!(poll(&source, &[error(reset)]), (Poll::Ready(Some(reset)), 1));
        assert_eq!(poll(&source, &[error(io::ErrorKind::WouldBlock)]), (Poll::Pending, 1));
        assert_eq!(poll(&source, &[]), (Poll::Pending, 0));
    }
}
