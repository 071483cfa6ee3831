//! An outcome → a result row (one line of JSON), or the line that names a failure on standard error.
//!
//! The one place that knows the rows' form. It writes nothing anywhere.

use std::fmt::Write as _;

use smolget::text::{escape, is_unsafe};
use smolget::{Error, ErrorKind, Kept, Outcome};

/// What a row says of a job.
pub struct Row {
    pub url: String,
    pub line: Option<u64>,
    pub final_url: Option<String>,
    pub status: Option<u16>,
    pub millis: u64,
    pub attempts: u32,
    pub redirects: u32,
    pub end: End,
    /// The job as it would stand in a list, if it is to be told there: no part of the row itself, since nothing in it is masked.
    pub entry: Option<String>,
}

/// How the job ended.
#[derive(Debug)]
pub enum End {
    Kept {
        bytes: u64,
        file: Option<String>,
        written: Option<u64>,
    },
    /// The file that was there is the one that the server has.
    Unchanged {
        bytes: u64,
        file: String,
    },
    Skipped {
        file: String,
    },
    Failed {
        error: &'static str,
        phase: Option<&'static str>,
        message: String,
        hop: Option<String>,
    },
}

impl From<&Outcome> for Row {
    fn from(outcome: &Outcome) -> Self {
        Self {
            url: outcome.url().to_owned(),
            line: outcome.line(),
            final_url: outcome.final_url().map(str::to_owned),
            status: outcome.status(),
            millis: millis(outcome),
            attempts: outcome.attempts(),
            redirects: outcome.redirects(),
            end: End::of(outcome),
            entry: outcome.entry().map(str::to_owned),
        }
    }
}

/// How long a job took.
pub fn millis(outcome: &Outcome) -> u64 {
    u64::try_from(outcome.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl End {
    /// How a job ended.
    pub fn of(outcome: &Outcome) -> Self {
        let file = outcome.file().map(|file| file.to_string_lossy().into_owned());
        match outcome.result() {
            Ok(Kept::Skipped { .. }) => Self::Skipped { file: file.unwrap_or_default() },
            Ok(Kept::Unchanged { bytes, .. }) => Self::Unchanged { bytes: *bytes, file: file.unwrap_or_default() },
            Ok(_) => Self::Kept { bytes: outcome.bytes(), file, written: outcome.written() },
            Err(error) => Self::failed(error, outcome.url()),
        }
    }

    fn failed(error: &Error, url: &str) -> Self {
        Self::Failed {
            error: error.kind().name(),
            phase: error.phase().map(|phase| phase.name()),
            message: error.to_string(),
            hop: error.url().filter(|hop| *hop != url).map(str::to_owned),
        }
    }
}

impl Row {
    /// Turns the row into that of a job whose body came but could not be written.
    pub fn fail_to_write(&mut self, message: String) {
        self.end = End::Failed { error: ErrorKind::Io.name(), phase: None, message, hop: None };
    }

    /// Appends the row to `out`, as one line of JSON.
    pub fn encode(&self, out: &mut String) {
        let status = || self.status.map(u64::from);
        out.push_str("{\"url\":");
        quote(out, &self.url);
        match &self.end {
            End::Kept { bytes, file, written } => {
                out.push_str(",\"ok\":true");
                number(out, "status", status());
                number(out, "bytes", Some(*bytes));
                text(out, "file", file.as_deref());
                number(out, "written", *written);
            }
            End::Unchanged { bytes, file } => {
                out.push_str(",\"ok\":true");
                number(out, "status", status());
                number(out, "bytes", Some(*bytes));
                text(out, "file", Some(file));
                out.push_str(",\"unchanged\":true");
                number(out, "written", Some(0));
            }
            End::Skipped { file } => {
                out.push_str(",\"ok\":true,\"skipped\":true");
                text(out, "file", Some(file));
            }
            End::Failed { error, phase, message, .. } => {
                out.push_str(",\"ok\":false");
                number(out, "status", status());
                text(out, "error", Some(error));
                text(out, "phase", *phase);
                text(out, "message", Some(message));
            }
        }
        text(out, "final_url", self.final_url.as_deref());
        number(out, "ms", Some(self.millis));
        number(out, "attempts", Some(self.attempts.into()));
        number(out, "redirects", Some(self.redirects.into()));
        number(out, "line", self.line);
        out.push_str("}\n");
    }

    /// The line that names the job on standard error, if it failed: `smolget: URL: MESSAGE (at HOP, line N)`.
    pub fn failure(&self) -> Option<String> {
        let End::Failed { message, hop, .. } = &self.end else { return None };
        let place = match (hop, self.line) {
            (Some(hop), Some(line)) => format!(" (at {}, line {line})", escape(hop)),
            (Some(hop), None) => format!(" (at {})", escape(hop)),
            (None, Some(line)) => format!(" (line {line})"),
            (None, None) => String::new(),
        };
        Some(format!("smolget: {}: {}{place}\n", escape(&self.url), escape(message)))
    }
}

fn number(out: &mut String, key: &str, value: Option<u64>) {
    if let Some(value) = value {
        // Writing to a String can't fail.
        let _ = write!(out, ",\"{key}\":{value}");
    }
}

fn text(out: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        let _ = write!(out, ",\"{key}\":");
        quote(out, value);
    }
}

/// Appends a JSON string (RFC 8259, section 7), with all that could steer a terminal escaped too.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
            continue;
        }
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A row of a job that did well, to be changed to what a test needs.
    pub fn kept(url: &str) -> Row {
        Row {
            url: url.to_owned(),
            line: None,
            final_url: None,
            status: Some(200),
            millis: 12,
            attempts: 1,
            redirects: 0,
            end: End::Kept { bytes: 1024, file: None, written: None },
            entry: None,
        }
    }

    /// How a job ends that waits in vain.
    pub fn timeout() -> End {
        End::Failed { error: "timeout", phase: Some("connect"), message: "no answer".to_owned(), hop: None }
    }

    fn encoded(row: &Row) -> String {
        let mut out = String::new();
        row.encode(&mut out);
        out
    }

    #[test]
    fn a_kept_job_has_status_bytes_and_file() {
        let end = End::Kept { bytes: 1024, file: Some("out/a".to_owned()), written: None };
        assert_eq!(
            encoded(&Row { line: Some(1), end, ..kept("http://h/a") }),
            "{\"url\":\"http://h/a\",\"ok\":true,\"status\":200,\"bytes\":1024,\"file\":\"out/a\",\"ms\":12,\
             \"attempts\":1,\"redirects\":0,\"line\":1}\n"
        );
        assert_eq!(
            encoded(&Row { redirects: 2, final_url: Some("http://i/".to_owned()), ..kept("http://h/") }),
            "{\"url\":\"http://h/\",\"ok\":true,\"status\":200,\"bytes\":1024,\"final_url\":\"http://i/\",\"ms\":12,\
             \"attempts\":1,\"redirects\":2}\n"
        );
    }

    #[test]
    fn a_failed_job_has_an_error_and_no_bytes() {
        let row =
            Row { status: None, line: Some(2), millis: 10_003, attempts: 4, end: timeout(), ..kept("http://h/b") };
        assert_eq!(
            encoded(&row),
            "{\"url\":\"http://h/b\",\"ok\":false,\"error\":\"timeout\",\"phase\":\"connect\",\"message\":\"no answer\",\
             \"ms\":10003,\"attempts\":4,\"redirects\":0,\"line\":2}\n"
        );
        let end = End::Failed { error: "status", phase: None, message: "gone".to_owned(), hop: None };
        assert_eq!(
            encoded(&Row { status: Some(410), end, ..kept("http://h/") }),
            "{\"url\":\"http://h/\",\"ok\":false,\"status\":410,\"error\":\"status\",\"message\":\"gone\",\"ms\":12,\
             \"attempts\":1,\"redirects\":0}\n"
        );
    }

    #[test]
    fn a_skipped_job_has_a_file_and_neither_status_nor_bytes() {
        let end = End::Skipped { file: "./a".to_owned() };
        assert_eq!(
            encoded(&Row { attempts: 0, millis: 0, end, ..kept("http://h/a") }),
            "{\"url\":\"http://h/a\",\"ok\":true,\"skipped\":true,\"file\":\"./a\",\"ms\":0,\"attempts\":0,\
             \"redirects\":0}\n"
        );
    }

    #[test]
    fn a_compared_job_says_what_went_to_the_disk() {
        let end = End::Kept { bytes: 7, file: Some("./a".to_owned()), written: Some(7) };
        assert!(encoded(&Row { end, ..kept("u") }).contains(",\"bytes\":7,\"file\":\"./a\",\"written\":7,\"ms\":"));
        let end = End::Unchanged { bytes: 7, file: "./a".to_owned() };
        assert_eq!(
            encoded(&Row { status: Some(304), end, ..kept("http://h/a") }),
            "{\"url\":\"http://h/a\",\"ok\":true,\"status\":304,\"bytes\":7,\"file\":\"./a\",\"unchanged\":true,\
             \"written\":0,\"ms\":12,\"attempts\":1,\"redirects\":0}\n"
        );
    }

    #[test]
    fn text_from_outside_neither_ends_its_string_nor_steers_a_terminal() {
        for (text, quoted) in [
            ("plain/päth 🦀", "\"plain/päth 🦀\""),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("\n\t\0\u{1b}[2J\u{7f}\u{9b}", "\"\\u000a\\u0009\\u0000\\u001b[2J\\u007f\\u009b\""),
            ("\u{2028}\u{202e}\u{feff}", "\"\\u2028\\u202e\\ufeff\""),
        ] {
            let mut out = String::new();
            quote(&mut out, text);
            assert_eq!(out, quoted);
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn a_failure_is_named_on_one_line_with_its_place() {
        let failure = |hop: Option<&str>, line, url: &str| {
            let hop = hop.map(str::to_owned);
            let end = End::Failed { error: "dns", phase: None, message: "no address\n".to_owned(), hop };
            Row { line, end, ..kept(url) }.failure().unwrap()
        };
        assert_eq!(failure(None, None, "http://h/"), "smolget: http://h/: no address\\u{a}\n");
        assert_eq!(failure(None, Some(7), "a\u{1b}"), "smolget: a\\u{1b}: no address\\u{a} (line 7)\n");
        assert_eq!(failure(Some("http://i/"), None, "h"), "smolget: h: no address\\u{a} (at http://i/)\n");
        assert_eq!(failure(Some("http://i/"), Some(7), "h"), "smolget: h: no address\\u{a} (at http://i/, line 7)\n");
        assert!(kept("http://h/").failure().is_none());
    }

    #[test]
    fn a_body_that_could_not_be_written_makes_a_failed_row() {
        let mut row = kept("http://h/");
        row.fail_to_write("standard output: full".to_owned());
        assert!(
            encoded(&row)
                .contains("\"ok\":false,\"status\":200,\"error\":\"io\",\"message\":\"standard output: full\"")
        );
    }
}
