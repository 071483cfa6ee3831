//! A socket below TLS, with a read buffer that it has only while there is something in it, and that lets others have their
//! turn however much comes.
//!
//! rustls reads at most 4 KiB a call: the buffer makes that one system call in four. A connection that waits has none. And a
//! server can send records that hold no data, session tickets for one, as fast as they can be decrypted, with rustls reading
//! on until there are data: here it has to pause now and then, so that time limits are kept.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_lite::{AsyncRead, AsyncWrite};

use super::buffer::{Buffer, copy};
use super::pool::Pool;
use super::shelf::Expected;

/// How many reads make a turn: a few full records of 16 KiB, read 4 KiB at a time.
const READS: u32 = 32;

/// Reads through memory of the pool's shelf, and no more often than some times a turn.
#[derive(Debug)]
pub(super) struct Lent<S> {
    inner: S,
    buffer: Buffer,
    pool: Arc<Pool>,
    /// How often it may still be read in this turn.
    left: u32,
}

impl<S> Lent<S> {
    pub fn new(inner: S, pool: Arc<Pool>) -> Self {
        Self { inner, buffer: Buffer::default(), pool, left: READS }
    }

    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Whoever is above was asked for data again.
    pub fn begin_turn(&mut self) {
        self.left = READS;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lent<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let Self { inner, buffer, pool, left } = self.get_mut();
        let Some(fewer) = left.checked_sub(1) else {
            *left = READS;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        *left = fewer;
        if buffer.is_empty() {
            pool.shelf().lend(buffer, Expected::Little);
            match Pin::new(inner).poll_read(cx, buffer.room()) {
                Poll::Ready(Ok(n)) => buffer.filled(n),
                other => {
                    pool.shelf().take_back(buffer);
                    return other;
                }
            }
        }
        let n = copy(buffer.unread(), buf);
        buffer.consume(n);
        if buffer.is_empty() {
            pool.shelf().take_back(buffer);
        }
        Poll::Ready(Ok(n))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lent<S> {
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

    use futures_lite::future::block_on;
    use futures_lite::io::{Cursor, repeat};
    use futures_lite::{AsyncReadExt as _, future::poll_fn};

    use super::*;

    /// Ready with a byte every second time it is asked.
    struct Halting(bool);

    impl AsyncRead for Halting {
        fn poll_read(mut self: Pin<&mut Self>, _cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            self.0 = !self.0;
            if self.0 {
                return Poll::Pending;
            }
            buf[0] = 7;
            Poll::Ready(Ok(1))
        }
    }

    #[test]
    fn what_comes_in_large_pieces_is_read_in_small_ones() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
        let mut lent = Lent::new(Cursor::new(bytes.clone()), Arc::new(Pool::new(1)));
        let mut read = Vec::new();
        block_on(lent.read_to_end(&mut read)).unwrap();
        assert!(read == bytes);
    }

    #[test]
    fn a_stream_that_never_ends_pauses_after_a_turn() {
        let mut lent = Lent::new(repeat(0), Arc::new(Pool::new(1)));
        let mut cx = Context::from_waker(Waker::noop());
        let mut read = || Pin::new(&mut lent).poll_read(&mut cx, &mut [0]).is_ready();
        assert!((0..READS).all(|_| read()));
        assert!(!read());
        assert!(read());
    }

    #[test]
    fn it_has_no_memory_while_it_waits_or_when_all_was_read() {
        let mut lent = Lent::new(Halting(false), Arc::new(Pool::new(1)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut lent).poll_read(&mut cx, &mut [0; 8]).is_pending());
        assert!(!lent.buffer.has_memory());
        let n = block_on(poll_fn(|cx| Pin::new(&mut lent).poll_read(cx, &mut [0; 8]))).unwrap();
        assert_eq!((n, lent.buffer.has_memory()), (1, false));
    }
}
