//! Complete bodies in temporaries → files that outlive a power cut, many with one wait for the disk.
//!
//! ```text
//! written ─▶ synced ─▶ renamed ─▶ its folders synced ─▶ (noted) ─▶ kept        a step that fails ─▶ removed
//! ```
//!
//! A file has its final name only when the disk has its bytes, and counts as kept only when the disk has the name, too.
//! Each step is taken for the whole batch before the next: what a disk does for the first sync mostly serves the others.

use std::fs::File;

use super::folder::Folder;
use super::held::Held;
use super::name::Name;
use super::record::{Digest, Note, Record, Stamp};
use super::temporary::{Entry, Place, Temporary};
use crate::error::{Error, ErrorKind};
use crate::outcome::Kept;

/// A body that is complete and verified.
#[derive(Debug)]
pub(crate) enum Complete {
    Kept(Kept),
    Uncommitted(Uncommitted),
}

/// A body that is still to be committed, with others. When it is dropped, nothing new is left.
#[derive(Debug)]
pub(crate) enum Uncommitted {
    Held(Held),
    Written(Written),
}

impl Uncommitted {
    /// What it is once it is committed.
    pub(crate) fn kept(&self) -> Kept {
        match self {
            Self::Held(held) => held.kept(),
            Self::Written(written) => written.kept(),
        }
    }

    /// How much memory the body takes.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::Held(held) => held.memory(),
            Self::Written(_) => 0,
        }
    }
}

/// A file that is complete, but without the disk's word for it.
#[derive(Debug)]
pub(crate) struct Written {
    folder: Folder,
    name: Name,
    part: Part,
    /// Boxed, since few runs have any.
    draft: Option<Box<Draft>>,
}

/// What is to be remembered of a file once the disk has it.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) note: Note,
    pub(super) digest: Digest,
    /// Of a file that was there: it has to be the same still.
    pub(super) stamp: Option<Stamp>,
}

/// Why a file that was there before is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    Skipped,
    Unchanged { bytes: u64 },
}

#[derive(Debug)]
enum Part {
    /// Not under its name yet. When it is dropped, nothing of it is left.
    New { temporary: Temporary, bytes: u64 },
    /// There before this run.
    Found { file: File, place: Place, finding: Finding },
}

impl Written {
    /// Takes a temporary that has been written whole. The disk begins with it, so that a sync later finds less to do.
    pub(super) fn new(folder: Folder, name: Name, temporary: Temporary, bytes: u64) -> Self {
        temporary.begin_sync();
        Self { folder, name, part: Part::New { temporary, bytes }, draft: None }
    }

    /// Takes a file that is not fetched because it is there.
    pub(super) fn found(folder: Folder, name: Name, file: File, place: Place, finding: Finding) -> Self {
        Self { folder, name, part: Part::Found { file, place, finding }, draft: None }
    }

    /// Has it remembered what is in `draft`, once it is committed.
    pub(super) fn noted(self, draft: Option<Draft>) -> Self {
        Self { draft: draft.map(Box::new), ..self }
    }

    fn kept(&self) -> Kept {
        let file = self.folder.path(&self.name);
        match self.part {
            Part::New { bytes, .. } => Kept::Saved { file, bytes },
            Part::Found { finding: Finding::Skipped, .. } => Kept::Skipped { file },
            Part::Found { finding: Finding::Unchanged { bytes }, .. } => Kept::Unchanged { file, bytes },
        }
    }

    fn sync(self) -> Result<Self, Error> {
        let synced = match &self.part {
            Part::New { temporary, .. } => temporary.sync(),
            Part::Found { file, .. } => file.sync_all(),
        };
        synced.map_err(|e| self.folder.failed("syncing", &self.name, e)).map(|()| self)
    }

    fn rename(self) -> Result<Named, Error> {
        let Self { folder, name, part, mut draft } = self;
        if let (Some(draft), Part::New { temporary, .. }) = (&mut draft, &part) {
            draft.stamp = temporary.stamp().ok();
        }
        let entry = match part {
            Part::New { temporary, .. } => {
                let replaces = temporary.would_replace(name.file());
                let mut entry = folder.rename(temporary, &name)?;
                // The old file is gone: better the new one, though a power cut may bring the old one back, than neither.
                if replaces {
                    entry.keep();
                }
                entry
            }
            Part::Found { place, .. } => Entry::kept(place, name.file()),
        };
        Ok(Named { folder, name, entry, draft })
    }
}

/// A file that has its name, if the disk takes the name, too.
#[derive(Debug)]
struct Named {
    folder: Folder,
    name: Name,
    entry: Entry,
    draft: Option<Box<Draft>>,
}

impl Named {
    fn sync_folders(mut self, synced: &mut Synced) -> Result<Self, Error> {
        synced.way_to(&self)?;
        self.entry.keep();
        Ok(self)
    }

    /// Adds the line that is to be remembered of it. If it is not the same file any more, or gone, there is none.
    fn note(self, lines: &mut String) {
        let Some(Draft { note, digest, stamp: Some(before) }) = self.draft.map(|draft| *draft) else { return };
        if let Ok(stamp) = self.entry.stamp()
            && stamp.is_renamed(&before)
        {
            Record { note, digest, stamp }.encode(self.name.as_str(), lines);
        }
    }
}

/// Waits until the disk has each of these bodies. This blocks on the disk. Of one that fails, nothing is left.
pub(crate) fn sync(batch: Vec<Written>) -> Vec<Result<Written, Error>> {
    batch.into_iter().map(Written::sync).collect()
}

/// Names the bodies of one run that the disk has, and waits until it has the names. This blocks on the disk. Of one
/// that fails, nothing is left, unless it has replaced an old file already.
pub(crate) fn commit(batch: Vec<Result<Written, Error>>) -> Vec<Result<(), Error>> {
    let renamed: Vec<_> = batch.into_iter().map(|written| written?.rename()).collect();
    let mut folders = Synced::default();
    let named: Vec<_> = renamed.into_iter().map(|written| written?.sync_folders(&mut folders)).collect();
    note(named)
}

/// Has it remembered of each file that is to be, in one write. Whatever becomes of that, the files are there: what is not
/// remembered is only fetched once more.
fn note(named: Vec<Result<Named, Error>>) -> Vec<Result<(), Error>> {
    let (mut lines, mut folder) = (String::new(), None);
    let mut noted = |file: Named| {
        if file.draft.is_some() {
            folder.get_or_insert_with(|| file.folder.clone());
            file.note(&mut lines);
        }
    };
    let results = named.into_iter().map(|file| file.map(&mut noted)).collect();
    if let Some(state) = folder.as_ref().and_then(Folder::state)
        && !lines.is_empty()
        && let Err(e) = state.append(&lines)
    {
        log::debug!("what was to be remembered of some files could not be written: {e}");
    }
    results
}

/// The folders that were synced for a batch, which are few, and how that went.
#[derive(Default)]
struct Synced(Vec<(String, Result<(), String>)>);

impl Synced {
    /// Syncs a folder and those that it lies in, which may be as new as the file.
    fn way_to(&mut self, file: &Named) -> Result<(), Error> {
        let folders = std::iter::successors(Some(file.name.folder()), |way| match way.rsplit_once('/') {
            Some((outer, _)) => Some(outer),
            None => (!way.is_empty()).then_some(""),
        });
        for (levels, way) in folders.enumerate() {
            if !self.0.iter().any(|(folder, _)| folder == way) {
                let synced = file.folder.sync(way, &file.entry, levels);
                self.0.push((way.to_owned(), synced.map_err(|error| error.to_string())));
            }
            if let Some((_, Err(message))) = self.0.iter().find(|(folder, _)| folder == way) {
                return Err(Error::new(ErrorKind::Io, message.as_str()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::Rules;
    use super::*;
    use crate::config::{Durability, Existing};
    use crate::spare::Spare;
    use futures_lite::future::block_on;
    use std::fs;
    use std::path::Path;

    fn folder(dir: &Path) -> Folder {
        let rules = Rules { durability: Durability::Synced, ..Rules::default() };
        Folder::open(dir, rules, Spare::new(|| false)).unwrap()
    }

    fn written(folder: &Folder, out: &str, text: &str) -> Written {
        let name = folder.claim("http://h/", Some(out)).unwrap();
        let mut temporary = folder.begin(&name).unwrap();
        temporary.append(text.as_bytes()).unwrap();
        Written::new(folder.clone(), name, temporary, text.len() as u64)
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_batch_is_committed_in_its_order_whatever_folders_it_is_for() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "old").unwrap();
        let folder = folder(dir.path());
        let outs = ["a", "f/g/a", "f/b", "b"];
        let batch: Vec<_> = outs.iter().map(|out| written(&folder, out, out)).collect();
        assert_eq!(fs::read_to_string(dir.path().join("a")).unwrap(), "old");
        assert!(matches!(batch[1].kept(), Kept::Saved { file, bytes: 5 } if file == dir.path().join("f/g/a")));
        assert!(commit(sync(batch)).iter().all(Result::is_ok));
        for out in outs {
            assert_eq!(fs::read_to_string(dir.path().join(out)).unwrap(), out);
        }
        assert_eq!(names(dir.path()), ["a", "b", "f"]);
    }

    #[test]
    fn one_that_can_not_be_named_fails_alone_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("b")).unwrap();
        let folder = folder(dir.path());
        let results = commit(sync(["a", "b", "c"].map(|out| written(&folder, out, "x")).into()));
        assert!(results[0].is_ok() && results[2].is_ok());
        let error = results[1].as_ref().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("a directory is in the way of"), "{error}");
        assert_eq!(names(dir.path()), ["a", "b", "c"]);
    }

    #[test]
    fn a_file_that_was_there_is_skipped_once_it_is_synced_and_stays_if_it_can_not_be() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("f")).unwrap();
        fs::write(dir.path().join("f/a"), "old").unwrap();
        let rules = Rules { existing: Existing::Skip, durability: Durability::Synced };
        let folder = Folder::open(dir.path(), rules, Spare::new(|| false)).unwrap();
        let name = folder.claim("http://h/", Some("f/a")).unwrap();
        let find = || match block_on(folder.find(&name)).unwrap() {
            Some(Complete::Uncommitted(Uncommitted::Written(written))) => written,
            other => panic!("{other:?}"),
        };
        assert!(matches!(find().kept(), Kept::Skipped { file } if file == dir.path().join("f/a")));
        assert!(commit(sync(vec![find()]))[0].is_ok());
        let mut synced = Synced(vec![("f".to_owned(), Err("no".to_owned()))]);
        assert!(find().rename().unwrap().sync_folders(&mut synced).is_err());
        assert_eq!(fs::read_to_string(dir.path().join("f/a")).unwrap(), "old");
    }

    #[test]
    fn one_that_is_dropped_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        drop(written(&folder(dir.path()), "a", "x"));
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn a_folder_that_could_not_be_synced_fails_each_file_on_the_way_through_it_and_removes_what_is_new() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path());
        fs::create_dir_all(dir.path().join("f/g")).unwrap();
        fs::write(dir.path().join("f/g/b"), "old").unwrap();
        let mut synced = Synced(vec![("f".to_owned(), Err("no".to_owned()))]);
        let mut commit = |out| written(&folder, out, "x").rename().unwrap().sync_folders(&mut synced);
        assert_eq!(commit("f/g/a").unwrap_err().to_string(), "no");
        assert_eq!(commit("f/g/b").unwrap_err().to_string(), "no");
        assert!(commit("h/a").is_ok());
        assert_eq!(names(&dir.path().join("f/g")), ["b"]);
        assert_eq!(fs::read_to_string(dir.path().join("f/g/b")).unwrap(), "x");
        assert_eq!(names(&dir.path().join("h")), ["a"]);
    }
}
