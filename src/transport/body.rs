//! The body of a response, read from its connection as it is asked for.
//!
//! ```text
//!  fill ─▶ data in the buffer ─▶ consume ─┬▶ more ─▶ fill
//!                                         └▶ the last byte ─▶ the connection goes back to the pool
//! ```
//!
//! The bytes are handed out where they were received: nothing is copied on the way. A body that ends early is an error,
//! never a clean end.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_lite::{AsyncBufRead, AsyncRead};

use super::buffer::{Buffer, copy};
use super::connection::{Connection, Trouble};
use super::exchange::{is_unannounced_end, trouble_with};
use super::h1::{Decoder, Span};
use super::pool::Pool;
use super::shelf::Expected;
use crate::error::{Error, ErrorKind, Phase};
use crate::reactor::{Room, Spliced};

/// How many times in a row framing alone may be received before others get their turn, and time limits are looked at.
const BARREN_TURN: u32 = 32;

/// How much of a body has to be left for a pipe to be worth its while.
const SPLICED: u64 = 128 * 1024;

/// Reads a body. Dropped before the end, it closes the connection.
#[derive(Debug)]
pub(crate) struct BodyReader {
    /// `None` once the body was read to its end, or failed.
    source: Option<Source>,
    /// How many bytes at the front of the buffer are body and not yet used.
    ready: usize,
    /// How much was received, after the head.
    received: u64,
    failed: Option<Error>,
    pool: Arc<Pool>,
}

#[derive(Debug)]
struct Source {
    connection: Box<Connection>,
    buffer: Buffer,
    decoder: Decoder,
}

impl BodyReader {
    pub(super) fn new(connection: Box<Connection>, buffer: Buffer, decoder: Decoder, pool: Arc<Pool>) -> Self {
        let source = Some(Source { connection, buffer, decoder });
        let mut body = Self { source, ready: 0, received: 0, failed: None, pool };
        body.decode();
        body
    }

    /// The length that the head announced.
    pub fn length(&self) -> Option<u64> {
        self.source.as_ref().and_then(|source| source.decoder.length())
    }

    /// Whether nothing but the end of the connection ends it: whether it is whole its bytes alone can tell.
    #[cfg(feature = "compressed")]
    pub fn is_until_close(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.decoder.is_until_close())
    }

    /// Finds the next body bytes in what is buffered. At the body's end, gives the connection back.
    fn decode(&mut self) {
        let Some(source) = &mut self.source else { return };
        match source.decoder.body(source.buffer.unread()) {
            Ok(Span { skip, data }) => {
                source.buffer.consume(skip);
                self.ready = data;
                if data == 0 && source.decoder.is_done() {
                    self.release();
                }
            }
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: Error) {
        self.source = None;
        self.failed = Some(error);
    }

    /// The body was read to its exact end: if nothing is left over, the connection may serve again.
    fn release(&mut self) {
        if let Some(Source { connection, mut buffer, decoder }) = self.source.take() {
            if decoder.may_reuse() && buffer.is_empty() {
                self.pool.put(connection);
            }
            self.pool.shelf().take_back(&mut buffer);
        }
    }

    /// Receives until there are body bytes, or the end, or an error.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut barren = 0;
        while let Some(source) = self.source.as_mut().filter(|_| self.ready == 0) {
            barren += 1;
            if barren > BARREN_TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let expected = Expected::after(self.received);
            match source.connection.poll_receive(cx, &mut source.buffer, self.pool.shelf(), expected) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => self.end(),
                Poll::Ready(Ok(n)) => {
                    self.received += n as u64;
                    self.decode();
                }
                Poll::Ready(Err(Trouble::Io(error))) if is_unannounced_end(&error) => self.cut(),
                Poll::Ready(Err(trouble)) => self.fail(trouble_with(trouble, Phase::Body)),
            }
        }
        Poll::Ready(())
    }

    /// Whether much of the body is still to come, and can go [into a pipe](Self::poll_splice).
    pub fn can_splice(&self) -> bool {
        let Some(Source { connection, buffer, decoder }) = &self.source else { return false };
        buffer.is_empty() && connection.can_splice() && decoder.left().is_some_and(|left| left >= SPLICED)
    }

    /// Moves what comes next of the body into a pipe. No bytes are its end. Once it was begun, the rest has to go the same way.
    pub fn poll_splice(&mut self, cx: &mut Context<'_>, pipe: &OwnedFd, room: Room) -> Poll<Result<Spliced, Error>> {
        let Some(Source { connection, decoder, .. }) = &mut self.source else {
            return Poll::Ready(self.failed.take().map_or(Ok(Spliced::Bytes(0)), Err));
        };
        let left = decoder.left().map_or(0, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let room = Room { bytes: room.bytes.min(left), ..room };
        match connection.poll_splice(cx, pipe, room) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(Spliced::Bytes(0))) => self.end(),
            Poll::Ready(Ok(spliced)) => {
                if let Spliced::Bytes(n) = spliced {
                    decoder.pass(n);
                    if decoder.is_done() {
                        self.release();
                    }
                }
                return Poll::Ready(Ok(spliced));
            }
            Poll::Ready(Err(trouble)) => self.fail(trouble_with(trouble, Phase::Body)),
        }
        Poll::Ready(self.failed.take().map_or(Ok(Spliced::Bytes(0)), Err))
    }

    /// The connection ended; only a body that lasts until then ends with it.
    fn end(&mut self) {
        let Some(source) = &mut self.source else { return };
        match source.decoder.end_of_input() {
            Ok(()) => self.release(),
            Err(error) => self.fail(error),
        }
    }

    /// The TLS stream ended without `close_notify`, so not even a body that lasts until the end is known to be whole.
    fn cut(&mut self) {
        let message = "the TLS connection was cut before the body was known to be whole";
        self.fail(Error::new(ErrorKind::Truncated, message));
    }
}

impl AsyncBufRead for BodyReader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.poll_more(cx).is_pending() {
            return Poll::Pending;
        }
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Err(io::Error::other(error)));
        }
        let unread = this.source.as_ref().map(|source| source.buffer.unread()).unwrap_or_default();
        Poll::Ready(Ok(unread.get(..this.ready).unwrap_or(unread)))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let this = self.get_mut();
        let used = n.min(this.ready);
        this.ready -= used;
        if let Some(source) = &mut this.source {
            source.buffer.consume(used);
        }
        if this.ready == 0 {
            this.decode();
        }
    }
}

impl AsyncRead for BodyReader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let n = match self.as_mut().poll_fill_buf(cx) {
            Poll::Ready(Ok(data)) => copy(data, buf),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        };
        self.consume(n);
        Poll::Ready(Ok(n))
    }
}
