//! What became of a job: an [`Outcome`], exactly one for each.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::job::{Job, Rejected};

/// What became of one job.
#[derive(Debug)]
pub struct Outcome {
    pub(crate) url: String,
    pub(crate) line: Option<u64>,
    pub(crate) final_url: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) elapsed: Duration,
    pub(crate) attempts: u32,
    pub(crate) redirects: u32,
    /// Whether the run compares files with what servers have.
    pub(crate) is_synced: bool,
    pub(crate) result: Result<Kept, Error>,
    pub(crate) entry: Option<Entry>,
}

/// A job in the form of a list. It may hold secrets, so it is shown to nobody by accident.
#[derive(Clone)]
pub(crate) struct Entry(pub String);

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({} bytes)", self.0.len())
    }
}

/// How a job ended that did not fail.
#[derive(Debug)]
pub enum Kept {
    /// The body was read to its end and counted; nothing was kept of it.
    Counted {
        /// The body's length.
        bytes: u64,
    },
    /// The body is in a file.
    Saved {
        /// The file: the directory as it was given, and the name.
        file: PathBuf,
        /// The file's length.
        bytes: u64,
    },
    /// The body is here.
    Held(Body),
    /// The file was there already, and the server has no other: it says so, or has sent the same bytes. Nothing was written.
    Unchanged {
        /// The file: the directory as it was given, and the name.
        file: PathBuf,
        /// The file's length.
        bytes: u64,
    },
    /// The file was there already and nothing was fetched.
    Skipped {
        /// The file: the directory as it was given, and the name.
        file: PathBuf,
    },
}

impl Outcome {
    /// Of a job that failed before anything was sent for it.
    pub(crate) fn failed(job: &Job, error: Error) -> Self {
        Self::rejected(Rejected { text: job.shown(), line: job.line, error })
    }

    /// Of a job that was read, but not begun when the run was stopped.
    pub(crate) fn not_begun(job: &Job) -> Self {
        Self::failed(job, Error::new(ErrorKind::Interrupted, "the run was stopped before this was begun"))
    }

    /// Of a line that is no job.
    pub(crate) fn rejected(rejected: Rejected) -> Self {
        let Rejected { text, line, error } = rejected;
        Self {
            url: text,
            line,
            final_url: None,
            status: None,
            elapsed: Duration::ZERO,
            attempts: 0,
            redirects: 0,
            is_synced: false,
            result: Err(error),
            entry: None,
        }
    }

    /// The job as it would stand in a list, options and line ends included, nothing masked: whoever writes it to a file should
    /// let nobody else read that. `None` unless it was [asked for](crate::Builder::tell_entries), for what was no job, and for a
    /// job that no list can hold.
    #[must_use]
    pub fn entry(&self) -> Option<&str> {
        self.entry.as_ref().map(|entry| entry.0.as_str())
    }

    /// The job's first URL as it was written, any password in it replaced by `***`. For what was no usable URL: the
    /// text, bytes that aren't UTF-8 replaced, cut at 200 characters.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The number of the job's line in its list, counted from 1; `None` where it came from no list.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        self.line
    }

    /// The URL that was asked last, if redirects or mirrors led away from the first; masked as [`url`](Self::url) is.
    #[must_use]
    pub fn final_url(&self) -> Option<&str> {
        self.final_url.as_deref()
    }

    /// The status of the final response, as the number that the server sent; `None` if no head was read.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// From the job's start to its end, waits between attempts included.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How many attempts were made, over all mirrors; 0 where nothing was sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How many redirects the last attempt followed.
    #[must_use]
    pub fn redirects(&self) -> u32 {
        self.redirects
    }

    /// How it ended.
    ///
    /// # Errors
    ///
    /// Why the job failed.
    pub fn result(&self) -> Result<&Kept, &Error> {
        self.result.as_ref()
    }

    /// How it ended, for keeps.
    ///
    /// # Errors
    ///
    /// Why the job failed.
    pub fn into_result(self) -> Result<Kept, Error> {
        self.result
    }

    /// Whether the job did not fail; a skipped job did not.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.result.is_ok()
    }

    /// The length of the body as it was kept or counted; 0 where there was none.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match &self.result {
            Ok(Kept::Counted { bytes } | Kept::Saved { bytes, .. } | Kept::Unchanged { bytes, .. }) => *bytes,
            Ok(Kept::Held(body)) => body.len(),
            Ok(Kept::Skipped { .. }) | Err(_) => 0,
        }
    }

    /// How many bytes of the body went to the disk, in a run that compares ([`Existing::Sync`](crate::Existing::Sync)); `None`
    /// in others, and where there is no file.
    #[must_use]
    pub fn written(&self) -> Option<u64> {
        match &self.result {
            Ok(Kept::Saved { bytes, .. }) if self.is_synced => Some(*bytes),
            Ok(Kept::Unchanged { .. }) => Some(0),
            _ => None,
        }
    }

    /// The file that was left, or found already there.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.result {
            Ok(Kept::Saved { file, .. } | Kept::Unchanged { file, .. } | Kept::Skipped { file }) => Some(file),
            _ => None,
        }
    }
}

/// A whole response body: in memory while it is small, in an unnamed temporary file when it is not.
#[derive(Debug)]
pub struct Body {
    pub(crate) start: Vec<u8>,
    pub(crate) rest: Option<(File, u64)>,
}

impl Body {
    /// The body's length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.start.len() as u64 + self.rest.as_ref().map_or(0, |(_, length)| *length)
    }

    /// Whether the body has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the whole body. This blocks on the disk if the body is large.
    ///
    /// # Errors
    ///
    /// What reading the temporary file or writing to `sink` failed with.
    pub fn write_to(self, sink: &mut impl Write) -> io::Result<()> {
        sink.write_all(&self.start)?;
        if let Some((mut file, _)) = self.rest {
            file.seek(SeekFrom::Start(0))?;
            io::copy(&mut file, sink)?;
        }
        Ok(())
    }

    /// The whole body in memory. This blocks on the disk if the body is large.
    ///
    /// # Errors
    ///
    /// What reading the temporary file failed with.
    pub fn into_bytes(self) -> io::Result<Vec<u8>> {
        let mut bytes = self.start;
        if let Some((mut file, _)) = self.rest {
            file.seek(SeekFrom::Start(0))?;
            file.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }
}
