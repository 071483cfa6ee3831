//! What is remembered of a file between runs ↔ a line of the state file.
//!
//! ```text
//! check TAB name TAB source TAB length TAB SHA-256 TAB modified TAB changed TAB inode TAB ETag TAB Last-Modified LF
//! ```
//!
//! A line can be read by people, and by its check (FNV-1a of what follows it) tells whether it is whole. Of the request there is
//! only a hash: URLs and header fields hold passwords and tokens, and the file lies beside what others may read. Pure: it
//! touches no disk.

use std::fmt::{self, Write as _};

use rustix::fs::Stat;
use sha2::{Digest as _, Sha256};

use crate::grammar::{decimal, is_date, is_etag};

/// What stands for a validator that there is not: no ETag and no date is written so.
const NONE: &str = "-";

/// Which request a response answered, as far as that decides what is in it: a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source([u8; 16]);

impl Source {
    /// Reads what it is written as.
    pub(super) fn parse(text: &str) -> Option<Self> {
        unhex(text).map(Self)
    }

    /// Of a request that is made of these parts.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        let mut hash = [0; 16];
        hash.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
        Self(hash)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        hex(&mut text, &self.0);
        f.write_str(&text)
    }
}

/// What a server says by which it can tell a version again; at least one of the two, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Validators {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether they are what a server may have said. A file can be written by others than this program.
    fn can_be_sent(&self) -> bool {
        self.etag.as_deref().is_none_or(is_etag) && self.last_modified.as_deref().is_none_or(is_date)
    }
}

/// The digest of a file.
pub(super) type Digest = [u8; 32];

/// By what a file is known to be the one that it was, without reading it. Only ever compared, so what the system says is kept
/// as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) length: u64,
    modified: String,
    /// Of the inode: a rename changes this.
    changed: String,
    inode: String,
}

impl Stamp {
    /// What the system says of a file.
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            length: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: format!("{}.{:09}", stat.st_mtime, stat.st_mtime_nsec),
            changed: format!("{}.{:09}", stat.st_ctime, stat.st_ctime_nsec),
            inode: stat.st_ino.to_string(),
        }
    }

    /// Whether these are of one file with the same bytes, renamed between.
    pub(super) fn is_renamed(&self, other: &Self) -> bool {
        (self.length, &self.modified, &self.inode) == (other.length, &other.modified, &other.inode)
    }
}

/// What a response says of a file that is to be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub source: Source,
    pub validators: Validators,
}

/// What is remembered of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) note: Note,
    pub(crate) digest: Digest,
    pub(super) stamp: Stamp,
}

impl Record {
    /// Appends its line.
    pub(super) fn encode(&self, name: &str, out: &mut String) {
        let Self { note: Note { source, validators }, digest, stamp } = self;
        let mut line = format!("{name}\t{source}\t{}\t", stamp.length);
        hex(&mut line, digest);
        let Stamp { modified, changed, inode, .. } = stamp;
        let or_none = |text: &Option<String>| text.as_deref().unwrap_or(NONE).to_owned();
        let (etag, date) = (or_none(&validators.etag), or_none(&validators.last_modified));
        let _ = write!(line, "\t{modified}\t{changed}\t{inode}\t{etag}\t{date}");
        out.push_str(&sealed(&line));
    }

    /// Reads a line, its end taken off: the name, and what is remembered. `None` for one that is damaged.
    pub(super) fn decode(line: &[u8]) -> Option<(&str, Self)> {
        let line = unsealed(line)?;
        let fields: Vec<&str> = line.split('\t').collect();
        let &[name, source, length, digest, modified, changed, inode, etag, date] = fields.as_slice() else {
            return None;
        };
        let or_none = |text: &str| (text != NONE).then(|| text.to_owned());
        let validators = Validators { etag: or_none(etag), last_modified: or_none(date) };
        if !validators.can_be_sent() {
            return None;
        }
        let stamp = Stamp {
            length: decimal(length.as_bytes()).filter(|_| length == "0" || !length.starts_with('0'))?,
            modified: modified.to_owned(),
            changed: changed.to_owned(),
            inode: inode.to_owned(),
        };
        let note = Note { source: Source::parse(source)?, validators };
        Some((name, Self { note, digest: unhex(digest)?, stamp }))
    }
}

/// A line with its check, and its end.
pub(super) fn sealed(line: &str) -> String {
    format!("{:016x}\t{line}\n", check(line.as_bytes()))
}

/// The name in a line whose check is right.
pub(super) fn name(line: &[u8]) -> Option<&str> {
    unsealed(line)?.split('\t').next()
}

/// What follows the check of a line, if it is right.
pub(super) fn unsealed(line: &[u8]) -> Option<&str> {
    let (told, rest) = line.split_at_checked(16)?;
    let rest = rest.strip_prefix(b"\t")?;
    let told = unhex(str::from_utf8(told).ok()?).map(u64::from_be_bytes)?;
    str::from_utf8(rest).ok().filter(|_| told == check(rest))
}

/// FNV-1a: it is to find a line that was torn, not one that was forged.
fn check(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        // As they are written, and in no other letter case.
        let digit = |digit: u8| b"0123456789abcdef".iter().position(|known| *known == digit);
        let &[high, low] = pair else { return None };
        *byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A record of a file that is nowhere.
    pub fn record(etag: &str) -> Record {
        let validators = Validators { etag: Some(etag.to_owned()), last_modified: None };
        let time = || "1700000000.000000001".to_owned();
        let stamp = Stamp { length: 5, modified: time(), changed: time(), inode: "7".to_owned() };
        let note = Note { source: Source::of(&[b"http://u:secret@h/"]), validators };
        Record { note, digest: [0xab; 32], stamp }
    }

    fn line(name: &str, record: &Record) -> String {
        let mut out = String::new();
        record.encode(name, &mut out);
        assert!(!out.contains("secret"), "{out}");
        out.trim_end_matches('\n').to_owned()
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        let mut dated = record("\"x\"");
        dated.note.validators =
            Validators { etag: None, last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()) };
        for (name, record) in [("a", record("W/\"a,b\"")), ("f/ä b.txt", dated)] {
            let line = line(name, &record);
            assert_eq!(Record::decode(line.as_bytes()), Some((name, record)));
            assert_eq!(super::name(line.as_bytes()), Some(name));
        }
    }

    #[test]
    fn a_line_that_was_damaged_anywhere_is_none() {
        let line = line("a", &record("\"1\"")).into_bytes();
        for at in 0..line.len() {
            for damage in [0, b'\t', line[at] ^ 1] {
                let mut damaged = line.clone();
                damaged[at] = damage;
                assert!(damaged == line || name(&damaged).is_none(), "at {at}");
            }
            assert!(name(&line[..at]).is_none() && Record::decode(&line[at + 1..]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn a_validator_that_no_server_can_have_said_makes_a_line_none() {
        let decoded = |etag: &str, date: &str| {
            let mut record = record(etag);
            record.note.validators.last_modified = Some(date.to_owned());
            Record::decode(line("a", &record).as_bytes()).is_some()
        };
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert!(decoded("\"a\"", date) && decoded("W/\"a\"", date) && decoded(NONE, date));
        for etag in ["*", "a", "\"a\rb\"", "\"a\r\"", "\"a\", \"b\"", ""] {
            assert!(!decoded(etag, date), "{etag:?}");
        }
        for date in ["yesterday", "Sun, 06 Nov 1994 08:49:37 GMT\r", ""] {
            assert!(!decoded("\"a\"", date), "{date:?}");
        }
    }

    #[test]
    fn requests_are_told_apart_wherever_they_differ() {
        let of = |parts: &[&str]| Source::of(&parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>());
        assert_eq!(of(&["http://h/", "A: 1\r\n"]), of(&["http://h/", "A: 1\r\n"]));
        assert_ne!(of(&["http://h/", "A: 1\r\n"]), of(&["http://h/A", ": 1\r\n"]));
        assert_ne!(of(&["http://h/"]), of(&["http://h/", ""]));
    }
}
