//! Text from outside → the same with what is, or could be, a password or another secret replaced by `***`.
//!
//! Pure. Of a URL it knows where a password stands; of other text it takes away rather too much. What is percent-encoded, and
//! what a query is meant to keep secret, it does not know.

use crate::grammar::is_same_word;
use std::borrow::Cow;
use std::ops::Range;

const MASK: &str = "***";

/// The headers whose values are secrets.
const SECRET_HEADERS: [&str; 3] = ["Authorization", "Proxy-Authorization", "Cookie"];

/// What makes the value of a header a secret, where it is a part of the name: `X-Api-Key`, `Private-Token`.
const SECRET_PARTS: [&str; 13] = [
    "apikey",
    "auth",
    "authorization",
    "cookie",
    "credential",
    "key",
    "pass",
    "passwd",
    "password",
    "pwd",
    "secret",
    "session",
    "token",
];

/// How the option that brings a header may have been written, beside `-H`.
const HEADER_OPTIONS: [&str; 2] = ["header", "headers"];

/// A URL with its password replaced by `***`, and those of the URLs within it.
///
/// It reads the text as the WHATWG parser does: any number of slashes or backslashes after the scheme, user information up
/// to the last `@` before the path, blanks in it and all. For text that may be no URL there is [`conceal`].
#[must_use]
pub fn mask(url: &str) -> Cow<'_, str> {
    // Most have no user information, and every URL comes by here.
    if !url.contains('@') {
        return Cow::Borrowed(url);
    }
    let mut masked = String::new();
    let mut done = 0;
    for secret in authorities(url).filter_map(|start| password(url, start)) {
        masked.extend([url.get(done..secret.start).unwrap_or_default(), MASK]);
        done = secret.end;
    }
    match done {
        0 => Cow::Borrowed(url),
        _ => Cow::Owned(masked + url.get(done..).unwrap_or_default()),
    }
}

/// Where the authority of a URL begins, and those of URLs within it.
fn authorities(url: &str) -> impl Iterator<Item = usize> {
    let skip_slashes = |at: usize| url.len() - url.get(at..).unwrap_or_default().trim_start_matches(['/', '\\']).len();
    let own = url.find(':').map(|colon| skip_slashes(colon + 1));
    let others = url.match_indices("://").map(move |(at, _)| skip_slashes(at + 1));
    own.into_iter().chain(others.filter(move |at| Some(*at) != own))
}

/// The password in the authority that begins at `start`.
fn password(url: &str, start: usize) -> Option<Range<usize>> {
    let rest = url.get(start..)?;
    let authority = rest.get(..rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len()))?;
    let at = authority.rfind('@')?;
    let colon = authority.get(..at)?.find(':')?;
    Some(start + colon + 1..start + at)
}

/// Text that may hold a URL or a header somewhere, with whatever could be a secret in it replaced by `***`: all that follows
/// the name of a header which is secret; else everything from the first colon, the scheme's aside, to the last `@`. Of a text
/// with neither nothing is taken.
#[must_use]
pub fn conceal(text: &str) -> Cow<'_, str> {
    if let Some(concealed) = conceal_header(text) {
        return Cow::Owned(concealed);
    }
    let secret = text.rfind('@').and_then(|at| {
        let before = text.get(..at)?;
        let first = before.find(':')? + 1;
        let rest = before.get(first..)?;
        let is_scheme = rest.starts_with("//") || rest.starts_with("\\\\");
        let start = if is_scheme { first + rest.find(':')? + 1 } else { first };
        Some((text.get(..start)?, text.get(at..)?))
    });
    match secret {
        Some((before, after)) => Cow::Owned(format!("{before}{MASK}{after}")),
        None => Cow::Borrowed(text),
    }
}

/// Text that begins with a header, up to its name and without what stands before it, if the value is a secret. That of the
/// option `header=` always is.
pub(crate) fn conceal_header(text: &str) -> Option<String> {
    let text = text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let (first, rest) = word(text);
    let rest = if HEADER_OPTIONS.contains(&first.to_ascii_lowercase().as_str()) || first == "H" {
        let (name, value) = word(rest.trim_start_matches(is_between));
        Some(value).filter(|_| !name.is_empty())
    } else {
        Some(rest).filter(|rest| is_secret(first) && (rest.is_empty() || rest.starts_with(is_between)))
    }?;
    Some(without_value(text.strip_suffix(rest)?, rest))
}

/// What was given as a header and is none, up to its name if that sounds like a secret's.
#[must_use]
pub fn conceal_value(text: &str) -> Cow<'_, str> {
    let header = text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let (name, rest) = word(header);
    if !has_secret_part(name) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(without_value(name, rest))
}

/// A name and a mask, with a colon between where the `rest` that stood there has one.
fn without_value(name: &str, rest: &str) -> String {
    let colon = if rest.starts_with(':') { ":" } else { "" };
    format!("{name}{colon} {MASK}")
}

/// The word that a text begins with, and the rest.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// Whether this is what stands between a name and its value, right or wrong.
fn is_between(c: char) -> bool {
    matches!(c, ' ' | '\t' | ':' | '=' | '"' | '\'')
}

fn is_secret(name: &str) -> bool {
    SECRET_HEADERS.iter().any(|header| is_same_word(name, header)) || name.contains(['-', '_']) && has_secret_part(name)
}

fn has_secret_part(name: &str) -> bool {
    let is_secret = |part: &str| SECRET_PARTS.iter().any(|secret| is_same_word(part, secret));
    name.split(['-', '_']).any(is_secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_however_the_url_is_written() {
        for (text, masked) in [
            ("http://u:p@h/", "http://u:***@h/"),
            ("http:u:p@h/", "http:u:***@h/"),
            ("http:\\\\u:p@h\\a", "http:\\\\u:***@h\\a"),
            ("http://u:p@q@h/", "http://u:***@h/"),
            ("http://u:p:q@h/", "http://u:***@h/"),
            ("http://:p@h/", "http://:***@h/"),
            ("http://u:@h/", "http://u:***@h/"),
            ("http://u:p q@h/", "http://u:***@h/"),
            ("http://u:p\u{a0}q@h/", "http://u:***@h/"),
            ("http://u:p@[::1]:80/", "http://u:***@[::1]:80/"),
            ("http://h/http://u:p@g/", "http://h/http://u:***@g/"),
            ("http://u:p@h/?a=https://v:q@g/&b=//", "http://u:***@h/?a=https://v:***@g/&b=//"),
            ("http://h/a http://u:p@g", "http://h/a http://u:***@g"),
        ] {
            assert_eq!(mask(text), masked);
        }
    }

    #[test]
    fn what_is_no_password_is_left_alone() {
        for text in [
            "http://u@h/",
            "http://h/a:b@c",
            "http://h:80/?q=x@y",
            "http://h:80/?q=http://g:80/x@y",
            "mail@example",
            "http://h/",
            "http://",
            "http:",
            "",
        ] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn of_other_text_all_is_taken_that_could_be_a_password() {
        for (text, concealed) in [
            ("u:p@h/x", "u:***@h/x"),
            ("//u:p@h/x", "//u:***@h/x"),
            ("http://u:p/q@h/", "http://u:***@h/"),
            ("http:////u:p@h/", "http:////u:***@h/"),
            ("http:u:p@h/", "http:***@h/"),
            ("u:p@http://h/", "u:***@http://h/"),
            ("u:p://q@h/", "u:***@h/"),
            ("see http://u:p@h/", "see http://u:***@h/"),
            ("http://u@h:x/", "http://u@h:x/"),
            ("http://h/ http://u:p@g/", "http://h/ http:***@g/"),
            ("h/x:80", "h/x:80"),
            ("", ""),
        ] {
            assert_eq!(conceal(text), concealed);
        }
    }

    #[test]
    fn of_a_header_that_is_secret_only_the_name_is_left() {
        for (text, concealed) in [
            ("Authorization: Basic p", "Authorization: ***"),
            ("authorization:p", "authorization: ***"),
            ("Authorization Basic p", "Authorization ***"),
            ("\"Cookie: a=p\"", "Cookie: ***"),
            ("--Proxy-Authorization=p", "Proxy-Authorization ***"),
            ("X-Api-Key: p", "X-Api-Key: ***"),
            ("PRIVATE-TOKEN:p", "PRIVATE-TOKEN: ***"),
            ("header=X-Plain: p", "header=X-Plain: ***"),
            ("  header = X-Plain p", "header = X-Plain ***"),
            ("header: Authorization: p", "header: Authorization: ***"),
            ("-H 'X-Plain: p'", "H 'X-Plain: ***"),
        ] {
            assert_eq!(conceal(text), concealed);
        }
    }

    #[test]
    fn what_only_looks_like_such_a_header_is_left_alone() {
        for text in [
            "Cookies: p",
            "X-Plain: 1",
            "X-Monkey: 1",
            "token:80/x",
            "cookie/x",
            "header/x",
            "header",
            "headers.txt",
            "h 1",
        ] {
            assert_eq!(conceal(text), text);
        }
    }
}
