//! A socket below TLS, with a read buffer that it has only while there is something in it.
//!
//! rustls reads at most 4 KiB a call: the buffer makes that one system call in four. A connection that waits has none.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_lite::{AsyncRead, AsyncWrite};

use super::buffer::{Buffer, copy};
use super::pool::Pool;
use super::shelf::Expected;

/// Reads through memory of the pool's shelf.
#[derive(Debug)]
pub(super) struct Lent<S> {
    inner: S,
    buffer: Buffer,
    pool: Arc<Pool>,
}

impl<S> Lent<S> {
    pub fn new(inner: S, pool: Arc<Pool>) -> Self {
        Self { inner, buffer: Buffer::default(), pool }
    }

    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lent<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let Self { inner, buffer, pool } = self.get_mut();
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
    use futures_lite::future::block_on;
    use futures_lite::io::Cursor;
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
    fn it_has_no_memory_while_it_waits_or_when_all_was_read() {
        let mut lent = Lent::new(Halting(false), Arc::new(Pool::new(1)));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut lent).poll_read(&mut cx, &mut [0; 8]).is_pending());
        assert!(!lent.buffer.has_memory());
        let n = block_on(poll_fn(|cx| Pin::new(&mut lent).poll_read(cx, &mut [0; 8]))).unwrap();
        assert_eq!((n, lent.buffer.has_memory()), (1, false));
    }
}
