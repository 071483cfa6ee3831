//! A response taken apart, as laxly as any reader would, to see what is odd about it.

use super::{Case, Seen};
use crate::config::Method;

/// The parts of a response, and what the codec that takes it makes of it.
pub struct Parts<'a> {
    method: Method,
    pub interim: Vec<Head<'a>>,
    pub head: Head<'a>,
    rest: &'a [u8],
    pub taken: &'a Seen,
}

/// The bytes of a head, empty lines ahead and behind included.
pub struct Head<'a>(pub &'a [u8]);

/// The lines of chunks, without their line ends.
pub struct Chunks<'a> {
    pub lines: Vec<&'a [u8]>,
    pub trailers: Vec<&'a [u8]>,
}

impl<'a> Parts<'a> {
    pub fn of(case: &'a Case, taken: &'a Seen) -> Self {
        let (mut interim, mut rest) = (Vec::new(), case.input.as_slice());
        loop {
            let (head, behind) = rest.split_at(head_length(rest));
            rest = behind;
            let head = Head(head);
            if !head.status().starts_with(b"1") || head.status() == b"101" {
                return Self { method: case.method, interim, head, rest, taken };
            }
            interim.push(head);
        }
    }

    /// Whether there is a `Content-Length` where there is no body.
    pub fn has_idle_length(&self) -> bool {
        let is_length = |line: &[u8]| line.to_ascii_lowercase().starts_with(b"content-length:");
        let heads = self.interim.iter().chain((!self.may_have_body()).then_some(&self.head));
        heads.flat_map(Head::fields).any(is_length)
    }

    fn may_have_body(&self) -> bool {
        self.method != Method::Head && !matches!(self.taken.status, 204 | 304)
    }

    /// The values of the fields of this name, which is in lower case.
    pub fn values(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.taken.fields.iter().filter(move |(field, _)| field == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// The transfer codings of the body, in lower case; `None` if no field names any.
    pub fn codings(&self) -> Option<Vec<Vec<u8>>> {
        if !self.may_have_body() {
            return None;
        }
        self.values("transfer-encoding").next()?;
        let elements = self.values("transfer-encoding").flat_map(|value| value.split(|&byte| byte == b','));
        let mut codings: Vec<_> = elements.map(|coding| coding.trim_ascii().to_ascii_lowercase()).collect();
        codings.retain(|coding| !coding.is_empty());
        Some(codings)
    }

    /// The lines of the chunks, if there are any.
    pub fn chunks(&self) -> Chunks<'a> {
        let mut chunks = Chunks { lines: Vec::new(), trailers: Vec::new() };
        let (mut rest, mut is_last) = (if self.codings().is_some() { self.rest } else { b"" }, false);
        while let Some((line, after)) = first_line(rest) {
            rest = after;
            match size(line) {
                _ if is_last && line.is_empty() => break,
                _ if is_last => chunks.trailers.push(line),
                size => {
                    chunks.lines.push(line);
                    is_last = size == 0;
                    let data = if is_last { 0 } else { size.saturating_add(2) };
                    rest = rest.get(data..).unwrap_or_default();
                }
            }
        }
        chunks
    }
}

impl<'a> Head<'a> {
    /// As far as there is one.
    pub fn status(&self) -> &'a [u8] {
        self.0.trim_ascii_start().get(9..12).unwrap_or_default()
    }

    /// The lines below the first.
    pub fn fields(&self) -> impl Iterator<Item = &'a [u8]> {
        self.0.trim_ascii().split(|&byte| byte == b'\n').skip(1)
    }
}

/// The length of the head that the text starts with.
fn head_length(text: &[u8]) -> usize {
    let ahead = text.iter().take_while(|&&byte| matches!(byte, b'\r' | b'\n')).count();
    let ends = |at: &usize| matches!(text[..*at], [.., b'\n', b'\n'] | [.., b'\n', b'\r', b'\n']);
    (ahead + 1..=text.len()).find(ends).unwrap_or(text.len())
}

/// The first line, which ends in CR LF, and what follows it.
fn first_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&text[..end], &text[end + 2..]))
}

/// The size that a chunk's line says; 0 if it says none.
fn size(line: &[u8]) -> usize {
    let size = line.split(|&byte| byte == b';').next().and_then(|size| str::from_utf8(size).ok());
    size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok()).unwrap_or_default()
}
