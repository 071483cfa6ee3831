//! The HTTP/1.1 codec, to be measured by itself: functions that do with it what a connection does, and give what they read
//! or wrote.
//!
//! Not part of the library: built for `make micro` and for the tests here alone.

use surf::Url;

use crate::config::Method;
use crate::text::Shown;
use crate::transport::{Decoder, Fields, HeadStep, encode};

/// Reads a whole response to a `GET`: its status and the length of its body.
///
/// # Panics
///
/// If it is no response, or not whole.
#[must_use]
pub fn response(input: &[u8]) -> (u16, usize) {
    let mut decoder = Decoder::new(Method::Get);
    let Ok(HeadStep::Complete { head, consumed }) = decoder.head(input) else { panic!("the head is good and whole") };
    let (mut rest, mut length) = (&input[consumed..], 0);
    while !decoder.is_done() {
        let span = decoder.body(rest).expect("the body is good");
        assert!(span.skip + span.data > 0, "the body is whole");
        length += span.data;
        rest = &rest[span.skip + span.data..];
    }
    (head.status(), length)
}

/// A request that is written over and over: its URL is parsed and its fields are encoded, as they are in a run.
pub struct Request {
    url: Url,
    fields: Fields,
}

impl Request {
    /// A `GET` of a URL with these fields.
    ///
    /// # Panics
    ///
    /// If the URL can't be parsed or the fields can't be sent.
    #[must_use]
    pub fn new(url: &str, fields: &[(&str, &str)]) -> Self {
        let fields = Fields::new(&mut fields.iter().copied()).expect("the fields can be sent");
        Self { url: crate::parse_url(url).expect("the URL is good"), fields }
    }

    /// Appends the request to `out`.
    ///
    /// # Panics
    ///
    /// If it can't be sent.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode(out, Method::Get, &self.url, &self.fields).expect("the request can be sent");
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("url", &Shown(&self.url)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_read_and_written_to_the_end() {
        assert_eq!(response(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), (200, 3));
        let chunked = b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        assert_eq!(response(chunked), (404, 5));
        let mut out = Vec::new();
        Request::new("http://h/a?b", &[("Accept", "*/*")]).encode(&mut out);
        assert_eq!(out, b"GET /a?b HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n");
    }

    #[test]
    #[should_panic(expected = "the body is whole")]
    fn what_is_cut_short_is_not_measured() {
        let _ = response(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab");
    }
}
