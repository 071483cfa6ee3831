//! A body as its server has coded it → the body: gzip (RFC 1952) and deflate, if they were asked for.
//!
//! What comes out ends cleanly only if the coded stream did, with its checksum right and nothing behind it; anything else is
//! an error of kind [`Encoding`](ErrorKind::Encoding), or [`Truncated`](ErrorKind::Truncated) where the connection's end was
//! all that ended the body. A body without a byte is not coded at all, whatever its head says:
//! servers send such for empty files.
//!
//! ```text
//!  first byte ─┬▶ none: empty
//!              ├▶ gzip: members, one after the other ─┐
//!              ├▶ deflate with zlib's header ─────────┼▶ the end of the stream ─▶ the end of the body
//!              └▶ deflate without ────────────────────┘
//! ```

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::futures::bufread::{DeflateDecoder, GzipDecoder, ZlibDecoder};
use futures_lite::{AsyncBufRead, AsyncRead};

use crate::error::{Error, ErrorKind};
use crate::grammar::is_same_word;
use crate::text;
use crate::transport::{BodyReader, Head};

/// What is decoded at once.
const PIECE: usize = 16 * 1024;

/// How often in a row coded bytes are taken that make no body before others get their turn, and time limits are looked at.
const BARREN_TURN: u32 = 8;

/// How a body is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    /// What RFC 9110, section 8.4.1.2, calls so: zlib's form (RFC 1950). Some servers leave its header and checksum away, and
    /// everybody puts up with that.
    Deflate,
}

impl Coding {
    /// The coding of a body with this head; `None` if it is as it is.
    ///
    /// # Errors
    ///
    /// Kind [`Encoding`](ErrorKind::Encoding) for one that was not asked for, and for several.
    pub fn of(head: &Head) -> Result<Option<Self>, Error> {
        let values = head.values("content-encoding").flat_map(|value| value.split(|&byte| byte == b','));
        let mut codings =
            values.map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty() && !is_same_word(coding, "identity"));
        match (codings.next(), codings.next()) {
            (None, _) => Ok(None),
            (Some(coding), None) => Self::named(coding).map(Some),
            (Some(_), Some(_)) => Err(refused("the body is coded more than once, which was not asked for")),
        }
    }

    fn named(name: &[u8]) -> Result<Self, Error> {
        match name.to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => Ok(Self::Gzip),
            b"deflate" => Ok(Self::Deflate),
            _ => {
                let shown = text::excerpt(name);
                Err(refused(format!("the body is coded as `{}`, which was not asked for", text::escape(&shown))))
            }
        }
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Encoding, message)
}

/// A body that is decoded as it is read.
pub(super) struct Decoded {
    stage: Stage,
    coding: Coding,
    piece: Box<[u8]>,
    /// What of the piece is decoded and not used yet.
    start: usize,
    end: usize,
}

enum Stage {
    /// Nothing has come yet.
    Unbegun(Source),
    Decoding(Box<dyn Decoder>),
    Ended,
}

/// A decoder and what it reads.
trait Decoder: AsyncRead + Send + Sync + Unpin {
    fn source(&mut self) -> &mut Source;
}

impl Decoder for GzipDecoder<Source> {
    fn source(&mut self) -> &mut Source {
        self.get_mut()
    }
}

impl Decoder for ZlibDecoder<Source> {
    fn source(&mut self) -> &mut Source {
        self.get_mut()
    }
}

impl Decoder for DeflateDecoder<Source> {
    fn source(&mut self) -> &mut Source {
        self.get_mut()
    }
}

impl Decoded {
    /// A body of which no more than `most` coded bytes are taken at once.
    pub fn new(body: BodyReader, coding: Coding, most: usize) -> Self {
        let is_until_close = body.is_until_close();
        let body = Box::new(body);
        let source = Source { body, is_until_close, most, came: 0, left: BARREN_TURN, has_ended: false };
        let stage = Stage::Unbegun(source);
        Self { stage, coding, piece: vec![0; PIECE].into(), start: 0, end: 0 }
    }

    /// How many coded bytes were taken since this was asked last.
    pub fn came(&mut self) -> usize {
        match &mut self.stage {
            Stage::Decoding(decoder) => std::mem::take(&mut decoder.source().came),
            Stage::Unbegun(_) | Stage::Ended => 0,
        }
    }

    /// Decodes until there is something, or the end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Stage::Unbegun(source) = &mut self.stage {
            let first = ready!(source.poll(cx))?.first().copied();
            self.begin(first);
        }
        let Stage::Decoding(decoder) = &mut self.stage else { return Poll::Ready(Ok(())) };
        decoder.source().left = BARREN_TURN;
        let read = ready!(Pin::new(&mut **decoder).poll_read(cx, &mut self.piece));
        let (coding, source) = (self.coding, decoder.source());
        (self.start, self.end) = (0, read.map_err(|error| broken(error, coding, source))?);
        if self.end == 0 {
            if !ready!(decoder.source().poll(cx))?.is_empty() {
                return Poll::Ready(Err(io::Error::other(refused(format!("there is more behind {}", self.coding)))));
            }
            self.stage = Stage::Ended;
        }
        Poll::Ready(Ok(()))
    }

    /// Chooses the decoder by the first byte of the body, if there is one.
    fn begin(&mut self, first: Option<u8>) {
        let Stage::Unbegun(source) = std::mem::replace(&mut self.stage, Stage::Ended) else { return };
        let Some(first) = first else { return };
        // Zlib's header begins with an 8 below a bit that is 0. Without it the 8 would stand where a stored block has padding.
        let is_zlib = first & 0x8f == 8;
        self.stage = Stage::Decoding(match self.coding {
            Coding::Gzip => {
                let mut decoder = GzipDecoder::new(source);
                decoder.multiple_members(true);
                Box::new(decoder)
            }
            Coding::Deflate if is_zlib => Box::new(ZlibDecoder::new(source)),
            Coding::Deflate => Box::new(DeflateDecoder::new(source)),
        });
    }
}

/// What of the decoder's or the connection's an error is.
fn broken(error: io::Error, coding: Coding, source: &Source) -> io::Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
        return error;
    }
    io::Error::other(match (source.has_ended, source.is_until_close) {
        (true, true) => Error::new(ErrorKind::Truncated, format!("the connection closed within {coding}")),
        (true, false) => refused(format!("the body ends within {coding}")),
        (false, _) => refused(format!("the body is not {coding}, as its head says, or is damaged: {error}")),
    })
}

impl AsyncBufRead for Decoded {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.start == this.end {
            ready!(this.poll_more(cx))?;
        }
        Poll::Ready(Ok(this.piece.get(this.start..this.end).unwrap_or_default()))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let this = self.get_mut();
        this.start = this.start.saturating_add(n).min(this.end);
    }
}

impl AsyncRead for Decoded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(self.as_mut().poll_fill_buf(cx)).and_then(|mut data| io::Read::read(&mut data, into));
        if let Ok(n) = read {
            self.consume(n);
        }
        Poll::Ready(read)
    }
}

/// The coded body, in turns: a decoder asks for more until it has something to give, which may be never.
#[derive(Debug)]
struct Source {
    body: Box<BodyReader>,
    is_until_close: bool,
    /// How much of it is given at once.
    most: usize,
    /// How much of it was used that nobody has asked about yet.
    came: usize,
    /// How often it may still be asked in this turn.
    left: u32,
    has_ended: bool,
}

impl Source {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(self).poll_fill_buf(cx)
    }
}

impl AsyncBufRead for Source {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        let Some(left) = this.left.checked_sub(1) else {
            this.left = BARREN_TURN;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        this.left = left;
        let Self { body, most, has_ended, .. } = this;
        Pin::new(&mut **body).poll_fill_buf(cx).map_ok(|data| {
            *has_ended = data.is_empty();
            data.get(..*most).unwrap_or(data)
        })
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let this = self.get_mut();
        this.came = this.came.saturating_add(n);
        Pin::new(&mut *this.body).consume(n);
    }
}

impl AsyncRead for Source {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.get_mut().body).poll_read(cx, into)
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        })
    }
}
