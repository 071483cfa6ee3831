//! A small body, whole in memory → a file under its name, in as few calls as that takes.
//!
//! It goes the short way that [`temporary`](super::temporary) draws, and writes the file once more where another run, or a
//! signal, came between. Nothing is on the disk before, so what is dropped leaves nothing.

use std::io;

use super::folder::Folder;
use super::name::Name;
use crate::error::Error;
use crate::outcome::Kept;

/// How often the short way is tried: it takes a sweep or a signal at just that moment to need a second time.
const TRIES: u32 = 4;

/// A body that is complete and verified, and nowhere but in memory.
#[derive(Debug)]
pub(crate) struct Held {
    folder: Folder,
    name: Name,
    bytes: Vec<u8>,
}

/// Something came between; what was written is gone.
struct Again(io::Error);

impl Held {
    pub(super) fn new(folder: Folder, name: Name, bytes: Vec<u8>) -> Self {
        Self { folder, name, bytes }
    }

    /// What it is once it is put in its place.
    pub(crate) fn kept(&self) -> Kept {
        Kept::Saved { file: self.folder.path(&self.name), bytes: self.bytes.len() as u64 }
    }

    /// How much memory the body takes.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// Makes the file and names it. This blocks on the disk. If it fails, nothing is left.
    pub(crate) fn put(&self) -> Result<(), Error> {
        for _ in 0..TRIES {
            match self.try_put()? {
                Ok(()) => return Ok(()),
                Err(Again(e)) => log::debug!("{} is written once more: {e}", self.name.as_str()),
            }
        }
        self.put_locked()
    }

    fn try_put(&self) -> Result<Result<(), Again>, Error> {
        let failed = |e| self.folder.failed("writing", &self.name, e);
        let mut temporary = self.folder.begin_unlocked(&self.name)?;
        temporary.append(&self.bytes).map_err(failed)?;
        let entry = match temporary.close() {
            Ok(entry) => entry,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(Err(Again(e))),
            Err(e) => return Err(failed(e)),
        };
        match entry.rename(self.name.file()) {
            Ok(mut entry) => entry.keep(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Err(Again(e))),
            Err(e) => return Err(self.folder.not_named(&self.name, e)),
        }
        Ok(Ok(()))
    }

    /// The long way, on which nobody can come between.
    fn put_locked(&self) -> Result<(), Error> {
        let failed = |e| self.folder.failed("writing", &self.name, e);
        let mut temporary = self.folder.begin(&self.name)?;
        temporary.append(&self.bytes).map_err(failed)?;
        temporary.settle().map_err(failed)?;
        self.folder.rename(temporary, &self.name)?.keep();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::Rules;
    use super::super::temporary::sweep;
    use super::*;
    use crate::error::ErrorKind;
    use crate::spare::Spare;
    use std::fs::{self, File};
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    fn held(folder: &Folder, out: &str) -> Held {
        Held::new(folder.clone(), folder.claim("http://h/", Some(out)).unwrap(), out.as_bytes().to_owned())
    }

    fn folder(dir: &Path) -> Folder {
        Folder::open(dir, Rules::default(), Spare::new(|| false)).unwrap()
    }

    #[test]
    fn a_body_is_put_in_its_place_and_replaces_what_was_there_whichever_way_it_goes() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("f")).unwrap();
        for way in [Held::put, Held::put_locked as fn(&Held) -> _] {
            fs::write(dir.path().join("f/a"), "old").unwrap();
            let held = held(&folder(dir.path()), "f/a");
            assert!(matches!(held.kept(), Kept::Saved { file, bytes: 3 } if file == dir.path().join("f/a")));
            way(&held).unwrap();
            assert_eq!(fs::read(dir.path().join("f/a")).unwrap(), b"f/a");
            assert_eq!(fs::read_dir(dir.path().join("f")).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_folder_in_the_way_is_an_error_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        let error = held(&folder(dir.path()), "a").put().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("a directory is in the way of"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn every_body_is_put_in_its_place_while_another_run_sweeps_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, is_over) = (folder(dir.path()), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                let place = File::open(dir.path()).unwrap().into();
                while !is_over.load(Ordering::Relaxed) {
                    sweep(&place);
                }
            });
            (0..50).for_each(|n| held(&folder, &format!("file-{n}")).put().unwrap());
            is_over.store(true, Ordering::Relaxed);
        });
        assert!(
            (0..50).map(|n| format!("file-{n}")).all(|out| fs::read_to_string(dir.path().join(&out)).unwrap() == out)
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 50);
    }
}
