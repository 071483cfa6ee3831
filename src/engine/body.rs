//! A body on its way to where it is kept: as it was sent, or decoded.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::{AsyncBufRead, AsyncRead};

#[cfg(feature = "compressed")]
use super::decode::{Coding, Decoded};
use crate::config::Compression;
use crate::error::Error;
use crate::reactor::{Room, Spliced};
use crate::transport::{BodyReader, Head};

/// A body that is to be kept.
pub(super) enum Body {
    AsSent(BodyReader),
    #[cfg(feature = "compressed")]
    Decoded(Box<Decoded>),
}

impl Body {
    /// What is to be kept of the body with this head, of which at most `piece` bytes are decoded at once.
    ///
    /// # Errors
    ///
    /// Kind [`Encoding`](crate::ErrorKind::Encoding) if it is coded otherwise than was asked for, where something was.
    pub fn new(compression: Compression, head: &Head, body: BodyReader, piece: usize) -> Result<Self, Error> {
        match compression {
            Compression::Unasked => Ok(Self::AsSent(body)),
            #[cfg(feature = "compressed")]
            Compression::Asked => Ok(match Coding::of(head)? {
                None => Self::AsSent(body),
                Some(coding) => Self::Decoded(Box::new(Decoded::new(body, coding, piece))),
            }),
            #[cfg(not(feature = "compressed"))]
            Compression::Asked => {
                let _ = (head, piece);
                Ok(Self::AsSent(body))
            }
        }
    }

    /// Its length, where the head says it: that of a coded body is another.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::AsSent(body) => body.length(),
            #[cfg(feature = "compressed")]
            Self::Decoded(_) => None,
        }
    }

    /// How many bytes came for these, the next ones: where they are decoded, what was taken since this was asked last.
    pub fn came(&mut self, length: usize) -> usize {
        match self {
            Self::AsSent(_) => length,
            #[cfg(feature = "compressed")]
            Self::Decoded(body) => body.came(),
        }
    }

    /// Whether its bytes are those of the response.
    pub fn is_as_sent(&self) -> bool {
        matches!(self, Self::AsSent(_))
    }

    /// See [`BodyReader::can_splice`].
    pub fn can_splice(&self) -> bool {
        matches!(self, Self::AsSent(body) if body.can_splice())
    }

    /// See [`BodyReader::poll_splice`].
    pub fn poll_splice(&mut self, cx: &mut Context<'_>, pipe: &OwnedFd, room: Room) -> Poll<Result<Spliced, Error>> {
        match self {
            Self::AsSent(body) => body.poll_splice(cx, pipe, room),
            #[cfg(feature = "compressed")]
            Self::Decoded(_) => Poll::Ready(Ok(Spliced::Refused)),
        }
    }
}

impl AsyncBufRead for Body {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        match self.get_mut() {
            Self::AsSent(body) => Pin::new(body).poll_fill_buf(cx),
            #[cfg(feature = "compressed")]
            Self::Decoded(body) => Pin::new(&mut **body).poll_fill_buf(cx),
        }
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        match self.get_mut() {
            Self::AsSent(body) => Pin::new(body).consume(n),
            #[cfg(feature = "compressed")]
            Self::Decoded(body) => Pin::new(&mut **body).consume(n),
        }
    }
}

impl AsyncRead for Body {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::AsSent(body) => Pin::new(body).poll_read(cx, into),
            #[cfg(feature = "compressed")]
            Self::Decoded(body) => Pin::new(&mut **body).poll_read(cx, into),
        }
    }
}
