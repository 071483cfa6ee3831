//! A ticket → one attempt; then the job's outcome, or the ticket again.
//!
//! ```text
//!            ┌──────── tried again, or a mirror: Back ◀───────┐
//!  ticket ───┴▶ attempt ─┬▶ failed ─▶ judged: may it pass? ───┤
//!            ▲           ├▶ complete ─▶ outcome ◀─────────────┘ failed for good
//!            └─── Back ◀─┴▶ led to another host
//! ```
//!
//! It never gives up on the others: whatever goes wrong is this job's outcome.

use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;

use super::attempt::{Setback, attempt};
use super::lanes::Outlook;
use super::leash::Leash;
use super::retry::{self, Verdict};
use super::run::Run;
use super::standing::is_silence;
use super::target::Target;
use super::ticket::{Past, Shift, Ticket};
use crate::error::{Error, ErrorKind, Phase};
use crate::job::{Entry, Job};
use crate::outcome::{self, Outcome};
use crate::output::{Complete, Folder, Name, Uncommitted};
use crate::text::Shown;

/// A job that is done. A body that is still to be committed comes beside the outcome that the job has if it can be.
pub(super) struct Done {
    pub outcome: Outcome,
    pub body: Option<Uncommitted>,
}

/// Does what a ticket asks for: its job is done then, or the ticket is to come again, after a wait.
pub(super) async fn fetch(
    run: &Run,
    ticket: &mut Ticket,
    leash: &mut Leash,
    shift: &mut Shift<'_>,
) -> ControlFlow<Done, Duration> {
    let job = match &mut ticket.entry {
        Entry::Rejected(rejected) => return Break(Done { outcome: Outcome::rejected(rejected.take()), body: None }),
        Entry::Job(job) if run.stopper.is_stopped() && !ticket.past.as_ref().is_some_and(|past| past.has_begun()) => {
            let outcome = Outcome { entry: told(run, job), ..Outcome::not_begun(job) };
            return Break(Done { outcome, body: None });
        }
        Entry::Job(job) => job,
    };
    let mut past = ticket.past.take().map_or_else(Past::begin, |past| *past);
    let end = if shift.is_free() {
        find(run, ticket.name.as_ref(), leash).await
    } else {
        proceed(run, job, ticket.name.as_ref(), &mut past, leash, shift).await
    };
    match end {
        End::Done(result) => Break(done(run, job, past, result)),
        End::Again(wait) => {
            // Looking for a file begins nothing.
            ticket.past = if shift.is_free() { None } else { Some(Box::new(past)) };
            Continue(wait)
        }
    }
}

/// How far an attempt has brought a job.
enum End {
    Done(Result<Complete, Error>),
    /// It comes again, after this wait.
    Again(Duration),
}

fn done(run: &Run, job: &Job, past: Past, result: Result<Complete, Error>) -> Done {
    let (result, body) = match result {
        Ok(Complete::Kept(kept)) => (Ok(kept), None),
        Ok(Complete::Uncommitted(body)) => (Ok(body.kept()), Some(body)),
        Err(error) => (Err(error), None),
    };
    let Past { start, record, hop, .. } = past;
    // Redirects and mirrors are told only where they led away from the job's own URL.
    let last_url = hop.map(|hop| hop.url).or(record.last_url).filter(|url| *url != job.url);
    let outcome = Outcome {
        url: job.shown(),
        line: job.line,
        final_url: last_url.map(|url| Shown(&url).to_string()),
        status: record.status,
        elapsed: start.elapsed(),
        attempts: record.attempts,
        redirects: record.redirects,
        is_synced: run.config.syncs(),
        result,
        entry: told(run, job),
    };
    Done { outcome, body }
}

/// The job as it stands in a list, if that is to be told.
fn told(run: &Run, job: &Job) -> Option<outcome::Entry> {
    if run.config.tell_entries { job.in_list() } else { None }
}

/// Finds the job's file if it is there already: then nothing is fetched. Else the ticket is to come with its host's leave.
async fn find(run: &Run, name: Option<&Name>, leash: &mut Leash) -> End {
    let (Some(folder), Some(name)) = (&run.folder, name) else { return End::Again(Duration::ZERO) };
    match leash.hold(folder.find(name)).await {
        Ok(Ok(None)) => End::Again(Duration::ZERO),
        Ok(Ok(Some(found))) => {
            if run.config.goes_on() {
                clear(folder, name, leash).await;
            }
            End::Done(Ok(found))
        }
        Ok(Err(error)) => End::Done(Err(error)),
        // The run was stopped: it comes again to be told as not begun.
        Err(_) => End::Again(Duration::ZERO),
    }
}

/// Removes the part of a file that is there whole.
async fn clear(folder: &Folder, name: &Name, leash: &mut Leash) {
    if let Ok(Some(rest)) = leash.hold(folder.rest(name)).await {
        rest.remove().await;
    }
}

/// Makes an attempt, and judges it.
async fn proceed(
    run: &Run,
    job: &Job,
    name: Option<&Name>,
    past: &mut Past,
    leash: &mut Leash,
    shift: &mut Shift<'_>,
) -> End {
    // It waited, and the run was stopped.
    if run.stopper.is_stopped() {
        return End::Done(Err(run.stopper.in_flight()));
    }
    if let Outlook::Down(kind) = shift.outlook() {
        let host = past.url(job).host_str().unwrap_or_default();
        let how = if is_silence(kind) { "did not answer" } else { "could not be reached" };
        let again = if past.failed > 0 { " again" } else { "" };
        let message = format!("{host} {how}, time after time, so this was not tried{again}; fetch it later");
        return give_up(job, past, Error::new(kind, message));
    }
    let target = match look(run, job, name, leash).await {
        Ok(target) => target,
        Err(error) => return End::Done(Err(error)),
    };
    let (limit, left) = (run.config.limits.total, past.hop.as_ref().and_then(|hop| hop.left));
    // Whoever led here took most of its time.
    let is_hurried = left.zip(limit).is_some_and(|(left, limit)| left < limit / 2);
    leash.begin(limit, left);
    let attempt = attempt(run, job, target.as_ref(), leash, past, shift).await;
    leash.end();
    match attempt {
        Ok(Some(complete)) => End::Done(Ok(complete)),
        Ok(None) => End::Again(Duration::ZERO),
        Err(setback) => {
            if !is_hurried || setback.error.phase() != Some(Phase::Total) {
                shift.failed(&setback.error, retry::park(setback.status, setback.pause));
            }
            judge(run, job, past, setback)
        }
    }
}

/// Looks at what is there under the job's name, as far as that matters.
async fn look<'n>(
    run: &Run,
    job: &Job,
    name: Option<&'n Name>,
    leash: &mut Leash,
) -> Result<Option<Target<'n>>, Error> {
    match (&run.folder, name) {
        (Some(folder), Some(name)) => Target::new(run, job, name, leash, folder).await.map(Some),
        _ => Ok(None),
    }
}

/// What comes after an attempt that failed: another, a mirror, or nothing.
fn judge(run: &Run, job: &Job, past: &mut Past, setback: Setback) -> End {
    let Setback { error, status, pause } = setback;
    past.count_failure();
    let chance = run.clock.chance();
    match retry::judge(&error, status, pause, past.failed, run.config.retries, chance) {
        Verdict::Again(wait) => {
            log::debug!("{}: {error}; trying again in {wait:?}", Shown(past.url(job)));
            End::Again(wait)
        }
        Verdict::GiveUp => {
            let url = past.record.last_url.as_ref().unwrap_or(past.url(job));
            let error = error.at(Shown(url));
            give_up(job, past, error)
        }
    }
}

/// One of the job's URLs has failed for good: goes on to the next.
fn give_up(job: &Job, past: &mut Past, error: Error) -> End {
    let next = past.mirror.map_or(0, |mirror| mirror + 1);
    match job.mirrors.get(next) {
        Some(mirror) if is_about_the_server(&error) => {
            log::debug!("{}: {error}; trying the mirror {}", Shown(&job.url), Shown(mirror));
            (past.mirror, past.failed, past.part, past.hop) = (Some(next), 0, 0, None);
            End::Again(Duration::ZERO)
        }
        _ => End::Done(Err(error)),
    }
}

/// Whether another server may do better: not if the run is over, or it is this machine that failed.
fn is_about_the_server(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Timeout(Phase::Deadline) | ErrorKind::Io)
}
