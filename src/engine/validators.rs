//! A response head → by what its version of the file can be told again. Values in, verdict out.
//!
//! What is taken goes out again as it came (RFC 9110, section 13.1). What might be taken for another version's is not: a body
//! too many is better than one too few.

use std::time::Duration;

use crate::grammar::is_etag;
use crate::output::Validators;

/// The validators in a head: its `ETag`, `Last-Modified` and `Date` fields. `None` if none of them can be used.
pub(super) fn of<'a>(
    etags: impl Iterator<Item = &'a [u8]>,
    dates: impl Iterator<Item = &'a [u8]>,
    now: Option<&[u8]>,
) -> Option<Validators> {
    let etag = only(etags).filter(|etag| is_etag(etag));
    let last_modified = only(dates).filter(|date| is_past(date, now));
    (etag.is_some() || last_modified.is_some())
        .then(|| Validators { etag: etag.map(str::to_owned), last_modified: last_modified.map(str::to_owned) })
}

/// The one validator by which a part can be gone on with: strong, so that what it is of is the same byte for byte.
pub(super) fn strong(validators: &Validators, now: Option<&[u8]>) -> Option<String> {
    let etag = validators.etag.as_ref().filter(|etag| !etag.starts_with("W/"));
    let date = validators.last_modified.as_ref().filter(|date| validators.etag.is_none() && is_long_past(date, now));
    etag.or(date).cloned()
}

/// Whether two entity tags may be of the same version (RFC 9110, section 8.8.3.2): the weak comparison, with which a server
/// compares them in `If-None-Match`.
pub(super) fn is_same_file(etag: &[u8], other: &[u8]) -> bool {
    fn opaque(etag: &[u8]) -> &[u8] {
        etag.strip_prefix(b"W/").unwrap_or(etag)
    }
    opaque(etag) == opaque(other)
}

/// Whether a date is old enough to be a strong validator (RFC 9110, section 8.8.2.2; the minute is that of RFC 7232).
fn is_long_past(last_modified: &str, now: Option<&[u8]>) -> bool {
    let now = now.and_then(|now| httpdate::parse_http_date(str::from_utf8(now).ok()?).ok());
    let modified = httpdate::parse_http_date(last_modified).ok();
    now.zip(modified).is_some_and(|(now, modified)| now >= modified + Duration::from_secs(60))
}

/// The one value; none where there are two.
fn only<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Option<&'a str> {
    let first = values.next()?;
    if values.next().is_some() { None } else { str::from_utf8(first).ok() }
}

/// Whether a file of that date can't be changed without getting another: not within the second in which it was sent (RFC
/// 9110, section 8.8.2.2). A server that does not say when that was may have sent it in that very second.
fn is_past(last_modified: &str, now: Option<&[u8]>) -> bool {
    let Ok(modified) = httpdate::parse_http_date(last_modified) else { return false };
    let now = now.and_then(|now| httpdate::parse_http_date(str::from_utf8(now).ok()?).ok());
    now.is_some_and(|now| now >= modified + Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn of(etags: &[&str], dates: &[&str], now: Option<&str>) -> Option<(Option<String>, Option<String>)> {
        let bytes = |values: &[&str]| values.iter().map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>();
        let (etags, dates) = (bytes(etags), bytes(dates));
        let found = super::of(etags.iter().map(Vec::as_slice), dates.iter().map(Vec::as_slice), now.map(str::as_bytes));
        found.map(|found| (found.etag, found.last_modified))
    }

    #[test]
    fn an_etag_is_taken_as_it_came_weak_or_strong() {
        for etag in ["\"\"", "\"a,b\"", "W/\"5f-1\"", "\"*\"", "\"\\\""] {
            assert_eq!(of(&[etag], &[], None), Some((Some(etag.to_owned()), None)), "{etag}");
        }
        let long = format!("\"{}\"", "a".repeat(1024));
        for bad in [
            "",
            "*",
            "a",
            "\"",
            "\"a",
            "a\"",
            "w/\"a\"",
            "W/a",
            "\"a\"b\"",
            "\"a\", \"b\"",
            "\"\u{fc}\"",
            "\"a b\"",
            &long,
        ] {
            assert_eq!(of(&[bad], &[], None), None, "{bad}");
        }
        assert_eq!(of(&["\"a\"", "\"b\""], &[], None), None);
    }

    #[test]
    fn a_date_is_taken_unless_the_file_may_change_and_keep_it() {
        let dated = Some((None, Some(DATE.to_owned())));
        assert_eq!(of(&[], &[DATE], Some(LATER)), dated);
        assert_eq!(of(&[], &[DATE], None), None);
        assert_eq!(of(&[], &[DATE], Some("now")), None);
        assert_eq!(of(&[], &[DATE], Some(DATE)), None);
        assert_eq!(of(&[], &[LATER], Some(DATE)), None);
        assert_eq!(of(&[], &["yesterday"], None), None);
        assert_eq!(of(&[], &[DATE, LATER], None), None);
    }

    #[test]
    fn a_part_is_known_by_what_is_strong() {
        let strong = |etag: Option<&str>, now: Option<&str>| {
            let validators = Validators { etag: etag.map(str::to_owned), last_modified: Some(DATE.to_owned()) };
            super::strong(&validators, now.map(str::as_bytes))
        };
        assert_eq!(strong(Some("\"a\""), None).as_deref(), Some("\"a\""));
        assert_eq!(strong(Some("W/\"a\""), Some("Sun, 06 Nov 1994 09:49:37 GMT")), None);
        assert_eq!(strong(None, Some("Sun, 06 Nov 1994 08:50:37 GMT")).as_deref(), Some(DATE));
        assert_eq!(strong(None, Some("Sun, 06 Nov 1994 08:50:36 GMT")), None);
        assert_eq!(strong(None, None), None);
    }

    #[test]
    fn both_are_taken_if_both_can_be_used() {
        let both = of(&["\"a\""], &[DATE], Some(LATER));
        assert_eq!(both, Some((Some("\"a\"".to_owned()), Some(DATE.to_owned()))));
    }
}
