//! `--failed FILE`: the jobs that failed, in the form of a list, to be fed in again.
//!
//! Written to a temporary beside FILE, which takes FILE's place when the run has ended: until then FILE may be the list that is
//! read, and after a run that was killed, or a power cut, it is the old one, never a part. Nobody but its owner may read it:
//! it holds what jobs hold, passwords too. It blocks, and so is used on the writer's thread alone.

use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use smolget::text::escape;
use tempfile::NamedTempFile;

use super::failure::Failure;
use super::row::Row;

/// The list that is being written.
pub struct Again {
    target: PathBuf,
    /// `None` once it is in its place, or can't be written.
    file: Option<BufWriter<NamedTempFile>>,
    broken: Option<String>,
}

impl Again {
    /// Begins a list that is to be at `path`.
    ///
    /// # Errors
    ///
    /// A failure that names the file if there can't be one.
    pub fn begin(path: &Path) -> Result<Self, Failure> {
        let target = place(path).map_err(|error| Failure::Run(unwritten(path, &error)))?;
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Made with mode 0600.
        let file = tempfile::Builder::new().prefix(".smolget-failed-").tempfile_in(folder);
        let file = file.map_err(|error| Failure::Run(unwritten(path, &error)))?;
        Ok(Self { target, file: Some(BufWriter::new(file)), broken: None })
    }

    /// Adds the job of a row. What was no job is told in a comment: it can't be fed in again.
    pub fn add(&mut self, row: &Row, why: &str) {
        let comment = || {
            let line = row.line.map(|line| format!("line {line}: ")).unwrap_or_default();
            format!("# {line}{}: {}\n", escape(&row.url), escape(why))
        };
        let text = row.entry.clone().unwrap_or_else(comment);
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(text.as_bytes())
        {
            self.give_up(&error);
        }
    }

    /// Puts the list in its place, on the disk before it has its name.
    pub fn finish(&mut self) {
        let Some(file) = self.file.take() else { return };
        let written = file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| {
            file.as_file().sync_all()?;
            file.persist(&self.target).map(drop).map_err(|error| error.error)
        });
        if let Err(error) = written {
            self.give_up(&error);
        }
    }

    /// Why the list is not there, or not whole.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    fn give_up(&mut self, error: &io::Error) {
        self.file = None;
        self.broken = Some(unwritten(&self.target, error));
    }
}

/// Where the list goes: what a link leads to. What is there and is no file is not replaced.
fn place(path: &Path) -> io::Result<PathBuf> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => fs::canonicalize(path),
        Ok(_) => Err(io::Error::other("there is something that is no file")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(error),
    }
}

fn unwritten(path: &Path, error: &io::Error) -> String {
    format!("--failed: the list `{}` can't be written: {error}", escape(&path.to_string_lossy()))
}
