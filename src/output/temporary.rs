//! Bytes that are not complete yet → a file under a name that no one takes for the final one.
//!
//! It owns the temporaries: `.smolget-` and 16 hexadecimal digits and `.part`, in the folder of the final name. The sweep
//! of another run takes each that is not locked (flock): the kernel lets go of a lock however a run ends, so what has none
//! is a leftover, or can be written again. It takes a [part](super::partial), too, that has lost its description, and a
//! description that has lost its part: nobody can make anything of one without the other.
//!
//! ```text
//! a body that is there whole:   open ─▶ write ─▶ close ─▶ rename
//! one that comes piece by piece: open ─▶ lock ─▶ look ─▶ write … ─▶ close a copy ─▶ (sync) ─▶ rename ─▶ close
//! ```
//!
//! A body that comes piece by piece could not be written again, so it is locked, its name is looked for then, in case a
//! sweep came before, and it stays locked until it has its final name: what `close` tells, a copy of the descriptor has to ask.
//! A whole body does without: that it was swept away, the rename tells with `ENOENT`. Whatever lies under the drawn name
//! then, if anything, is this file and nothing else, since nobody else draws the same 64 bits.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{
    Advice, AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat, fadvise, flock, fstat, fsync, openat, renameat,
    statat, unlinkat,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::geteuid;

use super::pipe;
use super::record::Stamp;

const PREFIX: &str = ".smolget-";
const SUFFIX: &str = ".part";
/// What a part that stays ends in.
pub(super) const REST: &str = ".rest";
/// What its description ends in, behind that.
pub(super) const ABOUT: &str = ".about";

/// The hexadecimal digits of a temporary's name.
const DIGITS: usize = 16;

/// How many names are tried: a second one is needed once in a long life, and a few where other runs do nothing but sweep.
const TRIES: u32 = 64;

/// A folder, opened.
pub(super) type Place = Arc<OwnedFd>;

/// A file that is being written, under a name drawn at random. It is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Temporary {
    // First, since it is dropped first: the lock goes with the file.
    entry: Entry,
    file: File,
}

/// A name in a folder, which is gone when this is dropped, unless it is kept.
#[derive(Debug)]
pub(crate) struct Entry {
    place: Place,
    name: String,
    fate: Fate,
    /// The file that describes this one, if it stays to be gone on with. It goes when this does, or is named.
    about: Option<Box<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unlink,
    Kept,
}

impl Temporary {
    /// Makes a temporary in a folder, locks it, and makes sure that it is there then.
    pub(super) fn create(place: &Place) -> io::Result<Self> {
        Self::try_names(|| match Self::draw(place)? {
            Some(temporary) if temporary.lock() && temporary.is_there()? => Ok(Some(temporary)),
            _ => Ok(None),
        })
    }

    /// Makes a temporary that has no lock, for a body that can be written again: it may be swept away at any time.
    pub(super) fn create_unlocked(place: &Place) -> io::Result<Self> {
        Self::try_names(|| Self::draw(place))
    }

    fn try_names(make: impl Fn() -> io::Result<Option<Self>>) -> io::Result<Self> {
        for _ in 0..TRIES {
            if let Some(temporary) = make()? {
                return Ok(temporary);
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "no temporary name is free"))
    }

    /// Makes a temporary under a name drawn at random; `None` if the name was there.
    fn draw(place: &Place) -> io::Result<Option<Self>> {
        let name = draw_name();
        let file = match open_at(place, &name, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY, 0o666) {
            Ok(file) => file,
            Err(Errno::EXIST) => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let entry = Entry { place: Arc::clone(place), name, fate: Fate::Unlink, about: None };
        Ok(Some(Self { entry, file }))
    }

    /// Locks the file, unless another run is sweeping it away.
    fn lock(&self) -> bool {
        match try_lock(&self.file) {
            Err(Errno::WOULDBLOCK) => return false,
            // No locks here. Then no sweep can get one either, and the file is safe without.
            Err(e) => log::debug!("temporary {} has no lock: {e}", self.entry.name),
            Ok(()) => {}
        }
        true
    }

    /// Whether the locked file is still there: a sweep may have come between making and locking.
    ///
    /// It looks for the name, not the link count, which some file systems in user space leave at zero.
    fn is_there(&self) -> io::Result<bool> {
        match stat_at(&self.entry.place, &self.entry.name) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Takes a file that is locked, and stays under its name when this is dropped. What describes it goes once it is named.
    pub(super) fn resumable(place: &Place, name: String, about: String, file: File) -> Self {
        Self { entry: Entry { place: Arc::clone(place), name, fate: Fate::Kept, about: Some(about.into()) }, file }
    }

    /// Whether it stays when this is dropped.
    pub(super) fn is_resumable(&self) -> bool {
        self.entry.fate == Fate::Kept
    }

    /// From now on it is gone when this is dropped, as any other.
    pub(super) fn doom(&mut self) {
        self.entry.fate = Fate::Unlink;
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Removes it, also if it would stay.
    pub(super) fn remove(mut self) {
        self.doom();
    }

    /// Adds to the end.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Adds what is in a pipe to the end; so many bytes are.
    pub(super) fn append_from(&mut self, source: &OwnedFd, bytes: usize) -> io::Result<()> {
        pipe::drain(source, &mut self.file, bytes)
    }

    /// Asks whether a write has failed since it returned: `close` is where NFS and FUSE tell.
    ///
    /// It is a copy of the descriptor that is closed. Every close tells, and the file itself has to stay open to keep its lock.
    pub(super) fn settle(&self) -> io::Result<()> {
        loop {
            match self.file.try_clone().map(nix::unistd::close) {
                // It was interrupted before it could tell; the descriptor is gone all the same.
                Ok(Err(nix::errno::Errno::EINTR)) => {}
                Ok(told) => return Ok(told?),
                // No descriptor to spare. A sync tells too, and only takes longer.
                Err(_) => return self.file.sync_data(),
            }
        }
    }

    /// Closes the file, which tells whether a write has failed since it returned.
    ///
    /// # Errors
    ///
    /// Of kind `Interrupted` if that can't be told any more: the descriptor is gone all the same.
    pub(super) fn close(self) -> io::Result<Entry> {
        let Self { file, entry } = self;
        Ok(nix::unistd::close(file).map(|()| entry)?)
    }

    /// Has the disk begin to take the file. What can't be begun is done by [`sync`](Self::sync).
    pub(super) fn begin_sync(&self) {
        // That nobody will read the pages soon is true, and has Linux write them out.
        let _ = fadvise(&self.file, 0, None, Advice::DontNeed);
    }

    /// Waits until the disk has the file.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Whether there may be something of that name in the folder already.
    pub(super) fn would_replace(&self, name: &str) -> bool {
        let found = stat_at(&self.entry.place, name);
        !matches!(found, Err(Errno::NOENT))
    }

    /// By what the file is known.
    pub(super) fn stamp(&self) -> io::Result<Stamp> {
        Ok(Stamp::of(&retry_on_intr(|| fstat(&self.file))?))
    }

    /// Gives the file its final name in the same folder, in place of what has that name, and closes it.
    pub(super) fn rename(self, name: &str) -> io::Result<Entry> {
        let Self { file: _locked, entry } = self;
        entry.rename(name)
    }
}

impl Entry {
    /// Gives what has this name another one in the same folder, in place of what has that.
    pub(super) fn rename(mut self, name: &str) -> io::Result<Self> {
        retry_on_intr(|| renameat(&self.place, self.name.as_str(), &self.place, name))?;
        name.clone_into(&mut self.name);
        if let Some(about) = self.about.take() {
            forget(&self.place, &about);
        }
        Ok(self)
    }

    /// By what the file of that name is known.
    pub(super) fn stamp(&self) -> io::Result<Stamp> {
        let stat = stat_at(&self.place, &self.name)?;
        Ok(Stamp::of(&stat))
    }

    /// Waits until the disk has what was named in the folder that is so many levels above this.
    pub(super) fn sync_folder(&self, above: usize) -> io::Result<()> {
        let path = if above == 0 { ".".to_owned() } else { "../".repeat(above) };
        sync_folder(&*self.place, Path::new(&path))
    }

    /// A name that is there, and stays.
    pub(super) fn kept(place: Place, name: &str) -> Self {
        Self { place, name: name.to_owned(), fate: Fate::Kept, about: None }
    }

    /// Leaves the file under its name.
    pub(super) fn keep(&mut self) {
        self.fate = Fate::Kept;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.fate == Fate::Kept {
            return;
        }
        forget(&self.place, &self.name);
        if let Some(about) = &self.about {
            forget(&self.place, about);
        }
    }
}

/// A name for a temporary. Formatting would cost as much as all else that is done here for a small file.
fn draw_name() -> String {
    let mut name = String::with_capacity(PREFIX.len() + DIGITS + SUFFIX.len());
    name.push_str(PREFIX);
    let bits = fastrand::u64(..);
    let digits = (0..DIGITS).filter_map(|digit| char::from_digit((bits >> (4 * digit)) as u32 & 0xf, 16));
    digits.for_each(|digit| name.push(digit));
    name.push_str(SUFFIX);
    name
}

/// Waits until the disk has what was named in a folder, which takes the right to read it. Some file systems know no such
/// thing, and say so with `EINVAL`: they leave no more to be done.
pub(super) fn sync_folder(place: impl AsFd, path: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = retry_on_intr(|| openat(&place, path, flags, Mode::empty()))?;
    match retry_on_intr(|| fsync(&folder)) {
        Err(Errno::INVAL) => Ok(()),
        synced => Ok(synced?),
    }
}

/// Whether a file that was found here may be one of ours: of this user, and under no other name. Where anybody may make files,
/// another user may have put it there. Who owns the folder may put into it what they like in any case; and where a file
/// system knows no users, all of it has one owner.
pub(super) fn may_be_ours(place: &OwnedFd, stat: &Stat) -> bool {
    let is_of = |owner: u32| stat.st_uid == owner;
    let is_of_folder = || retry_on_intr(|| fstat(place)).is_ok_and(|folder| is_of(folder.st_uid));
    stat.st_nlink <= 1 && (is_of(geteuid().as_raw()) || is_of_folder())
}

/// Whether a file still has that name: whoever had its lock may have renamed it, or put another in its place.
pub(super) fn is_named(place: &OwnedFd, name: &str, stat: &Stat) -> io::Result<bool> {
    match stat_at(place, name) {
        Ok(named) => Ok((named.st_dev, named.st_ino) == (stat.st_dev, stat.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Opens a file in a folder, or makes it, with this mode, if the flags say so. No link is followed.
pub(super) fn open_at(place: &OwnedFd, name: &str, flags: OFlags, mode: u32) -> Result<File, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    retry_on_intr(|| openat(place, name, flags, Mode::from_raw_mode(mode))).map(File::from)
}

/// What stands under a name in a folder; a link is what it is itself.
pub(super) fn stat_at(place: &OwnedFd, name: &str) -> Result<Stat, Errno> {
    retry_on_intr(|| statat(place, name, AtFlags::SYMLINK_NOFOLLOW))
}

/// Removes a file of that name, if there is one.
pub(super) fn forget(place: &Place, name: &str) {
    match retry_on_intr(|| unlinkat(place, name, AtFlags::empty())) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(e) => log::debug!("{name} was not removed: {e}"),
    }
}

/// Locks a file as long as it is open, without waiting.
pub(super) fn try_lock(file: &File) -> Result<(), Errno> {
    retry_on_intr(|| flock(file, FlockOperation::NonBlockingLockExclusive))
}

/// Removes the temporaries of runs that are no more from a folder. What can't be removed is left: it harms nobody.
pub(super) fn sweep(place: &OwnedFd) {
    if let Err(e) = try_sweep(place) {
        log::debug!("a folder could not be looked through for leftovers: {e}");
    }
}

fn try_sweep(place: &OwnedFd) -> io::Result<()> {
    // Opened once more: a place may be a descriptor that only leads on, and can't be read.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    for entry in Dir::new(retry_on_intr(|| openat(place, ".", flags, Mode::empty()))?)? {
        let entry = entry?;
        let may_be_file = matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown);
        if let Some(name) = entry.file_name().to_str().ok().filter(|name| may_be_file && is_temporary(name)) {
            match remove_leftover(place, name) {
                Ok(()) => log::debug!("removed {name}, left by a run that was killed"),
                Err(e) => log::debug!("left {name} alone: {e}"),
            }
        }
    }
    Ok(())
}

/// Removes a file if no run holds its lock, with the lock held meanwhile: the run that made it could lock it else.
fn remove_leftover(place: &OwnedFd, name: &str) -> io::Result<()> {
    // For writing, because NFS gives an exclusive lock for nothing less; not blocking, in case it is no file after all.
    let file = open_at(place, name, OFlags::WRONLY | OFlags::NONBLOCK, 0)?;
    let stat = retry_on_intr(|| fstat(&file))?;
    if !FileType::from_raw_mode(stat.st_mode).is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    try_lock(&file)?;
    let other = match name.strip_suffix(ABOUT) {
        None if name.ends_with(REST) => Some(format!("{name}{ABOUT}")),
        part => part.map(str::to_owned),
    };
    let is_there = |name: String| !matches!(stat_at(place, &name), Err(Errno::NOENT));
    // A part may have got its final name, and another its old one, before it was locked.
    if other.is_some_and(is_there) || !is_named(place, name, &stat)? {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    Ok(retry_on_intr(|| unlinkat(place, name, AtFlags::empty()))?)
}

fn is_temporary(name: &str) -> bool {
    let Some((digits, suffix)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_at_checked(DIGITS)) else {
        return false;
    };
    let is_known = suffix == SUFFIX || suffix.strip_suffix(ABOUT).unwrap_or(suffix) == REST;
    is_known && digits.bytes().all(|digit| b"0123456789abcdef".contains(&digit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    const LEFTOVER: &str = ".smolget-0123456789abcdef.part";

    fn place(path: &Path) -> Place {
        Arc::new(File::open(path).unwrap().into())
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_temporary_is_hidden_while_it_grows_and_has_its_name_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut temporary = Temporary::create(&place(dir.path())).unwrap();
        temporary.append(b"ab").unwrap();
        temporary.append(b"c").unwrap();
        let while_growing = names(dir.path());
        assert_eq!(while_growing.len(), 1);
        assert!(is_temporary(&while_growing[0]), "{while_growing:?}");
        temporary.rename("a").unwrap().keep();
        assert_eq!(names(dir.path()), ["a"]);
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"abc");
    }

    #[test]
    fn a_temporary_that_is_dropped_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        drop(Temporary::create(&place(dir.path())).unwrap());
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn a_sweep_takes_what_nobody_holds_and_leaves_what_a_run_is_writing() {
        let dir = tempfile::tempdir().unwrap();
        let live = Temporary::create(&place(dir.path())).unwrap();
        fs::write(dir.path().join(LEFTOVER), "half").unwrap();
        sweep(&place(dir.path()));
        assert_eq!(names(dir.path()), [live.entry.name.as_str()]);
    }

    #[test]
    fn a_sweep_leaves_a_lock_holder_alone_until_it_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let holder = File::create(dir.path().join(LEFTOVER)).unwrap();
        holder.lock().unwrap();
        sweep(&place(dir.path()));
        assert_eq!(names(dir.path()), [LEFTOVER]);
        drop(holder);
        sweep(&place(dir.path()));
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn a_sweep_takes_a_part_and_a_description_that_have_lost_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let [lost, part, held] = ["00000000000000d0", "00000000000000e0", "00000000000000f0"];
        let [lost_part, part, held] = [lost, part, held].map(|digits| format!("{PREFIX}{digits}{REST}"));
        let [about, lost_about] =
            [&part, &format!("{PREFIX}00000000000000c0{REST}")].map(|part| format!("{part}{ABOUT}"));
        for name in [&lost_part, &part, &about, &held, &lost_about] {
            fs::write(dir.path().join(name), "half").unwrap();
        }
        let holder = File::open(dir.path().join(&held)).unwrap();
        holder.lock().unwrap();
        sweep(&place(dir.path()));
        assert_eq!(names(dir.path()), [part.clone(), about.clone(), held]);
        drop(holder);
        sweep(&place(dir.path()));
        assert_eq!(names(dir.path()), [part, about]);
    }

    #[test]
    fn a_sweep_takes_nothing_that_only_looks_alike() {
        let dir = tempfile::tempdir().unwrap();
        let alike = [
            ".smolget-0123456789abcde.part",
            ".smolget-0123456789abcdef.part.bak",
            ".smolget-0123456789abcdeg.part",
            ".smolget-0123456789ABCDEF.part",
            "smolget-0123456789abcdef.part",
            ".smolget-.part",
            ".smolget-0123456789abcdef.about",
            ".smolget-0123456789abcdef.rest.about.about",
            "a.part",
        ];
        alike.iter().for_each(|name| fs::write(dir.path().join(name), "").unwrap());
        fs::create_dir(dir.path().join(".smolget-00000000000000d0.part")).unwrap();
        symlink("a.part", dir.path().join(".smolget-00000000000000e0.part")).unwrap();
        let before = names(dir.path());
        sweep(&place(dir.path()));
        assert_eq!(names(dir.path()), before);
        assert_eq!(before.len(), alike.len() + 2);
    }

    #[test]
    fn a_temporary_that_was_swept_before_it_was_locked_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let swept = Temporary::create(&place(dir.path())).unwrap();
        assert!(swept.is_there().unwrap());
        fs::remove_file(dir.path().join(&swept.entry.name)).unwrap();
        assert!(!swept.is_there().unwrap());
    }

    #[test]
    fn the_old_file_is_whole_until_the_new_one_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        let old = File::open(&path).unwrap();
        let mut temporary = Temporary::create(&place(dir.path())).unwrap();
        temporary.append(b"new, and longer").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        temporary.rename("a").unwrap().keep();
        assert_eq!(fs::read(&path).unwrap(), b"new, and longer");
        assert_eq!(io::read_to_string(old).unwrap(), "old");
    }

    #[test]
    fn a_directory_of_the_final_name_stays_and_the_temporary_goes() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        let temporary = Temporary::create(&place(dir.path())).unwrap();
        assert_eq!(temporary.rename("a").unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(names(dir.path()), ["a"]);
    }
}
