//! One connection: a stream, where it leads to, and the watch over its silence.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::future::poll_fn;
use futures_lite::{AsyncRead, AsyncWriteExt};

use super::buffer::Buffer;
use super::lead::Lead;
use super::shelf::{Expected, Shelf};
use super::stream::Stream;
use super::watchdog::{Silence, Watchdog};
use crate::reactor::{Room, Spliced};
use crate::text;

/// How long it is enough to go by what the system last told of a connection. A request that follows the one before at
/// once needs no call to ask; while others have their turn, something may come that nobody has heard of yet.
const HEARSAY: Duration = Duration::from_micros(50);

/// A connection to an origin, or to a proxy.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    lead: Lead,
    watchdog: Watchdog,
    is_reused: bool,
}

/// Why nothing more comes from a connection.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nothing moved for the longest silence.
    Silence(Duration),
    /// What has to be buffered is more than a buffer takes.
    Full,
    /// The stream failed.
    Io(io::Error),
}

impl Connection {
    pub fn new(stream: Stream, lead: Lead, silence: Duration) -> Self {
        Self { stream, lead, watchdog: Watchdog::new(silence), is_reused: false }
    }

    pub fn lead(&self) -> &Lead {
        &self.lead
    }

    /// Whether it has served a request before: then the server may have closed it by now.
    pub fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Whether it may serve another request, after it has waited so long. See [`Stream::is_quiet`].
    pub fn is_quiet(&mut self, waited: Duration) -> bool {
        self.is_reused = true;
        if waited > HEARSAY {
            self.stream.doubt();
        }
        self.stream.is_quiet()
    }

    /// Sends all of `bytes`.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        log::trace!("{} bytes to {}", bytes.len(), text::escape(&self.lead.host()));
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.watchdog.watch(self.stream.write(rest)).await {
                Ok(Ok(0)) => return Err(Trouble::Io(io::ErrorKind::WriteZero.into())),
                Ok(Ok(n)) => rest = rest.get(n..).unwrap_or_default(),
                Ok(Err(error)) => return Err(Trouble::Io(error)),
                Err(Silence) => return Err(Trouble::Silence(self.watchdog.limit())),
            }
        }
        match self.watchdog.watch(self.stream.flush()).await {
            Ok(flushed) => flushed.map_err(Trouble::Io),
            Err(Silence) => Err(Trouble::Silence(self.watchdog.limit())),
        }
    }

    /// Receives what comes next into `buffer`, in memory of the shelf: how many bytes, 0 at the stream's end.
    pub fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Buffer,
        shelf: &Shelf,
        expected: Expected,
    ) -> Poll<Result<usize, Trouble>> {
        shelf.lend(buffer, expected);
        let room = buffer.room();
        if room.is_empty() {
            return Poll::Ready(Err(Trouble::Full));
        }
        match Pin::new(&mut self.stream).poll_read(cx, room) {
            Poll::Ready(Ok(n)) => {
                log::trace!("{n} bytes from {}", text::escape(&self.lead.host()));
                buffer.filled(n);
                self.watchdog.feed();
                Poll::Ready(Ok(n))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(Trouble::Io(error))),
            Poll::Pending => {
                shelf.take_back(buffer);
                self.poll_silence(cx)
            }
        }
    }

    /// Nothing has come: whether that has been so for too long.
    fn poll_silence<T>(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Trouble>> {
        let limit = self.watchdog.limit();
        self.watchdog.poll_silence(cx).map(|Silence| Err(Trouble::Silence(limit)))
    }

    /// Whether what is received can be moved into a pipe as it is.
    pub fn can_splice(&self) -> bool {
        matches!(self.stream, Stream::Plain(_))
    }

    /// Moves what comes next into a pipe. See [`Tcp::poll_splice`].
    pub fn poll_splice(&mut self, cx: &mut Context<'_>, pipe: &OwnedFd, room: Room) -> Poll<Result<Spliced, Trouble>> {
        let spliced = match &self.stream {
            Stream::Plain(socket) => socket.poll_splice(cx, pipe, room),
            #[cfg(feature = "tls")]
            Stream::Tls(_) => Poll::Ready(Ok(Spliced::Refused)),
        };
        match spliced {
            Poll::Ready(Ok(spliced)) => {
                self.watchdog.feed();
                Poll::Ready(Ok(spliced))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(Trouble::Io(error))),
            Poll::Pending => self.poll_silence(cx),
        }
    }

    /// As [`poll_receive`](Self::poll_receive), for a head.
    pub async fn receive(&mut self, buffer: &mut Buffer, shelf: &Shelf) -> Result<usize, Trouble> {
        poll_fn(|cx| self.poll_receive(cx, buffer, shelf, Expected::Little)).await
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::task::Waker;

    use crate::reactor::{Tcp, block_on};

    use super::*;

    #[test]
    fn a_response_is_read_whether_it_came_before_it_was_asked_for_or_after() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = block_on(Tcp::connect(listener.local_addr().unwrap())).unwrap();
        let arrival = socket.get_ref().try_clone().unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let lead = Lead::to(&"http://h/".parse().unwrap(), None).unwrap();
        let mut connection = Connection::new(Stream::Plain(socket), lead, Duration::from_secs(30));

        for is_asked_first in [true, false] {
            block_on(connection.send(b"request")).unwrap();
            let (mut buffer, shelf, mut cx) = (Buffer::default(), Shelf::default(), Context::from_waker(Waker::noop()));
            let mut ask = |buffer: &mut Buffer| connection.poll_receive(&mut cx, buffer, &shelf, Expected::Little);
            assert!(!is_asked_first || ask(&mut buffer).is_pending());
            assert!(!buffer.has_memory());
            peer.write_all(b"response").unwrap();
            while arrival.peek(&mut [0]).is_err() {}
            assert!(matches!(block_on(connection.receive(&mut buffer, &shelf)), Ok(8)));
        }
    }
}
