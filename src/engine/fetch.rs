//! A job → its outcome: mirrors in turn, attempts at each, waits between them.
//!
//! The one loop there is. It never gives up on the others: whatever goes wrong is this job's outcome.

use std::time::Instant;

use futures_lite::future;
use surf::Url;

use super::attempt::{Record, attempt};
use super::leash::Leash;
use super::retry::{self, Verdict};
use super::run::Run;
use crate::error::{Error, ErrorKind, Phase};
use crate::job::{Entry, Job};
use crate::outcome::Outcome;
use crate::output::{Complete, Name, Uncommitted};
use crate::text::Shown;

/// Does what an entry of the list asks for. A body that is still to be committed comes beside the outcome that the job has
/// if it can be.
pub(super) async fn fetch(run: &Run, entry: Entry, leash: &mut Leash) -> (Outcome, Option<Uncommitted>) {
    match entry {
        Entry::Rejected(rejected) => (Outcome::rejected(rejected), None),
        Entry::Job(job) if run.stopper.is_stopped() => (Outcome::not_begun(&job), None),
        Entry::Job(job) => {
            let start = Instant::now();
            let mut record = Record::default();
            let (result, body) = match keep(run, &job, leash, &mut record).await {
                Ok(Complete::Kept(kept)) => (Ok(kept), None),
                Ok(Complete::Uncommitted(body)) => (Ok(body.kept()), Some(body)),
                Err(error) => (Err(error), None),
            };
            // Redirects and mirrors are told only where they led away from the job's own URL.
            let last_url = record.last_url.filter(|url| *url != job.url);
            let outcome = Outcome {
                url: job.shown(),
                line: job.line,
                final_url: last_url.map(|url| Shown(&url).to_string()),
                status: record.status,
                elapsed: start.elapsed(),
                attempts: record.attempts,
                redirects: record.redirects,
                result,
            };
            (outcome, body)
        }
    }
}

/// Names the job's file, and fetches it from the first URL that gives it.
async fn keep(run: &Run, job: &Job, leash: &mut Leash, record: &mut Record) -> Result<Complete, Error> {
    let name = match &run.folder {
        None => None,
        Some(folder) => {
            let name = folder.claim(&job.text, job.out.as_deref())?;
            if folder.skips()
                && let Some(found) = leash.hold(folder.find(&name)).await??
            {
                return Ok(found);
            }
            Some(name)
        }
    };
    let mut result = persist(run, job, &job.url, name.as_ref(), leash, record).await;
    for mirror in &job.mirrors {
        match &result {
            Err(error) if is_about_the_server(error) => {
                log::debug!("{}: {error}; trying the mirror {}", Shown(&job.url), Shown(mirror));
                result = persist(run, job, mirror, name.as_ref(), leash, record).await;
            }
            _ => break,
        }
    }
    result
}

/// Whether another server may do better: not if the run is over, or it is this machine that failed.
fn is_about_the_server(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Timeout(Phase::Deadline) | ErrorKind::Io)
}

/// Attempts one URL until it succeeds or has failed for good.
async fn persist(
    run: &Run,
    job: &Job,
    url: &Url,
    name: Option<&Name>,
    leash: &mut Leash,
    record: &mut Record,
) -> Result<Complete, Error> {
    let mut failed = 0;
    loop {
        leash.begin(run.config.limits.total);
        let attempt = attempt(run, job, url, name, leash, record).await;
        leash.end();
        let failure = match attempt {
            Ok(complete) => return Ok(complete),
            Err(failure) => failure,
        };
        failed = u32::saturating_add(failed, 1);
        let chance = run.clock.chance();
        match retry::judge(&failure.error, record.status, failure.pause, failed, run.config.retries, chance) {
            Verdict::GiveUp => {
                return Err(failure.error.at(Shown(record.last_url.as_ref().unwrap_or(url))));
            }
            Verdict::Again(wait) => {
                log::debug!("{}: {}; trying again in {wait:?}", Shown(url), failure.error);
                leash.hold(run.clock.wait(wait)).await?;
                // A server that asks for no wait at all must not keep the others from theirs.
                future::yield_now().await;
            }
        }
    }
}
