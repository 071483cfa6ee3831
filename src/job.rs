//! What is to be fetched: a [`Job`] is one file, an [`Entry`] is a job or a line that can't be one.

use std::{fmt, mem};

use surf::Url;

use crate::error::{Error, ErrorKind};
use crate::gates::Gates;
use crate::grammar::{has_control, is_same_word};
use crate::header::Header;
use crate::input::BLANKS;
use crate::outcome;
use crate::text::{self, Shown};
use crate::url::{UrlReader, parse_url};

/// One file to fetch: its URL, mirrors to fall back on, and what is special about it.
#[derive(Clone)]
pub struct Job {
    pub(crate) url: Url,
    /// The URL as it was written: what a row shows (masked) and what the file's name is taken from.
    pub(crate) text: String,
    pub(crate) mirrors: Vec<Url>,
    pub(crate) out: Option<String>,
    pub(crate) headers: Vec<Header>,
    pub(crate) checksum: Option<Checksum>,
    /// Boxed, since few jobs have any and many wait.
    pub(crate) gates: Option<Box<Gates>>,
    pub(crate) line: Option<u64>,
}

impl Job {
    /// A job for `url`, named after the URL's path and without any options.
    ///
    /// # Errors
    ///
    /// The text as a [`Rejected`] job if it is not an absolute `http` or `https` URL or holds a control character.
    ///
    /// ```
    /// use smolget::Job;
    ///
    /// assert!(Job::new("https://example.org/list.txt").is_ok());
    /// assert!(Job::new("gopher://example.org/").is_err());
    /// ```
    pub fn new(url: impl Into<String>) -> Result<Self, Rejected> {
        let text = url.into();
        let parsed = parse_url(&text);
        Self::of(text, parsed)
    }

    /// As [`new`](Self::new), for one of a list.
    pub(crate) fn read(url: &str, urls: &mut UrlReader) -> Result<Self, Rejected> {
        Self::of(url.to_owned(), urls.read(url))
    }

    fn of(text: String, url: Result<Url, Error>) -> Result<Self, Rejected> {
        match url {
            Ok(url) => Ok(Self {
                url,
                text,
                mirrors: Vec::new(),
                out: None,
                headers: Vec::new(),
                checksum: None,
                gates: None,
                line: None,
            }),
            Err(error) => Err(Rejected::new(text.as_bytes(), None, error)),
        }
    }

    /// Adds a URL of the same file, tried when those before it have failed for good. One that can't be used is passed over.
    #[must_use]
    pub fn mirror(mut self, url: &str) -> Self {
        self.mirrors.extend(parse_url(url));
        self
    }

    /// Names the file, relative to the directory that is saved to; folders are allowed. Checked when the job starts.
    #[must_use]
    pub fn out(mut self, name: impl Into<String>) -> Self {
        self.out = Some(name.into());
        self
    }

    /// Adds a request header.
    #[must_use]
    pub fn header(mut self, header: Header) -> Self {
        self.headers.push(header);
        self
    }

    /// Fails the job unless the body has this digest.
    #[must_use]
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = Some(checksum);
        self
    }

    /// Fails the job unless the body is like this. What is left open here is as [`Builder::gates`](crate::Builder::gates) has it.
    #[must_use]
    pub fn gates(mut self, gates: Gates) -> Self {
        self.gates = Some(Box::new(gates));
        self
    }

    /// The URL as it was written, as a row shows it: its password masked.
    pub(crate) fn shown(&self) -> String {
        text::mask(&self.text).into_owned()
    }

    /// What its body has to be like where the job says so.
    pub(crate) fn own_gates(&self) -> Gates {
        self.gates.as_deref().copied().unwrap_or_default()
    }

    /// The job as it stands in a list, nothing masked; `None` if its name can't stand in one.
    pub(crate) fn in_list(&self) -> Option<outcome::Entry> {
        let mut text = self.text.trim_matches(' ').to_owned();
        for mirror in &self.mirrors {
            add(&mut text, &["\t", mirror.as_str()]);
        }
        text.push('\n');
        if let Some(out) = &self.out {
            if has_control(out) || out.trim_matches(BLANKS) != out {
                return None;
            }
            add(&mut text, &["  out=", out, "\n"]);
        }
        for header in &self.headers {
            add(&mut text, &["  header=", header.name(), ": ", header.value(), "\n"]);
        }
        if let Some(checksum) = &self.checksum {
            add(&mut text, &["  checksum=", &checksum.to_string(), "\n"]);
        }
        for (name, value) in self.own_gates().options() {
            add(&mut text, &["  ", name, "=", &value, "\n"]);
        }
        Some(outcome::Entry(text))
    }

    /// The URL, parsed.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }
}

fn add(text: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| text.push_str(part));
}

impl fmt::Debug for Job {
    /// As a row and the log show it: without passwords and the values of headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mirrors: Vec<_> = self.mirrors.iter().map(|url| Shown(url).to_string()).collect();
        f.debug_struct("Job")
            .field("url", &self.shown())
            .field("mirrors", &mirrors)
            .field("out", &self.out)
            .field("headers", &self.headers)
            .field("checksum", &self.checksum)
            .field("gates", &self.gates)
            .field("line", &self.line)
            .finish()
    }
}

/// The digest that a body has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// Reads `sha-256=HEX`: 64 hexadecimal digits, in either letter case.
    ///
    /// # Errors
    ///
    /// A message that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let hex = match text.split_once('=') {
            Some((algorithm, hex)) if is_same_word(algorithm, "sha-256") => hex.trim(),
            _ => return Err("a checksum is written `sha-256=HEX`; no other algorithm is known".to_owned()),
        };
        let mut digest = [0; 32];
        let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        match digits {
            Some(digits) if digits.len() == 2 * digest.len() => {
                for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
                    *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
                }
                Ok(Self(digest))
            }
            _ => Err("a SHA-256 digest has 64 hexadecimal digits".to_owned()),
        }
    }

    /// Whether `digest` is the one.
    #[must_use]
    pub fn matches(&self, digest: &[u8]) -> bool {
        self.0 == digest
    }
}

impl fmt::Display for Checksum {
    /// As it is [read](Checksum::parse).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha-256=")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One item of a list: a job, or what stands where a job should.
#[derive(Debug)]
pub enum Entry {
    /// A job to do.
    Job(Job),
    /// A line that can't be a job: its result is its error.
    Rejected(Rejected),
}

/// A line or URL that can't be used, and why.
#[derive(Debug)]
pub struct Rejected {
    pub(crate) text: String,
    pub(crate) line: Option<u64>,
    pub(crate) error: Error,
}

impl Rejected {
    /// What a row says of it: the text, cut and masked; the number of its line in the list.
    pub(crate) fn new(text: &[u8], line: Option<u64>, error: Error) -> Self {
        Self { text: text::excerpt(text), line, error }
    }

    /// What it is, for its outcome; no words are left here.
    pub(crate) fn take(&mut self) -> Self {
        let error = mem::replace(&mut self.error, Error::new(ErrorKind::Url, ""));
        Self { text: mem::take(&mut self.text), line: self.line, error }
    }

    /// Why it can't be used.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", text::escape(&self.text), self.error)
    }
}

impl std::error::Error for Rejected {}

impl From<Job> for Entry {
    fn from(job: Job) -> Self {
        Self::Job(job)
    }
}

impl From<Result<Job, Rejected>> for Entry {
    fn from(result: Result<Job, Rejected>) -> Self {
        result.map_or_else(Self::Rejected, Self::Job)
    }
}

impl From<String> for Entry {
    fn from(url: String) -> Self {
        Job::new(url).into()
    }
}

impl From<&str> for Entry {
    fn from(url: &str) -> Self {
        Job::new(url).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_holds_no_secret() {
        let header = Header::parse("X-Key: secret").unwrap();
        let job = Job::new("http://u:secret@h/").unwrap().mirror("http://v:secret@m/").header(header);
        let shown = format!("{job:?}");
        assert!(!shown.contains("secret"), "{shown}");
        assert!(["http://u:***@h/", "http://v:***@m/", "X-Key"].iter().all(|part| shown.contains(part)), "{shown}");
    }

    #[test]
    fn a_checksum_is_sixty_four_hexadecimal_digits() {
        let text = format!("sha-256={}", "aB".repeat(32));
        assert!(Checksum::parse(&text).unwrap().matches(&[0xab; 32]));
        for bad in ["sha-256=", "sha-1=aa", "aa", "sha-256=zz"] {
            assert!(Checksum::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_job_reads_from_a_list_as_it_was_written_there() {
        let list = format!(
            "http://u:p@h/\u{fc}?q#f\thttp://v:q@m/%20\n  out=a b/c=d\n  header=X-A: 1\t2\n  header=B:\u{20}\n  checksum=sha-256={}\n",
            "0a".repeat(32)
        );
        let read = |text: &str| crate::input::read_all(text.as_bytes());
        let entries = read(&list);
        let [Entry::Job(job)] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!(job.in_list().unwrap().0, list);
        assert!(!format!("{:?}", job.in_list()).contains("u:p"));
        assert_eq!(Job::new("http://h/ ").unwrap().in_list().unwrap().0, "http://h/\n");
    }

    #[test]
    fn a_name_that_would_be_another_in_a_list_is_not_written_to_one() {
        for name in ["a\nhttp://h/b", " a", "a\t", "a\r"] {
            assert!(Job::new("http://h/").unwrap().out(name).in_list().is_none(), "{name:?}");
        }
    }

    #[test]
    fn a_mirror_that_cannot_be_used_is_passed_over() {
        let job = Job::new("http://h/").unwrap().mirror("ftp://m/").mirror("http://m/");
        assert_eq!(job.mirrors.len(), 1);
    }
}
