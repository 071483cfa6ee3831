//! One attempt: request, redirects, body. It ends at a redirect to another origin, to go on when that may be asked.
//!
//! ```text
//!  send ─▶ head ─┬▶ redirect ─▶ drain ─┬▶ send …
//!                │                     └▶ another origin ─▶ a hop, for another shift
//!                ├▶ 400 and above, or a redirect that is refused ─▶ drain ─▶ failed
//!                ├▶ what comes after our part ─▶ joined to it
//!                ├▶ another part of the file ─▶ failed
//!                ├▶ 304 to our question ─▶ left as it is
//!                └▶ body ─▶ counted, hashed, kept ─▶ verified ─▶ committed, or left to `gather`
//! ```

use std::borrow::Cow;
use std::task::Poll;
use std::time::Duration;

use async_io::Timer;
use futures_lite::{AsyncBufReadExt, future};
use sha2::{Digest, Sha256};
use surf::Url;

use super::body::Body;
use super::content_range;
use super::gatekeeper::Gatekeeper;
use super::leash::Leash;
use super::redirect::{self, Verdict};
use super::resume::{self, Said};
use super::retry;
use super::route::Route;
use super::run::Run;
use super::target::{self, Inquiry, Target};
use super::ticket::{Hop, Past, Shift};
use super::validators;
use crate::config::Method;
use crate::error::{Error, ErrorKind};
use crate::job::{Checksum, Job};
use crate::output::{Complete, Folder, Leftover, Rest, Sink};
use crate::reactor::{Room, Spliced};
use crate::text::Shown;
use crate::transport::{self, BodyReader, Head, Received, Refusal};

/// How much of a body that nobody wants is read, so that its connection can be used again.
const MAX_DRAIN: u64 = 64 * 1024;
/// How long that may take: a new connection costs less.
const MAX_DRAIN_TIME: Duration = Duration::from_secs(1);
/// How long a failed job waits for its temporary to be gone; a disk that takes longer removes it when it can.
const MAX_DISCARD_TIME: Duration = Duration::from_secs(5);
/// How many times a body may be ready at once before others get their turn: half a megabyte in large pieces.
const TURN: u32 = 8;

/// What a job's row tells beside how the job ended.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub attempts: u32,
    /// Followed in the last attempt.
    pub redirects: u32,
    /// The length of the part that the last attempt had to go on with.
    pub part: u64,
    /// Of the last final response.
    pub status: Option<u16>,
    /// The last that was asked, where that is not the job's own.
    pub last_url: Option<Url>,
}

/// What an attempt failed with, and what the server says of the next.
#[derive(Debug)]
pub(super) struct Setback {
    pub error: Error,
    /// The status of whoever asks to wait, be it a proxy.
    pub status: Option<u16>,
    /// How long that is.
    pub pause: Option<Duration>,
}

/// The head of a final response, and what the request was to its target.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub head: &'a Head,
    pub inquiry: Option<&'a Inquiry>,
}

/// The part of a body that is there, and the length of the whole.
#[derive(Debug)]
struct Part {
    rest: Box<Rest>,
    whole: u64,
}

/// A body that is received.
struct Reception {
    /// `None` where all of it is there already.
    body: Option<Body>,
    sink: Sink,
    keeper: Gatekeeper,
    digest: Option<(Checksum, Sha256)>,
    /// The length that it has to have in the end, where that is known beside its own framing.
    whole: Option<u64>,
}

impl Answer<'_> {
    /// What the response, whose body has this length if that is known, is to a part that is there.
    fn judge(&self, rest: Option<&Rest>, length: Option<u64>) -> resume::Answer {
        let Some(rest) = rest.filter(|_| self.inquiry.is_some_and(Inquiry::asks_for_rest)) else {
            return resume::Answer::Usual;
        };
        let head = self.head;
        let mut ranges = head.values("content-range");
        let said = Said {
            status: head.status(),
            range: ranges.next().filter(|_| ranges.next().is_none()),
            etag: head.value("etag"),
            last_modified: head.value("last-modified"),
            is_coded: target::is_coded(head),
            length,
        };
        resume::judge(&said, &rest.origin, rest.length)
    }

    /// Whether a part that could not be joined to it is of no use any more: something else takes its place, or what it is of is
    /// gone.
    fn ends_part(&self) -> bool {
        match self.head.status() {
            304 => false,
            404 | 410 => self.inquiry.is_some_and(Inquiry::asks_for_rest),
            status => status < 400,
        }
    }

    /// Whether it says that nothing has changed, of another version than is there.
    fn is_of_another(&self, target: Option<&Target<'_>>) -> bool {
        let known = || target.and_then(Target::asked_about).zip(self.head.value("etag"));
        self.is_unchanged() && known().is_some_and(|(etag, told)| !validators::is_same_file(etag.as_bytes(), told))
    }

    /// Whether it says that what is there is still the same, and was asked.
    fn is_unchanged(&self) -> bool {
        self.head.status() == 304 && self.inquiry.is_some_and(Inquiry::asks_for_changes)
    }
}

impl From<Error> for Setback {
    fn from(error: Error) -> Self {
        Self { error, status: None, pause: None }
    }
}

/// Makes one attempt to fetch `job`, or goes on with one where a redirect has led to: nothing comes of it if another [`Hop`] is
/// next.
pub(super) async fn attempt(
    run: &Run,
    job: &Job,
    target: Option<&Target<'_>>,
    leash: &mut Leash,
    past: &mut Past,
    shift: &mut Shift<'_>,
) -> Result<Option<Complete>, Setback> {
    let (start, hop) = (past.start_url(job), past.hop.take());
    past.record.status = None;
    if hop.is_none() {
        past.record.redirects = 0;
    }
    let mut url = hop.map_or(Cow::Borrowed(start), |hop| Cow::Owned(hop.url));
    past.record.last_url = (*url != job.url).then(|| url.as_ref().clone());
    let mut route = match &url {
        Cow::Borrowed(start) => Route::start(&run.config, &run.common, job, start)?,
        Cow::Owned(hop) => Route::led_to(&run.config, job, hop)?,
    };
    if matches!(url, Cow::Borrowed(_)) {
        past.record.attempts = past.record.attempts.saturating_add(1);
    }
    let mut rest = match (&run.folder, target) {
        // Boxed, as all that few jobs need: each worker has room for the rest.
        (Some(folder), Some(target)) if run.config.goes_on() => {
            leash.hold(Box::pin(usable(run, job, folder, target))).await??
        }
        _ => None,
    };
    past.record.part = rest.as_ref().map_or(0, |rest| rest.length);
    let mut may_ask = true;
    loop {
        let inquiry = match target {
            Some(target) => target.inquire(&run.config, job, &url, route.fields(), rest.as_deref(), may_ask)?,
            None => None,
        };
        if let Some(part) = rest.take_if(|_| inquiry.as_ref().is_some_and(Inquiry::asks_for_rest)) {
            // Before it is asked for what comes after it: no server waits for the disk.
            let is_seen = job.checksum.is_some() || run.config.syncs();
            rest = Some(if is_seen { Box::new(leash.hold(part.read()).await??) } else { part });
        }
        let fields = inquiry.as_ref().and_then(Inquiry::fields).unwrap_or(route.fields()).clone();
        let request = run.messages.request(run.config.method, url.as_ref().clone(), fields);
        let sent = leash.hold(run.client.send(request)).await?;
        let Received { head, body } = run.messages.received(sent).map_err(|error| unanswered(run, error))?;
        shift.answered();
        let max = run.config.max_redirects;
        match redirect::judge(head.status(), head.values("location"), &url, past.record.redirects, max) {
            Verdict::Final => {
                let answer = Answer { head: &head, inquiry: inquiry.as_ref() };
                let part = match (answer.judge(rest.as_deref(), body.length()), rest.take()) {
                    (resume::Answer::Rest(whole), Some(rest)) => Some(Part { rest, whole }),
                    (resume::Answer::Complete, Some(rest)) => Some(Part { whole: rest.length, rest }),
                    (resume::Answer::Other, Some(rest)) => {
                        log::debug!("{}: status {} is not the rest of the part", Shown(&url), head.status());
                        drain(leash, body).await;
                        rest.remove().await;
                        continue;
                    }
                    (resume::Answer::Usual, Some(rest)) if answer.ends_part() => {
                        rest.remove().await;
                        None
                    }
                    _ => None,
                };
                if answer.is_of_another(target) {
                    log::debug!("{}: status 304 is of another version than was asked about", Shown(&url));
                    may_ask = false;
                    drain(leash, body).await;
                    continue;
                }
                past.record.status = Some(head.status());
                let is_joined = part.is_some();
                match finish(run, job, target, leash, &answer, body, part).await {
                    // What was there may be what is wrong. It is gone by now.
                    Err(Setback { error, .. }) if is_joined && error.kind() == ErrorKind::Checksum => {
                        log::debug!("{}: {error}; asking for all of it", Shown(&url));
                    }
                    end => return end.map(Some),
                }
            }
            Verdict::Refuse(error) => {
                past.record.status = Some(head.status());
                drain(leash, body).await;
                return Err(error.into());
            }
            Verdict::Follow { url: next, same_origin } => {
                log::debug!("{}: status {} leads to {}", Shown(&url), head.status(), Shown(&next));
                drain(leash, body).await;
                past.record.redirects += 1;
                if !same_origin {
                    past.hop = Some(Box::new(Hop { url: next, left: leash.left() }));
                    return Ok(None);
                }
                past.record.last_url = Some(next.clone());
                route.follow(&next, same_origin)?;
                url = Cow::Owned(next);
            }
        }
    }
}

/// There was no answer. A proxy that refuses to connect may ask for a wait in the place of whom it does not connect to.
fn unanswered(run: &Run, error: Error) -> Setback {
    let head = Refusal::behind(&error).cloned();
    put_off(run, error, head.as_ref())
}

/// An attempt that failed, with what the head says of the next.
fn put_off(run: &Run, error: Error, head: Option<&Head>) -> Setback {
    let pause = |head: &Head| retry::pause(head.value("retry-after")?, head.value("date"), run.clock.now());
    Setback { error, status: head.map(Head::status), pause: head.and_then(pause) }
}

/// The part of the job's file that is there, if there is one; unless it begins with what the gates refuse or can't judge by its
/// start: an earlier run, with others, may have left it. Then nothing is left of it.
async fn usable(run: &Run, job: &Job, folder: &Folder, target: &Target<'_>) -> Result<Option<Box<Rest>>, Error> {
    let Some(mut part) = folder.rest(target.name).await else { return Ok(None) };
    let keeper = Gatekeeper::new(&run.config, job, None);
    if !keeper.has_seen_enough() {
        let start;
        (part, start) = part.start().await?;
        if !keeper.takes_start(&start) {
            part.remove().await;
            return Ok(None);
        }
    }
    Ok(Some(Box::new(part)))
}

/// Judges the final head, and keeps the body.
async fn finish(
    run: &Run,
    job: &Job,
    target: Option<&Target<'_>>,
    leash: &mut Leash,
    answer: &Answer<'_>,
    body: BodyReader,
    part: Option<Part>,
) -> Result<Complete, Setback> {
    let head = answer.head;
    let status = head.status();
    if status >= 400 && part.is_none() {
        drain(leash, body).await;
        let error = Error::new(ErrorKind::Status, format!("the server answered with status {status}"));
        return Err(put_off(run, error, Some(head)));
    }
    if answer.is_unchanged()
        && let (Some(folder), Some(Target { name, known: Some(known) })) = (&run.folder, target)
    {
        return Ok(folder.leave(name, known).end().await?);
    }
    let mut begun = match part {
        // Boxed, as all that few bodies need: each worker has room for the rest.
        Some(part) => Some(Box::pin(go_on(run, job, target, leash, answer, body, part)).await?),
        None => begin(run, job, target, answer, body)?,
    };
    // It stays where it is: moved, it would have two places, in each worker.
    let received = match &mut begun {
        Some(reception) => receive(run, leash, reception).await,
        None => Ok(()),
    };
    let sink = begun.map_or_else(Sink::count, |reception| reception.sink);
    match received {
        Ok(()) => Ok(sink.finish().end().await?),
        Err(error) => {
            Box::pin(discard(sink, leftover(&error))).await;
            Err(error.into())
        }
    }
}

/// A body is received from its start, if there is one to be kept.
fn begin(
    run: &Run,
    job: &Job,
    target: Option<&Target<'_>>,
    answer: &Answer<'_>,
    body: BodyReader,
) -> Result<Option<Reception>, Error> {
    let head = answer.head;
    let status = head.status();
    if status == 304 && job.checksum.is_some() {
        return Err(Error::new(ErrorKind::Checksum, "status 304 brings no body for the checksum to verify"));
    }
    if status == 304 && !answer.inquiry.is_none_or(Inquiry::is_the_users) {
        let message = "status 304 came without a question, so there is no body; fetch it later, or give a mirror";
        return Err(Error::new(ErrorKind::Protocol, message));
    }
    // 304 must not empty the file that the user asked about.
    if run.config.method == Method::Head || status == 304 {
        return Ok(None);
    }
    let body = Body::new(run.config.compression, head, body, run.piece())?;
    let keeper = Gatekeeper::new(&run.config, job, target.and_then(Target::previous));
    let whole = admit(&keeper, head, body.length())?.filter(|_| body.is_as_sent());
    let sink = run.sink(target, answer, body.length(), None);
    let digest = job.checksum.map(|expected| (expected, Sha256::new()));
    Ok(Some(Reception { body: Some(body), sink, keeper, digest, whole }))
}

/// What comes after a part that is there is kept, and the part with it.
async fn go_on(
    run: &Run,
    job: &Job,
    target: Option<&Target<'_>>,
    leash: &mut Leash,
    answer: &Answer<'_>,
    body: BodyReader,
    Part { rest, whole }: Part,
) -> Result<Reception, Error> {
    let is_complete = rest.length == whole;
    let keeper = Gatekeeper::new(&run.config, job, target.and_then(Target::previous)).go_on();
    // A 416 is of another type than the file: it comes with a page.
    let types = answer.head.values("content-type").filter(|_| !is_complete);
    if let Err(error) = keeper.admit(Some(whole), types) {
        rest.remove().await;
        return Err(error);
    }
    let digest = job.checksum.map(|expected| (expected, rest.digest.as_deref().cloned().unwrap_or_default()));
    let sink = run.sink(target, answer, Some(whole), Some(*rest));
    let body = if is_complete {
        drain(leash, body).await;
        None
    } else {
        Some(Body::AsSent(body))
    };
    Ok(Reception { body, sink, keeper, digest, whole: Some(whole) })
}

/// Whether what has come of a body may be the start of the whole one.
fn leftover(error: &Error) -> Leftover {
    match error.kind() {
        ErrorKind::Truncated | ErrorKind::Timeout(_) | ErrorKind::Interrupted => Leftover::Part,
        _ => Leftover::Nothing,
    }
}

/// Judges by its head alone whether a body may be kept: the length that it has to have then, where a 206 says it.
fn admit(keeper: &Gatekeeper, head: &Head, length: Option<u64>) -> Result<Option<u64>, Error> {
    let whole = content_range::judge(head.status(), head.values("content-range"), head.values("content-type"))?;
    if let Some(length) = length {
        content_range::agree(whole, length)?;
    }
    keeper.admit(length, head.values("content-type"))?;
    Ok(whole)
}

/// Takes a body to its end, and verifies it.
async fn receive(run: &Run, leash: &mut Leash, reception: &mut Reception) -> Result<(), Error> {
    leash.begin_body(run.config.courtesy.min_speed);
    let read = read(run, leash, reception).await;
    leash.end_body();
    read?;
    let Reception { sink, keeper, digest, whole, .. } = reception;
    if let Some((expected, digest)) = digest.take()
        && !expected.matches(&digest.finalize())
    {
        return Err(Error::new(ErrorKind::Checksum, "the body is not the one that the checksum is of"));
    }
    keeper.finish(sink.bytes())?;
    content_range::agree(*whole, sink.bytes())?;
    // Not held: what is complete waits for the disk.
    sink.empty_pipe().await
}

/// Reads a body to its end into its sink.
async fn read(run: &Run, leash: &mut Leash, reception: &mut Reception) -> Result<(), Error> {
    let Reception { body, sink, keeper, digest, .. } = reception;
    let (mut turns, mut may_splice) = (0, digest.is_none());
    while let Some(body) = body {
        if may_splice && keeper.has_seen_enough() && body.can_splice() && sink.pipe().is_some() {
            match splice_rest(run, leash, body, sink).await? {
                // How long it is was said before it came.
                Piped::All => return Ok(()),
                Piped::NoMore => may_splice = false,
            }
        }
        let data = leash.hold(body.fill_buf()).await?.map_err(transport::body_error)?;
        let data = data.get(..run.piece()).unwrap_or(data);
        let length = data.len();
        if length == 0 {
            break;
        }
        keeper.take(data, sink.bytes().saturating_add(length as u64))?;
        if let Some((_, digest)) = digest {
            digest.update(data);
        }
        leash.hold(sink.write(data)).await??;
        body.consume(length);
        let came = body.came(length);
        run.traffic.add(came);
        leash.moved(came);
        moderate(run, leash, came).await?;
        take_turn(&mut turns).await;
    }
    Ok(())
}

/// How far a body went through a pipe.
enum Piped {
    /// To its end.
    All,
    /// The system moves nothing from its connection: what is left has to be read.
    NoMore,
}

/// Takes the rest of a long body, whose length is known, to its end past this program's memory.
async fn splice_rest(run: &Run, leash: &mut Leash, body: &mut Body, sink: &mut Sink) -> Result<Piped, Error> {
    let mut turns = 0;
    let piece = run.piece();
    loop {
        let spliced = future::poll_fn(|cx| match sink.pipe() {
            Some((pipe, room)) => body.poll_splice(cx, pipe, Room { bytes: room.bytes.min(piece), ..room }),
            None => Poll::Ready(Ok(Spliced::Full)),
        });
        match leash.hold(spliced).await?? {
            Spliced::Bytes(0) => return Ok(Piped::All),
            Spliced::Bytes(length) => {
                run.traffic.add(length);
                leash.moved(length);
                leash.hold(sink.piped(length)).await??;
                moderate(run, leash, length).await?;
            }
            Spliced::Full => leash.hold(sink.empty_pipe()).await??,
            Spliced::Refused => {
                leash.hold(sink.empty_pipe()).await??;
                return Ok(Piped::NoMore);
            }
        }
        take_turn(&mut turns).await;
    }
}

/// Waits for as long as so many bytes take that came, where there is a rate that all transfers keep to.
async fn moderate(run: &Run, leash: &mut Leash, length: usize) -> Result<(), Error> {
    // What was decoded before has no place in the line: it would wait for those of others.
    let Some(meter) = run.meter.as_ref().filter(|_| length > 0) else { return Ok(()) };
    let wait = meter.take(length, run.clock.instant());
    leash.excuse(wait);
    leash.hold(run.clock.wait(wait)).await
}

/// Notes that a body was ready once more, and every [`TURN`] times lets others have their turn.
async fn take_turn(turns: &mut u32) {
    *turns = (*turns + 1) % TURN;
    if *turns == 0 {
        future::yield_now().await;
    }
}

/// Leaves nothing of a body that failed, or what can be gone on with.
async fn discard(sink: Sink, leftover: Leftover) {
    let patience = async {
        Timer::after(MAX_DISCARD_TIME).await;
    };
    future::or(sink.discard(leftover), patience).await;
}

/// Reads what is left of a body that nobody wants, if that is little and comes soon. Whatever goes wrong, and a run that is
/// stopped, only costs the connection: what became of the attempt is known already.
async fn drain(leash: &mut Leash, mut body: BodyReader) {
    let rest = async {
        let mut left = MAX_DRAIN;
        let mut turns = 0;
        while let Ok(data) = body.fill_buf().await {
            let length = data.len();
            match left.checked_sub(length as u64) {
                Some(still) if length > 0 => left = still,
                _ => break,
            }
            body.consume(length);
            take_turn(&mut turns).await;
        }
    };
    let patience = async {
        Timer::after(MAX_DRAIN_TIME).await;
    };
    // Patience is asked first: bytes that never end come faster than it does.
    let _ = leash.hold(future::or(patience, rest)).await;
}
