//! The body of one attempt → a count, a body in memory, or a file; or, if the attempt fails, nothing.
//!
//! It owns the body while it arrives. It refuses to leave a part: what is not finished is gone, whether it is
//! discarded or just dropped.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::compare::{Comparison, Named, Progress};
use super::folder::Folder;
use super::held::Held;
use super::name::Name;
use super::partial::{Origin, Rest};
use super::pipe;
use super::spool::{Leftover, Settled, Spool, Store};
use super::written::{Complete, Uncommitted, Written};
use crate::config::Durability;
use crate::error::Error;
use crate::offload::{Lane, Task, unblock};
use crate::outcome::{Body, Kept};
use crate::reactor::Room;
use crate::spare::Spare;

/// Where a body goes while it arrives: one for each attempt.
#[derive(Debug)]
pub(crate) enum Sink {
    /// The bytes so far; they are kept nowhere.
    Count(u64),
    Hold(Spool<Unnamed>),
    Save(Spool<Named>),
}

/// How a body is saved.
#[derive(Debug, Default)]
pub(crate) struct Saving {
    /// With what it is compared; only another takes the place of what is there.
    pub comparison: Option<Comparison>,
    /// What a part of it would be of, if it can be gone on with.
    pub origin: Option<Origin>,
    /// The part that it goes on with.
    pub rest: Option<Rest>,
}

impl Sink {
    /// Counts the body.
    pub(crate) fn count() -> Self {
        Self::Count(0)
    }

    /// Holds the body, to hand it over.
    pub(crate) fn hold(spare: &Spare) -> Self {
        Self::Hold(Spool::new(Unnamed { spare: spare.clone() }))
    }

    /// Saves the body under a name. Nothing is made on the disk yet.
    pub(crate) fn save(folder: &Folder, name: Name, Saving { comparison, origin, rest }: Saving) -> Self {
        let (comparison, origin) = (comparison.map(Arc::new), origin.map(Arc::new));
        let store = Named { folder: folder.clone(), name, comparison, origin };
        Self::Save(match rest {
            Some(rest) => {
                let bytes = rest.length;
                let part = store.go_on(rest);
                Spool::resumed(store, part, bytes)
            }
            None => Spool::new(store),
        })
    }

    /// Takes the next bytes of the body. A write that is given up half-way must be followed by [`discard`](Self::discard)
    /// or a drop: it can't be told how much of `data` was taken.
    ///
    /// # Errors
    ///
    /// Kind `Io` if the disk refused these bytes, or ones before.
    pub(crate) async fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        match self {
            Self::Count(bytes) => {
                *bytes += data.len() as u64;
                Ok(())
            }
            Self::Hold(spool) => spool.write(data).await,
            Self::Save(spool) => spool.write(data).await,
        }
    }

    /// A pipe for a long body, which takes it past this program's memory, and how much may be put there; `None` if there is
    /// none to be had.
    pub(crate) fn pipe(&mut self) -> Option<(&OwnedFd, Room)> {
        match self {
            Self::Count(_) => None,
            // What is compared has to be seen.
            Self::Save(spool) if spool.store().comparison.is_some() => None,
            Self::Hold(spool) => spool.pipe(),
            Self::Save(spool) => spool.pipe(),
        }
    }

    /// Takes note of so many bytes that were put into the pipe. As [`write`](Self::write).
    pub(crate) async fn piped(&mut self, bytes: usize) -> Result<(), Error> {
        match self {
            Self::Count(_) => Ok(()),
            Self::Hold(spool) => spool.piped(bytes).await,
            Self::Save(spool) => spool.piped(bytes).await,
        }
    }

    /// Makes room in the pipe.
    pub(crate) async fn empty_pipe(&mut self) -> Result<(), Error> {
        match self {
            Self::Count(_) => Ok(()),
            Self::Hold(spool) => spool.empty_pipe().await,
            Self::Save(spool) => spool.empty_pipe().await,
        }
    }

    /// How many bytes were taken.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Count(bytes) => *bytes,
            Self::Hold(spool) => spool.bytes(),
            Self::Save(spool) => spool.bytes(),
        }
    }

    /// Keeps the body, which is complete and verified, or has it ready to be kept together with others: begins to, where
    /// nothing is left in the [pipe](Self::empty_pipe). Not to be raced against a timer: given up half-way, the file is there
    /// or it is not.
    pub(crate) fn finish(self) -> Finish {
        match self {
            Self::Count(bytes) => Finish::Done(Ok(Complete::Kept(Kept::Counted { bytes }))),
            Self::Hold(spool) => spool.settled().map_or_else(|error| Finish::Done(Err(error)), hand_over),
            Self::Save(spool) => spool.settled().map_or_else(|error| Finish::Done(Err(error)), save),
        }
    }

    /// The attempt failed: when this returns, nothing is left of it, or a part to go on with.
    pub(crate) async fn discard(self, leftover: Leftover) {
        match self {
            Self::Count(_) => {}
            Self::Hold(spool) => spool.discard(leftover).await,
            Self::Save(spool) => spool.discard(leftover).await,
        }
    }
}

/// A body that is being kept: done, or what the disk is at.
pub(crate) enum Finish {
    Done(Result<Complete, Error>),
    Disk(Task<Result<Complete, Error>>),
}

impl Finish {
    /// How it ends.
    ///
    /// # Errors
    ///
    /// Kind `Io` if the disk refused; nothing is left then.
    pub(crate) async fn end(self) -> Result<Complete, Error> {
        match self {
            Self::Done(end) => end,
            Self::Disk(task) => task.await,
        }
    }
}

fn hand_over(settled: Settled<Unnamed>) -> Finish {
    let Settled { store, part, buffer, bytes } = settled;
    let held = |start, rest| Ok(Complete::Kept(Kept::Held(Body { start, rest })));
    let Some(mut file) = part else { return Finish::Done(held(buffer, None)) };
    Finish::Disk(unblock(Lane::Disk, move || {
        store.append(&mut file, &buffer)?;
        held(Vec::new(), Some((file, bytes)))
    }))
}

/// A small body is left to be put in its place with others. Of a large one the rest is written and, if it need not be synced
/// first, it is named.
fn save(settled: Settled<Named>) -> Finish {
    let Settled { store, part, buffer, bytes } = settled;
    let is_synced = store.folder.durability() == Durability::Synced;
    if part.is_none() && !is_synced {
        let held = Held::new(store.folder, store.name, buffer);
        return Finish::Done(Ok(Complete::Uncommitted(Uncommitted::Held(held))));
    }
    // What is there whole in memory is no part of anything.
    let origin = store.origin.clone().filter(|_| part.is_some());
    let store = Named { origin, ..store };
    let write = move || {
        let mut part = part.map_or_else(|| store.open(), Ok)?;
        store.append(&mut part, &buffer)?;
        if store.comparison.is_some() {
            return store.conclude(part, bytes);
        }
        let temporary = store.complete(&mut part)?;
        let Named { folder, name, .. } = store;
        if is_synced {
            let written = Written::new(folder, name, temporary, bytes);
            return Ok(Complete::Uncommitted(Uncommitted::Written(written)));
        }
        temporary.settle().map_err(|e| folder.failed("writing", &name, e))?;
        folder.rename(temporary, &name)?.keep();
        Ok(Complete::Kept(Kept::Saved { file: folder.path(&name), bytes }))
    };
    Finish::Disk(unblock(Lane::Disk, write))
}

/// Keeps a body in a file that has no name, in the system's folder for temporary files.
#[derive(Debug, Clone)]
pub(crate) struct Unnamed {
    spare: Spare,
}

impl Store for Unnamed {
    type Part = File;

    fn open(&self) -> Result<File, Error> {
        let make = || tempfile::tempfile().map_err(|e| Error::io("making a temporary file for a large body", e));
        self.spare.try_with(make)
    }

    fn append(&self, file: &mut File, bytes: &[u8]) -> Result<(), Error> {
        file.write_all(bytes).map_err(|e| Error::io("writing a large body to a temporary file", e))
    }

    fn append_from(&self, file: &mut File, source: &OwnedFd, bytes: usize) -> Result<(), Error> {
        pipe::drain(source, file, bytes).map_err(|e| Error::io("writing a large body to a temporary file", e))
    }
}

/// Keeps a body beside the file that it is to become.
impl Store for Named {
    type Part = Progress;

    fn open(&self) -> Result<Progress, Error> {
        self.begin()
    }

    fn append(&self, part: &mut Progress, bytes: &[u8]) -> Result<(), Error> {
        self.take(part, bytes)
    }

    fn append_from(&self, part: &mut Progress, pipe: &OwnedFd, bytes: usize) -> Result<(), Error> {
        let temporary = self.apart(part)?;
        temporary.append_from(pipe, bytes).map_err(|e| self.give_up(temporary, e))
    }

    fn leave(&self, part: Progress, bytes: &[u8]) {
        Named::leave(self, part, bytes);
    }

    fn remove(&self, part: Progress) {
        part.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::Rules;
    use super::*;
    use crate::error::ErrorKind;
    use futures_lite::future::{block_on, poll_once};
    use std::fs;
    use std::path::Path;

    const LARGE: usize = 300_001;

    fn body(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n * 31 % 251) as u8).collect()
    }

    fn save(dir: &Path, out: &str) -> Sink {
        let folder = Folder::open(dir, Rules::default(), Spare::new(|| false)).unwrap();
        let name = folder.claim("http://h/", Some(out)).unwrap();
        Sink::save(&folder, name, Saving::default())
    }

    fn names(dir: &Path) -> Vec<String> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Writes a body as it would arrive, and finishes it.
    fn keep(mut sink: Sink, body: &[u8]) -> Result<Kept, Error> {
        block_on(async {
            for data in body.chunks(10_000) {
                sink.write(data).await?;
            }
            assert_eq!(sink.bytes(), body.len() as u64);
            sink.empty_pipe().await?;
            match sink.finish().end().await? {
                Complete::Kept(kept) => Ok(kept),
                Complete::Uncommitted(Uncommitted::Held(held)) => {
                    let kept = held.kept();
                    held.put().map(|()| kept)
                }
                Complete::Uncommitted(Uncommitted::Written(written)) => panic!("{written:?}"),
            }
        })
    }

    #[test]
    fn a_counted_body_is_counted() {
        assert!(matches!(keep(Sink::count(), &body(LARGE)), Ok(Kept::Counted { bytes }) if bytes == LARGE as u64));
    }

    #[test]
    fn a_held_body_is_handed_over_whole_and_a_large_one_is_not_in_memory() {
        for length in [0, 1, 64 * 1024, 64 * 1024 + 1, LARGE] {
            let Ok(Kept::Held(held)) = keep(Sink::hold(&Spare::new(|| false)), &body(length)) else {
                panic!("{length}")
            };
            assert_eq!(held.len(), length as u64);
            assert_eq!(held.rest.is_some(), length > 64 * 1024);
            assert!(held.start.len() <= 64 * 1024);
            assert!(held.into_bytes().unwrap() == body(length), "{length}");
        }
    }

    #[test]
    fn a_saved_body_is_a_file_of_its_name_and_nothing_else_is_left() {
        for length in [0, 1, 64 * 1024, 64 * 1024 + 1, LARGE] {
            let dir = tempfile::tempdir().unwrap();
            let kept = keep(save(dir.path(), "a.bin"), &body(length));
            let Ok(Kept::Saved { file, bytes }) = kept else { panic!("{kept:?}") };
            assert_eq!((file.as_path(), bytes), (dir.path().join("a.bin").as_path(), length as u64));
            assert!(fs::read(file).unwrap() == body(length), "{length}");
            assert_eq!(names(dir.path()), ["a.bin"]);
        }
    }

    #[test]
    fn a_saved_body_makes_its_folders_and_replaces_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("f")).unwrap();
        for (out, text) in [("f/a", "old"), ("f/a", "new"), ("g/h/a", "other")] {
            keep(save(dir.path(), out), text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(dir.path().join(out)).unwrap(), text);
        }
        assert_eq!(names(&dir.path().join("f")), ["a"]);
    }

    #[test]
    fn nothing_is_left_of_a_body_that_is_discarded_or_dropped() {
        for length in [0, 1, LARGE] {
            let dir = tempfile::tempdir().unwrap();
            let mut sink = save(dir.path(), "a");
            block_on(sink.write(&body(length))).unwrap();
            block_on(sink.discard(Leftover::Nothing));
            assert_eq!(names(dir.path()), [""; 0], "{length}");
        }
        let dir = tempfile::tempdir().unwrap();
        let mut sink = save(dir.path(), "a");
        block_on(sink.write(&body(LARGE))).unwrap();
        assert_eq!(names(dir.path()).len(), 1);
        // The last piece is not full, so nothing is on its way to the disk and the drop is over when it returns.
        drop(sink);
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn nothing_is_left_of_a_body_whose_write_was_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = save(dir.path(), "a");
        block_on(async {
            drop(poll_once(sink.write(&body(LARGE))).await);
            sink.discard(Leftover::Nothing).await;
        });
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn a_directory_of_that_name_is_an_error_that_says_so_and_nothing_is_left() {
        for length in [1, LARGE] {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("a")).unwrap();
            let error = keep(save(dir.path(), "a"), &body(length)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.to_string().contains("a directory is in the way of"), "{error}");
            assert_eq!(names(dir.path()), ["a"]);
        }
    }

    #[test]
    fn a_folder_that_can_not_be_made_fails_the_body_small_or_large() {
        for length in [1, LARGE] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("f"), "").unwrap();
            let error = keep(save(dir.path(), "f/a"), &body(length)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.to_string().contains("/f` can't be used"), "{error}");
            assert_eq!(names(dir.path()), ["f"]);
        }
    }

    #[test]
    fn an_old_file_outlives_a_body_that_fails() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "old").unwrap();
        let mut sink = save(dir.path(), "a");
        block_on(sink.write(&body(LARGE))).unwrap();
        block_on(sink.discard(Leftover::Nothing));
        assert_eq!(fs::read_to_string(dir.path().join("a")).unwrap(), "old");
    }
}
