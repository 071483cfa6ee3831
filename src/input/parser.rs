//! Bytes → [`Entry`]s, without any I/O: aria2's input-file form, with the options that smolget has.
//!
//! ```text
//!             URL line                    line that is not indented, blank line, end
//!   no job ─────────────▶ job, or why not ──────────────────────────────────────────▶ entry
//!     │                     │       ▲
//!     │ option: entry       └───────┘ option: set it, or spoil the job; of what is spoiled already, nothing
//! ```
//!
//! It owns the one job that is still open. What a list holds can spoil a line or a job, never the rest of the list,
//! and never makes the parser keep more than one line and one job.

use super::lines::{BLANKS, Line, Lines, Role, continues_job, refusal};
use crate::error::{Error, ErrorKind};
use crate::header::Header;
use crate::job::{Checksum, Entry, Job, Rejected};
use crate::text;
use crate::url::UrlReader;

/// The most that the headers of one job may take: more than any server reads, and little enough to hold many of.
pub(super) const MAX_HEADERS: usize = 64 * 1024;

/// What a header counts beyond its text, so that many empty ones don't go free (as in RFC 9113, section 6.5.2).
const HEADER_OVERHEAD: usize = 32;

/// Reads a list that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Parser {
    lines: Lines,
    /// The job whose options may still come, or why there won't be one.
    open: Option<Result<Job, Rejected>>,
    urls: UrlReader,
}

impl Parser {
    /// The next entry, with what it took removed from the front of `input`; `None` once all of `input` is taken.
    ///
    /// A job is done when the first byte of the line after it says so: the rest of that line may be long in coming.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Entry> {
        while let Some(&first) = input.first() {
            if self.lines.at_start() && !continues_job(first) && self.open.is_some() {
                return self.close();
            }
            if self.lines.fill(input) {
                let entry = self.end_line();
                if entry.is_some() {
                    return entry;
                }
            }
        }
        None
    }

    /// The next entry after the end of the list; `None` once there are no more.
    pub fn finish(&mut self) -> Option<Entry> {
        if self.lines.at_start() {
            return self.close();
        }
        self.end_line().or_else(|| self.close())
    }

    /// The job whose options were still to come, when nobody wants to know them any more.
    pub fn abandon(&mut self) -> Option<Entry> {
        self.lines.advance();
        self.close()
    }

    /// What is left when the list could not be read on: options may be missing, so it can't be a job.
    pub fn break_off(&mut self) -> Option<Entry> {
        let error = Error::new(
            ErrorKind::Io,
            "the list broke off before this job's end, so it may lack options; it was not fetched",
        );
        let line = self.lines.current();
        let rejected = match (self.open.take(), line.role()) {
            (Some(Ok(job)), _) => Some(spoil(&job, job.line, error)),
            (Some(Err(rejected)), _) => Some(rejected),
            (None, Role::Blank | Role::Comment) => None,
            (None, Role::Option | Role::Url) => Some(line.reject_cut(error)),
        };
        self.lines.advance();
        rejected.map(Entry::Rejected)
    }

    fn close(&mut self) -> Option<Entry> {
        self.open.take().map(Entry::from)
    }

    /// Reads the current line, which is whole.
    fn end_line(&mut self) -> Option<Entry> {
        let entry = read_line(self.lines.current(), &mut self.open, &mut self.urls);
        self.lines.advance();
        entry
    }
}

fn read_line(line: Line<'_>, open: &mut Option<Result<Job, Rejected>>, urls: &mut UrlReader) -> Option<Entry> {
    match (line.role(), open.take()) {
        (Role::Blank, job) => return job.map(Entry::from),
        (Role::Comment, job) => *open = job,
        (Role::Url, _) => *open = Some(read_urls(line, urls)),
        (Role::Option, None) => return Some(Entry::Rejected(stray_option(&line))),
        (Role::Option, Some(job)) => *open = Some(job.and_then(|job| read_option(job, line))),
    }
    None
}

/// A line of URLs of the same file, separated by TABs. Those after the first are mirrors.
fn read_urls(line: Line<'_>, reader: &mut UrlReader) -> Result<Job, Rejected> {
    let text = line.text().map_err(|error| line.reject(error))?;
    let mut urls = text.split('\t').map(|field| field.trim_matches(' ')).filter(|field| !field.is_empty());
    let job = Job::read(urls.next().unwrap_or_default(), reader).map_err(|rejected| line.reject(rejected.error))?;
    let job = urls.fold(job, Job::mirror);
    Ok(Job { line: Some(line.number), ..job })
}

fn read_option(mut job: Job, line: Line<'_>) -> Result<Job, Rejected> {
    match set_option(&mut job, line) {
        Ok(()) => Ok(job),
        Err(error) => Err(spoil(&job, Some(line.number), error)),
    }
}

fn set_option(job: &mut Job, line: Line<'_>) -> Result<(), Error> {
    let option = line.text()?;
    let (key, value) = option.split_once('=').ok_or_else(|| unknown_option(option))?;
    let value = value.trim_matches(BLANKS);
    match key.trim_matches(BLANKS) {
        "out" => job.out = Some(value.to_owned()),
        "header" => add_header(job, Header::parse(value).map_err(refusal)?)?,
        "checksum" => job.checksum = Some(Checksum::parse(value).map_err(refusal)?),
        name => {
            let is_gate = set_gate(job, name, value).map_err(|why| refusal(format!("{name}=: {why}")))?;
            return if is_gate { Ok(()) } else { Err(unknown_option(key)) };
        }
    }
    Ok(())
}

/// Sets a gate; whether there is one of that name.
fn set_gate(job: &mut Job, name: &str, value: &str) -> Result<bool, String> {
    let mut gates = job.own_gates();
    let is_gate = gates.set(name, value)?;
    if is_gate {
        job.gates = Some(Box::new(gates));
    }
    Ok(is_gate)
}

fn add_header(job: &mut Job, header: Header) -> Result<(), Error> {
    job.headers.push(header);
    let size: usize = job.headers.iter().map(|h| h.name().len() + h.value().len() + HEADER_OVERHEAD).sum();
    if size > MAX_HEADERS {
        return Err(refusal(format!("the job's headers are over {} KiB; leave some out", MAX_HEADERS / 1024)));
    }
    Ok(())
}

/// A job that won't be fetched. Its URL is a usable one, so it is shown whole.
fn spoil(job: &Job, line: Option<u64>, error: Error) -> Rejected {
    Rejected { text: job.shown(), line, error }
}

fn unknown_option(key: &str) -> Error {
    let key = shown_option(key.trim_matches(BLANKS));
    let key = text::escape(&key);
    let options = "out=, header=, checksum=, min-size=, max-size=, min-ratio= and not-html=";
    refusal(format!("`{key}` is not an option; a job takes {options}, and a URL is not indented"))
}

/// An option that no job is above.
fn stray_option(line: &Line<'_>) -> Rejected {
    let message = "no job above this option; put it right below its URL, and indent no URL";
    let rejected = line.reject(refusal(message.to_owned()));
    Rejected { text: shown_option(&rejected.text), ..rejected }
}

/// What stands where an option should, as it may be shown: the value of an option that is none may be a secret, and where
/// `header=` was forgotten it is a header, with a value that may be one.
fn shown_option(text: &str) -> String {
    let option = text.trim_matches(BLANKS);
    let ours = ["out", "checksum", "min-size", "max-size", "min-ratio", "not-html"];
    let is_ours = |key: &str| ours.contains(&key.trim_matches(BLANKS));
    match (option.split_once(':'), option.split_once('=')) {
        (Some((name, value)), _) if !value.starts_with("//") && Header::parse(option).is_ok() => format!("{name}: ***"),
        (_, Some((key, _))) if is_option(key) && !is_ours(key) => format!("{key}=***"),
        _ => text::excerpt(text.as_bytes()),
    }
}

/// Whether this could be the key of an option of aria2's.
fn is_option(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_ \t".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::super::lines::MAX_LINE;
    use super::*;

    /// Everything that the pieces of a list give.
    fn entries(pieces: &[&[u8]]) -> Vec<Entry> {
        let mut parser = Parser::default();
        let mut entries = Vec::new();
        for mut piece in pieces.iter().copied() {
            entries.extend(std::iter::from_fn(|| parser.next(&mut piece)));
        }
        entries.extend(std::iter::from_fn(|| parser.finish()));
        entries
    }

    /// An entry in one line: `LINE URL +MIRROR out=NAME Name: value`, or `LINE! TEXT`.
    fn sketch(entry: &Entry) -> String {
        match entry {
            Entry::Job(job) => {
                let mut text = format!("{} {}", job.line.unwrap(), job.text);
                text.extend(job.mirrors.iter().map(|url| format!(" +{url}")));
                text.extend(job.out.iter().map(|out| format!(" out={out}")));
                text.extend(job.headers.iter().map(|h| format!(" {}: {}", h.name(), h.value())));
                text + if job.checksum.is_some() { " checksum" } else { "" }
            }
            Entry::Rejected(rejected) => {
                assert_eq!(rejected.error.kind(), ErrorKind::Url, "{rejected}");
                format!("{}! {}", rejected.line.unwrap(), rejected.text)
            }
        }
    }

    fn sketches(list: &[u8]) -> Vec<String> {
        entries(&[list]).iter().map(sketch).collect()
    }

    fn only_error(list: &[u8]) -> String {
        match entries(&[list]).as_slice() {
            [Entry::Rejected(rejected)] => rejected.error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// A list with a bit of everything.
    const MIXED: &[u8] = b"\xef\xbb\xbfhttp://h/1\thttp://m/1 \r\n\tout = a b \r\n# http://h/no\r\n header=X-A:\t1\n\
        http://h/2\n  \r\n  out=stray\nftp://h/3\n out=x\n\nhttp://h/\xff\nhttp://h/\xc3\xbc\n  dir=x\n out=x\n\
        http://h/\x07\nhttp://h/4";

    #[test]
    fn each_list_gives_its_entries() {
        let table: &[(&[u8], &[&str])] = &[
            (b"", &[]),
            (b"\n\r\n \t \n# x\n#", &[]),
            (b"\xef\xbb\xbf", &[]),
            (b"http://h/1", &["1 http://h/1"]),
            (b"http://h/1\r\n\r\nhttp://h/2\r\n", &["1 http://h/1", "3 http://h/2"]),
            (b"\xef\xbb\xbf# x\nhttp://h/", &["2 http://h/"]),
            (b"http://h/\n\xef\xbb\xbfhttp://h/", &["1 http://h/", "2! \u{feff}http://h/"]),
            (b"http://h/  \n", &["1 http://h/"]),
            (b"http://h/\t\t http://m/ \tftp://m/\t\n", &["1 http://h/ +http://m/"]),
            (b"http://h/\n out=a\n\tout= b c \n", &["1 http://h/ out=b c"]),
            (b"http://h/\n out=\n", &["1 http://h/ out="]),
            (b"http://h/\n out=a=b\n", &["1 http://h/ out=a=b"]),
            (b"http://h/\n header=A: 1\n header = A:\t2\n", &["1 http://h/ A: 1 A: 2"]),
            (b"http://h/\n# x\n out=a\n", &["1 http://h/ out=a"]),
            (b"http://h/\n\n out=a\n", &["1 http://h/", "3! out=a"]),
            (b"http://h/\n \t\r\n out=a\n", &["1 http://h/", "3! out=a"]),
            (b" out=a\n out=b\nhttp://h/\n", &["1! out=a", "2! out=b", "3 http://h/"]),
            (b"http://h/1\n  http://u:p@h/2\nhttp://h/3", &["2! http://h/1", "3 http://h/3"]),
            (b"http://u:p@h/\n Out=a\n out=b\n dir=c\nhttp://h/", &["2! http://u:***@h/", "5 http://h/"]),
            (b"http://h/\n header=Host\n", &["2! http://h/"]),
            (b"http://h/\n checksum=md5=00\n", &["2! http://h/"]),
            (b"http://h/\n out=\x1b\n", &["2! http://h/"]),
            (b"http://h/\n out=\xff\n", &["2! http://h/"]),
            (b"h/1\n out=a\n\n h/2\nhttp://h/3", &["1! h/1", "4! h/2", "5 http://h/3"]),
            (b"ftp://h/\thttp://m/\n", &["1! ftp://h/\thttp://m/"]),
            (b"http://h/\x00\nhttp://h/\rhttp://h/\n", &["1! http://h/\0", "2! http://h/\rhttp://h/"]),
            (b"http://u:p@h/\xff\n", &["1! http://u:***@h/\u{fffd}"]),
        ];
        for (list, expected) in table {
            assert_eq!(sketches(list), *expected, "{}", String::from_utf8_lossy(list));
        }
    }

    #[test]
    fn a_list_cut_anywhere_gives_the_same_entries() {
        let whole = format!("{:?}", entries(&[MIXED]));
        assert_eq!(entries(&[MIXED]).len(), 8);
        for at in 0..=MIXED.len() {
            let (start, end) = MIXED.split_at(at);
            assert_eq!(format!("{:?}", entries(&[start, end])), whole, "cut at {at}");
        }
        let bytes: Vec<_> = MIXED.chunks(1).collect();
        assert_eq!(format!("{:?}", entries(&bytes)), whole);
    }

    #[test]
    fn the_last_checksum_wins() {
        let list = format!("http://h/\n checksum=sha-256={}\n checksum=SHA-256={}", "00".repeat(32), "11".repeat(32));
        match entries(&[list.as_bytes()]).as_slice() {
            [Entry::Job(job)] => assert!(job.checksum.unwrap().matches(&[0x11; 32])),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_job_has_gates_of_its_own() {
        let list = "http://h/\n min-size = 1k\n min-ratio=0.5\n not-html=true\n max-size=1M\n max-size=2M\n";
        match entries(&[list.as_bytes()]).as_slice() {
            [Entry::Job(job)] => {
                let gates = job.own_gates();
                assert_eq!((gates.min_size, gates.max_size), (Some(1024), Some(2 << 20)));
                assert!(gates.min_ratio.is_some() && gates.pages.is_some());
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_job_is_done_when_the_next_line_begins_and_not_before() {
        for (rest, done) in [("", false), (" ", false), ("#", false), ("\n", true), ("\r", true), ("h", true)] {
            let list = format!("http://h/\n{rest}");
            let entry = Parser::default().next(&mut list.as_bytes());
            assert_eq!(entry.is_some(), done, "{rest:?}");
        }
    }

    #[test]
    fn a_line_may_be_sixteen_kibibytes_long_and_no_longer() {
        let line = format!("http://h/{}", "a".repeat(MAX_LINE - "http://h/".len()));
        for (start, end) in [("", ""), ("\u{feff}", "\r"), ("http://h/\n", "\r")] {
            let fits = format!("{start}{line}{end}\n");
            assert!(matches!(entries(&[fits.as_bytes()]).last(), Some(Entry::Job(_))));
            let too_long = format!("{start}{line}a{end}\nhttp://h/next");
            match entries(&[too_long.as_bytes()]).as_slice() {
                [.., Entry::Rejected(rejected), Entry::Job(next)] => {
                    assert_eq!(rejected.text, line[..200]);
                    assert!(rejected.error.to_string().contains("16 KiB"));
                    assert_eq!(next.line, rejected.line.map(|line| line + 1));
                }
                other => panic!("{other:?}"),
            }
        }
        let option = format!("http://h/\n out={}\n", "a".repeat(MAX_LINE));
        assert_eq!(sketches(option.as_bytes()), ["2! http://h/"]);
    }

    #[test]
    fn a_password_is_masked_even_where_the_line_was_cut_within_it() {
        let list = format!("http://u:{}@h/", "secret".repeat(MAX_LINE));
        assert_eq!(sketches(list.as_bytes()), ["1! http://u:***"]);
    }

    #[test]
    fn a_job_may_have_many_headers_but_not_endlessly_many() {
        let headers = |count| format!("http://h/\n{}", " header=a:\n".repeat(count));
        let most = MAX_HEADERS / (1 + HEADER_OVERHEAD);
        assert!(
            matches!(entries(&[headers(most).as_bytes()]).as_slice(), [Entry::Job(job)] if job.headers.len() == most)
        );
        assert_eq!(sketches(headers(most + 1).as_bytes()), [format!("{}! http://h/", most + 2)]);
    }

    #[test]
    fn a_spoiled_job_shows_its_whole_url() {
        let url = format!("http://h/{}", "a".repeat(300));
        assert_eq!(sketches(format!("{url}\n x=y\n").as_bytes()), [format!("2! {url}")]);
    }

    #[test]
    fn a_rejection_says_what_to_do() {
        for (list, way_out) in [
            (&b"h/"[..], "it has to start with http:// or https://"),
            (b"http://h/\xff", "convert the list, or percent-encode those bytes"),
            (b"http://h/\x08", "take it out or percent-encode it"),
            (b" out=x", "put it right below its URL"),
            (
                b"http://h/\n dir\xe2\x80\x8b=x",
                "`dir\\u{200b}` is not an option; a job takes out=, header=, checksum=, min-size=, max-size=, min-ratio= and not-html=,",
            ),
            (b"http://h/\n http://u:p@m/", "`http://u:***@m/` is not an option"),
            (b"http://h/\n header=x", "a header is written `Name: value`"),
            (b"http://h/\n checksum=x", "a checksum is written `sha-256=HEX`"),
            (b"http://h/\n min-size=1T", "min-size=: a size is written in bytes, such as 4096, 64k, 8M or 1G"),
            (b"http://h/\n min-ratio=50%", "min-ratio=: a ratio is a number from 0 to 1, such as 0.5"),
            (b"http://h/\n not-html=", "not-html=: it is written `not-html=true` or `not-html=false`"),
        ] {
            let error = only_error(list);
            assert!(error.contains(way_out), "{error}");
        }
    }

    #[test]
    fn what_a_broken_list_leaves_is_one_rejection() {
        for (list, left) in [
            ("http://h/1\n\n", None),
            ("http://h/1\n\n#", None),
            ("http://h/1\n\n ", None),
            ("http://h/1\n", Some((1, "http://h/1", ErrorKind::Io))),
            ("http://u:p@h/\n out=x\n out=", Some((1, "http://u:***@h/", ErrorKind::Io))),
            ("http://h/1\n x=y\n", Some((2, "http://h/1", ErrorKind::Url))),
            ("http://h/1\nhttp://h", Some((2, "http://h", ErrorKind::Io))),
            ("http://h/1\nhttp://u:secr", Some((2, "http://u:***", ErrorKind::Io))),
            ("http://h/1\thttp://u:secr", Some((1, "http://h/1\thttp://u:***", ErrorKind::Io))),
            ("u:secr", Some((1, "u:***", ErrorKind::Io))),
            ("http://h:80/u", Some((1, "http://h:80/u", ErrorKind::Io))),
        ] {
            let mut parser = Parser::default();
            let mut rest = list.as_bytes();
            while parser.next(&mut rest).is_some() {}
            match (parser.break_off(), left) {
                (None, None) => {}
                (Some(Entry::Rejected(rejected)), Some((line, text, kind))) => {
                    assert_eq!((rejected.text.as_str(), rejected.line), (text, Some(line)));
                    assert_eq!(rejected.error.kind(), kind, "{list:?}");
                }
                other => panic!("{list:?}: {other:?}"),
            }
            assert!(parser.break_off().is_none() && parser.finish().is_none());
        }
    }

    #[test]
    fn the_value_of_a_header_is_not_shown_however_the_header_is_written() {
        for line in [
            "header: A: secret",
            "A: secret",
            "A: Basic secret==",
            "Header=A: secret",
            "http:u:secret@h/",
            "http-passwd=secret",
            "rpc-key = secret",
            "password=secret",
        ] {
            for list in [format!(" {line}"), format!("http://h/\n {line}")] {
                match entries(&[list.as_bytes()]).as_slice() {
                    [Entry::Rejected(rejected)] => assert!(!format!("{rejected:?}").contains("secret"), "{rejected:?}"),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(sketches(b" http://h/a:b"), ["1! http://h/a:b"]);
    }
}
