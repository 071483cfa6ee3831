//! Text → a URL that a job may have.

use surf::Url;

use crate::error::{Error, ErrorKind};

/// Reads an absolute `http` or `https` URL.
///
/// # Errors
///
/// Kind [`Url`](ErrorKind::Url), with a message that says what is wrong; it does not repeat the text.
pub fn parse_url(text: &str) -> Result<Url, Error> {
    let refuse = |message: &str| Err(Error::new(ErrorKind::Url, message));
    if text.chars().any(char::is_control) {
        return refuse("a URL can't hold a control character; write it percent-encoded");
    }
    // What else stands before the slashes is not repeated: it may be `user:password@http`.
    let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        return refuse("not a URL; it has to start with http:// or https://");
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(Error::new(ErrorKind::Url, format!("scheme `{scheme}` is not http or https")));
    }
    if rest.starts_with(['/', '\\']) {
        return refuse("a URL without a host");
    }
    Url::parse(text).map_err(|e| Error::new(ErrorKind::Url, format!("not a URL: {e}")).with_source(e))
}

/// Whether this could be the scheme of a URL (RFC 3986, section 3.1).
fn is_scheme(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_http_urls_are_jobs() {
        for good in ["http://h", "HTTPS://h/a?b#c", "http://[::1]:8080/", "http://u:p@h/", "http://bücher.example/ü"]
        {
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
