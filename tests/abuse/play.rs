//! A table of cases → one run of the program with all of them, and what came of each.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;

use crate::case::{Case, End};
use crate::child::Running;
use crate::judge::{self, LIMITS, Verdict};
use crate::setting::{self, BYSTANDERS, Job};

/// The longest wait for a gate: it is opened by a server that has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(10);

/// One run: how the program is called, and what it is asked for.
pub struct Play {
    pub name: &'static str,
    pub flags: &'static str,
    /// How many workers the first round has, and the fewest that any has.
    pub jobs: usize,
    pub fewest: usize,
    pub cases: Vec<Case>,
    /// How many URLs that nothing is wrong with go along.
    pub bystanders: usize,
    /// How those end, from their bodies.
    pub fetched: fn(Vec<u8>) -> End,
}

/// What came of a run.
pub struct Scene {
    pub verdicts: Vec<Verdict>,
    /// The most memory that was resident, in KiB.
    pub peak: Option<u64>,
}

impl Play {
    /// Has the program fetch everything, in another order if there is something to draw it from.
    pub fn run(self, binary: &Path, rng: Option<&mut Rng>) -> io::Result<Scene> {
        let folder = tempfile::tempdir()?;
        let (server, mut jobs) = setting::jobs(self.cases, self.bystanders, self.fetched);
        if let Some(rng) = rng {
            rng.shuffle(&mut jobs);
        }
        let args = format!("{LIMITS} {} -j {}", self.flags, self.jobs);
        let mut child = Running::start(binary, &args, folder.path())?;
        let list: String = jobs.iter().map(Job::lines).collect();
        // The list stays open until all is told, so that the program is still there to be asked for its memory.
        child.feed(list + "\n");
        let ended = follow(&mut child, jobs)?;
        let peak = child.peak();
        let remains = child.finish()?;
        let mut verdicts = judge_all(self.name, &ended, folder.path());
        verdicts.extend(judge::run(self.name, &remains, folder.path(), &files(&ended)));
        server.finish();
        Ok(Scene { verdicts, peak })
    }
}

/// A job and its row, if it has one.
type Ended = (Job, Option<Value>);

/// Takes rows until every job has one, and asks for what comes after.
fn follow(child: &mut Running, jobs: Vec<Job>) -> io::Result<Vec<Ended>> {
    let mut open: HashMap<String, Job> = jobs.into_iter().map(|job| (job.url.clone(), job)).collect();
    let mut ended = Vec::new();
    while !open.is_empty() {
        let Some(row) = child.row() else { break };
        let Some(mut job) = row["url"].as_str().and_then(|url| open.remove(url)) else {
            return Err(io::Error::other(format!("a row for nothing that was asked: {row}")));
        };
        if let Some(then) = job.then.take() {
            // A server that does not get that far spoils the case: it has no row then.
            if then.gate.is_none_or(|gate| gate.wait(PATIENCE)) {
                child.feed(then.job.lines() + "\n");
                open.insert(then.job.url.clone(), then.job);
            } else {
                ended.push((then.job, None));
            }
        }
        ended.push((job, Some(row)));
    }
    ended.extend(open.into_values().map(|job| (job, None)));
    ended.sort_by_key(|(job, _)| job.place);
    Ok(ended)
}

/// The names of the files that jobs which end as they should leave.
fn files(ended: &[Ended]) -> BTreeSet<String> {
    let leaves = |job: &Job| matches!(job.end, End::Fetched(_) | End::FetchedAgain { .. });
    ended.iter().map(|(job, _)| job).filter(|job| leaves(job)).map(|job| job.out.clone()).collect()
}

/// A verdict a case, and one for all bystanders.
fn judge_all(name: &str, ended: &[Ended], folder: &Path) -> Vec<Verdict> {
    let verdict = |(job, row): &Ended| match row {
        Some(row) => judge::job(job, row, folder),
        None => judge::missing(job),
    };
    let (bystanders, mut verdicts): (Vec<_>, Vec<_>) = ended.iter().map(verdict).partition(|v| v.name == BYSTANDERS);
    let slowest = bystanders.iter().map(|verdict| verdict.took).max().unwrap_or_default();
    let all = format!("{} fetched", bystanders.len());
    let got = bystanders.into_iter().find_map(|verdict| verdict.got.err()).map_or(Ok(all.clone()), Err);
    verdicts.push(Verdict { took: slowest, ..Verdict::new(format!("{name}: {BYSTANDERS}"), &all, got) });
    verdicts
}
