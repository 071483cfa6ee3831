//! What holds for any `Content-Range`, `Retry-After` and `Location`.

use std::time::{Duration, SystemTime};

use surf::Url;

use super::content_range::{self, ContentRange};
use super::redirect;
use super::retry::{self, Verdict};
use crate::error::{Error, ErrorKind};
use crate::fuzzing::{assert_fit_to_show, assert_masked, two_parts};
use crate::grammar::is_scheme;
use crate::parse_url;
use crate::text::Shown;

/// A `Content-Range` is read as by a second, plainer reader; only one that covers the file lets a 206 pass.
pub fn content_range(input: &[u8]) {
    let range = ContentRange::parse(input).map(|range| (range.first, range.last, range.complete));
    assert_eq!(range, read_plainly(input));
    match content_range::judge(206, [input].into_iter(), [].into_iter()) {
        Ok(whole) => {
            let (first, last, complete) = range.expect("unusable, but let pass");
            assert_eq!((first, u128::from(last) + 1), (0, complete.unwrap().into()));
            assert_eq!(whole, complete);
        }
        Err(error) => assert_fit_to_show(&error),
    }
    if let Some((first, last, complete)) = range {
        let complete = complete.map_or("*".to_owned(), |complete| complete.to_string());
        let again = ContentRange::parse(format!("bytes {first}-{last}/{complete}").as_bytes()).unwrap();
        assert_eq!(Some((again.first, again.last, again.complete)), range);
    }
}

fn read_plainly(input: &[u8]) -> Option<(u64, u64, Option<u64>)> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| digits)
    };
    let text = std::str::from_utf8(input).ok()?.to_ascii_lowercase();
    let (positions, complete) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = positions.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let complete = if complete == "*" { None } else { Some(number(complete)?) };
    (first <= last && complete.is_none_or(|complete| last < complete)).then_some((first, last, complete))
}

/// A `Retry-After`, with the response's `Date` on the lines below it, is a wait of at most ten minutes or none.
pub fn retry_after(input: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let (value, date) = two_parts(input);
    for date in [None, Some(date)] {
        let pause = retry::pause(value, date, now);
        assert_eq!(pause, retry::pause(value, date, now));
        if value.iter().all(u8::is_ascii_digit) {
            let seconds = std::str::from_utf8(value).unwrap().parse().unwrap_or(u64::MAX);
            assert_eq!(pause, (!value.is_empty()).then_some(Duration::from_secs(seconds)));
        }
        let busy = Error::new(ErrorKind::Status, "");
        let verdict = retry::judge(&busy, Some(503), pause, 1, 1, 1.0);
        match (verdict, pause) {
            (Verdict::Again(wait), Some(pause)) => assert!(wait == pause && wait <= Duration::from_secs(600)),
            (Verdict::Again(wait), None) => assert!(wait <= Duration::from_secs(60)),
            (Verdict::GiveUp, pause) => assert!(pause.unwrap() > Duration::from_secs(600)),
        }
    }
}

/// A URL, and on the lines below it a `Location`: what is followed stays on the web, on TLS, and with the host that RFC 3986
/// reads in it; nothing shows a password.
pub fn redirect(input: &[u8]) {
    let (from, location) = two_parts(input);
    let Some(from) = std::str::from_utf8(from).ok().and_then(|from| parse_url(from).ok()) else { return };
    match redirect::judge(302, [location].into_iter(), &from, 0, 1) {
        redirect::Verdict::Final => panic!("302 is a redirect"),
        redirect::Verdict::Refuse(error) => {
            assert_eq!(error.kind(), ErrorKind::Redirect);
            assert_fit_to_show(&error);
        }
        redirect::Verdict::Follow { url, same_origin } => {
            assert!(url.scheme() == "https" || url.scheme() == "http" && from.scheme() == "http");
            assert_eq!(same_origin, url.origin() == from.origin());
            assert!(url.fragment().is_some() || from.fragment().is_none());
            assert_masked(&Shown(&url).to_string(), &url);
            assert_host_as_read(std::str::from_utf8(location).unwrap(), &from, &url);
        }
    }
}

/// Takes a reference apart as RFC 3986, appendix B does, and compares the host. Spaces around it were never a part of it.
#[track_caller]
fn assert_host_as_read(location: &str, from: &Url, url: &Url) {
    let location = location.trim_matches(' ');
    let (scheme, rest) = match location.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, location),
    };
    match rest.strip_prefix("//") {
        Some(rest) => {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            assert!(!authority.contains('\\'), "{authority}");
            let read = Url::parse(&format!("{}://{authority}/", scheme.unwrap_or(from.scheme()))).unwrap();
            assert_eq!(url.origin(), read.origin());
        }
        None => assert_eq!((scheme, url.origin()), (None, from.origin())),
    }
}
