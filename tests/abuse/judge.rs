//! Rows and files → verdicts.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::case::End;
use crate::child::Remains;
use crate::setting::{Held, Job};

/// The limits that every run has.
pub const LIMITS: &str = "--connect-timeout 1 --timeout 1 --max-time 3";
const SILENCE: Duration = Duration::from_secs(1);
const TOTAL: Duration = Duration::from_secs(3);
/// The most that the program waits before a second attempt where nobody asks for another wait.
const BACKOFF: Duration = Duration::from_secs(1);
/// How much later than its limit a job may end.
const MARGIN: Duration = Duration::from_secs(1);

/// What came of something, in words, or what should not have.
pub struct Verdict {
    pub name: String,
    pub expected: String,
    pub got: Result<String, String>,
    pub took: Duration,
}

impl Verdict {
    pub fn new(name: String, expected: &str, got: Result<String, String>) -> Self {
        Self { name, expected: expected.to_owned(), got, took: Duration::ZERO }
    }

    /// Adds what came of the same thing another time: the slowest counts, and what failed once has failed.
    pub fn merge(&mut self, other: Self) {
        self.took = self.took.max(other.took);
        if self.got.is_ok() {
            self.got = other.got;
        }
    }
}

/// What came of a job, by its row and its file.
pub fn job(job: &Job, row: &Value, folder: &Path) -> Verdict {
    let took = took(row);
    let limit = limit(&job.end) + MARGIN;
    let late = || format!("{} after {} ms, which is late", told(row), took.as_millis());
    let got = ended_as(job, row, folder).and_then(|got| if took <= limit { Ok(got) } else { Err(late()) });
    Verdict { name: job.name.clone(), expected: expected(&job.end), got, took }
}

fn took(row: &Value) -> Duration {
    Duration::from_millis(row["ms"].as_u64().unwrap_or(u64::MAX))
}

/// A job that has no row.
pub fn missing(job: &Job) -> Verdict {
    Verdict::new(job.name.clone(), &expected(&job.end), Err("no row".to_owned()))
}

/// What can be said of a run as a whole: the names of the files that it may leave are given.
pub fn run(name: &str, remains: &Remains, folder: &Path, files: &BTreeSet<String>) -> Vec<Verdict> {
    let row = |what: &str, expected: &str, got| Verdict::new(format!("{name}: {what}"), expected, got);
    let status = match remains.status.code() {
        Some(1) if remains.further == 0 => Ok("1".to_owned()),
        Some(1) => Err(format!("1, after {} more rows than jobs", remains.further)),
        _ => Err(remains.status.to_string()),
    };
    let raw = match std::str::from_utf8(&remains.text) {
        Ok(text) => text.lines().find(|line| line.contains(char::is_control)),
        Err(_) => Some("bytes that are not UTF-8"),
    };
    let raw = raw.map_or(Ok("nothing".to_owned()), |line| Err(format!("{line:?}")));
    vec![
        row("exit status", "1", status),
        row("raw controls in rows and messages", "nothing", raw),
        row("files, hidden ones too", "those of good jobs", left(folder, files)),
    ]
}

fn left(folder: &Path, expected: &BTreeSet<String>) -> Result<String, String> {
    let names = |entry: io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let found: io::Result<BTreeSet<_>> = fs::read_dir(folder).and_then(|entries| entries.map(names).collect());
    let found = found.map_err(|e| e.to_string())?;
    match found.symmetric_difference(expected).next() {
        None => Ok(format!("{} files", found.len())),
        Some(odd) => Err(format!("`{odd}` is {}", if found.contains(odd) { "left" } else { "missing" })),
    }
}

fn limit(end: &End) -> Duration {
    match end {
        End::Failed(["timeout total"]) => TOTAL,
        End::FetchedAgain { .. } => BACKOFF,
        End::Fetched(_) | End::Counted(_) | End::Failed(_) => SILENCE,
    }
}

fn expected(end: &End) -> String {
    match end {
        End::Fetched(_) => "fetched".to_owned(),
        End::FetchedAgain { .. } => "fetched again".to_owned(),
        End::Counted(bytes) => format!("{bytes} bytes counted"),
        End::Failed(kinds) => kinds.join(" or "),
    }
}

/// How a row says that it ended.
fn told(row: &Value) -> String {
    match (row["ok"].as_bool(), row["error"].as_str(), row["phase"].as_str()) {
        (Some(true), ..) if row["file"].is_null() => format!("{} bytes counted", row["bytes"]),
        (Some(true), ..) if row["attempts"] == 1 => "fetched".to_owned(),
        (Some(true), ..) => "fetched again".to_owned(),
        (_, Some(kind), None) => kind.to_owned(),
        (_, Some(kind), Some(phase)) => format!("{kind} {phase}"),
        _ => format!("no result: {row}"),
    }
}

fn ended_as(job: &Job, row: &Value, folder: &Path) -> Result<String, String> {
    let got = told(row);
    let is_right = match &job.end {
        End::Failed(kinds) => kinds.contains(&&*got),
        end => expected(end) == got,
    };
    if !is_right {
        return Err(row["message"].as_str().map_or(got.clone(), |message| format!("{got}: {message}")));
    }
    if let End::Fetched(body) | End::FetchedAgain { body, .. } = &job.end {
        let saved = fs::read(folder.join(&job.out)).map_err(|e| e.to_string())?;
        if saved != *body {
            return Err(format!("{got}, but {} other bytes", saved.len()));
        }
    }
    if let End::FetchedAgain { after, .. } = job.end
        && took(row) < after
    {
        return Err(format!("{got}, but without the usual wait"));
    }
    if let Held::Server { server, turns: Some(turns) } = &job.held {
        let seen = server.requests().into_iter().filter(|request| request.target == "/second");
        let seen: Vec<_> = seen.map(|request| request.turn).collect();
        if seen != *turns {
            return Err(format!("{got}, but requests that were number {seen:?} on their connections, not {turns:?}"));
        }
    }
    Ok(got)
}
