//! A 206 → whether its body is the whole file all the same. Values in, verdict out.
//!
//! smolget asks for no ranges, so nothing but the whole is an answer (RFC 9110, section 15.3.7): a part of a file kept
//! under its name would be a torn file. A 206 that says of no range is taken for the whole, as curl takes it.

use crate::error::{Error, ErrorKind};
use crate::grammar::{decimal, is_media_type, is_same_word};
use crate::text;

/// Which bytes of a file a body is (RFC 9110, section 14.4), its positions known to be in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentRange {
    /// The position of the first byte, counted from 0.
    pub first: u64,
    /// The position of the last byte, not before the first.
    pub last: u64,
    /// The length of the file, past the last byte; `None` where the server says that it doesn't know (`*`).
    pub complete: Option<u64>,
}

impl ContentRange {
    /// Reads the value of a `Content-Range`. What is no range of bytes is `None`: another unit, `*/10`, white space
    /// elsewhere than after the unit, positions out of order or over 64 bits.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (unit, range) = cut(value, b' ')?;
        let (positions, complete) = cut(range, b'/')?;
        let (first, last) = cut(positions, b'-')?;
        let (first, last) = (decimal(first)?, decimal(last)?);
        let complete = if complete == b"*" { None } else { Some(decimal(complete)?) };
        let in_order = first <= last && complete.is_none_or(|complete| last < complete);
        (is_same_word(unit, "bytes") && in_order).then_some(Self { first, last, complete })
    }

    /// The length of the file, if these are all of its bytes.
    fn whole(self) -> Option<u64> {
        self.complete.filter(|complete| self.first == 0 && complete - self.last == 1)
    }
}

/// Judges a final head by its status, `Content-Range` and `Content-Type`: the length that the body has to have then, where
/// a 206 says it.
///
/// # Errors
///
/// Kind [`Protocol`](ErrorKind::Protocol) for a 206 that is a part of the file, or may be.
pub(super) fn judge<'a>(
    status: u16,
    mut ranges: impl Iterator<Item = &'a [u8]>,
    mut types: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<u64>, Error> {
    if status != 206 {
        return Ok(None);
    }
    if types.any(is_multipart) {
        return Err(refusal("a 206 with parts of the file, as multipart/byteranges, where the whole was asked for"));
    }
    match (ranges.next(), ranges.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(refusal("a 206 with more than one Content-Range")),
        (Some(value), None) => {
            let range = ContentRange::parse(value).ok_or_else(|| refusal(unusable(value)))?;
            range.whole().map(Some).ok_or_else(|| refusal(part(range)))
        }
    }
}

/// Holds a body's length to what [`judge`] found.
///
/// # Errors
///
/// Kind [`Protocol`](ErrorKind::Protocol) if it is another.
pub(super) fn agree(whole: Option<u64>, length: u64) -> Result<(), Error> {
    match whole.filter(|whole| *whole != length) {
        Some(whole) => Err(refusal(format!("a 206 with a body of {length} bytes whose Content-Range says {whole}"))),
        None => Ok(()),
    }
}

/// Whether a `Content-Type` is that of several ranges in one body (RFC 9110, section 14.6).
fn is_multipart(content_type: &[u8]) -> bool {
    is_media_type(content_type, "multipart/byteranges")
}

fn part(ContentRange { first, last, complete }: ContentRange) -> String {
    let of = complete.map_or_else(|| "of an unknown number".to_owned(), |complete| format!("of {complete}"));
    let part = if complete.is_some() { "a part of the file" } else { "what may be a part of the file" };
    format!("a 206 with {part}, bytes {first}-{last} {of}, where the whole was asked for")
}

fn unusable(value: &[u8]) -> String {
    format!("a 206 whose Content-Range `{}` can't be used", text::escape(&text::excerpt(value)))
}

fn refusal(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Protocol, message)
}

/// What stands before and after the first `at`.
fn cut(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|&byte| byte == at)?;
    Some((bytes.get(..place)?, bytes.get(place + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Option<(u64, u64, Option<u64>)> {
        ContentRange::parse(value.as_bytes()).map(|range| (range.first, range.last, range.complete))
    }

    fn judge_fields(status: u16, ranges: &[&str], content_type: &str) -> Result<Option<u64>, String> {
        let ranges = ranges.iter().map(|value| value.as_bytes());
        judge(status, ranges, [content_type.as_bytes()].into_iter()).map_err(|error| {
            assert_eq!(error.kind(), ErrorKind::Protocol);
            error.to_string()
        })
    }

    #[track_caller]
    fn refused(ranges: &[&str], content_type: &str, reason: &str) {
        let message = judge_fields(206, ranges, content_type).unwrap_err();
        assert!(message.contains(reason), "{message}");
    }

    #[test]
    fn a_range_is_two_positions_and_a_length() {
        let most = u64::MAX;
        for (value, range) in [
            ("bytes 0-0/1", (0, 0, Some(1))),
            ("bytes 5-9/10", (5, 9, Some(10))),
            ("Bytes 005-9/0010", (5, 9, Some(10))),
            ("bytes 5-9/*", (5, 9, None)),
            ("bytes 0-18446744073709551614/18446744073709551615", (0, most - 1, Some(most))),
            ("bytes 0-18446744073709551615/*", (0, most, None)),
        ] {
            assert_eq!(parse(value), Some(range), "{value}");
        }
    }

    #[test]
    fn what_is_no_range_of_bytes_is_none() {
        for value in [
            "",
            "bytes",
            "bytes ",
            "0-9/10",
            "bytes=0-9/10",
            "items 0-9/10",
            "bytes */10",
            "bytes 0-9",
            "bytes 0-9/",
            "bytes -9/10",
            "bytes 0-/10",
            "bytes 9-0/10",
            "bytes 0-10/10",
            "bytes 0-9/+10",
            "bytes +0-9/10",
            "bytes 0-9/10/10",
            "bytes 0-9-9/10",
            "bytes 0-9/10, bytes 0-9/10",
            "bytes  0-9/10",
            " bytes 0-9/10",
            "bytes 0 - 9/10",
            "bytes 0-9/ 10",
            "bytes\t0-9/10",
            "bytes 0x0-9/10",
            "bytes 0-18446744073709551615/18446744073709551616",
            "bytes 0-18446744073709551616/*",
            "bytes 0-9/**",
        ] {
            assert_eq!(parse(value), None, "{value:?}");
        }
    }

    #[test]
    fn a_206_is_taken_where_it_is_the_whole_file_or_says_nothing_of_a_part() {
        assert_eq!(judge_fields(206, &["bytes 0-9/10"], "text/plain"), Ok(Some(10)));
        assert_eq!(judge_fields(206, &[], "text/plain"), Ok(None));
        assert_eq!(judge_fields(206, &[], "multipart/mixed"), Ok(None));
    }

    #[test]
    fn a_206_that_is_a_part_or_may_be_one_is_refused() {
        refused(&["bytes 5-9/10"], "", "a part of the file, bytes 5-9 of 10, where the whole was asked for");
        refused(&["bytes 0-8/10"], "", "bytes 0-8 of 10");
        refused(&["bytes 1-9/10"], "", "bytes 1-9 of 10");
        refused(&["bytes 0-9/*"], "", "may be a part of the file, bytes 0-9 of an unknown number");
        refused(&["bytes */10"], "", "Content-Range `bytes */10` can't be used");
        refused(&["\u{1b}[2J"], "", "Content-Range `\\u{1b}[2J` can't be used");
        refused(&["bytes 0-9/10", "bytes 0-9/10"], "", "more than one Content-Range");
        refused(&[], "multipart/byteranges", "multipart/byteranges");
        refused(&["bytes 0-9/10"], "Multipart/ByteRanges ; boundary=x", "multipart/byteranges");
    }

    #[test]
    fn only_a_206_is_judged() {
        for status in [200, 203, 204, 299] {
            assert_eq!(judge_fields(status, &["bytes 5-9/10"], "multipart/byteranges"), Ok(None), "{status}");
        }
    }

    #[test]
    fn a_body_has_the_length_that_its_range_says() {
        assert!(agree(Some(10), 10).is_ok() && agree(None, 7).is_ok());
        assert!(agree(Some(10), 7).unwrap_err().to_string().contains("7 bytes whose Content-Range says 10"));
    }
}
