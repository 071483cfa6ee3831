//! The answer to a request for the rest of a file → what becomes of the part that is there. Values in, verdict out.
//!
//! The rest was asked for only if the file is still the same (`If-Range`, RFC 9110, section 13.1.5), and is joined to the part
//! only if the answer says so in every way that it can: where it begins, how long the whole is, which version it is of.

use super::content_range::ContentRange;
use crate::grammar::{decimal, is_same_word};
use crate::output::Origin;

/// What the answer is to the part that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// What comes after it, up to this length of the whole.
    Rest(u64),
    /// There is nothing after it: it is the whole.
    Complete,
    /// The whole, or why there is none: an answer as to any other request.
    Usual,
    /// Nothing that can be joined to it. The whole has to be asked for.
    Other,
}

/// What a head says that matters here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub status: u16,
    /// `Content-Range`, if there is one and no more.
    pub range: Option<&'a [u8]>,
    pub etag: Option<&'a [u8]>,
    pub last_modified: Option<&'a [u8]>,
    /// Whether there is a content coding.
    pub is_coded: bool,
    /// The length of the body, if that is known.
    pub length: Option<u64>,
}

/// Judges an answer; `length` is that of the part.
pub(super) fn judge(said: &Said<'_>, origin: &Origin, length: u64) -> Answer {
    match said.status {
        206 if said.is_coded || !is_same_version(said, origin) => Answer::Other,
        206 => {
            let rest = said.range.and_then(ContentRange::parse).and_then(|range| rest(range, origin, length));
            let is_it = |total: &u64| said.length.is_none_or(|length_of_rest| length_of_rest == total - length);
            rest.filter(is_it).map_or(Answer::Other, Answer::Rest)
        }
        416 if said.range.and_then(unsatisfied) == Some(length) && is_whole(said, origin, length) => Answer::Complete,
        416 => Answer::Other,
        _ => Answer::Usual,
    }
}

/// The length of the whole, if these are all of its bytes after the first so many.
fn rest(range: ContentRange, origin: &Origin, length: u64) -> Option<u64> {
    range.complete.filter(|complete| {
        range.first == length && complete - range.last == 1 && origin.total.is_none_or(|total| total == *complete)
    })
}

/// Whether a part that is as long as the file on the server is that file: it was said how long its version is, or is said now
/// that the file is still of its version. Else it may be the start of one, and the file another that is shorter.
fn is_whole(said: &Said<'_>, origin: &Origin, length: u64) -> bool {
    match origin.total {
        Some(total) => total == length && !is_other_version(said, origin),
        None => is_same_version(said, origin),
    }
}

/// The validator has to come again. A date may be missing by the letter (RFC 9110, section 15.3.7), but a server that pays no
/// heed to `If-Range` is silent, too; and one that has entity tags by now would have told the version by that.
fn is_same_version(said: &Said<'_>, origin: &Origin) -> bool {
    let validator = Some(origin.validator.as_bytes());
    match origin.is_tagged() {
        true => said.etag == validator,
        false => said.last_modified == validator && said.etag.is_none(),
    }
}

/// Whether a validator comes that is not the part's.
fn is_other_version(said: &Said<'_>, origin: &Origin) -> bool {
    let is_other = |said: Option<&[u8]>| said.is_some_and(|said| said != origin.validator.as_bytes());
    is_other(said.etag) || !origin.is_tagged() && is_other(said.last_modified)
}

/// The length in the `Content-Range` of a 416.
fn unsatisfied(value: &[u8]) -> Option<u64> {
    let (unit, length) = value.split_at_checked(8)?;
    if is_same_word(unit, "bytes */") { decimal(length) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Source;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn judge(status: u16, range: &str, etag: &str, total: Option<u64>) -> Answer {
        let origin = Origin { source: Source::of(&[]), validator: "\"a\"".to_owned(), total };
        let etag = (!etag.is_empty()).then_some(etag.as_bytes());
        let said =
            Said { status, range: Some(range.as_bytes()), etag, last_modified: None, is_coded: false, length: None };
        super::judge(&said, &origin, 5)
    }

    #[test]
    fn the_rest_is_what_begins_where_the_part_ends_and_goes_to_the_end_of_the_same() {
        assert_eq!(judge(206, "bytes 5-9/10", "\"a\"", Some(10)), Answer::Rest(10));
        assert_eq!(judge(206, "bytes 5-9/10", "\"a\"", None), Answer::Rest(10));
        for range in ["bytes 4-9/10", "bytes 0-9/10", "bytes 5-8/10", "bytes 5-9/*", "bytes 5-10/11", "bytes */10", ""]
        {
            assert_eq!(judge(206, range, "\"a\"", Some(10)), Answer::Other, "{range}");
        }
        for etag in ["", "\"b\"", "W/\"a\"", "a"] {
            assert_eq!(judge(206, "bytes 5-9/10", etag, Some(10)), Answer::Other, "{etag}");
        }
    }

    #[test]
    fn a_body_that_is_not_as_long_as_its_range_is_not_joined() {
        let origin = Origin { source: Source::of(&[]), validator: "\"a\"".to_owned(), total: None };
        let judge = |length| {
            let (range, etag) = (Some(&b"bytes 5-9/10"[..]), Some(&b"\"a\""[..]));
            let said = Said { status: 206, range, etag, last_modified: None, is_coded: false, length: Some(length) };
            super::judge(&said, &origin, 5)
        };
        assert_eq!((judge(5), judge(4), judge(10)), (Answer::Rest(10), Answer::Other, Answer::Other));
    }

    /// Judges an answer to a request for what comes after five bytes of a version that is known by its date.
    fn judge_dated(status: u16, total: Option<u64>, etag: Option<&str>, last_modified: Option<&str>) -> Answer {
        let origin = Origin { source: Source::of(&[]), validator: DATE.to_owned(), total };
        let (etag, last_modified) = (etag.map(str::as_bytes), last_modified.map(str::as_bytes));
        let range = Some(if status == 206 { &b"bytes 5-9/10"[..] } else { b"bytes */5" });
        let said = Said { status, range, etag, last_modified, is_coded: false, length: None };
        super::judge(&said, &origin, 5)
    }

    #[test]
    fn with_a_date_the_rest_has_to_say_it_and_nothing_else() {
        for total in [Some(10), None] {
            let judge = |etag, last_modified| judge_dated(206, total, etag, last_modified);
            assert_eq!(judge(None, Some(DATE)), Answer::Rest(10));
            for (etag, date) in [(None, None), (None, Some("Mon")), (Some("\"a\""), None), (Some("\"a\""), Some(DATE))]
            {
                assert_eq!(judge(etag, date), Answer::Other, "{etag:?} {date:?}");
            }
        }
    }

    #[test]
    fn a_rest_in_a_coding_is_none() {
        let origin = Origin { source: Source::of(&[]), validator: DATE.to_owned(), total: Some(10) };
        let judge = |is_coded| {
            let (range, last_modified) = (Some(&b"bytes 5-9/10"[..]), Some(DATE.as_bytes()));
            let said = Said { status: 206, range, etag: None, last_modified, is_coded, length: Some(5) };
            super::judge(&said, &origin, 5)
        };
        assert_eq!((judge(false), judge(true)), (Answer::Rest(10), Answer::Other));
    }

    #[test]
    fn a_416_tells_of_a_part_that_is_the_whole() {
        assert_eq!(judge(416, "bytes */5", "", Some(5)), Answer::Complete);
        assert_eq!(judge(416, "Bytes */5", "\"a\"", None), Answer::Complete);
        for range in ["bytes */6", "bytes */", "*/5", "bytes 0-4/5", ""] {
            for total in [Some(5), None] {
                assert_eq!(judge(416, range, "\"a\"", total), Answer::Other, "{range}");
            }
        }
        assert_eq!(judge(416, "bytes */5", "\"a\"", Some(10)), Answer::Other);
        let dated = |total, etag, date| judge_dated(416, total, etag, date);
        assert_eq!(dated(Some(5), None, None), Answer::Complete);
        assert_eq!(
            (dated(Some(5), None, Some(DATE)), dated(None, None, Some(DATE))),
            (Answer::Complete, Answer::Complete)
        );
    }

    #[test]
    fn a_416_of_another_version_or_of_a_length_that_was_never_said_tells_nothing() {
        assert_eq!(judge(416, "bytes */5", "", None), Answer::Other);
        for total in [Some(5), None] {
            assert_eq!(judge(416, "bytes */5", "\"b\"", total), Answer::Other);
            assert_eq!(judge_dated(416, total, Some("\"a\""), Some(DATE)), Answer::Other);
            assert_eq!(judge_dated(416, total, None, Some("Mon")), Answer::Other);
        }
        assert_eq!(judge_dated(416, None, None, None), Answer::Other);
    }

    #[test]
    fn any_other_answer_is_as_it_would_be_without() {
        for status in [200, 204, 304, 404, 412, 503] {
            assert_eq!(judge(status, "bytes 5-9/10", "\"b\"", Some(10)), Answer::Usual, "{status}");
        }
    }
}
