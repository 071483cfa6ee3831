//! What the program made of a case, and what it should have made of it → passed or not, and why.
//!
//! A body is kept, and compared, for the statuses that end as `ok`. Of a redirect and of a status of 400 and above only
//! the status is: they are failures of kind `redirect` and `status`, whatever their body.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::deviations::{self, Instead};
use super::markdown::{Case, Strictness};
use super::verdict::{End, Verdict};

/// What the program made of a case.
#[derive(Debug, PartialEq)]
pub enum Seen {
    /// `ok`, with this status and this body.
    Took(u16, Vec<u8>),
    /// `status` or `redirect`, with this status.
    Told(u16),
    /// Another failure: its kind.
    Refused(String),
}

impl Seen {
    /// What a row says, and the file that should be there if there is a body.
    pub fn of(row: &Value, file: &Path) -> Result<Self, String> {
        let status = row["status"].as_u64().and_then(|status| u16::try_from(status).ok());
        let body = fs::read(file).unwrap_or_default();
        match (row["ok"].as_bool(), row["error"].as_str(), status) {
            (Some(true), None, Some(status)) if row["bytes"] == body.len() => Ok(Self::Took(status, body)),
            (Some(false), Some(_), _) if file.exists() => Err(format!("a failed job left a file: {row}")),
            (Some(false), Some("status" | "redirect"), Some(status)) => Ok(Self::Told(status)),
            (Some(false), Some(kind), _) => Ok(Self::Refused(kind.to_owned())),
            _ => Err(format!("a row that contradicts itself or the file: {row}")),
        }
    }

    fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(kind) if kind == "protocol" || kind == "truncated")
    }

    fn describe(&self) -> String {
        match self {
            Self::Took(status, body) => format!("takes it: {status}, {} bytes", body.len()),
            Self::Told(status) => format!("tells its status: {status}"),
            Self::Refused(kind) => format!("refuses it: {kind}"),
        }
    }
}

/// Judges what was seen of a case: by llhttp's verdict, or by the deviation that is listed for it.
pub fn judge(case: &Case, seen: &Seen) -> Result<String, String> {
    let agrees = agrees(case, seen);
    let Some(deviation) = deviations::of(&case.name) else {
        return if agrees { Ok(seen.describe()) } else { Err(differs(case, seen)) };
    };
    let deviates = match deviation.instead {
        Instead::Refuses => seen.is_refusal(),
        Instead::Takes { body } => *seen == Seen::Took(200, body.to_vec()),
    };
    match (agrees, deviates) {
        (false, true) => Ok(format!("deviates: {}; {}", seen.describe(), deviation.reason)),
        (true, _) => Err(format!("{}, as llhttp does: it is no deviation any more", seen.describe())),
        (false, false) => Err(format!("{}; the deviation that is listed is another", differs(case, seen))),
    }
}

fn agrees(case: &Case, seen: &Seen) -> bool {
    let Verdict { status, body, end } = &case.verdict;
    match (*status, end) {
        _ if case.strictness == Strictness::Lenient => seen.is_refusal(),
        (Some(status), _) if matches!(status, 301..=303 | 307 | 308 | 400..) => *seen == Seen::Told(status),
        (_, End::Never(_)) | (None, _) => seen.is_refusal(),
        (Some(status), End::At(_) | End::Close) => *seen == Seen::Took(status, body.clone()),
    }
}

fn differs(case: &Case, seen: &Seen) -> String {
    let leniency = if case.strictness == Strictness::Lenient { ", told to be lenient," } else { "" };
    format!("{}; llhttp{leniency} {}", seen.describe(), case.verdict.describe())
}
