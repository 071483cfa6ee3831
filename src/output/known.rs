//! A name → what is known of the file that is there, and whether it is still the one that was remembered.
//!
//! A file that has the stamp that was noted is taken for the same without reading it. One that was touched, copied or moved to
//! another disk has another stamp, and is read: its digest tells. So nothing is asked for again for the sake of a backup,
//! and no local change stays unseen.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use rustix::fs::{FileType, OFlags, fstat};
use rustix::io::{Errno, retry_on_intr};
use sha2::{Digest as _, Sha256};

use super::folder::Folder;
use super::name::Name;
use super::record::{Digest, Record, Stamp};
use super::sink::Finish;
use super::temporary::{Place, open_at, stat_at};
use super::written::{Complete, Draft, Finding, Uncommitted, Written};
use crate::error::Error;
use crate::offload::{Lane, Task, unblock};
use crate::outcome::Kept;

/// How much of a file is read at once: it lies on the stack of a thread that has no more than 256 KiB.
pub(super) const PIECE: usize = 16 * 1024;

/// A file that is there.
#[derive(Debug)]
pub(crate) struct Known {
    pub length: u64,
    /// What was remembered of it, if it is still the same.
    pub record: Option<Record>,
    /// Whether that is known without reading it.
    pub(super) is_stamped: bool,
}

impl Folder {
    /// What is known of the file that is there; `None` if there is none. A link is none: it is replaced, whatever it leads to.
    ///
    /// # Errors
    ///
    /// Kind `Io` if it can't be told, and if there is a symbolic link on the way.
    pub(crate) fn known(&self, name: &Name) -> Task<Result<Option<Arc<Known>>, Error>> {
        let (folder, name) = (self.clone(), name.clone());
        let recognise = move || folder.spare().try_with(|| Ok(folder.recognise(&name)?.map(Arc::new)));
        unblock(Lane::Disk, recognise)
    }

    fn recognise(&self, name: &Name) -> Result<Option<Known>, Error> {
        let Some(place) = self.place(name)? else { return Ok(None) };
        let stamp = match stat_at(&place, name.file()) {
            Ok(found) if FileType::from_raw_mode(found.st_mode).is_file() => Stamp::of(&found),
            Ok(_) | Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(self.failed("looking for", name, e.into())),
        };
        let length = stamp.length;
        let Some(record) = self.recall(name).filter(|record| record.stamp.length == length) else {
            return Ok(Some(Known { length, record: None, is_stamped: false }));
        };
        let is_stamped = record.stamp == stamp;
        let is_same = is_stamped || self.digest(name)?.is_some_and(|digest| digest == (record.digest, stamp.clone()));
        let record = is_same.then_some(Record { stamp, ..record });
        Ok(Some(Known { length, record, is_stamped }))
    }

    /// What was remembered of a file.
    fn recall(&self, name: &Name) -> Option<Record> {
        let found = self.state()?.find(name.as_str());
        found.unwrap_or_else(|e| {
            log::debug!("what was remembered of {} can't be read: {e}", name.as_str());
            None
        })
    }

    /// Reads a file: its digest, and what it was while it was read.
    fn digest(&self, name: &Name) -> Result<Option<(Digest, Stamp)>, Error> {
        let failed = |e| self.failed("reading", name, e);
        let Some((file, _, stamp)) = self.open_file(name)? else { return Ok(None) };
        let digest = match digest_of(&file, stamp.length) {
            Ok(digest) => digest,
            // It has become shorter meanwhile.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        let after = retry_on_intr(|| fstat(&file)).map_err(|e| failed(e.into()))?;
        Ok((Stamp::of(&after) == stamp).then(|| (digest.finalize().into(), stamp)))
    }

    /// Opens a file to be read; `None` if there is none that may be read.
    pub(super) fn open_file(&self, name: &Name) -> Result<Option<(File, Place, Stamp)>, Error> {
        let failed = |e: Errno| self.failed("opening", name, e.into());
        let Some(place) = self.place(name)? else { return Ok(None) };
        let file = match open_at(&place, name.file(), OFlags::RDONLY | OFlags::NONBLOCK, 0) {
            Ok(file) => file,
            // What can't be read can't be compared, but replaced.
            Err(Errno::NOENT | Errno::LOOP | Errno::ACCESS) => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        let stat = retry_on_intr(|| fstat(&file)).map_err(failed)?;
        let is_file = FileType::from_raw_mode(stat.st_mode).is_file();
        Ok(is_file.then(|| (file, place, Stamp::of(&stat))))
    }

    /// What a job comes to whose file has not changed: to that, or to have it noted first that it is the same under another
    /// stamp.
    ///
    /// # Errors
    ///
    /// Kind `Io` if it can't be opened for that.
    pub(crate) fn leave(&self, name: &Name, known: &Known) -> Finish {
        let unchanged = Complete::Kept(Kept::Unchanged { file: self.path(name), bytes: known.length });
        let Some(record) = known.record.clone().filter(|_| !known.is_stamped) else {
            return Finish::Done(Ok(unchanged));
        };
        let (folder, name) = (self.clone(), name.clone());
        Finish::Disk(unblock(Lane::Disk, move || {
            let Some((file, place, _)) = folder.spare().try_with(|| folder.open_file(&name))? else {
                return Ok(unchanged);
            };
            let Record { note, digest, stamp } = record;
            let finding = Finding::Unchanged { bytes: stamp.length };
            let draft = Draft { note, digest, stamp: Some(stamp) };
            let written = Written::found(folder, name, file, place, finding).noted(Some(draft));
            Ok(Complete::Uncommitted(Uncommitted::Written(written)))
        }))
    }
}

/// The digest of the first so many bytes of a file.
pub(super) fn digest_of(file: &File, length: u64) -> io::Result<Sha256> {
    let (mut digest, mut piece, mut place) = (Sha256::new(), [0; PIECE], 0);
    while place < length {
        let wanted = usize::try_from(length - place).unwrap_or(PIECE).min(PIECE);
        let piece = piece.get_mut(..wanted).unwrap_or_default();
        file.read_exact_at(piece, place)?;
        digest.update(&*piece);
        place += piece.len() as u64;
    }
    Ok(digest)
}
