//! Bytes → [`Line`]s: finds where lines end, counts them, and never keeps more of one than a line may have.
//!
//! It owns the byte-order mark, the CR before a LF and the limit on a line's length. What a line means is read elsewhere.

use std::str;

use crate::error::{Error, ErrorKind};
use crate::grammar::has_control_but_tab;
use crate::job::Rejected;
use crate::text;

/// The longest line, its end not counted.
pub(super) const MAX_LINE: usize = 16 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is kept of a line: enough that one cut here is too long even without byte-order mark and CR.
const MAX_KEPT: usize = MAX_LINE + BYTE_ORDER_MARK.len() + 2;

/// What an option is indented with, and may be surrounded by.
pub(crate) const BLANKS: [char; 2] = [' ', '\t'];

/// Cuts what is pushed into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The current line, as far as it is here.
    kept: Vec<u8>,
    /// How many lines have ended.
    ended: u64,
}

impl Lines {
    /// Whether nothing of the current line is here yet.
    pub fn at_start(&self) -> bool {
        self.kept.is_empty()
    }

    /// Takes bytes of the current line from the front of `input`; whether its end was among them.
    pub fn fill(&mut self, input: &mut &[u8]) -> bool {
        let end = input.iter().position(|&byte| byte == b'\n');
        let (line, rest) = input.split_at_checked(end.map_or(input.len(), |end| end + 1)).unwrap_or_default();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let room = MAX_KEPT - self.kept.len();
        self.kept.extend_from_slice(line.get(..room).unwrap_or(line));
        *input = rest;
        end.is_some()
    }

    /// The current line, as far as it is here.
    pub fn current(&self) -> Line<'_> {
        let bytes = match self.ended {
            0 => self.kept.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.kept),
            _ => &self.kept,
        };
        Line { bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes), number: self.ended.saturating_add(1) }
    }

    /// Goes on to the next line.
    pub fn advance(&mut self) {
        self.kept.clear();
        self.ended = self.ended.saturating_add(1);
    }
}

/// What a line is for, as its first byte has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Blank,
    Comment,
    Option,
    Url,
}

/// One line, its end taken off, not known to be text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    bytes: &'a [u8],
    /// Counted from 1.
    pub number: u64,
}

impl<'a> Line<'a> {
    pub fn role(&self) -> Role {
        match self.bytes.first() {
            Some(b'#') => Role::Comment,
            _ if self.bytes.iter().all(|&byte| is_blank(byte)) && !self.is_too_long() => Role::Blank,
            Some(&first) if is_blank(first) => Role::Option,
            _ => Role::Url,
        }
    }

    /// The line as text, if all of it may stand in a list.
    pub fn text(&self) -> Result<&'a str, Error> {
        if self.is_too_long() {
            return Err(refusal(format!("the line is longer than {} KiB; shorten it", MAX_LINE / 1024)));
        }
        let text = str::from_utf8(self.bytes).map_err(|_| {
            refusal("the line is not UTF-8; convert the list, or percent-encode those bytes".to_owned())
        })?;
        if has_control_but_tab(text) {
            return Err(refusal("the line holds a control character; take it out or percent-encode it".to_owned()));
        }
        Ok(text)
    }

    /// This line as one that can't be a job.
    pub fn reject(&self, error: Error) -> Rejected {
        if self.is_too_long() { self.reject_cut(error) } else { Rejected::new(self.bytes, Some(self.number), error) }
    }

    /// As [`reject`](Self::reject), for a line whose end is not here. If that cut it within what may be a password,
    /// the `@` that would tell is missing: it is put there for the masking alone.
    pub fn reject_cut(&self, error: Error) -> Rejected {
        let text = String::from_utf8_lossy(self.bytes);
        let last = text.rfind('\t').map_or(0, |tab| tab + 1);
        let (others, last) = text.split_at(last);
        let told = format!("{last}@");
        let masked = if last.contains("://") { text::mask(&told) } else { text::conceal(&told) };
        let shown = format!("{others}{}", masked.strip_suffix('@').unwrap_or(&masked));
        Rejected::new(shown.as_bytes(), Some(self.number), error)
    }

    fn is_too_long(&self) -> bool {
        self.bytes.len() > MAX_LINE
    }
}

/// Whether a line that starts with this byte leaves the job above it open.
pub(super) fn continues_job(first: u8) -> bool {
    is_blank(first) || first == b'#'
}

fn is_blank(byte: u8) -> bool {
    BLANKS.contains(&char::from(byte))
}

pub(super) fn refusal(message: String) -> Error {
    Error::new(ErrorKind::Url, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_line_takes_no_more_memory_than_a_long_one() {
        let mut lines = Lines::default();
        for _ in 0..4096 {
            assert!(!lines.fill(&mut [b'a'; 4096].as_slice()));
        }
        assert!(lines.kept.capacity() <= 2 * MAX_KEPT);
        assert!(lines.fill(&mut b"\n".as_slice()));
        assert!(lines.current().text().is_err());
    }

    #[test]
    fn only_the_end_of_a_line_is_taken_off() {
        for (bytes, text) in
            [("a\r\n", Some("a")), ("\u{feff}a\n", Some("a")), ("\ta \n", Some("\ta ")), ("a\r\r\n", None)]
        {
            let mut lines = Lines::default();
            assert!(lines.fill(&mut bytes.as_bytes()));
            assert_eq!(lines.current().text().ok(), text);
        }
    }
}
