//! A body as it arrives, beside the file that is there → nothing written while they are the same, a new file once they part.
//!
//! It owns the file that is there, opened, and how far the two are alike. Where they part, what they have in common is copied
//! to a temporary, and the rest of the body follows: so a long file that has not changed costs the disk nothing, and one that
//! has costs no more than the new file.
//!
//! ```text
//! open ─▶ alike … ─┬▶ to both ends ─▶ unchanged (noted, if there is news of its validators)
//!                  └▶ they part ─▶ temporary … ─▶ synced, named, noted
//! ```
//!
//! A body that is not to be compared has nothing beside it, and parts at once.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::folder::Folder;
use super::known::{Known, PIECE};
use super::name::Name;
use super::partial::{Origin, Rest};
use super::record::{Digest, Note, Stamp};
use super::temporary::{Place, Temporary};
use super::written::{Complete, Draft, Finding, Uncommitted, Written};
use crate::error::Error;
use crate::outcome::Kept;

/// From how many bytes on it is worth a copy not to fetch them again.
const WORTH: u64 = 64 * 1024;

/// What a body is compared with, and what is to be remembered of it.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// What is there.
    pub known: Option<Arc<Known>>,
    pub note: Option<Note>,
    /// The length that the body will have, if its head says it.
    pub length: Option<u64>,
}

impl Progress {
    /// Leaves nothing of it.
    pub(super) fn remove(self) {
        if let Some(temporary) = self.temporary {
            temporary.remove();
        }
    }
}

/// How far a body has come. Boxed is what few have.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Of a body that is compared.
    digest: Option<Box<Sha256>>,
    /// The file that begins as the body does, as long as it does.
    old: Option<Box<Old>>,
    /// The new file, once there is one.
    temporary: Option<Temporary>,
}

/// The file that is there.
#[derive(Debug)]
struct Old {
    file: File,
    place: Place,
    stamp: Stamp,
    /// How many of its bytes have come.
    alike: u64,
}

/// A file of the folder that a body is to become.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(super) folder: Folder,
    pub(super) name: Name,
    pub(super) comparison: Option<Arc<Comparison>>,
    /// What a part of it would be of, if it can be gone on with.
    pub(super) origin: Option<Arc<Origin>>,
}

impl Named {
    /// Begins a body. This blocks on the disk.
    pub(super) fn begin(&self) -> Result<Progress, Error> {
        let digest = self.comparison.as_ref().map(|_| Box::default());
        Ok(Progress { digest, old: self.open_old()?.map(Box::new), temporary: None })
    }

    /// Goes on with a part that is there.
    pub(super) fn go_on(&self, rest: Rest) -> Progress {
        let digest = rest.digest.filter(|_| self.comparison.is_some());
        Progress { digest, old: None, temporary: Some(rest.temporary) }
    }

    /// A new file. One that can't be begun as a part, as where another run is at that, is begun as any other.
    fn new_file(&self) -> Result<Temporary, Error> {
        let part = self.origin.as_ref().map(|origin| self.folder.begin_rest(&self.name, origin));
        match part {
            Some(Ok(temporary)) => Ok(temporary),
            Some(Err(e)) => {
                log::debug!("{} can't be gone on with if it is cut: {e}", self.name.as_str());
                self.folder.begin(&self.name)
            }
            None => self.folder.begin(&self.name),
        }
    }

    /// The file that is there, unless the body can't be the same.
    fn open_old(&self) -> Result<Option<Old>, Error> {
        let Some(Comparison { known: Some(known), length, .. }) = self.comparison.as_deref() else { return Ok(None) };
        if length.is_some_and(|length| length != known.length) {
            return Ok(None);
        }
        let opened = self.folder.spare().try_with(|| self.folder.open_file(&self.name))?;
        Ok(opened.map(|(file, place, stamp)| Old { file, place, stamp, alike: 0 }))
    }

    /// Takes the next bytes.
    pub(super) fn take(&self, part: &mut Progress, data: &[u8]) -> Result<(), Error> {
        if let Some(digest) = &mut part.digest {
            digest.update(data);
        }
        if part.old.as_mut().is_some_and(|old| old.goes_on(data)) {
            return Ok(());
        }
        self.write(self.apart(part)?, data)
    }

    fn write(&self, temporary: &mut Temporary, bytes: &[u8]) -> Result<(), Error> {
        temporary.append(bytes).map_err(|e| self.give_up(temporary, e))
    }

    /// Leaves nothing of what could not be written.
    pub(super) fn give_up(&self, temporary: &mut Temporary, e: io::Error) -> Error {
        temporary.doom();
        self.folder.failed("writing", &self.name, e)
    }

    /// The new file, with what has come before if that went nowhere yet.
    pub(super) fn apart<'a>(&self, part: &'a mut Progress) -> Result<&'a mut Temporary, Error> {
        let temporary = self.part(part)?;
        Ok(part.temporary.insert(temporary))
    }

    /// The new file of a body that is complete: what fails now leaves nothing.
    pub(super) fn complete(&self, part: &mut Progress) -> Result<Temporary, Error> {
        let mut temporary = self.part(part)?;
        temporary.doom();
        Ok(temporary)
    }

    fn part(&self, part: &mut Progress) -> Result<Temporary, Error> {
        if let Some(temporary) = part.temporary.take() {
            return Ok(temporary);
        }
        let mut temporary = self.new_file()?;
        if let Some(old) = part.old.take() {
            self.copy(&old, &mut temporary)?;
        }
        Ok(temporary)
    }

    /// Begins a new file with what it has in common with the old one.
    fn copy(&self, old: &Old, temporary: &mut Temporary) -> Result<(), Error> {
        let (mut piece, mut copied) = ([0; PIECE], 0);
        while copied < old.alike {
            let wanted = usize::try_from(old.alike - copied).unwrap_or(PIECE).min(PIECE);
            let piece = piece.get_mut(..wanted).unwrap_or_default();
            old.file.read_exact_at(piece, copied).map_err(|e| self.folder.failed("reading", &self.name, e))?;
            self.write(temporary, piece)?;
            copied += piece.len() as u64;
        }
        Ok(())
    }

    /// What becomes of a body that is complete.
    pub(super) fn conclude(self, mut part: Progress, bytes: u64) -> Result<Complete, Error> {
        let digest = part.digest.take().map(|digest| digest.finalize().into()).unwrap_or_default();
        let old = part.old.take_if(|old| old.alike == old.stamp.length).map(|old| *old);
        match old.or_else(|| self.same_old(digest)) {
            Some(old) => {
                part.remove();
                Ok(self.keep_old(old, digest))
            }
            None => {
                let temporary = self.complete(&mut part)?;
                Ok(self.keep_new(temporary, bytes, digest))
            }
        }
    }

    /// The file that is there, if by what is remembered of it a part has become the same: no part is compared as it grows.
    fn same_old(&self, digest: Digest) -> Option<Old> {
        let record =
            self.comparison.as_ref()?.known.as_ref()?.record.as_ref().filter(|record| record.digest == digest)?;
        let (file, place, stamp) = self.folder.open_file(&self.name).ok()??;
        (stamp == record.stamp).then_some(Old { file, place, stamp, alike: 0 })
    }

    /// Leaves what has come of a body that was cut, if it can be gone on with.
    pub(super) fn leave(&self, mut part: Progress, data: &[u8]) {
        let is_long = part.old.as_ref().is_some_and(|old| old.alike >= WORTH);
        if is_long && self.origin.is_some() {
            // It is as the old file so far. Whether that is whole in what comes is not known, so it is copied.
            if let Err(e) = self.apart(&mut part) {
                log::debug!("what has come of {} is not kept: {e}", self.name.as_str());
            }
        }
        if let Some(mut temporary) = part.temporary.filter(Temporary::is_resumable) {
            let left = temporary.append(data).and_then(|()| temporary.settle());
            if let Err(e) = left {
                log::debug!("the part of {} is not whole, and goes: {e}", self.name.as_str());
                temporary.remove();
            }
        }
    }

    fn keep_old(self, Old { file, place, stamp, .. }: Old, digest: Digest) -> Complete {
        let bytes = stamp.length;
        let known = self.comparison.as_ref().and_then(|comparison| comparison.known.as_deref());
        let record = known.filter(|known| known.is_stamped).and_then(|known| known.record.as_ref());
        let note = self.note();
        let is_noted = |note: &Note| record.is_some_and(|record| record.note == *note && record.stamp == stamp);
        if note.as_ref().is_some_and(is_noted) {
            return Complete::Kept(Kept::Unchanged { file: self.folder.path(&self.name), bytes });
        }
        // Who knows whether the disk has it: it may have come a moment ago, from a run that does not sync.
        let draft = note.map(|note| Draft { note, digest, stamp: Some(stamp) });
        let written = Written::found(self.folder, self.name, file, place, Finding::Unchanged { bytes }).noted(draft);
        Complete::Uncommitted(Uncommitted::Written(written))
    }

    fn keep_new(self, temporary: Temporary, bytes: u64, digest: Digest) -> Complete {
        let draft = self.note().map(|note| Draft { note, digest, stamp: None });
        let written = Written::new(self.folder, self.name, temporary, bytes).noted(draft);
        Complete::Uncommitted(Uncommitted::Written(written))
    }

    fn note(&self) -> Option<Note> {
        self.comparison.as_ref().and_then(|comparison| comparison.note.clone())
    }
}

impl Old {
    /// Whether these bytes are what comes next in it. What can't be read is another.
    fn goes_on(&mut self, data: &[u8]) -> bool {
        let (mut piece, mut place) = ([0; PIECE], self.alike);
        let is_same = data.chunks(PIECE).all(|data| {
            let piece = piece.get_mut(..data.len()).unwrap_or_default();
            let is_same = self.file.read_exact_at(piece, place).is_ok() && piece == data;
            place += data.len() as u64;
            is_same
        });
        if is_same {
            self.alike = place;
        }
        is_same
    }
}
