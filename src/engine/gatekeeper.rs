//! A body as it arrives → whether it may be kept: long and short enough, and no page where a file was asked for.
//!
//! It owns what has to be remembered of a body's start. No I/O: bytes in, verdict out. What a body has to be like comes
//! from the job and, where that says nothing, from the run.

use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::gates::{Gates, Pages};
use crate::grammar::is_media_type;
use crate::job::Job;
use crate::text;

/// What a page begins with, after a byte-order mark and white space, in any letter case.
const STARTS: [&[u8]; 2] = [b"<!doctype html", b"<html"];

/// The UTF-8 byte-order mark.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Judges one body.
#[derive(Debug)]
pub(super) struct Gatekeeper {
    gates: Gates,
    /// Whether the limit on the length is the job's own: the way out is another then.
    max_is_own: bool,
    /// The length of the file that is to be replaced.
    previous: Option<u64>,
    start: Start,
}

/// What is known of how a body starts.
#[derive(Debug)]
enum Start {
    /// Not enough has come: the mark or not, then what is no white space.
    Open { mark: usize, seen: Vec<u8> },
    /// It is no page, or may be one.
    Settled,
}

impl Gatekeeper {
    /// For the next body of a job, which is to take the place of a file of `previous` bytes if there is one.
    pub fn new(config: &Config, job: &Job, previous: Option<u64>) -> Self {
        let gates = job.own_gates().or(config.gates);
        let start = match gates.pages {
            Some(Pages::Refused) => Start::Open { mark: 0, seen: Vec::new() },
            _ => Start::Settled,
        };
        Self {
            gates,
            max_is_own: job.own_gates().max_size.is_some_and(|own| gates.max_size == Some(own)),
            previous,
            start,
        }
    }

    /// For what comes after a part whose start was judged when it came.
    pub fn go_on(self) -> Self {
        Self { start: Start::Settled, ..self }
    }

    /// Judges what the head says of it.
    pub fn admit<'a>(
        &self,
        length: Option<u64>,
        mut content_types: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), Error> {
        if self.gates.pages == Some(Pages::Refused) && content_types.any(is_page) {
            return Err(page("the body is HTML by its Content-Type"));
        }
        if let Some(length) = length {
            self.check_most(length)?;
            self.finish(length)?;
        }
        Ok(())
    }

    /// Judges the next bytes of it, which make it so many.
    pub fn take(&mut self, data: &[u8], bytes: u64) -> Result<(), Error> {
        self.check_most(bytes)?;
        if let Start::Open { mark, seen } = &mut self.start {
            match sniff(mark, seen, data) {
                None => {}
                Some(false) => self.start = Start::Settled,
                Some(true) => return Err(page("the body begins as HTML does")),
            }
        }
        Ok(())
    }

    /// Whether this start of a body is enough to tell that it is no page.
    pub fn takes_start(&self, start: &[u8]) -> bool {
        matches!(self.start, Start::Settled) || sniff(&mut 0, &mut Vec::new(), start) == Some(false)
    }

    /// Whether nothing more has to be seen of it but how long it is, which its head has said.
    pub fn has_seen_enough(&self) -> bool {
        matches!(self.start, Start::Settled)
    }

    /// Judges the length of the whole.
    pub fn finish(&self, bytes: u64) -> Result<(), Error> {
        if let Some(min) = self.gates.min_size.filter(|min| bytes < *min) {
            let (is, least) = (text::size(bytes), text::size(min));
            return Err(rejected(format!(
                "the body is {is}, under min-size {least}; lower that if it may be so short"
            )));
        }
        let least = self.gates.min_ratio.zip(self.previous).map(|(ratio, previous)| (ratio.part(previous), previous));
        if let Some((_, previous)) = least.filter(|(least, _)| bytes < *least) {
            let (is, was) = (text::size(bytes), text::size(previous));
            let message = format!("the body is {is} and the file there {was}, so under min-ratio");
            return Err(rejected(format!("{message}; lower that, or remove the file, if it may shrink so much")));
        }
        Ok(())
    }

    fn check_most(&self, bytes: u64) -> Result<(), Error> {
        let Some(max) = self.gates.max_size.filter(|max| bytes > *max) else { return Ok(()) };
        let option = if self.max_is_own { "its max-size=" } else { "--max-size" };
        Err(Error::new(ErrorKind::TooLarge, format!("the body is over {}; raise {option}", text::size(max))))
    }
}

/// Looks at the start of a body: whether it is a page, once that can be told. `mark` counts the bytes of the byte-order
/// mark that have come.
fn sniff(mark: &mut usize, seen: &mut Vec<u8>, data: &[u8]) -> Option<bool> {
    for &byte in data {
        if seen.is_empty() && MARK.get(*mark) == Some(&byte) {
            *mark += 1;
            continue;
        }
        if seen.is_empty() && byte.is_ascii_whitespace() {
            // No mark comes after that.
            *mark = MARK.len();
            continue;
        }
        seen.push(byte.to_ascii_lowercase());
        let may_be = |start: &&&[u8]| start.iter().zip(seen.iter()).all(|(a, b)| a == b);
        let Some(start) = STARTS.iter().find(may_be) else { return Some(false) };
        if seen.len() == start.len() {
            return Some(true);
        }
    }
    None
}

/// Whether a `Content-Type` is that of a page.
fn is_page(content_type: &[u8]) -> bool {
    is_media_type(content_type, "text/html")
}

fn page(what: &str) -> Error {
    rejected(format!("{what}, which not-html refuses; leave that out if a page is what you want"))
}

fn rejected(message: String) -> Error {
    Error::new(ErrorKind::Rejected, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper(options: &[(&str, &str)], previous: Option<u64>) -> Gatekeeper {
        let mut config = Config::default();
        options.iter().for_each(|(name, value)| assert!(config.gates.set(name, value).unwrap()));
        Gatekeeper::new(&config, &Job::new("http://h/").unwrap(), previous)
    }

    /// Whether a body is refused that comes in pieces of this size.
    fn is_refused(body: &[u8], piece: usize) -> bool {
        let mut keeper = keeper(&[("not-html", "true")], None);
        let refused = body.chunks(piece).any(|data| keeper.take(data, 1).is_err());
        assert!(refused || body.len() < 14 || keeper.has_seen_enough() || body.trim_ascii().is_empty());
        refused
    }

    #[test]
    fn a_page_is_known_by_its_start_however_it_comes() {
        for (body, is_page) in [
            (&b"<!doctype html>"[..], true),
            (b"<!DOCTYPE HTML PUBLIC", true),
            (b"\xef\xbb\xbf\r\n\t <HtMl lang=en>", true),
            (b"<html", true),
            (b"   ", false),
            (b"", false),
            (b"<htm", false),
            (b"<!doctype xml>", false),
            (b"<?xml version=1?><html>", false),
            (b"0.0.0.0 example.org\n<html>", false),
            (b"\xef\xbb<html>", true),
            (b" \xef\xbb\xbf<html>", false),
            (b"\xef\xbb\xbf\xef\xbb\xbf<html>", false),
            (b"x<html>", false),
        ] {
            for piece in [1, 2, 3, 100] {
                assert_eq!(is_refused(body, piece), is_page, "{:?} by {piece}", String::from_utf8_lossy(body));
            }
        }
    }

    #[test]
    fn the_start_of_a_part_has_to_tell_that_it_is_no_page() {
        let keeper = keeper(&[("not-html", "true")], None);
        for (start, is_taken) in
            [(&b"<html>"[..], false), (b"<ht", false), (b"  \n", false), (b"", false), (b"x", true)]
        {
            assert_eq!(keeper.takes_start(start), is_taken);
        }
        assert!(self::keeper(&[], None).takes_start(b"<html>"));
    }

    #[test]
    fn a_page_is_known_by_its_content_type() {
        let keeper = keeper(&[("not-html", "true")], None);
        let admit = |value: &'static str| keeper.admit(None, [value.as_bytes()].into_iter()).is_ok();
        assert!(!admit("text/html") && !admit("Text/HTML ; charset=utf-8"));
        assert!(admit("text/plain") && admit("application/xhtml+xml") && admit("text/htmlx"));
    }

    #[test]
    fn a_body_may_be_as_short_as_is_said_and_no_shorter() {
        let finish = |options: &[(&str, &str)], previous, bytes| {
            keeper(options, previous).finish(bytes).map_err(|error| {
                assert_eq!(error.kind(), ErrorKind::Rejected);
                error.to_string()
            })
        };
        assert!(finish(&[("min-size", "10")], None, 10).is_ok());
        let error = finish(&[("min-size", "10")], None, 9).unwrap_err();
        assert!(error.contains("9 bytes, under min-size 10 bytes; lower that"), "{error}");
        assert!(finish(&[("min-ratio", "0.5")], Some(10), 5).is_ok());
        let error = finish(&[("min-ratio", "0.5")], Some(10), 4).unwrap_err();
        assert!(error.contains("4 bytes and the file there 10 bytes, so under min-ratio; lower that"), "{error}");
        assert!(finish(&[("min-ratio", "1")], None, 0).is_ok());
    }

    #[test]
    fn a_body_that_is_too_long_is_told_which_limit_it_is_over() {
        let mut run = keeper(&[("max-size", "10")], None);
        assert!(run.take(b"x", 10).is_ok());
        assert!(run.take(b"x", 11).unwrap_err().to_string().contains("raise --max-size"));
        let job = Job::new("http://h/").unwrap().gates(Gates { max_size: Some(4), ..Gates::default() });
        let config = Config { gates: run.gates, ..Config::default() };
        let error = Gatekeeper::new(&config, &job, None).admit(Some(5), [].into_iter()).unwrap_err();
        assert_eq!((error.kind(), error.to_string().contains("raise its max-size=")), (ErrorKind::TooLarge, true));
    }
}
