//! A job on its way: to a worker, back from it while it waits for another attempt, or for the host that a redirect leads to,
//! and to a worker again.
//!
//! ```text
//!  list ─▶ Ticket ─▶ worker: one attempt ─┬▶ outcome
//!             ▲             at one host   └▶ Back: the ticket, and how long it is to wait
//!             └──────────── dispatcher ◀──────┘
//! ```
//!
//! What a worker does with a ticket is its [`Shift`]; at its end, however that comes, there is one [`Report`].

use std::time::{Duration, Instant};

use async_channel::Sender;
use surf::Url;

use super::attempt::Record;
use super::lanes::{Load, Outlook, Pass};
use super::reports::{Counter, Report};
use super::standing::Contact;
use crate::error::Error;
use crate::header::Header;
use crate::job::{Entry, Job};
use crate::outcome::Outcome;
use crate::output::Name;

/// What a ticket takes in memory beside what its list says: itself, what is behind it, a name.
const USUAL_LOAD: usize = 896;

/// How much longer than any before a part has to be that an attempt begins with, if the failures before are to be forgotten.
const GAIN: u64 = 64 * 1024;

/// A job, how far it came, and where its outcome goes.
#[derive(Debug)]
pub(super) struct Ticket {
    pub entry: Entry,
    /// The name of its file, where bodies are saved.
    pub name: Option<Name>,
    /// `None` until it comes back for the first time: most jobs never need it.
    pub past: Option<Box<Past>>,
    pub reply: Sender<Outcome>,
}

/// A ticket on its way to a worker.
pub(super) type Going = (Box<Ticket>, Pass);

/// What a job has behind it.
#[derive(Debug)]
pub(super) struct Past {
    pub start: Instant,
    /// Which of its mirrors is next; none for its own URL.
    pub mirror: Option<usize>,
    /// How many attempts at that URL have failed, since one of them got on.
    pub failed: u32,
    /// The longest part that an attempt at that URL had to go on with.
    pub part: u64,
    pub record: Record,
    /// Where the attempt goes on that a redirect has led to another host.
    pub hop: Option<Box<Hop>>,
}

/// What is left of an attempt whose next request is for another host: that has its own turn.
#[derive(Debug)]
pub(super) struct Hop {
    pub url: Url,
    /// How long it may still take, if there is a limit.
    pub left: Option<Duration>,
}

/// A ticket that is to come to a worker again.
#[derive(Debug)]
pub(super) struct Back {
    pub ticket: Box<Ticket>,
    /// How long it waits before.
    pub wait: Duration,
}

/// A worker's time with one ticket. It reports when it is dropped, so a worker that panics has told of its end, too.
#[derive(Debug)]
pub(super) struct Shift<'a> {
    counter: &'a Counter,
    pass: Pass,
    contact: Contact,
    park: Option<Duration>,
    back: Option<Back>,
}

impl Ticket {
    /// Behind a pointer, for it goes through many hands: each has room for one, and none may ever come.
    pub fn new(entry: Entry, reply: Sender<Outcome>) -> Box<Self> {
        Box::new(Self { entry, name: None, past: None, reply })
    }

    /// The URL that is to be asked; `None` for a line that is none.
    pub fn url(&self) -> Option<&Url> {
        match (&self.entry, &self.past) {
            (Entry::Job(job), Some(past)) => Some(past.url(job)),
            (Entry::Job(job), None) => Some(&job.url),
            (Entry::Rejected(_), _) => None,
        }
    }
}

impl Load for Box<Ticket> {
    /// A kilobyte, with a short URL.
    fn load(&self) -> usize {
        let texts = match &self.entry {
            Entry::Job(job) => {
                let mirrors = job.mirrors.iter().map(|url| size_of::<Url>() + url.as_str().len());
                let headers =
                    job.headers.iter().map(|header| size_of::<Header>() + header.name().len() + header.value().len());
                // The URL as it was written, and parsed.
                job.text.len() * 2 + job.out.as_ref().map_or(0, String::len) + mirrors.chain(headers).sum::<usize>()
            }
            Entry::Rejected(rejected) => rejected.text.len(),
        };
        USUAL_LOAD + texts + self.past.as_ref().map_or(0, |past| past.load())
    }
}

impl Past {
    /// Of a job that begins now.
    pub fn begin() -> Self {
        Self { start: Instant::now(), mirror: None, failed: 0, part: 0, record: Record::default(), hop: None }
    }

    /// What redirects have added: a server says how long a URL is.
    fn load(&self) -> usize {
        let hop = self.hop.as_ref().map_or(0, |hop| size_of::<Hop>() + hop.url.as_str().len());
        hop + self.record.last_url.as_ref().map_or(0, |url| url.as_str().len())
    }

    /// Counts an attempt that failed. Whoever gets on is not hopeless, however often the connection is cut; but a part that was
    /// lost and has grown again brings nobody on.
    pub fn count_failure(&mut self) {
        let part = self.record.part;
        self.failed = if part >= self.part.saturating_add(GAIN) { 1 } else { self.failed.saturating_add(1) };
        self.part = self.part.max(part);
    }

    /// Whether an attempt was made: to look whether a file is there is none.
    pub fn has_begun(&self) -> bool {
        self.record.attempts > 0
    }

    /// The URL that is next: one that a redirect led to, or one of the job's.
    pub fn url<'a>(&'a self, job: &'a Job) -> &'a Url {
        self.hop.as_ref().map_or_else(|| self.start_url(job), |hop| &hop.url)
    }

    /// Which of the job's URLs an attempt starts at.
    pub fn start_url<'j>(&self, job: &'j Job) -> &'j Url {
        self.mirror.and_then(|mirror| job.mirrors.get(mirror)).unwrap_or(&job.url)
    }
}

impl<'a> Shift<'a> {
    pub fn begin(counter: &'a Counter, pass: Pass) -> Self {
        Self { counter, pass, contact: Contact::Unknown, park: None, back: None }
    }

    /// What is expected of the host.
    pub fn outlook(&self) -> Outlook {
        self.pass.outlook
    }

    /// Whether the ticket went out without regard to its host: nothing must be sent to it then.
    pub fn is_free(&self) -> bool {
        self.pass.is_free()
    }

    /// A response head came.
    pub fn answered(&mut self) {
        if self.contact != Contact::Made && self.pass.outlook == Outlook::Unknown {
            self.counter.tell(Report::Answered(self.pass.lane));
        }
        self.contact = Contact::Made;
    }

    /// The attempt failed; the host asks to be left alone for `park`.
    pub fn failed(&mut self, error: &Error, park: Option<Duration>) {
        if self.contact != Contact::Made {
            self.contact = Contact::of(error);
        }
        self.park = park;
    }

    /// The ticket is to come again.
    pub fn hand_back(&mut self, back: Back) {
        self.back = Some(back);
    }
}

impl Drop for Shift<'_> {
    fn drop(&mut self) {
        let back = self.back.take();
        self.counter.tell(Report::Ended { pass: self.pass, contact: self.contact, park: self.park, back });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many failures count after attempts that began with parts of these lengths, in pieces of [`GAIN`].
    fn failed(parts: &[u64]) -> u32 {
        let mut past = Past::begin();
        for part in parts {
            past.record.part = part * GAIN;
            past.count_failure();
        }
        past.failed
    }

    #[test]
    fn whoever_gets_on_uses_up_no_retries() {
        assert_eq!([failed(&[0]), failed(&[0, 0]), failed(&[0, 1]), failed(&[0, 1, 2, 3])], [1, 2, 1, 1]);
        assert_eq!(failed(&[0, 1, 1, 1]), 3);
    }

    #[test]
    fn a_part_that_is_lost_and_grows_again_gets_nobody_on() {
        assert_eq!(failed(&[0, 5, 0, 5, 0, 5, 3, 5]), 7);
        assert_eq!(failed(&[0, 5, 0, 6]), 1);
    }

    #[test]
    fn a_tickets_load_is_all_that_its_list_and_servers_say_of_it() {
        fn load(change: impl FnOnce(&mut Job)) -> usize {
            let mut job = Job::new("http://h.example/").unwrap();
            change(&mut job);
            Ticket::new(Entry::Job(job), async_channel::bounded(1).0).load()
        }
        let plain = load(|_| ());
        assert!((900..1024).contains(&plain), "{plain}");
        let long = || "x".repeat(5000);
        assert!(
            load(|job| job.headers.push(Header::parse(&format!("{}: {}", long(), long())).unwrap())) > plain + 10_000
        );
        assert!(load(|job| job.out = Some(long())) >= plain + 5000);
        let led = |hop: bool, last: bool| {
            let mut ticket =
                Ticket::new(Entry::Job(Job::new("http://h.example/").unwrap()), async_channel::bounded(1).0);
            let url = || Url::parse(&format!("http://h/{}", long())).unwrap();
            let mut past = Past::begin();
            past.hop = hop.then(|| Box::new(Hop { url: url(), left: None }));
            past.record.last_url = last.then(url);
            ticket.past = Some(Box::new(past));
            ticket.load()
        };
        assert!(led(false, false) == plain && led(true, false) > plain + 5000 && led(true, true) > plain + 10_000);
        assert!(load(|job| job.mirrors.push(Url::parse(&format!("http://h/{}", long())).unwrap())) > plain + 5000);
    }
}
