//! The state file of an output directory: what is remembered of its files from run to run.
//!
//! It owns `.smolget-state`, the only writer of which it is while it has the lock (flock). Records are added at the end; what
//! is later of two of one name counts. A line that is damaged, by a kill or a power cut, is passed over. A file that has more
//! dead lines than live ones is written anew when it is opened, without those of files that are gone.
//!
//! ```text
//! open ─▶ lock ─▶ still the one of that name? ─▶ header ─▶ lines ─▶ (written anew: lock, write, sync, rename) ─▶ find, append
//! ```
//!
//! In memory there are 8 bytes a line, so at most 16 a file: which line a name may be in. The line itself is read again.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::sync::Mutex;

use rustix::fs::{FileType, OFlags, fstat, renameat};
use rustix::io::{Errno, retry_on_intr};

use super::record::{Record, name};
use super::temporary::{Place, forget, is_named, may_be_ours, open_at, stat_at, try_lock};
use crate::sync::lock;

/// The name of the state file, which no job can have.
pub(super) const NAME: &str = ".smolget-state";

/// The name under which it is written anew.
const NEW: &str = ".smolget-state.new";

/// What it begins with, up to the number of its format.
const MAGIC: &str = "smolget-state ";

/// The format that is written here.
const VERSION: u64 = 1;

/// The start of a state file.
const HEADER: &str = "smolget-state 1\n# check name request bytes sha-256 modified changed inode etag last-modified\n";

/// The longest line: a name, two validators and some numbers take less.
const MAX_LINE: usize = 16 * 1024;

/// How much of a line is read at first: nearly all are shorter.
const USUAL_LINE: usize = 512;

/// So few dead lines are left where they are.
const FEW: usize = 64;

/// The index grows by one part in so many.
const GROWTH: usize = 8;

/// An open state file.
#[derive(Debug)]
pub(super) struct State {
    file: File,
    index: Index,
    /// Where the next line goes.
    end: Mutex<u64>,
}

/// Why a state file can't be used.
#[derive(Debug)]
pub(super) enum Unusable {
    /// Another run has it.
    Busy,
    /// It is no state file, or one of a later smolget.
    Foreign(String),
    Io(io::Error),
}

impl<E: Into<io::Error>> From<E> for Unusable {
    fn from(error: E) -> Self {
        Self::Io(error.into())
    }
}

impl State {
    /// Opens the state file of a directory, which is made if it is missing. This blocks on the disk.
    pub(super) fn open(dir: &Place) -> Result<Self, Unusable> {
        let file = open_locked(dir)?;
        // Left by a run that was killed as it wrote it.
        forget(dir, NEW);
        let state = Self::read(file)?;
        if !state.index.is_mostly_dead() {
            return Ok(state);
        }
        log::debug!("{NAME} is written anew: {} lines for {} names", state.index.lines.len(), state.index.names());
        match state.write_anew(dir) {
            Ok(file) => Self::read(file),
            // The old one does as well.
            Err(e) => {
                log::debug!("{NAME} was not written anew: {e}");
                Ok(state)
            }
        }
    }

    fn read(mut file: File) -> Result<Self, Unusable> {
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(MAX_LINE, &file);
        let mut end = read_header(&mut reader)?;
        if end == 0 {
            file.set_len(0)?;
            file.write_all_at(HEADER.as_bytes(), 0)?;
            // Without it no later run would know what this is.
            file.sync_data()?;
            return Ok(Self { file, index: Index::default(), end: Mutex::new(HEADER.len() as u64) });
        }
        let mut index = Index::default();
        let mut line = Vec::new();
        while let Some(length) = next_line(&mut reader, &mut line)? {
            match name(&line) {
                Some(name) => index.add(name, end),
                None if line.starts_with(b"#") => {}
                None => log::debug!("a damaged line at byte {end} of {NAME} is passed over"),
            }
            end += length;
        }
        // What has no end is torn, and the next line begins there.
        if u64::try_from(retry_on_intr(|| fstat(&file))?.st_size).is_ok_and(|length| length > end) {
            log::debug!("the torn end of {NAME} at byte {end} is cut off");
            file.set_len(end)?;
        }
        index.sort();
        Ok(Self { file, index, end: Mutex::new(end) })
    }

    /// What was remembered of a file when this was opened.
    pub(super) fn find(&self, name: &str) -> io::Result<Option<Record>> {
        Ok(self.place_of(name)?.map(|(_, record)| record))
    }

    /// The last line of a name, and where it begins.
    fn place_of(&self, wanted: &str) -> io::Result<Option<(u64, Record)>> {
        for place in self.index.places(wanted) {
            let line = self.line_at(place)?;
            if let Some((_, record)) = Record::decode(&line).filter(|(name, _)| *name == wanted) {
                return Ok(Some((place, record)));
            }
        }
        Ok(None)
    }

    /// The line that begins at a place, without its end.
    fn line_at(&self, place: u64) -> io::Result<Vec<u8>> {
        let mut line = vec![0; USUAL_LINE];
        loop {
            let read = read_at(&self.file, &mut line, place)?;
            let read_bytes = line.get(..read).unwrap_or_default();
            if let Some(end) = read_bytes.iter().position(|&byte| byte == b'\n') {
                line.truncate(end);
                return Ok(line);
            }
            if read < line.len() || line.len() >= MAX_LINE {
                return Ok(Vec::new());
            }
            line.resize(MAX_LINE, 0);
        }
    }

    /// Adds lines at the end. What could not be written whole is written over by the next.
    pub(super) fn append(&self, lines: &str) -> io::Result<()> {
        let mut end = lock(&self.end);
        self.file.write_all_at(lines.as_bytes(), *end)?;
        *end += lines.len() as u64;
        Ok(())
    }

    /// Writes what still counts to a new file, and puts that in the place of the old one.
    fn write_anew(&self, dir: &Place) -> io::Result<File> {
        let file = open_at(dir, NEW, OFlags::CREATE | OFlags::EXCL | OFlags::RDWR, 0o600)?;
        let written = try_lock(&file).map_err(io::Error::from).and_then(|()| self.copy_to(dir, &file));
        if let Err(e) = written {
            forget(dir, NEW);
            return Err(e);
        }
        Ok(file)
    }

    fn copy_to(&self, dir: &Place, file: &File) -> io::Result<()> {
        (&self.file).seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(MAX_LINE, &self.file);
        let (mut lines, mut line) = (HEADER.to_owned(), Vec::new());
        let (mut place, mut end) = (0, 0);
        while let Some(length) = next_line(&mut reader, &mut line)? {
            if let Some((name, record)) = Record::decode(&line)
                && self.place_of(name)?.is_some_and(|(last, _)| last == place)
                && !matches!(stat_at(dir, name), Err(Errno::NOENT))
            {
                record.encode(name, &mut lines);
            }
            place += length;
            if lines.len() >= MAX_LINE {
                file.write_all_at(lines.as_bytes(), end)?;
                end += lines.len() as u64;
                lines.clear();
            }
        }
        file.write_all_at(lines.as_bytes(), end)?;
        file.sync_data()?;
        Ok(retry_on_intr(|| renameat(dir, NEW, dir, NAME))?)
    }
}

/// Which lines a name may be in: for each line a hash of its name, and where it begins.
#[derive(Debug, Default)]
struct Index {
    hasher: RandomState,
    /// The hash is the upper half, so that lines of one name are beside each other, the later ones behind.
    lines: Vec<u64>,
}

impl Index {
    fn add(&mut self, name: &str, place: u64) {
        // A place past 4 GiB is not found again, so that its file is fetched whole.
        let Ok(place) = u32::try_from(place) else { return };
        if self.lines.len() == self.lines.capacity() {
            self.lines.reserve_exact(self.lines.len() / GROWTH + FEW);
        }
        self.lines.push(self.hash(name) | u64::from(place));
    }

    fn sort(&mut self) {
        self.lines.sort_unstable();
    }

    fn hash(&self, name: &str) -> u64 {
        self.hasher.hash_one(name) & !u64::from(u32::MAX)
    }

    /// Where lines of this name may begin, the last first.
    fn places(&self, name: &str) -> impl Iterator<Item = u64> {
        let hash = self.hash(name);
        let first = self.lines.partition_point(|line| *line < hash);
        let from_name = self.lines.get(first..).unwrap_or_default();
        let count = from_name.partition_point(|line| is_of(*line, hash));
        from_name.get(..count).unwrap_or_default().iter().rev().map(|line| line & u64::from(u32::MAX))
    }

    /// How many names there are, but for those few that share a hash.
    fn names(&self) -> usize {
        let again = self.lines.windows(2).filter(|pair| matches!(pair, [a, b] if is_of(*a, *b))).count();
        self.lines.len() - again
    }

    fn is_mostly_dead(&self) -> bool {
        let names = self.names();
        self.lines.len() - names > names.max(FEW)
    }
}

/// Whether two lines have the same hash.
fn is_of(line: u64, other: u64) -> bool {
    line >> 32 == other >> 32
}

/// The state file of that name, locked.
fn open_locked(dir: &Place) -> Result<File, Unusable> {
    loop {
        let file = open_at(dir, NAME, OFlags::CREATE | OFlags::RDWR | OFlags::NONBLOCK, 0o600)?;
        let stat = retry_on_intr(|| fstat(&file))?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(Unusable::Foreign("is no file".to_owned()));
        }
        if !may_be_ours(dir, &stat) {
            return Err(Unusable::Foreign("is another user's, or has another name, too".to_owned()));
        }
        match try_lock(&file) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(Unusable::Busy),
            // No locks here, for no run.
            Err(e) => log::debug!("{NAME} has no lock: {e}"),
        }
        // Else it was written anew meanwhile, and this is the old one.
        if is_named(dir, NAME, &stat)? {
            return Ok(file);
        }
    }
}

/// Reads the first line: where the second begins; 0 if there is nothing yet, or only the start of what would be there, or the
/// zeros that some file systems leave after a power cut.
fn read_header(reader: &mut BufReader<&File>) -> Result<u64, Unusable> {
    let start = fill(reader)?;
    let is_torn = HEADER.as_bytes().starts_with(start) && start.len() < HEADER.len();
    if is_torn || start.iter().all(|byte| *byte == 0) {
        return Ok(0);
    }
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let version = line.strip_prefix(MAGIC.as_bytes()).and_then(crate::grammar::decimal);
    match version {
        Some(VERSION) => {}
        Some(later) => return Err(Unusable::Foreign(format!("is of a later smolget, in format {later}"))),
        None => return Err(Unusable::Foreign("is no state file of smolget".to_owned())),
    }
    let length = line.len() + 1;
    reader.consume(length);
    Ok(length as u64)
}

/// Reads the next line into `line`, its end taken off, and no more than [`MAX_LINE`] of it; how long it is. `None` for what
/// has no end.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<u64>> {
    line.clear();
    let mut length = 0;
    loop {
        let buffer = fill(reader)?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        if line.len() + part.len() <= MAX_LINE {
            line.extend_from_slice(part);
        }
        let taken = part.len() + usize::from(end.is_some());
        reader.consume(taken);
        length += taken as u64;
        if end.is_some() {
            return Ok(Some(length));
        }
    }
}

/// What is next, waited for whatever signal comes.
fn fill(reader: &mut impl BufRead) -> io::Result<&[u8]> {
    while let Err(e) = reader.fill_buf() {
        if e.kind() != io::ErrorKind::Interrupted {
            return Err(e);
        }
    }
    reader.fill_buf()
}

/// Reads as much as there is room for, or as there is.
fn read_at(file: &File, buffer: &mut [u8], place: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, place) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

#[cfg(test)]
mod tests;
