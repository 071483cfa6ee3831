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

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use rustix::io::retry_on_intr;
use sha2::{Digest as _, Sha256};

use super::folder::Folder;
use super::known::Known;
use super::name::Name;
use super::record::{Digest, Note, Stamp};
use super::spool::{Settled, Store};
use super::temporary::{Place, Temporary};
use super::written::{Complete, Draft, Finding, Uncommitted, Written};
use crate::error::Error;
use crate::offload::{Lane, unblock};
use crate::outcome::Kept;

/// How much of a file is read at once: it lies on the stack of a thread that has no more than 256 KiB.
const PIECE: usize = 16 * 1024;

/// Compares a body with the file that is there, and keeps it if it is another.
#[derive(Debug, Clone)]
pub(crate) struct Compared {
    aim: Arc<Aim>,
}

/// What is known before the body comes.
#[derive(Debug)]
struct Aim {
    folder: Folder,
    name: Name,
    /// What is there.
    known: Option<Arc<Known>>,
    /// What is to be remembered.
    note: Option<Note>,
    /// The length that the body will have, if its head says it.
    length: Option<u64>,
}

/// How far a body has come.
#[derive(Debug)]
pub(crate) struct Comparison {
    digest: Sha256,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// All that has come is what the file there begins with, so many bytes.
    Alike { old: Old, bytes: u64 },
    /// It is another.
    New { temporary: Temporary, bytes: u64 },
}

/// The file that is there.
#[derive(Debug)]
struct Old {
    file: File,
    place: Place,
    stamp: Stamp,
}

impl Compared {
    pub(super) fn new(
        folder: &Folder,
        name: Name,
        known: Option<Arc<Known>>,
        note: Option<Note>,
        length: Option<u64>,
    ) -> Self {
        Self { aim: Arc::new(Aim { folder: folder.clone(), name, known, note, length }) }
    }

    fn failed(&self, doing: &str, e: io::Error) -> Error {
        self.aim.folder.failed(doing, &self.aim.name, e)
    }

    /// The file that is there, unless the body can't be the same.
    fn open_old(&self) -> Result<Option<Old>, Error> {
        let Some(known) = &self.aim.known else { return Ok(None) };
        if self.aim.length.is_some_and(|length| length != known.length) {
            return Ok(None);
        }
        let Aim { folder, name, .. } = &*self.aim;
        let opened = folder.spare().try_with(|| folder.open_file(name))?;
        Ok(opened.map(|(file, place, stamp)| Old { file, place, stamp }))
    }

    fn write(&self, temporary: &mut Temporary, bytes: &[u8]) -> Result<(), Error> {
        temporary.append(bytes).map_err(|e| self.failed("writing", e))
    }

    /// Leaves the old file where it is, and begins a new one with what they have in common.
    fn part(&self, old: &File, bytes: u64) -> Result<Temporary, Error> {
        let mut temporary = self.aim.folder.begin(&self.aim.name)?;
        let (mut piece, mut copied) = ([0; PIECE], 0);
        while copied < bytes {
            let wanted = usize::try_from(bytes - copied).unwrap_or(PIECE).min(PIECE);
            let piece = piece.get_mut(..wanted).unwrap_or_default();
            old.read_exact_at(piece, copied).map_err(|e| self.failed("reading", e))?;
            self.write(&mut temporary, piece)?;
            copied += piece.len() as u64;
        }
        Ok(temporary)
    }

    /// What becomes of a body that is complete.
    fn conclude(self, Comparison { digest, stage }: Comparison) -> Result<Complete, Error> {
        let digest = digest.finalize().into();
        match stage {
            Stage::Alike { old, bytes } if bytes == old.stamp.length => Ok(self.keep_old(old, digest)),
            Stage::Alike { old, bytes } => Ok(self.keep_new(self.part(&old.file, bytes)?, bytes, digest)),
            Stage::New { temporary, bytes } => Ok(self.keep_new(temporary, bytes, digest)),
        }
    }

    fn keep_old(&self, old: Old, digest: Digest) -> Complete {
        let Aim { folder, name, known, note, .. } = &*self.aim;
        let Old { file, place, stamp } = old;
        let bytes = stamp.length;
        let record = known.as_ref().filter(|known| known.is_stamped).and_then(|known| known.record.as_ref());
        let is_told = |note: &Note| record.is_some_and(|record| record.note == *note && record.stamp == stamp);
        if note.as_ref().is_some_and(is_told) {
            return Complete::Kept(Kept::Unchanged { file: folder.path(name), bytes });
        }
        // Who knows whether the disk has it: it may have come a moment ago, from a run that does not sync.
        let draft = note.clone().map(|note| Draft { note, digest, stamp: Some(stamp) });
        let finding = Finding::Unchanged { bytes };
        let written = Written::found(folder.clone(), name.clone(), file, place, finding).noted(draft);
        Complete::Uncommitted(Uncommitted::Written(written))
    }

    fn keep_new(&self, temporary: Temporary, bytes: u64, digest: Digest) -> Complete {
        let Aim { folder, name, note, .. } = &*self.aim;
        let draft = note.clone().map(|note| Draft { note, digest, stamp: None });
        let written = Written::new(folder.clone(), name.clone(), temporary, bytes).noted(draft);
        Complete::Uncommitted(Uncommitted::Written(written))
    }
}

/// Keeps a body that is complete.
pub(super) async fn keep(settled: Settled<Compared>) -> Result<Complete, Error> {
    let Settled { store, part, buffer, .. } = settled;
    let conclude = move || {
        let mut part = part.map_or_else(|| store.open(), Ok)?;
        store.append(&mut part, &buffer)?;
        store.conclude(part)
    };
    unblock(Lane::Disk, conclude).await
}

impl Store for Compared {
    type Part = Comparison;

    fn open(&self) -> Result<Comparison, Error> {
        let stage = match self.open_old()? {
            Some(old) => Stage::Alike { old, bytes: 0 },
            None => Stage::New { temporary: self.aim.folder.begin(&self.aim.name)?, bytes: 0 },
        };
        Ok(Comparison { digest: Sha256::new(), stage })
    }

    fn append(&self, part: &mut Comparison, data: &[u8]) -> Result<(), Error> {
        part.digest.update(data);
        if let Stage::Alike { old, bytes } = &mut part.stage {
            if old.has(data, *bytes) {
                *bytes += data.len() as u64;
                return Ok(());
            }
            part.stage = Stage::New { temporary: self.part(&old.file, *bytes)?, bytes: *bytes };
        }
        if let Stage::New { temporary, bytes } = &mut part.stage {
            self.write(temporary, data)?;
            *bytes += data.len() as u64;
        }
        Ok(())
    }

    /// Never asked for: what is to be compared and hashed comes through memory.
    fn append_from(&self, part: &mut Comparison, pipe: &OwnedFd, mut bytes: usize) -> Result<(), Error> {
        let mut piece = [0; PIECE];
        while bytes > 0 {
            let room = piece.get_mut(..bytes.min(PIECE)).unwrap_or_default();
            let read =
                retry_on_intr(|| rustix::io::read(pipe, &mut *room)).map_err(|e| self.failed("reading", e.into()))?;
            if read == 0 {
                return Err(self.failed("reading", io::ErrorKind::UnexpectedEof.into()));
            }
            self.append(part, room.get(..read).unwrap_or_default())?;
            bytes -= read;
        }
        Ok(())
    }
}

impl Old {
    /// Whether these bytes are in it at a place. What can't be read is another.
    fn has(&self, data: &[u8], place: u64) -> bool {
        let mut piece = [0; PIECE];
        let mut place = place;
        data.chunks(PIECE).all(|data| {
            let piece = piece.get_mut(..data.len()).unwrap_or_default();
            let is_same = self.file.read_exact_at(piece, place).is_ok() && piece == data;
            place += data.len() as u64;
            is_same
        })
    }
}
