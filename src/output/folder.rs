//! A job → a name of its own in the output directory, and a file there.
//!
//! It owns the directory, the names that are used, and the words in which a failure on the disk is told. It refuses to
//! give one name twice in a run.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};
use rustix::io::{Errno, retry_on_intr};

use super::name::{Name, free_number};
use super::partial::{self, Origin};
use super::places::{Missing, Places, shown};
use super::state::State;
use super::temporary::{Entry, Place, Temporary};
use super::used::Used;
use super::written::{Complete, Finding, Uncommitted, Written};
use crate::config::{Durability, Existing};
use crate::error::Error;
use crate::offload::{Lane, Task, unblock};
use crate::outcome::Kept;
use crate::spare::Spare;
use crate::sync::lock;

/// What is to be done with the files of an output directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Rules {
    pub existing: Existing,
    pub durability: Durability,
}

/// The output directory, opened. A clone is the same directory, with the same names used.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    places: Arc<Places>,
    rules: Rules,
    spare: Spare,
    /// The longest name that the file system takes, in bytes.
    limit: usize,
    state: Option<State>,
    used: Mutex<Used>,
}

impl Folder {
    /// Makes the directory if it is missing, checks that files can be made in it, and removes what killed runs left. Files
    /// that are made later may take descriptors from `spare`.
    ///
    /// This blocks on the disk.
    ///
    /// # Errors
    ///
    /// Kind `Io` if it is no directory, can't be made, or can't be written to; if what is remembered of its files can't be
    /// read, or another run is at it.
    pub(crate) fn open(dir: &Path, rules: Rules, spare: Spare) -> Result<Self, Error> {
        let places = Arc::new(Places::prepare(dir, rules.durability)?);
        let limit = places.name_limit();
        let state = match rules.existing {
            Existing::Sync => Some(places.open_state()?),
            Existing::Replace | Existing::Skip => None,
        };
        let folders = Arc::clone(&places);
        // Both: the one folder that is kept open may be the very one that is needed.
        let spare = Spare::new(move || folders.close() | spare.give_up());
        Ok(Self { inner: Arc::new(Inner { places, rules, spare, limit, state, used: Mutex::default() }) })
    }

    /// The name of a job's file: `out` if the job has it, else what its URL, as it was written, ends in. It is one that
    /// no job of this run has yet, if need be with a number. Nothing is read or written.
    ///
    /// # Errors
    ///
    /// Kind `Url` if the name can't be used.
    pub(crate) fn claim(&self, url: &str, out: Option<&str>) -> Result<Name, Error> {
        let limit = self.inner.limit;
        let name = match out {
            Some(out) => Name::of_option(out, limit)?,
            None => Name::of_url(url, limit)?,
        };
        let mut used = lock(&self.inner.used);
        if used.insert(name.as_str()) {
            return Ok(name);
        }
        let number = free_number(|number| used.contains(name.numbered(number, limit).as_str()));
        let numbered = name.numbered(number, limit);
        used.insert(numbered.as_str());
        Ok(numbered)
    }

    /// The directory as it was given, and the name.
    pub(crate) fn path(&self, name: &Name) -> PathBuf {
        self.inner.places.path(name.as_str())
    }

    /// Whether a job whose file is there already is not to be fetched.
    pub(crate) fn skips(&self) -> bool {
        self.inner.rules.existing == Existing::Skip
    }

    /// What its files outlive.
    pub(crate) fn durability(&self) -> Durability {
        self.inner.rules.durability
    }

    /// What a job whose file is there comes to, if it is not to be fetched then: to have been skipped, or to be synced before.
    /// A folder of that name is no file, and a link is what it leads to.
    ///
    /// # Errors
    ///
    /// Kind `Io` if it can't be told, or read to be synced, and if there is a symbolic link on the way.
    pub(crate) fn find(&self, name: &Name) -> Task<Result<Option<Complete>, Error>> {
        let (folder, name) = (self.clone(), name.clone());
        unblock(Lane::Disk, move || folder.inner.spare.try_with(|| folder.look(&name)))
    }

    fn look(&self, name: &Name) -> Result<Option<Complete>, Error> {
        let failed = |e: Errno| self.failed("looking for", name, e.into());
        let Some(place) = self.inner.places.open(name.folder(), Missing::Tell)? else { return Ok(None) };
        match retry_on_intr(|| statat(&place, name.file(), AtFlags::empty())) {
            Ok(found) if FileType::from_raw_mode(found.st_mode).is_file() => {}
            // A symbolic link that leads nowhere is no file, and one in a circle neither.
            Ok(_) | Err(Errno::NOENT | Errno::LOOP) => return Ok(None),
            Err(e) => return Err(failed(e)),
        }
        if self.durability() == Durability::Written {
            return Ok(Some(Complete::Kept(Kept::Skipped { file: self.path(name) })));
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = retry_on_intr(|| openat(&place, name.file(), flags, Mode::empty())).map_err(failed)?;
        let written = Written::found(self.clone(), name.clone(), file.into(), place, Finding::Skipped);
        Ok(Some(Complete::Uncommitted(Uncommitted::Written(written))))
    }

    /// The folder of a name; `None` if it is not there.
    pub(super) fn place(&self, name: &Name) -> Result<Option<Place>, Error> {
        self.inner.places.open(name.folder(), Missing::Tell)
    }

    pub(super) fn spare(&self) -> &Spare {
        &self.inner.spare
    }

    /// What is remembered of its files, if it is.
    pub(super) fn state(&self) -> Option<&State> {
        self.inner.state.as_ref()
    }

    /// Makes a temporary beside the file that it is to become. This blocks on the disk.
    pub(super) fn begin(&self, name: &Name) -> Result<Temporary, Error> {
        self.make(name, Temporary::create)
    }

    /// As [`begin`](Self::begin), for a body that can be gone on with if it is cut.
    pub(super) fn begin_rest(&self, name: &Name, origin: &Origin) -> Result<Temporary, Error> {
        self.make(name, |place| partial::begin(place, name, origin))
    }

    /// As [`begin`](Self::begin), for a body that can be written again: another run may sweep it away.
    pub(super) fn begin_unlocked(&self, name: &Name) -> Result<Temporary, Error> {
        self.make(name, Temporary::create_unlocked)
    }

    fn make(&self, name: &Name, make: impl Fn(&Place) -> io::Result<Temporary>) -> Result<Temporary, Error> {
        let failed = |e| self.failed("making", name, e);
        let missing = || failed(io::ErrorKind::NotFound.into());
        self.inner.spare.try_with(|| {
            let place = self.inner.places.open(name.folder(), Missing::Make)?.ok_or_else(missing)?;
            make(&place).map_err(failed)
        })
    }

    /// Puts a complete file under its name, where it is if it is kept then. This blocks on the disk.
    pub(super) fn rename(&self, temporary: Temporary, name: &Name) -> Result<Entry, Error> {
        temporary.rename(name.file()).map_err(|e| self.not_named(name, e))
    }

    /// Why it could not be given its name.
    pub(super) fn not_named(&self, name: &Name, e: io::Error) -> Error {
        match e.kind() {
            io::ErrorKind::IsADirectory => self.failed("a directory is in the way of", name, e),
            _ => self.failed("naming", name, e),
        }
    }

    /// Waits until the disk has what was named in a folder below this one, `""` being this one, where `entry` lies so many
    /// levels below it. This blocks on the disk.
    pub(super) fn sync(&self, folder: &str, entry: &Entry, levels: usize) -> Result<(), Error> {
        let failed = |e| Error::io(format_args!("syncing folder {}", shown(&self.inner.places.path(folder))), e);
        self.inner.spare.try_with(|| entry.sync_folder(levels).map_err(failed))
    }

    /// What was tried with which file, and what the system said.
    pub(super) fn failed(&self, doing: &str, name: &Name, e: io::Error) -> Error {
        Error::io(format_args!("{doing} {}", shown(&self.path(name))), e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use futures_lite::future::block_on;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn folder(dir: &Path) -> Folder {
        open(dir, Rules::default())
    }

    fn open(dir: &Path, rules: Rules) -> Folder {
        Folder::open(dir, rules, Spare::new(|| false)).unwrap()
    }

    fn claimed(folder: &Folder, out: &str) -> String {
        folder.claim("http://h/unused", Some(out)).unwrap().as_str().to_owned()
    }

    #[test]
    fn a_name_that_is_used_gets_a_number_from_one_on() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path());
        let of_url = |url| folder.claim(url, None).unwrap().as_str().to_owned();
        assert_eq!(of_url("http://h/a.txt"), "a.txt");
        assert_eq!(of_url("http://h/b/a.txt?x"), "a.1.txt");
        assert_eq!(claimed(&folder, "a.txt"), "a.2.txt");
        assert_eq!(claimed(&folder, "f/a.txt"), "f/a.txt");
        assert_eq!(claimed(&folder, "f/a.txt"), "f/a.1.txt");
        assert_eq!(of_url("http://h/"), "index.html");
        assert_eq!(of_url("http://h"), "index.1.html");
        assert_eq!(claimed(&folder, "a"), "a");
        assert_eq!(claimed(&folder.clone(), "a"), "a.1");
    }

    #[test]
    fn a_number_that_another_job_has_as_its_name_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path());
        let names: Vec<_> = ["a.1", "a", "a", "a.1"].iter().map(|out| claimed(&folder, out)).collect();
        assert_eq!(names, ["a.1", "a", "a.2", "a.1.1"]);
    }

    #[test]
    fn names_that_are_the_same_once_they_are_cut_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path());
        let long = "ä".repeat(200);
        let names: Vec<_> = ["x", "y", "z"].iter().map(|end| claimed(&folder, &format!("{long}{end}.txt"))).collect();
        assert!(names[1].ends_with(".1.txt") && names[2].ends_with(".2.txt"), "{names:?}");
        assert!(names.iter().all(|name| name.len() <= 255));
    }

    #[test]
    fn many_jobs_of_one_name_are_numbered_in_order_and_soon() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path());
        assert_eq!(claimed(&folder, "a"), "a");
        for n in 1..20_000 {
            assert_eq!(claimed(&folder, "a"), format!("a.{n}"));
        }
    }

    #[test]
    fn a_name_that_is_refused_uses_none() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path());
        assert_eq!(folder.claim("http://h/a", Some("../a")).unwrap_err().kind(), ErrorKind::Url);
        assert_eq!(folder.claim("http://h/a", Some("")).unwrap_err().kind(), ErrorKind::Url);
        assert_eq!(folder.claim("http://h/a", None).unwrap().as_str(), "a");
    }

    #[test]
    fn a_path_is_the_directory_as_it_was_given_and_the_name() {
        let here = folder(Path::new("."));
        let name = here.claim("http://h/a", Some("f/a")).unwrap();
        assert_eq!(here.path(&name).to_str(), Some("./f/a"));
        let dir = tempfile::tempdir().unwrap();
        let slashed = format!("{}/", dir.path().display());
        assert_eq!(folder(Path::new(&slashed)).path(&name).to_str(), Some(format!("{slashed}f/a").as_str()));
    }

    #[test]
    fn a_file_of_the_name_exists_and_nothing_is_made_by_asking() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open(dir.path(), Rules { existing: Existing::Skip, ..Rules::default() });
        assert!(folder.skips());
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/a"), "").unwrap();
        symlink("nowhere", dir.path().join("l")).unwrap();
        let find = |out| block_on(folder.find(&folder.claim("http://h/", Some(out)).unwrap()));
        let exists = |out| find(out).map(|found| found.is_some());
        for (out, there) in [("d", false), ("d/a", true), ("l", false), ("d/b", false), ("e", false), ("f/g/a", false)]
        {
            assert_eq!(exists(out).unwrap(), there, "{out}");
        }
        assert!(!dir.path().join("f").exists());
        assert_eq!(exists("l/a").unwrap_err().kind(), ErrorKind::Io);
    }
}
