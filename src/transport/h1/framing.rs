//! Method, version, status and fields → how the body is framed, and whether the connection outlives it.
//!
//! The rules are those of RFC 9112, section 6.3, in its order. Pure decisions: no byte of a body is seen here. Fields
//! that contradict each other are refused, because two readers could take them in two ways.

use httparse::Header;

use super::protocol;
use crate::config::Method;
use crate::error::Error;
use crate::grammar::{decimal, is_same_word};
use crate::text;

/// The version in a status line; there are no others in HTTP/1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Http10,
    Http11,
}

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// At the head: there is none.
    Empty,
    /// After so many bytes.
    Length(u64),
    /// Where its chunks say.
    Chunked,
    /// Where the connection does.
    UntilClose,
}

impl Framing {
    /// The framing of the final response to a request with `method`.
    pub fn of(method: Method, version: Version, status: u16, fields: &[Header<'_>]) -> Result<Self, Error> {
        if method == Method::Head || matches!(status, 204 | 304) {
            return Ok(Self::Empty);
        }
        match (is_chunked(version, fields)?, content_length(fields)?) {
            (true, Some(_)) => Err(protocol("the response has both Transfer-Encoding and Content-Length")),
            (true, None) => Ok(Self::Chunked),
            (false, Some(length)) => Ok(Self::Length(length)),
            (false, None) => Ok(Self::UntilClose),
        }
    }
}

/// Whether the connection may be used again after the response (RFC 9112, section 9.3), if its body's end can be told.
pub(super) fn persists(version: Version, fields: &[Header<'_>]) -> bool {
    let says = |option: &str| elements(fields, "connection").any(|element| is_same_word(element, option));
    !says("close") && (version == Version::Http11 || says("keep-alive"))
}

/// Whether the body comes in chunks; no other transfer coding was asked for (RFC 9112, section 7), so none may come.
fn is_chunked(version: Version, fields: &[Header<'_>]) -> Result<bool, Error> {
    if values(fields, "transfer-encoding").next().is_none() {
        return Ok(false);
    }
    if version == Version::Http10 {
        return Err(protocol("the response has a Transfer-Encoding, which HTTP/1.0 does not know"));
    }
    // Empty elements of a list mean nothing (RFC 9110, section 5.6.1.2).
    let mut codings = elements(fields, "transfer-encoding").filter(|coding| !coding.is_empty());
    match (codings.next(), codings.next()) {
        (Some(coding), None) if is_same_word(coding, "chunked") => Ok(true),
        _ => Err(protocol("the Transfer-Encoding of the response is not `chunked` once")),
    }
}

/// The one length that all `Content-Length` fields agree on. A list is no valid value, but one of equal lengths may be
/// taken as one (RFC 9112, section 6.3): some proxies join repeated fields.
fn content_length(fields: &[Header<'_>]) -> Result<Option<u64>, Error> {
    let mut agreed = None;
    for value in elements(fields, "content-length") {
        let Some(length) = decimal(value) else {
            let shown = text::excerpt(value);
            return Err(protocol(format!("the Content-Length `{}` is not a number of bytes", text::escape(&shown))));
        };
        if agreed.is_some_and(|agreed| agreed != length) {
            return Err(protocol("the response has several Content-Lengths that differ"));
        }
        agreed = Some(length);
    }
    Ok(agreed)
}

fn values<'a>(fields: &'a [Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter(move |field| is_same_word(field.name, name)).map(|field| field.value)
}

/// The comma-separated elements of all fields of this name, trimmed; an empty field has one empty element.
fn elements<'a>(fields: &'a [Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    values(fields, name).flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    type Field = (&'static str, &'static str);
    const CHUNKED: Field = ("Transfer-Encoding", "chunked");

    fn headers(fields: &[Field]) -> Vec<Header<'static>> {
        fields.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect()
    }

    fn framing(version: Version, fields: &[Field]) -> Result<Framing, ErrorKind> {
        Framing::of(Method::Get, version, 200, &headers(fields)).map_err(|error| error.kind())
    }

    fn length(value: &'static str) -> Result<Framing, ErrorKind> {
        framing(Version::Http11, &[("Content-Length", value)])
    }

    fn coding(value: &'static str) -> Result<Framing, ErrorKind> {
        framing(Version::Http11, &[("Transfer-Encoding", value)])
    }

    #[test]
    fn some_responses_have_no_body_whatever_their_fields_say() {
        let fields = headers(&[("Content-Length", "5x"), CHUNKED]);
        for (method, status) in [(Method::Head, 200), (Method::Head, 404), (Method::Get, 204), (Method::Get, 304)] {
            assert_eq!(Framing::of(method, Version::Http10, status, &fields).unwrap(), Framing::Empty);
        }
        assert!(Framing::of(Method::Get, Version::Http11, 205, &fields).is_err());
    }

    #[test]
    fn a_content_length_is_digits_alone() {
        for (value, expected) in [("0", 0), ("5", 5), ("007", 7), ("18446744073709551615", u64::MAX)] {
            assert_eq!(length(value), Ok(Framing::Length(expected)));
        }
        for value in ["", "+5", "-1", "5x", "0x5", "5 5", "5.0", "18446744073709551616", "\u{665}"] {
            assert_eq!(length(value), Err(ErrorKind::Protocol), "{value:?}");
        }
    }

    #[test]
    fn several_lengths_have_to_agree() {
        for value in ["5, 5", "5,5", "5 ,\t05"] {
            assert_eq!(length(value), Ok(Framing::Length(5)), "{value:?}");
        }
        for value in ["5, 6", "5,", ",5", "5;5"] {
            assert_eq!(length(value), Err(ErrorKind::Protocol), "{value:?}");
        }
        let lengths = |second| framing(Version::Http11, &[("content-length", "5"), ("Content-Length", second)]);
        assert_eq!(lengths("5"), Ok(Framing::Length(5)));
        assert_eq!(lengths("6"), Err(ErrorKind::Protocol));
    }

    #[test]
    fn chunked_is_the_only_transfer_coding_and_stands_alone() {
        for value in ["chunked", "CHUNKED", "chunked,", ", chunked"] {
            assert_eq!(coding(value), Ok(Framing::Chunked), "{value:?}");
        }
        for value in ["", "gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "chunked;a=1", "identity"] {
            assert_eq!(coding(value), Err(ErrorKind::Protocol), "{value:?}");
        }
        assert_eq!(framing(Version::Http11, &[CHUNKED, CHUNKED]), Err(ErrorKind::Protocol));
        assert_eq!(framing(Version::Http11, &[CHUNKED, ("Transfer-Encoding", "")]), Ok(Framing::Chunked));
    }

    #[test]
    fn chunks_go_neither_with_a_length_nor_with_version_1_0() {
        let length = ("Content-Length", "5");
        assert_eq!(framing(Version::Http11, &[CHUNKED, length]), Err(ErrorKind::Protocol));
        assert_eq!(framing(Version::Http11, &[length, CHUNKED]), Err(ErrorKind::Protocol));
        assert_eq!(framing(Version::Http10, &[CHUNKED]), Err(ErrorKind::Protocol));
        assert_eq!(framing(Version::Http10, &[length]), Ok(Framing::Length(5)));
    }

    #[test]
    fn without_a_length_or_chunks_the_body_lasts_as_long_as_the_connection() {
        assert_eq!(framing(Version::Http11, &[("Content-Type", "chunked")]), Ok(Framing::UntilClose));
    }

    #[test]
    fn a_connection_persists_by_version_unless_the_server_says_otherwise() {
        let says = |version, value| persists(version, &headers(&[("Connection", "x"), ("connection", value)]));
        for (value, in_1_0, in_1_1) in [
            ("", false, true),
            ("close", false, false),
            ("Close", false, false),
            ("keep-alive", true, true),
            ("te , Keep-Alive", true, true),
            ("keep-alive, close", false, false),
            ("enclose", false, true),
        ] {
            assert_eq!((says(Version::Http10, value), says(Version::Http11, value)), (in_1_0, in_1_1), "{value}");
        }
    }
}
