//! A job → the file that it is to become, what is there under its name, and what to ask the server about that.
//!
//! ```text
//!  nothing there, or another file than was noted ─▶ no question
//!  noted for another request: URL, fields ────────▶ no question        at each hop of a redirect anew
//!  the same request ─▶ If-None-Match, else If-Modified-Since ─▶ 304: left as it is    200: compared
//!  a part of the same request's answer ─▶ Range, If-Range ─▶ 206: joined    200: from the start    416: it may be all
//! ```
//!
//! A validator goes to nobody but whom it came from, with the fields that it came for: a server may take what another
//! has made up for its own, and a date says nothing of two languages or two users.

use std::sync::Arc;

use surf::Url;
use surf::http::url::Position;

use super::attempt::Answer;
use super::leash::Leash;
use super::run::Run;
use super::validators;
use crate::config::{Config, USER_AGENT};
use crate::error::Error;
use crate::grammar::is_same_word;
use crate::job::Job;
use crate::output::{Comparison, Folder, Known, Name, Note, Origin, Rest, Saving, Sink, Source};
use crate::transport::{Fields, Head};

/// Header fields by which a user asks a question of their own. It is then not for us to ask another.
const QUESTIONS: [&str; 6] =
    ["if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range"];

/// The file that a job is to become.
#[derive(Debug)]
pub(super) struct Target<'n> {
    pub name: &'n Name,
    /// What is there, if it matters.
    pub known: Option<Arc<Known>>,
}

/// What one request is to what is there.
#[derive(Debug)]
pub(super) struct Inquiry {
    source: Source,
    asks: Asks,
    /// All fields, where it asks for more or less than the whole.
    fields: Option<Fields>,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Whole,
    /// The whole, if it is another than is there.
    Changed,
    /// What comes after the part that is there.
    Rest,
    /// What the user says. Nothing is to be made of the answer.
    Own,
}

impl<'n> Target<'n> {
    /// Looks at what is there as far as it matters to the job.
    pub async fn new(run: &Run, job: &Job, name: &'n Name, leash: &mut Leash, folder: &Folder) -> Result<Self, Error> {
        let matters = run.config.syncs() || job.own_gates().or(run.config.gates).min_ratio.is_some();
        let known = if matters { leash.hold(folder.known(name)).await?? } else { None };
        Ok(Self { name, known })
    }

    /// The length of the file that is there.
    pub fn previous(&self) -> Option<u64> {
        self.known.as_ref().map(|known| known.length)
    }

    /// The ETag of what is there.
    pub fn asked_about(&self) -> Option<&str> {
        self.known.as_ref()?.record.as_ref()?.note.validators.etag.as_deref()
    }

    /// What a request is to this, and to a part of it that is there; `None` if that matters to nobody. Whether there is another
    /// version is asked only if it may be.
    pub fn inquire(
        &self,
        config: &Config,
        job: &Job,
        url: &Url,
        fields: &Fields,
        rest: Option<&Rest>,
        may_ask: bool,
    ) -> Result<Option<Inquiry>, Error> {
        if !config.syncs() && !config.goes_on() {
            return Ok(None);
        }
        let source = source(url, fields);
        let asks_already =
            config.headers.iter().chain(&job.headers).any(|header| QUESTIONS.iter().any(|name| header.is(name)));
        if asks_already {
            return Ok(Some(Inquiry { source, asks: Asks::Own, fields: None }));
        }
        if let Some(rest) = rest.filter(|rest| rest.origin.source == source) {
            let fields = fields.with("Range", &format!("bytes={}-", rest.length))?;
            let fields = fields.with("If-Range", &rest.origin.validator)?;
            return Ok(Some(Inquiry { source, asks: Asks::Rest, fields: Some(fields) }));
        }
        let record = self.known.as_ref().filter(|_| may_ask).and_then(|known| known.record.as_ref());
        let record = record.filter(|record| {
            record.note.source == source && job.checksum.is_none_or(|expected| expected.matches(&record.digest))
        });
        let question = record.and_then(|record| {
            let validators = &record.note.validators;
            let dated = validators.last_modified.as_deref().map(|date| ("If-Modified-Since", date));
            validators.etag.as_deref().map(|etag| ("If-None-Match", etag)).or(dated)
        });
        let fields = question.map(|(name, value)| fields.with(name, value)).transpose()?;
        let asks = if fields.is_some() { Asks::Changed } else { Asks::Whole };
        Ok(Some(Inquiry { source, asks, fields }))
    }

    /// Where the body of a response goes, behind the part that is there if there is one.
    pub fn sink(
        &self,
        run: &Run,
        folder: &Folder,
        answer: &Answer<'_>,
        length: Option<u64>,
        rest: Option<Rest>,
    ) -> Sink {
        let (Some(inquiry), head) = (answer.inquiry, answer.head) else {
            return Sink::save(folder, self.name.clone(), Saving::default());
        };
        let date = head.value("date");
        let validators = match &rest {
            // It is of the same version, whether the answer says so or is silent, as one with status 416.
            Some(rest) => Some(rest.origin.validators()),
            None => validators::of(head.values("etag"), head.values("last-modified"), date),
        };
        let can_go_on = run.config.goes_on() && inquiry.asks != Asks::Own && !is_coded(head);
        let strong = validators.as_ref().filter(|_| can_go_on && rest.is_none());
        let validator = strong.and_then(|validators| validators::strong(validators, date));
        let origin = validator.map(|validator| Origin { source: inquiry.source, validator, total: length });
        let comparison = run.config.syncs().then(|| {
            let note = validators.map(|validators| Note { source: inquiry.source, validators });
            Comparison { known: self.known.clone(), note, length }
        });
        Sink::save(folder, self.name.clone(), Saving { comparison, origin, rest })
    }
}

impl Inquiry {
    /// All fields of the request, where they are not the usual ones.
    pub fn fields(&self) -> Option<&Fields> {
        self.fields.as_ref()
    }

    /// Whether it asks only for what has changed.
    pub fn asks_for_changes(&self) -> bool {
        self.asks == Asks::Changed
    }

    /// Whether the user asks a question, and we don't.
    pub fn is_the_users(&self) -> bool {
        self.asks == Asks::Own
    }

    /// Whether it asks for what comes after a part.
    pub fn asks_for_rest(&self) -> bool {
        self.asks == Asks::Rest
    }
}

/// Whether a body is in a content coding: its bytes are not those of the file then.
pub(super) fn is_coded(head: &Head) -> bool {
    head.values("content-encoding").any(|coding| !is_same_word(coding, "identity"))
}

/// What decides what is in a response: the URL, user and password included, and the fields, but for the name of this
/// program, which changes with each release.
fn source(url: &Url, fields: &Fields) -> Source {
    let usual = format!("User-Agent: {USER_AGENT}\r\n");
    let fields = fields.as_bytes();
    Source::of(&[url[..Position::AfterQuery].as_bytes(), fields.strip_prefix(usual.as_bytes()).unwrap_or(fields)])
}
