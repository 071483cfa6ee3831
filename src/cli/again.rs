//! `--failed FILE`: the jobs that failed, in the form of a list, to be fed in again.
//!
//! Written to `.FILE.part` beside FILE, which takes FILE's place when the run has ended: until then FILE may be the list that is
//! read, and after a run that was killed, or a power cut, it is the old one, never a part. Nobody but its owner may read it:
//! it holds what jobs hold, passwords too. It is locked while it is written, so that the next run can tell what a killed one
//! left, and takes that away. It blocks, and so is used on the writer's thread alone.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use smolget::text::escape;

use super::failure::Failure;
use super::row::Row;

/// The list that is being written.
pub struct Again {
    target: PathBuf,
    /// `None` once it is in its place, or can't be written.
    file: Option<BufWriter<Part>>,
    broken: Option<String>,
}

/// The file until it has its place. It is gone when this is dropped.
struct Part {
    file: File,
    path: PathBuf,
}

impl Again {
    /// Begins a list that is to be at `path`.
    ///
    /// # Errors
    ///
    /// A failure that names the file if there can't be one.
    pub fn begin(path: &Path) -> Result<Self, Failure> {
        let target = place(path).map_err(|error| Failure::Run(unwritten(path, &error)))?;
        let file = Part::make(&target).map_err(|error| Failure::Run(unwritten(path, &error)))?;
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
            file.file.sync_all()?;
            fs::rename(&file.path, &self.target)
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

impl Part {
    fn make(target: &Path) -> io::Result<Self> {
        let mut name = OsString::from(".");
        name.push(target.file_name().ok_or(ErrorKind::InvalidInput)?);
        name.push(".part");
        let path = target.with_file_name(name);
        remove_leftover(&path)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        // Where there are no locks nobody can tell that it is one.
        let _ = file.try_lock();
        Ok(Self { file, path })
    }
}

impl io::Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It has another name if it is in its place.
        let _ = fs::remove_file(&self.path);
    }
}

/// Takes away what a killed run left; what is no file stays, and is in the way.
fn remove_leftover(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    if let Err(TryLockError::WouldBlock) = File::open(path)?.try_lock() {
        return Err(io::Error::other("another run is writing it"));
    }
    fs::remove_file(path)
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
