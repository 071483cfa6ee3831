//! A body that was cut → the part that has come, kept for the next attempt, in this run or a later one.
//!
//! It owns two files in the folder of the final name, both named after it: `.smolget-` and 16 hexadecimal digits and `.rest`
//! is the part, locked (flock) while it is written, and `.rest.about` beside it says what it is a part of. A part without a
//! whole description is none. A sweep takes one that lacks the other; else only `--continue` uses, replaces and removes them.
//!
//! ```text
//! lock ─▶ empty ─▶ described ─▶ written … ─┬▶ complete: named ─▶ description removed
//!                                          └▶ cut: left ─▶ lock ─▶ read ─▶ written on …
//! ```
//!
//! The description is written while the part is empty, so the two belong together whenever a run is killed. A power cut may
//! lose bytes of a file that has its length: a part from before the machine was started is not used.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;

use rustix::fs::{FileType, OFlags, fstat, ftruncate};
use rustix::io::retry_on_intr;
use sha2::Sha256;

use super::folder::Folder;
use super::known::{PIECE, digest_of};
use super::name::Name;
use super::record::{self, Source, Validators};
use super::temporary::{ABOUT, Place, REST, Temporary, forget, is_named, may_be_ours, open_at, try_lock};
use crate::error::Error;
use crate::grammar::{decimal, has_control, is_date, is_etag};
use crate::offload::{Lane, Task, unblock};

/// What stands for a length that is not known.
const UNKNOWN: &str = "-";

/// The longest description that is read.
const MAX_ABOUT: usize = 4096;

/// What a part is a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub source: Source,
    /// An entity tag or a date by which the server tells this version from every other.
    pub validator: String,
    /// The length of the whole, if it is known.
    pub total: Option<u64>,
}

impl Origin {
    /// Whether the validator is an entity tag, and no date.
    pub(crate) fn is_tagged(&self) -> bool {
        self.validator.starts_with('"')
    }

    /// By what its version can be told again.
    pub(crate) fn validators(&self) -> Validators {
        let validator = Some(self.validator.clone());
        match self.is_tagged() {
            true => Validators { etag: validator, last_modified: None },
            false => Validators { etag: None, last_modified: validator },
        }
    }
}

/// The part of a body that is there, locked. Dropped, it stays.
#[derive(Debug)]
pub(crate) struct Rest {
    pub origin: Origin,
    pub length: u64,
    pub(super) temporary: Temporary,
    /// Of all of it, if it was [read](Self::read).
    pub digest: Option<Box<Sha256>>,
}

impl Rest {
    /// Removes it.
    pub(crate) fn remove(self) -> Task<()> {
        unblock(Lane::Disk, move || self.temporary.remove())
    }

    /// Reads some of its start.
    ///
    /// # Errors
    ///
    /// Kind `Io` if it can't be read.
    pub(crate) fn start(self) -> Task<Result<(Self, Vec<u8>), Error>> {
        let read = move || {
            let mut start = vec![0; usize::try_from(self.length).unwrap_or(PIECE).min(PIECE)];
            self.temporary.file().read_exact_at(&mut start, 0).map_err(unreadable)?;
            Ok((self, start))
        };
        unblock(Lane::Disk, read)
    }

    /// Reads it, so that there is a digest that goes on where it ends.
    ///
    /// # Errors
    ///
    /// Kind `Io` if it can't be read.
    pub(crate) fn read(mut self) -> Task<Result<Self, Error>> {
        let read = move || {
            let digest = digest_of(self.temporary.file(), self.length);
            self.digest = Some(Box::new(digest.map_err(unreadable)?));
            Ok(self)
        };
        unblock(Lane::Disk, read)
    }
}

fn unreadable(e: io::Error) -> Error {
    Error::io("reading the part that is there", e)
}

impl Folder {
    /// The part of a file that an earlier attempt left; `None` if there is none that can be used, or another run is at it.
    pub(crate) fn rest(&self, name: &Name) -> Task<Option<Rest>> {
        let (folder, name) = (self.clone(), name.clone());
        unblock(Lane::Disk, move || folder.find_rest(&name))
    }

    fn find_rest(&self, name: &Name) -> Option<Rest> {
        let place = self.place(name).ok()??;
        let (part, about) = names(name);
        let opened = open(&place, &part, OFlags::empty());
        if opened.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
            // A run was killed just as it had named the file.
            forget(&place, &about);
        }
        let found = opened.and_then(|mut file| {
            let length = file.seek(SeekFrom::End(0))?;
            let origin = describe(&place, &about).inspect_err(|e| {
                // It is ours, and locked, and nobody will ever know again what it is of.
                if e.kind() == io::ErrorKind::InvalidData {
                    forget(&place, &part);
                    forget(&place, &about);
                }
            });
            Ok((file, length, origin?))
        });
        let (file, length, origin) =
            found.inspect_err(|e| log::trace!("there is no part of {}: {e}", name.as_str())).ok()?;
        let is_part = length > 0 && origin.total.is_none_or(|total| length <= total);
        is_part.then(|| Rest {
            origin,
            length,
            temporary: Temporary::resumable(&place, part, about, file),
            digest: None,
        })
    }
}

/// Begins a part in a folder, of which nothing is there yet. This blocks on the disk.
pub(super) fn begin(place: &Place, name: &Name, origin: &Origin) -> io::Result<Temporary> {
    let (part, about) = names(name);
    let file = open(place, &part, OFlags::CREATE)?;
    let temporary = Temporary::resumable(place, part, about.clone(), file);
    match describe_as(place, &about, origin, &temporary) {
        Ok(()) => Ok(temporary),
        Err(e) => {
            temporary.remove();
            Err(e)
        }
    }
}

/// Empties a part, and writes what it is to be a part of.
fn describe_as(place: &Place, about: &str, origin: &Origin, temporary: &Temporary) -> io::Result<()> {
    retry_on_intr(|| ftruncate(temporary.file(), 0))?;
    let boot = boot().ok_or(io::ErrorKind::Unsupported)?;
    // What is there may be anybody's, or have another name, too: it is not written to.
    forget(place, about);
    let mut description = open_at(place, about, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY, 0o600)?;
    description.write_all(encode(origin, &boot).as_bytes())
}

/// The names of a file's part and of its description. Other files' are others, but for one chance in 2^64.
fn names(name: &Name) -> (String, String) {
    let hash = Source::of(&[name.file().as_bytes()]).to_string();
    let part = format!(".smolget-{}{REST}", hash.get(..16).unwrap_or_default());
    let about = format!("{part}{ABOUT}");
    (part, about)
}

/// Opens a part, locked. Of one that was made and can't be used nothing is left.
fn open(place: &Place, part: &str, create: OFlags) -> io::Result<File> {
    let file = open_at(place, part, create | OFlags::RDWR | OFlags::NONBLOCK, 0o666)?;
    match take(place, part, &file) {
        Ok(()) => Ok(file),
        Err(e) => {
            let is_others = matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotFound);
            if create == OFlags::CREATE && !is_others {
                forget(place, part);
            }
            Err(e)
        }
    }
}

/// Locks a part, and makes sure that it is one, and still has its name then.
fn take(place: &Place, part: &str, file: &File) -> io::Result<()> {
    let stat = retry_on_intr(|| fstat(file))?;
    if !FileType::from_raw_mode(stat.st_mode).is_file() || !may_be_ours(place, &stat) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    try_lock(file)?;
    if is_named(place, part, &stat)? { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Reads a description.
fn describe(place: &Place, about: &str) -> io::Result<Origin> {
    let file = open_at(place, about, OFlags::RDONLY | OFlags::NONBLOCK, 0)?;
    if !may_be_ours(place, &retry_on_intr(|| fstat(&file))?) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut text = Vec::new();
    file.take(MAX_ABOUT as u64).read_to_end(&mut text)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "its description is damaged, or from before a start");
    boot().and_then(|boot| decode(&text, &boot)).ok_or_else(damaged)
}

/// What tells this run of the machine from others. Where there is no such thing nothing is gone on with.
fn boot() -> Option<String> {
    is_boot(&fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default())
}

/// The identity in what the system says, if it says one.
fn is_boot(text: &str) -> Option<String> {
    let id = text.trim();
    (!id.is_empty() && !has_control(id)).then(|| id.to_owned())
}

fn encode(Origin { source, validator, total }: &Origin, boot: &str) -> String {
    let total = total.map_or_else(|| UNKNOWN.to_owned(), |total| total.to_string());
    record::sealed(&format!("{source}\t{total}\t{validator}\t{boot}"))
}

fn decode(text: &[u8], boot: &str) -> Option<Origin> {
    let line = record::unsealed(text.strip_suffix(b"\n")?)?;
    let fields: Vec<&str> = line.split('\t').collect();
    let &[source, total, validator, of_boot] = fields.as_slice() else { return None };
    let total = if total == UNKNOWN { None } else { Some(decimal(total.as_bytes())?) };
    let is_usable = of_boot == boot && (is_etag(validator) || is_date(validator)) && !validator.starts_with("W/");
    is_usable.then_some(Origin { source: Source::parse(source)?, validator: validator.to_owned(), total })
}

#[cfg(test)]
mod tests {
    use super::super::folder::Rules;
    use super::*;
    use crate::spare::Spare;
    use futures_lite::future::block_on;
    use sha2::Digest as _;
    use std::path::Path;

    fn origin() -> Origin {
        Origin { source: Source::of(&[b"http://h/"]), validator: "\"a,b\"".to_owned(), total: Some(10) }
    }

    fn folder(dir: &Path) -> (Folder, Name) {
        let folder = Folder::open(dir, Rules::default(), Spare::new(|| false)).unwrap();
        let name = folder.claim("http://h/a", None).unwrap();
        (folder, name)
    }

    fn begin(folder: &Folder, name: &Name, text: &str) {
        let place = folder.place(name).unwrap().unwrap();
        super::begin(&place, name, &origin()).unwrap().append(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_part_stays_with_what_it_is_of_and_goes_on_at_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, name) = folder(dir.path());
        assert!(block_on(folder.rest(&name)).is_none());
        begin(&folder, &name, "01234");
        let rest = block_on(folder.rest(&name)).unwrap();
        assert_eq!((rest.length, &rest.origin), (5, &origin()));
        let mut rest = block_on(rest.read()).unwrap();
        assert_eq!(rest.digest.take().unwrap().finalize(), Sha256::digest("01234"));
        rest.temporary.append(b"56789").unwrap();
        assert!(block_on(folder.rest(&name)).is_none(), "it is locked");
        folder.rename(rest.temporary, &name).unwrap().keep();
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"0123456789");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_part_that_is_removed_leaves_nothing_and_a_new_one_begins_empty() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, name) = folder(dir.path());
        begin(&folder, &name, "01234");
        begin(&folder, &name, "x");
        let rest = block_on(folder.rest(&name)).unwrap();
        assert_eq!(rest.length, 1);
        block_on(rest.remove());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_part_that_can_not_be_told_what_it_is_of_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, name) = folder(dir.path());
        let about = dir.path().join(names(&name).1);
        begin(&folder, &name, "01234");
        let whole = fs::read(&about).unwrap();
        for cut in 0..whole.len() {
            begin(&folder, &name, "01234");
            fs::write(&about, &whole[..cut]).unwrap();
            assert!(block_on(folder.rest(&name)).is_none(), "cut at {cut}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "cut at {cut}");
        }
        begin(&folder, &name, "01234");
        fs::write(&about, encode(&origin(), "another boot")).unwrap();
        assert!(block_on(folder.rest(&name)).is_none());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        begin(&folder, &name, "01234");
        fs::write(&about, &whole).unwrap();
        assert!(block_on(folder.rest(&name)).is_some());
        begin(&folder, &name, "longer than the whole");
        assert!(block_on(folder.rest(&name)).is_none());
    }

    #[test]
    fn a_part_that_may_be_anybodys_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, name) = folder(dir.path());
        let (part, about) = names(&name);
        let other = dir.path().join("other");
        for of in [&part, &about] {
            let file = dir.path().join(of);
            begin(&folder, &name, "01234");
            fs::hard_link(&file, &other).unwrap();
            assert!(block_on(folder.rest(&name)).is_none(), "{of} has two names");
            fs::remove_file(&other).unwrap();
            assert!(block_on(folder.rest(&name)).is_some());
            // Only root can give files away.
            if std::os::unix::fs::chown(&file, Some(12_345), None).is_ok() {
                assert!(block_on(folder.rest(&name)).is_none(), "{of} is another user's");
                // If it is the folder's owner, there is nobody to be wary of.
                std::os::unix::fs::chown(dir.path(), Some(12_345), None).unwrap();
                assert!(block_on(folder.rest(&name)).is_some());
                std::os::unix::fs::chown(dir.path(), Some(0), None).unwrap();
            }
            fs::remove_file(&file).unwrap();
        }
    }

    #[test]
    fn a_description_is_not_written_to_what_has_another_name() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, name) = folder(dir.path());
        let other = dir.path().join("other");
        fs::write(&other, "precious").unwrap();
        fs::hard_link(&other, dir.path().join(names(&name).1)).unwrap();
        begin(&folder, &name, "01234");
        assert_eq!(fs::read_to_string(other).unwrap(), "precious");
        assert!(block_on(folder.rest(&name)).is_some());
    }

    #[test]
    fn a_machine_that_tells_no_start_from_another_goes_on_with_nothing() {
        assert_eq!((is_boot(""), is_boot(" \n"), is_boot("a-1\n")), (None, None, Some("a-1".to_owned())));
    }

    #[test]
    fn what_can_not_be_sent_as_a_validator_is_none() {
        let of = |validator: &str| Origin { validator: validator.to_owned(), ..origin() };
        let decoded = |validator: &str| decode(encode(&of(validator), "boot").as_bytes(), "boot");
        for good in ["\"a\"", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(decoded(good), Some(of(good)));
        }
        for bad in ["", "*", "a", "\"a\rb\"", "\"a", "W/\"a\"", "yesterday"] {
            assert_eq!(decoded(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_sweep_leaves_parts_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (first, name) = folder(dir.path());
        begin(&first, &name, "01234");
        folder(dir.path());
        assert!(block_on(first.rest(&name)).is_some());
    }
}
