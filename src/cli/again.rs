//! `--failed FILE`: the jobs that failed, in the form of a list, to be fed in again.
//!
//! Written to `.FILE.part` beside FILE, which takes FILE's place when the run has ended: until then FILE may be the list that is
//! read, and after a run that was killed, or a power cut, it is the old one, never a part. Nobody but its owner may read it:
//! it holds what jobs hold, passwords too. It is locked while it is written, so that the next run can tell what a killed one
//! left, and takes that away. It blocks, and so is used on the writer's thread; on another only once that one is stuck for good.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::mem;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smolget::text::escape;
use smolget::{Kept, Outcome};

use super::failure::Failure;
use super::row::{End, Row};

/// The list that is being written; clones share it. What stands in it in the end does not depend on standard output.
#[derive(Clone)]
pub struct Again(Arc<Mutex<List>>);

struct List {
    target: PathBuf,
    /// `None` once it is in its place, or can't be written.
    file: Option<BufWriter<Part>>,
    broken: Option<String>,
    /// What is to stand there of those outcomes that are not told yet, if they never are.
    untold: VecDeque<String>,
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
        let list = List { target, file: Some(BufWriter::new(file)), broken: None, untold: VecDeque::new() };
        Ok(Self(Arc::new(Mutex::new(list))))
    }

    /// Takes note of outcomes that are to be told after those before them: until then each is one that failed if it has, or if
    /// it brings a body.
    pub fn expect(&self, outcomes: &[Outcome]) {
        self.list().untold.extend(outcomes.iter().map(|outcome| match outcome.result() {
            Ok(Kept::Held(_)) => text(&Row::from(outcome), "standard output did not take it"),
            Ok(_) => String::new(),
            Err(error) => text(&Row::from(outcome), &error.to_string()),
        }));
    }

    /// Adds the job of a row, if it failed, and takes back what was [expected](Self::expect) of it.
    pub fn tell(&self, row: &Row) {
        let mut list = self.list();
        list.untold.pop_front();
        if let End::Failed { message, .. } = &row.end {
            list.add(&text(row, message));
        }
    }

    /// Puts the list in its place, on the disk before it has its name. Nothing is added afterwards.
    pub fn finish(&self) {
        let mut list = self.list();
        for text in mem::take(&mut list.untold) {
            list.add(&text);
        }
        list.finish();
    }

    /// Why the list is not there, or not whole.
    pub fn broken(&self) -> Option<String> {
        self.list().broken.clone()
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file until it has its place. It is gone when this is dropped.
struct Part {
    file: File,
    path: PathBuf,
}

/// The job of a row. What was no job is told in a comment: it can't be fed in again.
fn text(row: &Row, why: &str) -> String {
    let comment = || {
        let line = row.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        format!("# {line}{}: {}\n", escape(&row.url), escape(why))
    };
    row.entry.clone().unwrap_or_else(comment)
}

impl List {
    fn add(&mut self, text: &str) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(text.as_bytes())
        {
            self.give_up(&error);
        }
    }

    fn finish(&mut self) {
        let Some(file) = self.file.take() else { return };
        let written = file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| {
            file.file.sync_all()?;
            fs::rename(&file.path, &self.target)
        });
        if let Err(error) = written {
            self.give_up(&error);
        }
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
