//! A job → the file that it is to become, what is there under its name, and what to ask the server about that.
//!
//! ```text
//!  nothing there, or another file than was noted ─▶ no question
//!  noted for another request: URL, fields ────────▶ no question        at each hop of a redirect anew
//!  the same request ─▶ If-None-Match, else If-Modified-Since ─▶ 304: left as it is    200: compared
//! ```
//!
//! A validator goes to nobody but whom it came from, with the fields that it came for: a server may take what another
//! has made up for its own, and a date says nothing of two languages or two users.

use std::sync::Arc;

use surf::Url;
use surf::http::url::Position;

use super::leash::Leash;
use super::run::Run;
use super::validators;
use crate::config::{Config, USER_AGENT};
use crate::error::Error;
use crate::job::Job;
use crate::output::{Comparison, Folder, Known, Name, Note, Sink, Source};
use crate::transport::{Fields, Head};

/// Header fields by which a user asks a question of their own. It is then not for us to ask another.
const QUESTIONS: [&str; 6] =
    ["if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range"];

/// The file that a job is to become.
#[derive(Debug)]
pub(super) struct Target {
    pub name: Name,
    /// What is there, if it matters.
    pub known: Option<Arc<Known>>,
}

/// What one request of a run that compares is.
#[derive(Debug)]
pub(super) struct Inquiry {
    source: Source,
    /// All fields, with the question, if there is one.
    question: Option<Fields>,
}

impl Target {
    /// Looks at what is there as far as it matters to the job.
    pub async fn new(run: &Run, job: &Job, name: Name, leash: &mut Leash, folder: &Folder) -> Result<Self, Error> {
        let matters = run.config.syncs() || job.own_gates().or(run.config.gates).min_ratio.is_some();
        let known = if matters { leash.hold(folder.known(&name)).await?? } else { None };
        Ok(Self { name, known })
    }

    /// The length of the file that is there.
    pub fn previous(&self) -> Option<u64> {
        self.known.as_ref().map(|known| known.length)
    }

    /// What a request is to this; `None` if the run does not compare.
    pub fn inquire(&self, config: &Config, job: &Job, url: &Url, fields: &Fields) -> Result<Option<Inquiry>, Error> {
        if !config.syncs() {
            return Ok(None);
        }
        let source = source(url, fields);
        let record = self.known.as_ref().and_then(|known| known.record.as_ref());
        let asks_already =
            || config.headers.iter().chain(&job.headers).any(|header| QUESTIONS.iter().any(|name| header.is(name)));
        let record = record.filter(|record| {
            record.note.source == source
                && job.checksum.is_none_or(|expected| expected.matches(&record.digest))
                && !asks_already()
        });
        let question = record.map(|record| {
            let validators = &record.note.validators;
            let dated = validators.last_modified.as_deref().map(|date| ("If-Modified-Since", date));
            validators.etag.as_deref().map(|etag| ("If-None-Match", etag)).or(dated)
        });
        let question = question.flatten().map(|(name, value)| fields.with(name, value)).transpose()?;
        Ok(Some(Inquiry { source, question }))
    }

    /// Where the body of a response goes.
    pub fn sink(&self, folder: &Folder, inquiry: Option<&Inquiry>, head: &Head, length: Option<u64>) -> Sink {
        let comparison = inquiry.map(|inquiry| {
            let validators = validators::of(head.values("etag"), head.values("last-modified"), head.value("date"));
            let note = validators.map(|validators| Note { source: inquiry.source, validators });
            Comparison { known: self.known.clone(), note, length }
        });
        Sink::save(folder, self.name.clone(), comparison)
    }
}

impl Inquiry {
    /// All fields of the request, if there is a question among them.
    pub fn question(&self) -> Option<&Fields> {
        self.question.as_ref()
    }
}

/// What decides what is in a response: the URL, user and password included, and the fields, but for the name of this
/// program, which changes with each release.
fn source(url: &Url, fields: &Fields) -> Source {
    let usual = format!("User-Agent: {USER_AGENT}\r\n");
    let fields = fields.as_bytes();
    Source::of(&[url[..Position::AfterQuery].as_bytes(), fields.strip_prefix(usual.as_bytes()).unwrap_or(fields)])
}
