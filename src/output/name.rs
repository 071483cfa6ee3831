//! A job's URL or `out=` → the name of its file, relative to the output directory.
//!
//! Pure: text in, verdict out. It owns the rules of what may be a name, where a long one is cut, and how the second of
//! the same name is told apart. It refuses every name that would lead out of the directory, hide the file, or need
//! escaping to be shown.

use std::iter::successors;

use crate::error::{Error, ErrorKind};
use crate::text;

/// The name where the URL's path has none.
const INDEX: &str = "index.html";

/// The longest extension in bytes, dot included: what is longer is text with a dot in it, and may be cut.
const EXTENSION: usize = 32;

/// A name relative to the output directory: folders, each followed by `/`, and the file's own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    /// The name that a URL gives, cut to `limit` bytes: the last segment of its path, percent-decoded once.
    pub(super) fn of_url(url: &str, limit: usize) -> Result<Self, Error> {
        let bytes = decode(last_segment(url));
        let refused = |reason| {
            let shown = text::excerpt(&bytes);
            let message = format!("the URL names the file `{}`, which {reason}", text::escape(&shown));
            Error::new(ErrorKind::Url, format!("{message}; give it a name with out="))
        };
        match str::from_utf8(&bytes) {
            Ok("") => Ok(Self(INDEX.to_owned())),
            Ok(name) => check(name).map(|()| Self(fit(name, "", limit))).map_err(refused),
            Err(_) => Err(refused("is not UTF-8")),
        }
    }

    /// The name that `out=` gives. Of a long one the file's own name is cut to `limit` bytes, never a folder's.
    pub(super) fn of_option(out: &str, limit: usize) -> Result<Self, Error> {
        let refused = |reason: &str| {
            let shown = text::excerpt(out.as_bytes());
            let message = format!("out=`{}` {reason}", text::escape(&shown));
            Error::new(ErrorKind::Url, format!("{message}; write a name, or folders and a name, with `/` between"))
        };
        if out.starts_with('/') {
            return Err(refused("is absolute"));
        }
        let (folder, file) = split(out);
        for part in out.split('/') {
            check(part).map_err(|reason| refused(&format!("has a part that {reason}")))?;
        }
        if folder.split('/').any(|part| part.len() > limit) {
            return Err(refused("has a folder whose name is too long"));
        }
        Ok(Self::new(folder, &fit(file, "", limit)))
    }

    /// The same name told apart by a number before its extension: `a.txt` is `a.1.txt` then.
    pub(super) fn numbered(&self, number: u64, limit: usize) -> Self {
        Self::new(self.folder(), &fit(self.file(), &format!(".{number}"), limit))
    }

    /// The whole name.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder of the file, without the last `/`; empty for the output directory itself.
    pub(super) fn folder(&self) -> &str {
        split(&self.0).0
    }

    /// The file's own name.
    pub(super) fn file(&self) -> &str {
        split(&self.0).1
    }

    fn new(folder: &str, file: &str) -> Self {
        Self(if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") })
    }
}

/// The lowest number that is free, as far as numbers are used without gaps; else one that is free.
///
/// It asks a number of times that grows with the logarithm of the answer: a million jobs of one name are a million
/// short searches, not half a million million steps.
pub(super) fn free_number(is_used: impl Fn(u64) -> bool) -> u64 {
    let doubled = successors(Some(1u64), |n| n.checked_mul(2)).find(|&n| !is_used(n));
    // No powers of two left: a list that names them all is finite all the same.
    let mut free = doubled.or_else(|| (1..).find(|&n| !is_used(n))).unwrap_or(u64::MAX);
    let mut used = free / 2;
    while free - used > 1 {
        let middle = used + (free - used) / 2;
        if is_used(middle) { used = middle } else { free = middle }
    }
    free
}

/// What follows the last `/` of the path, as it was written.
fn last_segment(url: &str) -> &str {
    // The URL Standard drops spaces at the end before it reads a URL, so they are not part of what is fetched.
    let url = url.trim_end_matches(' ');
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find(['/', '?', '#', '\\']).and_then(|end| rest.get(end..)).unwrap_or_default();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

/// The bytes that percent-encoded text stands for; a `%` without two hexadecimal digits stands for itself.
fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = octet(rest).unwrap_or((byte, after));
        bytes.push(byte);
        rest = after;
    }
    bytes
}

/// The byte that `%` and two digits at the start of `bytes` stand for, and what follows them.
fn octet(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match bytes {
        [b'%', high, low, after @ ..] => Some((digit(*high)? << 4 | digit(*low)?, after)),
        _ => None,
    }
}

/// Whether one part of a name can be used, or why not.
///
/// A dot at the start is refused for more than `..`: no list shall write `.ssh/authorized_keys`, or the temporaries.
fn check(part: &str) -> Result<(), &'static str> {
    match part {
        "" => Err("is empty"),
        "." | ".." => Err("is `.` or `..`"),
        _ if part.starts_with('.') => Err("starts with a dot"),
        _ if part.contains('/') => Err("holds a `/`"),
        _ if part.contains('\\') => Err("holds a `\\`"),
        _ if part.contains(char::is_control) => Err("holds a control character"),
        _ => Ok(()),
    }
}

/// `name` with `mark` before its extension, the text before both cut so that the whole takes at most `limit` bytes.
fn fit(name: &str, mark: &str, limit: usize) -> String {
    let (stem, extension) = split_extension(name);
    let room = limit.saturating_sub(mark.len() + extension.len());
    format!("{}{mark}{extension}", cut(stem, room))
}

/// As many whole characters of `text` as fit into `room` bytes.
fn cut(text: &str, room: usize) -> &str {
    if text.len() <= room {
        return text;
    }
    (0..=room).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

/// A name before its extension, and the extension with its dot.
fn split_extension(name: &str) -> (&str, &str) {
    let dot = name.rfind('.').filter(|dot| name.len() - dot <= EXTENSION);
    dot.and_then(|dot| name.split_at_checked(dot)).unwrap_or((name, ""))
}

/// The folder of a relative name, and the file's own name.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('/').unwrap_or(("", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_url(url: &str) -> Option<String> {
        Name::of_url(url, 255).ok().map(|name| name.0)
    }

    fn of_option(out: &str) -> Option<String> {
        Name::of_option(out, 255).ok().map(|name| name.0)
    }

    #[test]
    fn the_last_segment_of_the_path_names_the_file() {
        for (url, name) in [
            ("http://h/a", "a"),
            ("http://h/a/b.txt", "b.txt"),
            ("http://h/a?x=/y", "a"),
            ("http://h/a#/y", "a"),
            ("http://h/a?b#c/d", "a"),
            ("http://h", "index.html"),
            ("http://h/", "index.html"),
            ("http://h/a/", "index.html"),
            ("http://h?x/y", "index.html"),
            ("http://h#x/y", "index.html"),
            ("http://u:p@h/a", "a"),
            ("http://h/\\a/b", "b"),
            ("http://h/a%20b+c", "a b+c"),
            ("http://h/%C3%BC.txt", "ü.txt"),
            ("http://h/ü", "ü"),
            ("http://h/100%", "100%"),
            ("http://h/%zz%4", "%zz%4"),
            ("http://h/a%252e", "a%2e"),
            ("http://h/a..b", "a..b"),
            ("http://h/a://b", "b"),
            ("http://h/a ", "a"),
        ] {
            assert_eq!(of_url(url).as_deref(), Some(name), "{url}");
        }
    }

    #[test]
    fn a_url_that_names_no_plain_file_is_refused() {
        for url in [
            "http://h/.",
            "http://h/..",
            "http://h/%2e%2e",
            "http://h/%2E.",
            "http://h/.hidden",
            "http://h/%2ehidden",
            "http://h/a%2fb",
            "http://h/a%5cb",
            "http://h/a\\b",
            "http://h/a\\",
            "http://h\\a",
            "http://h/a%00",
            "http://h/a%0a",
            "http://h/a%7f",
            "http://h/a%c2%9b",
            "http://h/%ff",
            "http://h/%c3",
        ] {
            assert_eq!(of_url(url), None, "{url}");
        }
    }

    #[test]
    fn the_message_of_a_refusal_names_the_reason_and_the_way_out_and_is_fit_to_be_shown() {
        let message = Name::of_url("http://h/a%1b%5b2J", 255).unwrap_err().to_string();
        assert_eq!(
            message,
            "the URL names the file `a\\u{1b}[2J`, which holds a control character; give it a name with out="
        );
        let message = Name::of_option("a/../b", 255).unwrap_err().to_string();
        assert!(message.starts_with("out=`a/../b` has a part that is `.` or `..`; "), "{message}");
    }

    #[test]
    fn out_names_a_file_and_folders_as_they_are_written() {
        for out in ["a", "a.txt", "a/b", "a/b/c.txt", "100%", "%2e%2e", "a b", "ü/ö", "a..", "a/b."] {
            assert_eq!(of_option(out).as_deref(), Some(out));
        }
    }

    #[test]
    fn an_out_that_leads_elsewhere_or_hides_is_refused() {
        for out in [
            "",
            "/",
            "/a",
            "//a",
            "a/",
            "a//b",
            ".",
            "..",
            "./a",
            "../a",
            "a/..",
            "a/./b",
            "a/../b",
            ".a",
            ".ssh/a",
            "a/.b",
            "a\\b",
            "a\0",
            "a\nb",
            "a/\u{9b}/b",
        ] {
            assert_eq!(of_option(out), None, "{out:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_between_characters_and_keeps_its_extension() {
        for (name, cut) in [
            ("abcdefghijklmno", "abcdefghij"),
            ("abcdefghijklm.no", "abcdefg.no"),
            ("abcdefg.no", "abcdefg.no"),
            ("äöüäöüäöü.no", "äöü.no"),
            ("ääääääääää", "äääää"),
            ("xääääääääää", "xääää"),
            ("€€€€.€", "€€.€"),
        ] {
            assert_eq!(Name::of_url(&format!("http://h/{name}"), 10).unwrap().0, cut);
            assert_eq!(Name::of_option(&format!("f/{name}"), 10).unwrap().0, format!("f/{cut}"));
        }
        let sentence = format!("a.{}", "b".repeat(300));
        assert_eq!(of_option(&sentence).unwrap(), sentence[..255]);
    }

    #[test]
    fn a_long_folder_is_refused_and_one_that_just_fits_is_not() {
        assert!(Name::of_option("0123456789/a", 10).is_ok());
        assert_eq!(Name::of_option("a/0123456789x/a", 10).unwrap_err().kind(), ErrorKind::Url);
    }

    #[test]
    fn a_number_stands_before_the_extension_and_fits_the_limit_too() {
        let numbered = |name: &str, number| Name::of_option(name, 10).unwrap().numbered(number, 10).0;
        assert_eq!(numbered("a.txt", 1), "a.1.txt");
        assert_eq!(numbered("a", 1), "a.1");
        assert_eq!(numbered("f.d/a", 12), "f.d/a.12");
        assert_eq!(numbered("a.tar.gz", 2), "a.tar.2.gz");
        assert_eq!(numbered("abcdefghijk.no", 1), "abcde.1.no");
        assert_eq!(numbered("äbcdäöü", 100), "äbcd.100");
    }

    #[test]
    fn the_lowest_free_number_is_found_where_there_are_no_gaps() {
        for used in [0, 1, 2, 3, 4, 7, 8, 1000, 1_000_000] {
            assert_eq!(free_number(|n| n <= used), used + 1);
        }
    }

    #[test]
    fn with_gaps_a_free_number_is_found_whatever_is_used() {
        let used = [1, 2, 4, 5, 8];
        assert!(!used.contains(&free_number(|n| used.contains(&n))));
        assert_eq!(free_number(u64::is_power_of_two), 3);
    }
}
