//! The folder part of a name → that folder, opened (and made, if it may be), leftovers of killed runs removed from it.
//!
//! It owns the descriptors of the output directory and of the folders used last. It walks down one part at a time and
//! refuses to pass through a symbolic link: whoever can put one there would choose where the files go.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags, accessat, fstatvfs, mkdirat, open, openat};
use rustix::io::{Errno, retry_on_intr};

use super::state::{self, State, Unusable};
use super::temporary::{Place, stat_at, sweep, sync_folder};
use super::used::Used;
use crate::config::Durability;
use crate::error::{Error, ErrorKind};
use crate::sync::lock;
use crate::text;

/// How many folders are kept open: descriptors are few on small machines, and lists tend to stay in a folder.
const KEPT_OPEN: usize = 32;

/// How many folders are remembered as swept. Past that they are forgotten, and swept once more: the memory of a list
/// in which every job has a folder of its own would else be twice what a name may cost.
const SWEPT: usize = 8192;

/// Opens a directory to go on from, for which the right to read it is not needed.
const THROUGH: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC).union(PATH);
#[cfg(any(target_os = "linux", target_os = "android"))]
const PATH: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PATH: OFlags = OFlags::RDONLY;

/// What the longest name may be taken to be. FAT claims more bytes than the 255 UTF-16 units that it takes, and some
/// file systems claim none; less than the lower bound would leave no room for an extension and a number.
const NAME_MAX: std::ops::RangeInclusive<u64> = 64..=255;

/// The output directory and the folders below it.
#[derive(Debug)]
pub(super) struct Places {
    dir: PathBuf,
    root: Place,
    open: Mutex<Vec<(String, Place)>>,
    swept: Mutex<Used>,
}

/// What to do about a folder that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Make,
    Tell,
}

impl Places {
    /// Makes `dir` if it is missing, opens it, checks that files can be made in it, and sweeps it.
    pub(super) fn prepare(dir: &Path, durability: Durability) -> Result<Self, Error> {
        let refused = |e: io::Error| match e.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                Error::io(format_args!("output directory {} is no directory", shown(dir)), e)
            }
            _ => Error::io(format_args!("output directory {} can't be used", shown(dir)), e),
        };
        let is_synced = durability == Durability::Synced;
        let missing: Vec<&Path> = dir.ancestors().take_while(|path| is_synced && !path.exists()).collect();
        create(dir).map_err(refused)?;
        if is_synced {
            let sync_beside = |path: &Path| match path.parent() {
                Some(parent) if parent == Path::new("") => sync_folder(CWD, Path::new(".")),
                Some(parent) => sync_folder(CWD, parent),
                None => Ok(()),
            };
            missing.into_iter().try_for_each(sync_beside).map_err(refused)?;
            // A run that was killed may have made it. Not everybody may read what it lies in.
            let _ = sync_beside(dir);
        }
        let root = retry_on_intr(|| open(dir, THROUGH, Mode::empty())).map_err(|e| refused(e.into()))?;
        let access = Access::WRITE_OK | Access::EXEC_OK;
        retry_on_intr(|| accessat(&root, ".", access, AtFlags::empty())).map_err(|e| refused(e.into()))?;
        sweep(&root);
        let (open, swept) = (Mutex::default(), Mutex::default());
        Ok(Self { dir: dir.to_owned(), root: Arc::new(root), open, swept })
    }

    /// The path of a name below the directory, the directory written as it was given.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Opens what is remembered of the directory's files.
    pub(super) fn open_state(&self) -> Result<State, Error> {
        let refused = |message: String| Error::new(ErrorKind::Io, message);
        State::open(&self.root).map_err(|unusable| match unusable {
            Unusable::Busy => refused(format!(
                "another run with --sync is at work in {}; wait until it is done, or give this one another --dir",
                shown(&self.dir)
            )),
            Unusable::Foreign(why) => {
                let state = self.path(state::NAME);
                refused(format!("{} {why}; without it everything is fetched once more", shown(&state)))
            }
            Unusable::Io(e) => Error::io(format_args!("{} can't be used", shown(&self.path(state::NAME))), e),
        })
    }

    /// The longest name that the file system takes, in bytes.
    pub(super) fn name_limit(&self) -> usize {
        let claimed = fstatvfs(&self.root).map_or(0, |system| system.f_namemax);
        let limit = if claimed == 0 { *NAME_MAX.end() } else { claimed.clamp(*NAME_MAX.start(), *NAME_MAX.end()) };
        usize::try_from(limit).unwrap_or(usize::MAX)
    }

    /// The folder of that name, `""` being the directory itself; `None` if it is missing and not to be made.
    pub(super) fn open(&self, folder: &str, missing: Missing) -> Result<Option<Place>, Error> {
        if folder.is_empty() {
            return Ok(Some(Arc::clone(&self.root)));
        }
        if let Some((_, place)) = lock(&self.open).iter().find(|(name, _)| name == folder) {
            return Ok(Some(Arc::clone(place)));
        }
        let Some(place) = self.walk(folder, missing)? else { return Ok(None) };
        if self.is_first_use(folder) {
            sweep(&place);
        }
        let mut open = lock(&self.open);
        if open.len() >= KEPT_OPEN {
            open.clear();
        }
        open.push((folder.to_owned(), Arc::clone(&place)));
        Ok(Some(place))
    }

    /// Closes the folders that are kept open for later use; false if there is none.
    pub(super) fn close(&self) -> bool {
        let open = std::mem::take(&mut *lock(&self.open));
        !open.is_empty()
    }

    fn walk(&self, folder: &str, missing: Missing) -> Result<Option<Place>, Error> {
        let mut place = Arc::clone(&self.root);
        let mut walked = String::with_capacity(folder.len());
        for part in folder.split('/') {
            if !walked.is_empty() {
                walked.push('/');
            }
            walked.push_str(part);
            match step(&place, part, missing) {
                Ok(next) => place = Arc::new(next),
                Err(Errno::NOENT) if missing == Missing::Tell => return Ok(None),
                Err(e) => return Err(self.refused(&place, part, &walked, e)),
            }
        }
        Ok(Some(place))
    }

    /// Why a part of a folder's name can't be walked through: the system says of a symbolic link that it is no directory.
    fn refused(&self, place: &OwnedFd, part: &str, walked: &str, e: Errno) -> Error {
        let path = self.path(walked);
        let is_link = stat_at(place, part).is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_symlink());
        if is_link {
            let message = format!("{} is a symbolic link, and out= does not lead through one", shown(&path));
            return Error::new(ErrorKind::Io, message).with_source(io::Error::from(e));
        }
        Error::io(format_args!("folder {} can't be used", shown(&path)), e.into())
    }

    fn is_first_use(&self, folder: &str) -> bool {
        let mut swept = lock(&self.swept);
        if swept.len() >= SWEPT {
            *swept = Used::default();
        }
        swept.insert(folder)
    }
}

/// Makes a directory, with those above it, if it is missing; what has its name may be something else.
fn create(dir: &Path) -> io::Result<()> {
    loop {
        match fs::create_dir_all(dir) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            // It is one, or opening it tells; here that question is asked in a way that a signal can spoil.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            made => return made,
        }
    }
}

/// A path as a message has it.
pub(super) fn shown(path: &Path) -> String {
    format!("`{}`", text::escape(&path.to_string_lossy()))
}

/// Opens one folder in another, following no link.
fn step(place: &OwnedFd, part: &str, missing: Missing) -> Result<OwnedFd, Errno> {
    let enter = || retry_on_intr(|| openat(place, part, THROUGH | OFlags::NOFOLLOW, Mode::empty()));
    match enter() {
        Err(Errno::NOENT) if missing == Missing::Make => {
            match retry_on_intr(|| mkdirat(place, part, Mode::from_raw_mode(0o777))) {
                // Another worker may have made it just now.
                Ok(()) | Err(Errno::EXIST) => enter(),
                Err(e) => Err(e),
            }
        }
        entered => entered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const LEFTOVER: &str = ".smolget-0123456789abcdef.part";

    fn prepare(dir: &Path) -> Result<Places, Error> {
        Places::prepare(dir, Durability::Written)
    }

    #[test]
    fn a_directory_is_made_with_its_parents_and_may_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        assert!(prepare(&deep).is_ok());
        assert!(deep.is_dir());
        assert!(prepare(&deep).is_ok());
    }

    #[test]
    fn what_is_no_directory_or_lies_below_a_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a\u{1b}");
        fs::write(&file, "kept").unwrap();
        for bad in [file.clone(), file.join("b")] {
            let error = prepare(&bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.to_string().contains("a\\u{1b}"), "{error}");
            assert!(error.to_string().contains("is no directory"), "{error}");
        }
        assert_eq!(fs::read(&file).unwrap(), b"kept");
    }

    #[test]
    fn a_symbolic_link_may_be_the_directory_but_not_lie_on_the_way_below_it() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink(elsewhere.path(), &link).unwrap();
        assert!(prepare(&link).is_ok());
        let places = prepare(dir.path()).unwrap();
        for (folder, missing) in [("link", Missing::Make), ("link/a", Missing::Make), ("link", Missing::Tell)] {
            let error = places.open(folder, missing).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.to_string().contains("symbolic link"), "{error}");
        }
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        assert!(places.open("linked/a", Missing::Make).unwrap().is_some());
    }

    #[test]
    fn a_missing_folder_is_made_or_told_of_as_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let places = prepare(dir.path()).unwrap();
        assert!(places.open("a/b", Missing::Tell).unwrap().is_none());
        assert!(!dir.path().join("a").exists());
        assert!(places.open("a/b", Missing::Make).unwrap().is_some());
        assert!(dir.path().join("a/b").is_dir());
        assert!(places.open("a/b", Missing::Tell).unwrap().is_some());
    }

    #[test]
    fn a_file_where_a_folder_should_be_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        let places = prepare(dir.path()).unwrap();
        let error = places.open("a/b", Missing::Make).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("/a` can't be used: Not a directory"), "{error}");
    }

    #[test]
    fn every_folder_is_swept_when_it_is_used_first_and_not_again() {
        let dir = tempfile::tempdir().unwrap();
        let leftovers = [dir.path().join(LEFTOVER), dir.path().join("a/b").join(LEFTOVER)];
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        leftovers.iter().for_each(|path| fs::write(path, "half").unwrap());
        let places = prepare(dir.path()).unwrap();
        assert!(!leftovers[0].exists() && leftovers[1].exists());
        places.open("a/b", Missing::Tell).unwrap();
        assert!(!leftovers[1].exists());
        fs::write(&leftovers[1], "of another run").unwrap();
        (0..2 * KEPT_OPEN).for_each(|n| drop(places.open(&format!("f{n}"), Missing::Make).unwrap()));
        places.open("a/b", Missing::Make).unwrap();
        assert!(leftovers[1].exists());
    }

    #[test]
    fn few_folders_are_kept_open_however_many_are_used() {
        let dir = tempfile::tempdir().unwrap();
        let places = prepare(dir.path()).unwrap();
        for n in 0..3 * KEPT_OPEN {
            places.open(&format!("f{n}"), Missing::Make).unwrap();
            assert!(lock(&places.open).len() <= KEPT_OPEN);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3 * KEPT_OPEN);
    }

    #[test]
    fn the_longest_name_of_this_file_system_can_be_made() {
        let dir = tempfile::tempdir().unwrap();
        let limit = prepare(dir.path()).unwrap().name_limit();
        assert!(fs::write(dir.path().join("a".repeat(limit)), "").is_ok());
    }
}
