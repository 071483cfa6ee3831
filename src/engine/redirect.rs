//! A response's status and Location → whether to go there. Values in, verdict out.

use surf::Url;

use crate::error::{Error, ErrorKind};
use crate::text::{self, Shown};
use crate::url::check_host;

/// The longest Location that is followed, in bytes: as long as a line of a list may be.
const MAX_LOCATION: usize = 16 * 1024;
/// The longest URL that a redirect may lead to, in bytes, with room for a Location in which every byte is percent-encoded.
/// With relative ones it would else grow from hop to hop.
const MAX_TARGET: usize = 4 * MAX_LOCATION;

/// What a response's head means for the way.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is the response to keep, or to fail with.
    Final,
    /// The way goes on there.
    Follow {
        /// Where to.
        url: Url,
        /// Whether scheme, host and port stay the same.
        same_origin: bool,
    },
    /// It points where smolget does not go.
    Refuse(Error),
}

/// Judges the head of the response to a request for `from`, which `followed` redirects led to.
pub(super) fn judge<'a>(
    status: u16,
    mut locations: impl Iterator<Item = &'a [u8]>,
    from: &Url,
    followed: u32,
    max: u32,
) -> Verdict {
    // RFC 9110, section 15.4: 300 leaves the choice to the user, 304 has no target, 305 and 306 are dead.
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Verdict::Final;
    }
    if followed >= max {
        let message =
            format!("status {status} after {followed} redirects, the most that are followed; raise --max-redirects");
        return refuse(message);
    }
    let Some(location) = locations.next() else {
        return refuse(format!("status {status} without a Location to go to"));
    };
    if locations.any(|other| other != location) {
        return refuse(format!("status {status} with more than one Location"));
    }
    match target(location, from) {
        Ok(url) => Verdict::Follow { same_origin: is_same_origin(&url, from), url },
        Err(message) => refuse(message),
    }
}

fn refuse(message: String) -> Verdict {
    Verdict::Refuse(Error::new(ErrorKind::Redirect, message))
}

/// Resolves a Location against the URL it was sent for.
fn target(location: &[u8], from: &Url) -> Result<Url, String> {
    if location.len() > MAX_LOCATION {
        return Err(format!("a Location of {} bytes is no URL", location.len()));
    }
    let usable = std::str::from_utf8(location).ok().filter(|text| !text.is_empty() && !text.contains(char::is_control));
    let Some(text) = usable else {
        return Err("a Location that is no URL".to_owned());
    };
    let mut url = from.join(text).map_err(|e| format!("a Location that is no URL: {e}"))?;
    if url.as_str().len() > MAX_TARGET {
        return Err(format!("a Location that leads to a URL of {} bytes", url.as_str().len()));
    }
    match (from.scheme(), url.scheme()) {
        ("https", "http") => return Err(format!("a redirect from https to http, to {}", Shown(&url))),
        (_, "http" | "https") => {}
        (_, other) => {
            return Err(format!("a redirect to the scheme `{}`, which is not http or https", text::escape(other)));
        }
    }
    check_host(text).map_err(|reason| format!("a Location that {reason}"))?;
    // RFC 9110, section 10.2.2: a fragment is inherited by a target without one.
    if url.fragment().is_none() {
        url.set_fragment(from.fragment());
    }
    Ok(url)
}

fn is_same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(from: &str, location: &str) -> Result<(String, bool), String> {
        let from = Url::parse(from).unwrap();
        match judge(302, [location.as_bytes()].into_iter(), &from, 0, 10) {
            Verdict::Follow { url, same_origin } => Ok((url.to_string(), same_origin)),
            Verdict::Refuse(error) => Err(error.to_string()),
            Verdict::Final => panic!("302 is a redirect"),
        }
    }

    #[test]
    fn locations_are_resolved_and_their_origin_compared() {
        for (from, location, to, same_origin) in [
            ("http://h/a/b", "c", "http://h/a/c", true),
            ("http://h/a", "/c?d", "http://h/c?d", true),
            ("http://h/a", "//g/c", "http://g/c", false),
            ("http://h/a", "http://h:80/c", "http://h/c", true),
            ("http://h/a", "http://h:81/c", "http://h:81/c", false),
            ("http://h/a", "https://h/c", "https://h/c", false),
            ("http://h/a", "/go?q=a\\b", "http://h/go?q=a\\b", true),
            ("http://h/a", "/go?u=http:///x", "http://h/go?u=http:///x", true),
            ("http://h/a", "https://g/go?u=http:///x#\\", "https://g/go?u=http:///x#\\", false),
            ("http://h/a", "/b\\c", "http://h/b/c", true),
            ("http://h/a#f", "c", "http://h/c#f", true),
            ("http://h/a#f", "c#g", "http://h/c#g", true),
        ] {
            assert_eq!(follow(from, location), Ok((to.to_owned(), same_origin)), "{from} {location}");
        }
    }

    #[test]
    fn where_smolget_does_not_go() {
        for location in [
            "file:///etc/passwd",
            "gopher://h/",
            "javascript:alert(1)",
            "",
            "http://",
            "http:///g",
            "http:g",
            "https:g",
            "http:/g",
            "http://h\\@g/",
            "///g",
            "/\\g",
            "\\\\g",
            "http://h/\u{7}",
        ] {
            assert!(follow("http://h/", location).is_err(), "{location}");
        }
        assert!(follow("https://h/", "http://h/").unwrap_err().contains("https to http"));
        assert!(follow("http://h/", &"x".repeat(MAX_LOCATION)).is_ok());
        assert!(follow("http://h/", &"x".repeat(MAX_LOCATION + 1)).is_err());
    }

    #[test]
    fn a_url_does_not_grow_without_end_from_hop_to_hop() {
        let step = format!("{}/", "\u{fc}".repeat(MAX_LOCATION / 2 - 1));
        let (first, _) = follow("http://h/", &step).unwrap();
        assert!(first.len() > MAX_LOCATION && follow(&first, &step).unwrap_err().contains("leads to a URL of"));
        assert!(follow(&first, "/").is_ok() && follow("http://h/a/", &step).is_ok());
    }

    #[test]
    fn only_the_five_redirects_are_followed() {
        let from = Url::parse("http://h/").unwrap();
        for status in [200, 300, 304, 305, 306, 399, 404] {
            assert!(matches!(judge(status, [b"/x".as_slice()].into_iter(), &from, 0, 10), Verdict::Final), "{status}");
        }
        for status in [301, 302, 303, 307, 308] {
            let verdict = judge(status, [b"/x".as_slice()].into_iter(), &from, 0, 10);
            assert!(matches!(verdict, Verdict::Follow { .. }), "{status}");
        }
    }

    #[test]
    fn locations_that_differ_are_refused_and_equal_ones_are_not() {
        let from = Url::parse("http://h/").unwrap();
        let judge = |locations: [&'static [u8]; 2]| judge(301, locations.into_iter(), &from, 0, 10);
        assert!(matches!(judge([b"/x", b"/x"]), Verdict::Follow { .. }));
        assert!(matches!(judge([b"/x", b"/y"]), Verdict::Refuse(_)));
    }

    #[test]
    fn the_last_redirect_that_is_allowed_is_followed() {
        let from = Url::parse("http://h/").unwrap();
        let judge = |followed, max| judge(301, [b"/x".as_slice()].into_iter(), &from, followed, max);
        assert!(matches!(judge(9, 10), Verdict::Follow { .. }));
        assert!(matches!(judge(10, 10), Verdict::Refuse(_)));
        assert!(matches!(judge(0, 0), Verdict::Refuse(_)));
    }

    #[test]
    fn a_password_in_a_location_is_not_told() {
        assert!(!follow("https://h/", "http://u:secret@h/").unwrap_err().contains("secret"));
    }
}
