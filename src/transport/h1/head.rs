//! The bytes of a response head → a [`Head`], and how its body is framed.
//!
//! A [`Search`] finds where a head ends while it arrives, within the limits; [`Block::read`] has httparse read it whole.
//! httparse is left as strict as it comes: no folded lines, no space before a colon, no NUL or bare CR. A bare LF ends a
//! line (RFC 9112, section 2.2), and the space after the status may be missing: servers do both, and neither is ambiguous.

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::Arc;

use httparse::{ParserConfig, Response, Status};

use super::framing::{self, Framing, Version};
use super::protocol;
use crate::config::Method;
use crate::error::Error;
use crate::grammar::is_same_word;
use crate::text;

/// The longest head, status line and final empty line included, in bytes.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// The most fields of a head.
pub(super) const MAX_FIELDS: usize = 256;
/// What every response starts with that can be read here.
const PREFIX: &[u8] = b"HTTP/1.";
/// How much of something that does not start so is shown, in bytes.
const SHOWN_START: usize = 32;

/// A response head: the status as the number that was sent, and the field lines as they came, whatever bytes they hold.
#[derive(Clone)]
pub(crate) struct Head {
    status: u16,
    /// The field lines, known to be well formed, line ends included.
    lines: Arc<[u8]>,
}

impl Head {
    /// The status: 200 to 999.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The values of all fields of this name, letter case aside, in their order; white space around them is trimmed.
    pub fn values<'a>(&'a self, name: &'a str) -> Values<'a> {
        Values { fields: self.fields(), name }
    }

    /// The value of the first field of this name, letter case aside; white space around it is trimmed.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(|(field, _)| is_same_word(field, name)).map(|(_, value)| value)
    }

    /// All fields, names and trimmed values, in their order.
    pub fn fields(&self) -> HeadFields<'_> {
        HeadFields { lines: &self.lines }
    }
}

/// The fields of a head, names and trimmed values.
#[derive(Clone)]
pub(crate) struct HeadFields<'a> {
    lines: &'a [u8],
}

impl<'a> Iterator for HeadFields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let end = self.lines.iter().position(|&byte| byte == b'\n')?;
            let (line, rest) = self.lines.split_at_checked(end + 1)?;
            self.lines = rest;
            // The last line is empty.
            if let Some(colon) = line.iter().position(|&byte| byte == b':') {
                let (name, value) = line.split_at_checked(colon)?;
                return Some((name, value.get(1..)?.trim_ascii()));
            }
        }
    }
}

/// The values of the fields of one name.
#[derive(Clone)]
pub(crate) struct Values<'a> {
    fields: HeadFields<'a>,
    name: &'a str,
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.fields.find(|(field, _)| is_same_word(field, self.name)).map(|(_, value)| value)
    }
}

impl fmt::Debug for Head {
    /// Without the values: they may be credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head").field("status", &self.status).field("fields", &self.fields().count()).finish()
    }
}

/// Looks for the end of one head in input that grows, each byte once.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// The head does not end at a line break before this place.
    searched: usize,
}

impl Search {
    /// The whole head at the start of `input`, or `None` while its end is still to come.
    pub fn whole_head<'a>(&mut self, input: &'a [u8]) -> Result<Option<&'a [u8]>, Error> {
        if input.iter().zip(PREFIX).any(|(byte, expected)| byte != expected) {
            let start = text::excerpt(input.get(..SHOWN_START).unwrap_or(input));
            return Err(protocol(format!("not an HTTP/1 response; it starts with `{}`", text::escape(&start))));
        }
        let allowed = input.get(..MAX_HEAD).unwrap_or(input);
        match self.end(allowed) {
            Some(end) => Ok(input.get(..end)),
            None if input.len() >= MAX_HEAD => Err(protocol("the response head is over 64 KiB")),
            None => Ok(None),
        }
    }

    /// Whether no byte has come yet.
    pub fn is_unbegun(&self) -> bool {
        self.searched == 0
    }

    /// The place after the first empty line.
    fn end(&mut self, input: &[u8]) -> Option<usize> {
        loop {
            let unsearched = input.get(self.searched..)?;
            let Some(offset) = unsearched.iter().position(|&byte| byte == b'\n') else {
                self.searched = input.len();
                return None;
            };
            let line_break = self.searched + offset;
            // Where what follows can't be told yet, the search goes on from this same line break.
            self.searched = line_break;
            match input.get(line_break + 1..)? {
                [b'\n', ..] => return Some(line_break + 2),
                [b'\r', b'\n', ..] => return Some(line_break + 3),
                [] | [b'\r'] => return None,
                _ => self.searched = line_break + 1,
            }
        }
    }
}

/// What a whole head turned out to be.
#[derive(Debug)]
pub(super) enum Block {
    /// An interim response: the final one is still to come.
    Interim,
    /// The final response.
    Final {
        head: Head,
        framing: Framing,
        /// Whether the connection outlives the response.
        persists: bool,
    },
}

impl Block {
    /// Reads a whole head, its final empty line included.
    pub fn read(bytes: &[u8], method: Method) -> Result<Self, Error> {
        // Uninitialised, because clearing these 8 KiB would cost more than most heads take to parse.
        let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut response = Response::new(&mut []);
        let parsed = ParserConfig::default()
            .parse_response_with_uninit_headers(&mut response, bytes, &mut slots)
            .map_err(why)?;
        let (Status::Complete(_), Some(status), Some(minor)) = (parsed, response.code, response.version) else {
            return Err(protocol("the response head ends too early"));
        };
        let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        match status {
            0..100 => Err(protocol(format!("the status {status:03} is below 100"))),
            101 => Err(protocol("the server switches protocols (status 101), which it was not asked to")),
            102..200 | 100 => Ok(Self::Interim),
            _ => Ok(Self::Final {
                head: Head { status, lines: lines(bytes).into() },
                framing: Framing::of(method, version, status, response.headers)?,
                persists: framing::persists(version, response.headers),
            }),
        }
    }
}

/// What follows the status line.
fn lines(head: &[u8]) -> &[u8] {
    let status_line = head.iter().position(|&byte| byte == b'\n').unwrap_or_default();
    head.get(status_line + 1..).unwrap_or_default()
}

/// What httparse found wrong, in our words.
fn why(error: httparse::Error) -> Error {
    protocol(match error {
        httparse::Error::HeaderName => "a line of the response head does not start with a field name and a colon",
        httparse::Error::HeaderValue => "a field value of the response head holds a control character",
        httparse::Error::NewLine => "a line of the response head ends in a bare CR",
        httparse::Error::Status => "the status line has no status of three digits, or a control character",
        httparse::Error::TooManyHeaders => "the response head has over 256 fields",
        httparse::Error::Version => "the HTTP version of the response is not 1.0 or 1.1",
        httparse::Error::Token => "the response head can't be read",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &[u8]) -> Result<Block, Error> {
        Block::read(head, Method::Get)
    }

    fn head(bytes: &[u8]) -> Head {
        match read(bytes).unwrap() {
            Block::Final { head, .. } => head,
            Block::Interim => panic!("interim"),
        }
    }

    #[test]
    fn fields_come_back_as_they_were_sent_with_their_white_space_trimmed() {
        let head = head(b"HTTP/1.1 200 OK\r\nA:1\r\nb: \t x y\t \r\nB:\r\nC: a:b\nname:\xfcml\xe4ut\xff\r\n\r\n");
        let fields: Vec<_> = head.fields().collect();
        let name = b"name".as_slice();
        assert_eq!(fields[..4], [(&b"A"[..], &b"1"[..]), (b"b", b"x y"), (b"B", b""), (b"C", b"a:b")]);
        assert_eq!(fields[4..], [(name, b"\xfcml\xe4ut\xff".as_slice())]);
        assert_eq!(head.values("B").collect::<Vec<_>>(), [&b"x y"[..], b""]);
        assert_eq!((head.value("NAME"), head.value("nam")), (Some(&b"\xfcml\xe4ut\xff"[..]), None));
    }

    #[test]
    fn a_status_survives_as_the_number_that_was_sent() {
        for status in [200, 299, 304, 520, 600, 999] {
            assert_eq!(head(format!("HTTP/1.1 {status} \r\n\r\n").as_bytes()).status(), status);
        }
    }

    #[test]
    fn a_head_without_fields_or_reason_is_read() {
        for bytes in [&b"HTTP/1.1 200\r\n\r\n"[..], b"HTTP/1.0 200\n\n", b"HTTP/1.1 200 \xfc\r\n\r\n"] {
            assert_eq!(head(bytes).fields().count(), 0);
        }
    }

    #[test]
    fn values_stay_out_of_debug_output() {
        let shown = format!("{:?}", head(b"HTTP/1.1 200 OK\r\nSet-Cookie: secret\r\n\r\n"));
        assert_eq!(shown, "Head { status: 200, fields: 1 }");
    }

    #[test]
    fn the_end_of_a_head_is_found_however_its_lines_end_and_each_byte_is_looked_at_once() {
        for (head, rest) in [
            ("HTTP/1.1 200\r\nA: 1\r\n\r\n", "\r\n\r\n"),
            ("HTTP/1.1 200\nA: 1\n\n", "\n\n"),
            ("HTTP/1.1 200\nA: 1\r\n\n", "x"),
            ("HTTP/1.1 200\r\n\r\n", "HTTP"),
        ] {
            let input = format!("{head}{rest}");
            assert_eq!(Search::default().whole_head(input.as_bytes()).unwrap(), Some(head.as_bytes()));
            let mut search = Search::default();
            for cut in 0..head.len() {
                assert_eq!(search.whole_head(&input.as_bytes()[..cut]).unwrap(), None, "{cut}");
                assert!(cut - search.searched <= 2, "{cut}: looks again from {}", search.searched);
            }
            assert_eq!(search.whole_head(input.as_bytes()).unwrap(), Some(head.as_bytes()));
        }
    }
}
