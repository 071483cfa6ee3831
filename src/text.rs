//! Text from outside, made fit to be shown: passwords masked, control characters escaped, length cut.
//!
//! Whatever a server, a list or a command line brought passes through here before it gets into a row, a message or
//! the log. Nothing here refuses anything; it only makes harmless.

use std::fmt;
use std::time::Duration;

use surf::Url;

use crate::secret::conceal_header;
pub use crate::secret::{conceal, conceal_value, mask};

/// How much of a line without a usable URL is shown, in characters.
const SHOWN_CHARACTERS: usize = 200;

/// `text` with every character that could steer a terminal or reorder a line written as `\u{…}`.
pub fn escape(text: &str) -> Escaped<'_> {
    Escaped(text)
}

/// Shows text with what is dangerous in it escaped; made by [`escape`].
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut clean = 0;
        for (at, c) in self.0.char_indices().filter(|&(_, c)| is_unsafe(c)) {
            f.write_str(self.0.get(clean..at).unwrap_or_default())?;
            write!(f, "{}", c.escape_unicode())?;
            clean = at + c.len_utf8();
        }
        f.write_str(self.0.get(clean..).unwrap_or_default())
    }
}

/// Whether a character could steer a terminal (C0, DEL, C1) or make a line read otherwise than it is
/// (line and paragraph separators, zero-width and bidirectional controls).
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A URL as it may be shown and logged: its password masked.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(pub &'a Url);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", escape(&mask(self.0.as_str())))
    }
}

/// A line without a usable URL as a row shows it: bytes that aren't UTF-8 replaced, secrets [concealed](conceal), cut at 200
/// characters.
pub(crate) fn excerpt(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim();
    // TABs separate URLs; but a header may hold some, and so may a password of what is no URL for that.
    let separates = text.split('\t').next().is_some_and(|first| Url::parse(first).is_ok());
    let masked = conceal_header(text).unwrap_or_else(|| match separates {
        true => text.split('\t').map(conceal).collect::<Vec<_>>().join("\t"),
        false => conceal(text).into_owned(),
    });
    masked.chars().take(SHOWN_CHARACTERS).collect()
}

/// A number of bytes in the largest unit that it is a multiple of.
pub(crate) fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

/// A time in seconds, as exact as it is. The standard library writes fractions only of floating-point numbers, which takes
/// 10 KB in the program.
pub(crate) fn seconds(time: Duration) -> String {
    match time.subsec_nanos() {
        0 => format!("{} s", time.as_secs()),
        nanos => format!("{}.{} s", time.as_secs(), format!("{nanos:09}").trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped_and_the_rest_left_alone() {
        let shown = escape("a\u{1b}[2Jb\u{202e}c\u{9b}\r\nü").to_string();
        assert_eq!(shown, "a\\u{1b}[2Jb\\u{202e}c\\u{9b}\\u{d}\\u{a}ü");
        assert_eq!(escape("plain/päth?q=1").to_string(), "plain/päth?q=1");
    }

    #[test]
    fn a_time_is_told_in_seconds_as_exactly_as_it_was_given() {
        for (milliseconds, told) in
            [(0, "0 s"), (30_000, "30 s"), (1500, "1.5 s"), (50, "0.05 s"), (61_007, "61.007 s")]
        {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), told);
        }
        assert_eq!(seconds(Duration::from_nanos(1)), "0.000000001 s");
    }

    #[test]
    fn an_excerpt_is_cut_by_characters_and_keeps_no_password() {
        let mut line = "http://u:secret@h ".to_owned();
        line.push_str(&"ü".repeat(400));
        let shown = excerpt(line.as_bytes());
        assert_eq!(shown.chars().count(), 200);
        assert!(!shown.contains("secret"));
        assert_eq!(excerpt(b"http://\xff/"), "http://\u{fffd}/");
        assert_eq!(excerpt(b"http://u:se/cret@h/"), "http://u:***@h/");
        assert_eq!(excerpt(b"ftp://u:p q@h/\thttp://v:w@m/"), "ftp://u:***@h/\thttp://v:***@m/");
        assert_eq!(excerpt(b"http://u:p\x01q@h/"), "http://u:***@h/");
        assert_eq!(excerpt(b"http://u:p\tq@h/"), "http://u:***@h/");
        assert_eq!(excerpt(b"u:p@h/x"), "u:***@h/x");
        assert_eq!(excerpt(b"//u:p@h/x"), "//u:***@h/x");
        assert_eq!(excerpt(b"u:p@h/x?to=http://g/"), "u:***@h/x?to=http://g/");
        assert_eq!(excerpt(b"http:u:p@h/x?to=http://g/"), "http:***@h/x?to=http://g/");
        assert_eq!(excerpt(b"h/x:80"), "h/x:80");
    }

    #[test]
    fn a_size_is_told_in_the_unit_that_it_was_given_in() {
        let sizes = [0, 1000, 1024, 8 << 20, 1 << 30, (8 << 20) + 1].map(size);
        assert_eq!(sizes, ["0 bytes", "1000 bytes", "1 KiB", "8 MiB", "1 GiB", "8388609 bytes"]);
    }
}
