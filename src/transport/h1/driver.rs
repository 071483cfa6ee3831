//! A decoder as a connection drives it, for what tests it: input in pieces, a buffer, an end.

use super::{Decoder, Head, HeadStep, Span};
use crate::config::Method;
use crate::error::Error;

/// What a response turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub status: u16,
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub length: Option<u64>,
    pub body: Vec<u8>,
    pub left_over: Vec<u8>,
    /// Whether it was done before the connection's end.
    pub exact: bool,
    pub may_reuse: bool,
}

/// Reads a response that comes in `pieces`, after which the connection ends.
pub(super) fn receive<'a>(method: Method, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Seen, Error> {
    let mut decoder = Decoder::new(method);
    let (mut buffer, mut head, mut body) = (Vec::new(), None, Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        if head.is_none() {
            head = read_head(&mut decoder, &mut buffer)?;
        }
        if head.is_some() {
            read_body(&mut decoder, &mut buffer, &mut body)?;
        }
    }
    let exact = decoder.is_done();
    decoder.end_of_input()?;
    assert!(decoder.is_done());
    let head = head.expect("done without a head");
    Ok(Seen {
        status: head.status(),
        fields: head.fields().map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
        length: decoder.length(),
        body,
        left_over: buffer,
        exact,
        may_reuse: decoder.may_reuse(),
    })
}

fn read_head(decoder: &mut Decoder, buffer: &mut Vec<u8>) -> Result<Option<Head>, Error> {
    let (head, consumed) = match decoder.head(buffer)? {
        HeadStep::Partial { consumed } => (None, consumed),
        HeadStep::Complete { head, consumed } => (Some(head), consumed),
    };
    buffer.drain(..consumed);
    Ok(head)
}

fn read_body(decoder: &mut Decoder, buffer: &mut Vec<u8>, body: &mut Vec<u8>) -> Result<(), Error> {
    loop {
        let Span { skip, data } = decoder.body(buffer)?;
        body.extend_from_slice(&buffer[skip..skip + data]);
        buffer.drain(..skip + data);
        if skip + data == 0 {
            return Ok(());
        }
    }
}
