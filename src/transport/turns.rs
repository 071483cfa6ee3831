//! A stream that is always ready → one that lets others have their turn.
//!
//! A TLS server can send records that hold no data, session tickets for one, as fast as they can be decrypted, and the layer
//! above reads on until there are data. Here it has to pause now and then, so that time limits are kept and others served.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::{AsyncRead, AsyncWrite};

/// How many reads make a turn: a few full records of 16 KiB, read 4 KiB at a time.
const READS: u32 = 32;

/// Passes everything on, but no more than some reads a turn.
#[derive(Debug)]
pub(super) struct Turns<S> {
    inner: S,
    left: u32,
}

impl<S> Turns<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, left: READS }
    }

    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Whoever is above was asked for data again.
    pub fn begin_turn(&mut self) {
        self.left = READS;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Turns<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(left) = this.left.checked_sub(1) else {
            this.begin_turn();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        this.left = left;
        Pin::new(&mut this.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Turns<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures_lite::io::repeat;

    use super::*;

    #[test]
    fn a_stream_that_never_ends_pauses_after_a_turn() {
        let mut stream = Turns::new(repeat(0));
        let mut cx = Context::from_waker(Waker::noop());
        let mut read = || Pin::new(&mut stream).poll_read(&mut cx, &mut [0]).is_ready();
        assert!((0..READS).all(|_| read()));
        assert!(!read());
        assert!(read());
    }
}
