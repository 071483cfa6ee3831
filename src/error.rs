//! The one error of the crate: what kind, in which phase, where, and why.
//!
//! A failed job carries an [`Error`]; so does a [`Fetcher`](crate::Fetcher) that can't be built. The message says
//! what happened and, where there is a way out, what to do. Text from outside is escaped and passwords are masked
//! before they reach it, so an error can be printed as it is.

use std::error::Error as StdError;
use std::fmt;

/// What went wrong, in the words that a result row uses.
///
/// The kinds are the whole vocabulary of the `error` field of a row; [`name`](ErrorKind::name) is that word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The job's line or URL can't be used.
    Url,
    /// There is no address for the host.
    Dns,
    /// No TCP connection: refused, unreachable, or reset before use.
    Connect,
    /// The TLS handshake or the certificate failed.
    Tls,
    /// The certificate is not valid yet, and this machine's clock looks wrong.
    Clock,
    /// A time limit passed; the phase says of what.
    Timeout(Phase),
    /// The response is not HTTP as RFC 9112 has it.
    Protocol,
    /// The response ended before its body did.
    Truncated,
    /// The status was 400 or above.
    Status,
    /// Too many redirects, or one that must not be followed.
    Redirect,
    /// The body is longer than it may be.
    TooLarge,
    /// The body is not in the coding that it says.
    Encoding,
    /// The body's digest is not the one that the job names.
    Checksum,
    /// The body is not like those that may be kept: too short, or a page.
    Rejected,
    /// Reading the list or writing the file failed.
    Io,
    /// The run was stopped before the job was done.
    Interrupted,
}

impl ErrorKind {
    /// The word for this kind in a result row: `"too_large"`, `"dns"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Clock => "clock",
            Self::Timeout(_) => "timeout",
            Self::Protocol => "protocol",
            Self::Truncated => "truncated",
            Self::Status => "status",
            Self::Redirect => "redirect",
            Self::TooLarge => "too_large",
            Self::Encoding => "encoding",
            Self::Checksum => "checksum",
            Self::Rejected => "rejected",
            Self::Io => "io",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What was under way when a time limit passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Looking the host's name up.
    Dns,
    /// Making the TCP connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Waiting for the response head.
    Head,
    /// Reading the response body.
    Body,
    /// The whole attempt.
    Total,
    /// The whole run.
    Deadline,
}

impl Phase {
    /// The word for this phase in a result row: `"connect"`, `"body"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Head => "head",
            Self::Body => "body",
            Self::Total => "total",
            Self::Deadline => "deadline",
        }
    }
}

/// Why a job failed, or why a [`Fetcher`](crate::Fetcher) could not be built.
#[derive(Debug)]
pub struct Error {
    // Boxed: every `Result` on the way of a URL would else be as large as this.
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    url: Option<String>,
    recovery: Recovery,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Whether the same attempt may go better later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// As the kind has it (a timeout may pass, a bad certificate does not).
    ByKind,
    /// Not, although the kind often does: a name that does not exist.
    Hopeless,
}

impl Error {
    /// An error of `kind` with a message: lower case, no full stop, outside text escaped already.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let inner = Inner { kind, message: message.into(), url: None, recovery: Recovery::ByKind, source: None };
        Self { inner: Box::new(inner) }
    }

    /// An error of kind [`Io`](ErrorKind::Io): what was tried, and what the system said.
    pub(crate) fn io(what: impl fmt::Display, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("{what}: {source}")).with_source(source)
    }

    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.inner.source = Some(Box::new(source));
        self
    }

    /// Names the URL that was being fetched, passwords masked, unless one is named already.
    pub(crate) fn at(mut self, url: impl fmt::Display) -> Self {
        self.inner.url.get_or_insert_with(|| url.to_string());
        self
    }

    /// Says first where on the way it happened.
    pub(crate) fn behind(mut self, what: impl fmt::Display) -> Self {
        self.inner.message = format!("{what}: {}", self.inner.message);
        self
    }

    pub(crate) fn hopeless(mut self) -> Self {
        self.inner.recovery = Recovery::Hopeless;
        self
    }

    pub(crate) fn recovery(&self) -> Recovery {
        self.inner.recovery
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// What was under way when a time limit passed; `None` unless this [is a timeout](Error::is_timeout).
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        match self.inner.kind {
            ErrorKind::Timeout(phase) => Some(phase),
            _ => None,
        }
    }

    /// The URL of the hop or mirror that failed, any password in it replaced by `***`; `None` where no attempt
    /// failed: a line, a name, or the wait before another attempt did.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.inner.url.as_deref()
    }

    /// Whether a time limit passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.phase().is_some()
    }

    /// Whether the run was stopped before the job was done.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.inner.kind == ErrorKind::Interrupted
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.inner.source.as_deref()?;
        Some(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_knows_its_phase_and_nothing_else_has_one() {
        let timeout = Error::new(ErrorKind::Timeout(Phase::Tls), "no answer");
        assert_eq!(timeout.phase(), Some(Phase::Tls));
        assert!(timeout.is_timeout());
        assert_eq!(Error::new(ErrorKind::Io, "x").phase(), None);
    }

    #[test]
    fn the_url_that_failed_first_is_kept() {
        let error = Error::new(ErrorKind::Connect, "refused").at("http://hop/").at("http://job/");
        assert_eq!(error.url(), Some("http://hop/"));
    }
}
