//! HTTP/1.1 without I/O: a request becomes bytes, bytes become a response head and runs of body bytes.
//!
//! The caller owns the socket and the buffer; here nothing reads, writes, waits or keeps a byte of a body. Only `GET`
//! and `HEAD` without a body are written. What RFC 9112 calls invalid is refused with kind
//! [`Protocol`](ErrorKind::Protocol), never repaired: where a body ends has to be exact, or the next response on the
//! connection would start in the wrong place.
//!
//! The path of a [`Decoder`]; errors lead out of every state, and after one the decoder and its connection are of no use:
//!
//! ```text
//!         ┌── 1xx ──┐
//!         ▼         │
//! new ─▶ Head ──────┴──┬── HEAD, 204, 304, length 0 ──────────────────────▶ Done
//!                      ├── Content-Length ──▶ Length ──── last byte ───────▶ │
//!                      ├── chunked ─────────▶ Chunked ─── empty line ──────▶ │
//!                      └── neither ─────────▶ UntilClose ─ end of input ───▶ │
//! ```

mod chunked;
#[cfg(any(test, fuzzing))]
mod driver;
mod encode;
mod framing;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod head;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

use chunked::Chunked;
use framing::Framing;
use head::{Block, Search};

use crate::config::Method;
use crate::error::{Error, ErrorKind};

pub(crate) use encode::{Fields, encode, encode_for};
pub(crate) use head::{Head, MAX_HEAD};

/// How many interim (1xx) responses may precede the final one.
const MAX_INTERIM: u8 = 8;

/// Reads one response: first its [`head`](Decoder::head), then its [`body`](Decoder::body).
#[derive(Debug)]
pub(crate) struct Decoder {
    method: Method,
    state: State,
    length: Option<u64>,
    persists: bool,
}

#[derive(Debug)]
enum State {
    Head {
        search: Search,
        interim: u8,
    },
    /// So many body bytes are still to come; at least one.
    Length(u64),
    Chunked(Chunked),
    UntilClose,
    Done,
}

/// How far reading the head got. The caller drops the `consumed` bytes from the front of its input.
#[derive(Debug)]
pub(crate) enum HeadStep {
    /// More input is needed.
    Partial {
        /// The length of the interim responses that were passed over.
        consumed: usize,
    },
    /// The final response's head.
    Complete {
        /// The head.
        head: Head,
        /// Its length and that of the interim responses before it; the body starts there.
        consumed: usize,
    },
}

/// A run of body bytes in the input: it starts after `skip` bytes of framing and is `data` bytes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Framing bytes to drop.
    pub skip: usize,
    /// Body bytes that follow them.
    pub data: usize,
}

impl Decoder {
    /// A decoder for the one response to a request with this method.
    pub fn new(method: Method) -> Self {
        let state = State::Head { search: Search::default(), interim: 0 };
        Self { method, state, length: None, persists: false }
    }

    /// Reads the head. `input` is every byte that was received and not yet consumed; calling it again with more at the
    /// end costs only what the new bytes take. When the head has been read this asks for more and consumes nothing.
    ///
    /// # Errors
    ///
    /// Kind [`Protocol`](ErrorKind::Protocol): at once for another protocol's first bytes and for a head over its limit,
    /// else when the head is whole.
    pub fn head(&mut self, input: &[u8]) -> Result<HeadStep, Error> {
        let mut consumed = 0;
        while let State::Head { search, interim } = &mut self.state {
            let Some(bytes) = search.whole_head(input.get(consumed..).unwrap_or_default())? else { break };
            consumed += bytes.len();
            match Block::read(bytes, self.method)? {
                Block::Interim if *interim == MAX_INTERIM => {
                    return Err(protocol(format!("over {MAX_INTERIM} interim responses came before the final one")));
                }
                Block::Interim => {
                    *interim += 1;
                    *search = Search::default();
                }
                Block::Final { head, framing, persists } => {
                    self.begin_body(framing, persists);
                    return Ok(HeadStep::Complete { head, consumed });
                }
            }
        }
        Ok(HeadStep::Partial { consumed })
    }

    fn begin_body(&mut self, framing: Framing, persists: bool) {
        self.persists = persists && framing != Framing::UntilClose;
        (self.length, self.state) = match framing {
            Framing::Empty => (None, State::Done),
            Framing::Length(0) => (Some(0), State::Done),
            Framing::Length(length) => (Some(length), State::Length(length)),
            Framing::Chunked => (None, State::Chunked(Chunked::default())),
            Framing::UntilClose => (None, State::UntilClose),
        };
    }

    /// Finds the next run of body bytes in `input`, which is every byte after the head that was not yet consumed, and
    /// counts all of the span as consumed. When both its lengths are 0, the body [is done](Self::is_done) or more input
    /// is needed; bytes after the end of the body are left alone.
    ///
    /// # Errors
    ///
    /// Kind [`Protocol`](ErrorKind::Protocol) if the chunks are not as RFC 9112, section 7.1 has them.
    pub fn body(&mut self, input: &[u8]) -> Result<Span, Error> {
        let span = match &mut self.state {
            State::Head { .. } | State::Done => Span { skip: 0, data: 0 },
            State::Length(left) => Span { skip: 0, data: take(left, input.len()) },
            State::Chunked(chunked) => chunked.span(input)?,
            State::UntilClose => Span { skip: 0, data: input.len() },
        };
        let ended = match &self.state {
            State::Length(left) => *left == 0,
            State::Chunked(chunked) => chunked.is_done(),
            _ => false,
        };
        if ended {
            self.state = State::Done;
        }
        Ok(span)
    }

    /// Whether nothing but the end of the connection ends the body.
    #[cfg(feature = "compressed")]
    pub fn is_until_close(&self) -> bool {
        matches!(self.state, State::UntilClose)
    }

    /// How many bytes are still to come, where nothing but body is among them.
    pub fn left(&self) -> Option<u64> {
        match self.state {
            State::Length(left) => Some(left),
            _ => None,
        }
    }

    /// Takes note of so many bytes of [those that are left](Self::left), which went another way.
    pub fn pass(&mut self, bytes: usize) {
        if let State::Length(left) = &mut self.state {
            take(left, bytes);
            if *left == 0 {
                self.state = State::Done;
            }
        }
    }

    /// Takes note that the connection ended and nothing more will come.
    ///
    /// # Errors
    ///
    /// Kind [`Truncated`](ErrorKind::Truncated) unless this is where the body ends.
    pub fn end_of_input(&mut self) -> Result<(), Error> {
        let message = match &self.state {
            State::Done => return Ok(()),
            State::UntilClose => {
                self.state = State::Done;
                return Ok(());
            }
            State::Head { search, interim: 0 } if search.is_unbegun() => {
                "empty reply: the connection closed before a byte of the response came".to_owned()
            }
            State::Head { .. } => "the connection closed before the response head was complete".to_owned(),
            State::Length(left) => format!("the connection closed {left} bytes before the end of the body"),
            State::Chunked(chunked) => match chunked.missing() {
                Some(left) => format!("the connection closed inside a chunk; at least {left} bytes are missing"),
                None => "the connection closed before the last chunk of the body was complete".to_owned(),
            },
        };
        Err(Error::new(ErrorKind::Truncated, message))
    }

    /// Whether the response was read to its exact end.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Whether the connection may serve another request, as far as the response says (RFC 9112, section 9.3): false
    /// until [done](Self::is_done). Bytes left over after the end speak against it; those the caller has to look for.
    pub fn may_reuse(&self) -> bool {
        self.is_done() && self.persists
    }

    /// The body's length in bytes, if a `Content-Length` frames it.
    pub fn length(&self) -> Option<u64> {
        self.length
    }
}

/// Takes as much of `left` as there is at hand.
fn take(left: &mut u64, at_hand: usize) -> usize {
    let taken = usize::try_from(*left).map_or(at_hand, |left| left.min(at_hand));
    *left -= taken as u64;
    taken
}

fn protocol(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Protocol, message)
}

/// Whether a byte may stand in a field's value or a chunk's extension: no control character but HTAB.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}
