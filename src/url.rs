//! Text → a URL that a job may have.
//!
//! The URL Standard, which the parser keeps to, repairs what RFC 3986 reads otherwise. Where the two would ask different
//! hosts, nothing is asked: whoever looked at the URL before may have gone by the other.

use surf::Url;
use surf::http::url::Host;

use crate::error::{Error, ErrorKind};
use crate::grammar::{has_control, is_same_word, is_scheme};

/// Reads an absolute `http` or `https` URL.
///
/// # Errors
///
/// Kind [`Url`](ErrorKind::Url), with a message that says what is wrong; it does not repeat the text.
pub fn parse_url(text: &str) -> Result<Url, Error> {
    if has_control(text) {
        return Err(Error::new(ErrorKind::Url, "a URL can't hold a control character; write it percent-encoded"));
    }
    if !is_plain(text) {
        check(text)?;
    }
    Url::parse(text).map_err(|e| Error::new(ErrorKind::Url, format!("not a URL: {e}")).with_source(e))
}

/// Reads URLs of a list, in which many follow each other that name the same host: it is read once for all of these, which is
/// most of the work.
#[derive(Debug, Default)]
pub(crate) struct UrlReader {
    last: Option<Origin>,
}

/// What URLs have in common.
#[derive(Debug)]
struct Origin {
    /// As it was written, up to the path.
    text: String,
    /// What it was read as, with an empty path.
    url: Url,
}

impl UrlReader {
    /// As [`parse_url`].
    pub fn read(&mut self, text: &str) -> Result<Url, Error> {
        let path = path_start(text);
        if let Some(url) = path.and_then(|path| self.last.as_ref()?.join(text, path)) {
            return Ok(url);
        }
        let url = parse_url(text)?;
        if let Some((origin, root)) = path.and_then(|path| text.get(..path)).zip(url.join("/").ok()) {
            self.last = Some(Origin { text: origin.to_owned(), url: root });
        }
        Ok(url)
    }
}

impl Origin {
    /// The URL that a text is whose path starts there, if this is its origin.
    fn join(&self, text: &str, path: usize) -> Option<Url> {
        let (origin, path) = text.split_at_checked(path)?;
        if origin != self.text || has_control(path) {
            return None;
        }
        self.url.join(path).ok()
    }
}

/// Where the path starts of a URL that says plainly where: not after what would be another host if it were read by itself.
fn path_start(text: &str) -> Option<usize> {
    let host = text.find("://")? + "://".len();
    let path = host + text.get(host..)?.find(['/', '?', '#', '\\'])?;
    let rest = text.get(path..)?.strip_prefix('/')?;
    let is_one = !rest.starts_with(['/', '\\']);
    (is_one && is_plain(text)).then_some(path)
}

/// The host that a text is in a URL; `None` if it is none, or more than that.
pub(crate) fn parse_host(text: &str) -> Option<Host<String>> {
    let is_bracketed = text.starts_with('[') && text.ends_with(']');
    if text.contains(['/', '\\', '?', '#', '@']) || text.contains(':') && !is_bracketed {
        return None;
    }
    parse_url(&format!("http://{text}/")).ok()?.host().map(|host| host.to_owned())
}

/// Whether there is nothing to [check](check): nearly every URL says so at one look.
fn is_plain(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let Some(rest) = rest.filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric())) else { return false };
    let end = rest.bytes().find(|byte| b"/?#\\".contains(byte));
    end != Some(b'\\')
}

/// Whether a text is a URL of a scheme that is fetched, and names a host that all readers agree on.
fn check(text: &str) -> Result<(), Error> {
    let refuse = |message: &str| Err(Error::new(ErrorKind::Url, message));
    // What else stands before the slashes is not repeated: it may be `user:password@http`.
    let Some((scheme, _)) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        return refuse("not a URL; it has to start with http:// or https://");
    };
    if !is_same_word(scheme, "http") && !is_same_word(scheme, "https") {
        return Err(Error::new(ErrorKind::Url, format!("scheme `{scheme}` is not http or https")));
    }
    check_host(text).or_else(|reason| refuse(&format!("a URL that {reason}")))
}

/// Whether all readers of a URL, or of a reference that is relative to one, find the same host in it or none; else what it
/// does.
///
/// To RFC 3986, section 3.2, a host stands between two slashes and the next `/`, `?` or `#`. The URL Standard also takes more
/// slashes, fewer after a scheme, and backslashes for slashes.
pub(crate) fn check_host(reference: &str) -> Result<(), &'static str> {
    // The URL Standard does not even look at spaces around it.
    let (scheme, rest) = split_scheme(reference.trim_start_matches(' '));
    let start = rest.find(|c| c != '/' && c != '\\').unwrap_or(rest.len());
    let (slashes, rest) = rest.split_at_checked(start).unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match (scheme, slashes) {
        (None, "" | "/" | "\\") => Ok(()),
        (_, "//") if authority.contains('\\') => Err("has a backslash in its host"),
        (_, "//") if !authority.is_empty() => Ok(()),
        _ => Err("names no host"),
    }
}

/// The scheme of a reference that has one, and what follows its colon.
fn split_scheme(reference: &str) -> (Option<&str>, &str) {
    match reference.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, reference),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_a_list_is_what_it_is_by_itself() {
        let origins =
            ["http://h", "HTTP://h", "https://h", "http://h:80", "http://H:8080", "http://u:p@h", "http://127.1"];
        let others = [
            "http://\u{e9}.example",
            "http://[::1]",
            "http://h?",
            "http://h#",
            "http://h\\",
            "http:/h",
            "http://h%2f",
            "http://",
        ];
        let rests = [
            "",
            "/",
            "/a",
            "/a b?c d#e f",
            "/./../%2e%2e/b",
            "//g/",
            "/\\g/",
            "/\\",
            "/a\\b",
            "/?q",
            "/#f",
            "?q",
            "#f",
            "/:",
            "/ ",
            "/a:b@c",
            "/\u{e9}?\u{e9}#\u{e9}",
            "/a\tb",
            "/http://g/",
            "/%",
            "/a//b",
            "@g/",
            ":1/",
        ];
        let mut reader = UrlReader::default();
        for origin in origins.iter().chain(&others) {
            for rest in rests {
                let text = format!("{origin}{rest}");
                let parts = |url: Url| {
                    let port = url.port_or_known_default();
                    let host = url.host().map(|host| host.to_owned());
                    let path =
                        (url.path().to_owned(), url.query().map(str::to_owned), url.fragment().map(str::to_owned));
                    (url.username().to_owned(), host, port, path, url)
                };
                let (read, parsed) = (reader.read(&text).map(parts), parse_url(&text).map(parts));
                assert_eq!(
                    read.map_err(|error| error.to_string()),
                    parsed.map_err(|error| error.to_string()),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn an_origin_is_read_once_and_another_in_its_place() {
        let mut reader = UrlReader::default();
        let mut origin = |url| {
            reader.read(url).unwrap();
            reader.last.as_ref().map(|last| (last.text.clone(), last.url.to_string()))
        };
        let first = Some(("http://u@h:80".to_owned(), "http://u@h/".to_owned()));
        assert_eq!(origin("http://u@h:80/a?b#c"), first);
        assert_eq!(origin("http://u@h:80/d"), first);
        assert_eq!(origin("http://h?q"), first);
        assert_eq!(origin("https://h/"), Some(("https://h".to_owned(), "https://h/".to_owned())));
    }

    #[test]
    fn a_host_stands_after_two_slashes_and_holds_no_backslash() {
        for (bad, good) in [
            ("http:///a", "http://h/a"),
            ("http:\\\\h", "http://h/\\\\h"),
            ("http:/\\h", "http://h/\\h"),
            ("http://h\\a", "http://h/\\a"),
            ("http://h\\@g/", "http://h/\\@g/"),
            ("http://", "http://h?http:///"),
            ("http://?q", "http://h?q=\\"),
            ("http://#f", "http://h#\\f"),
            ("http:h", "http.h"),
            ("http:/h", "/h"),
            ("http:", "http"),
            ("//", "//h"),
            ("///h", "//h//h"),
            ("/\\h", "/h\\"),
            ("\\\\h", "\\h"),
            ("\\/h", "h\\/h"),
            ("//h\\g", "//h/\\g"),
            ("a:b", "./a:b"),
            ("http:?", "?http:///"),
            (" https:h", " https://h"),
        ] {
            assert!(check_host(bad).is_err(), "{bad}");
            assert_eq!(check_host(good), Ok(()), "{good}");
        }
        assert_eq!(check_host(""), Ok(()));
    }

    #[test]
    fn what_needs_no_check_would_pass_it_and_what_would_not_is_checked() {
        for plain in ["http://h", "https://1.2.3.4:80/a\\b", "http://h?\\", "http://h#\\", "http://u:p@h/"] {
            assert!(is_plain(plain), "{plain}");
            assert!(check(plain).is_ok(), "{plain}");
        }
        for other in ["http://h\\a", "http:///h", "http://\\h", "http:h", "ftp://h", "http://", "HTTP://h", "http://é/"]
        {
            assert!(!is_plain(other), "{other}");
        }
    }

    #[test]
    fn only_absolute_http_urls_are_jobs() {
        for good in [
            "http://h",
            "HTTPS://h/a?b#c",
            "http://[::1]:8080/",
            "http://u:p@h/",
            "http://bücher.example/ü",
            "http://h/a\\b",
        ] {
            assert!(parse_url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "h/a",
            "//h/a",
            "http:/h",
            "ftp://h/",
            "http://",
            "http://h:99999/",
            "http:///a",
            "http://h\\a",
            "http://h/\u{7}",
            "javascript:x",
        ] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_scheme_is_not_repeated() {
        let told = |text| parse_url(text).unwrap_err().to_string();
        assert_eq!(told("ftp://h/"), "scheme `ftp` is not http or https");
        assert!(!told("user:secret@http://h/").contains("secret"));
    }
}
