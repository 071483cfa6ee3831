//! Cases → the servers that play them, and the jobs that ask these.

use std::any::Any;

use crate::case::{Act, BODY, Case, End, Script, Stage};
use crate::reply::{Gate, Reply};
use crate::server::{Request, Server};

/// The name of all bystanders together.
pub const BYSTANDERS: &str = "bystanders";

/// A line of the list, and how it has to end.
pub struct Job {
    /// Where it stands among the verdicts.
    pub place: usize,
    pub name: String,
    pub url: String,
    /// The name of its file.
    pub out: String,
    pub end: End,
    /// What is asked for once this one is done.
    pub then: Option<Box<Then>>,
    /// What the URL needs to lead anywhere.
    pub held: Held,
}

/// The second of two jobs.
pub struct Then {
    /// Has to be open before.
    pub gate: Option<Gate>,
    pub job: Job,
}

pub enum Held {
    Nothing,
    Guard { _guard: Box<dyn Any> },
    Server { server: Server, turns: Option<&'static [usize]> },
}

impl Job {
    fn new(place: usize, name: String, url: String, out: String, end: End) -> Self {
        Self { place, name, url, out, end, then: None, held: Held::Nothing }
    }

    /// Its lines of the list.
    pub fn lines(&self) -> String {
        format!("{}\n  out={}\n", self.url, self.out)
    }
}

/// The server of all acts that have none of their own, and a job for each act, with bystanders between them.
pub fn jobs(cases: Vec<Case>, bystanders: usize, fetched: fn(Vec<u8>) -> End) -> (Server, Vec<Job>) {
    let acts =
        cases.into_iter().flat_map(|Case { name, abuse, twin }| [(name.clone(), abuse), (name + ": twin", twin)]);
    let mut scripts = Vec::new();
    let jobs: Vec<_> = acts.enumerate().map(|(at, (name, act))| job(at, name, act, &mut scripts)).collect();
    let server = Server::start(move |request| answer(request, &scripts));
    let mut jobs = jobs.into_iter();
    let mut bystanders = (0..bystanders).map(|at| bystander(at, &server, fetched));
    let mut list = Vec::new();
    loop {
        let pair = [jobs.next(), bystanders.next()];
        if pair.iter().all(Option::is_none) {
            break;
        }
        list.extend(pair.into_iter().flatten());
    }
    // The paths of the shared server were made before it had a port.
    for job in &mut list {
        if job.url.starts_with('/') {
            job.url = server.url(&job.url);
        }
    }
    drop(bystanders);
    (server, list)
}

/// Both of what an act is asked for; a path on the shared server if it plays there.
fn job(at: usize, name: String, act: Act, scripts: &mut Vec<Option<Script>>) -> Job {
    let out = format!("f{at}");
    scripts.resize_with(at + 1, || None);
    match act.stage {
        Stage::Shared(script) => {
            scripts[at] = Some(script);
            Job::new(at, name, format!("/act/{at}/x"), out, act.end)
        }
        Stage::Elsewhere { url, guard } => {
            Job { held: Held::Guard { _guard: guard }, ..Job::new(at, name, url, out, act.end) }
        }
        Stage::InTurn { server, gate, turns } => {
            let first = Job::new(at, name.clone(), server.url("/first"), format!("{out}-first"), End::right());
            let second = Job::new(at, name, server.url("/second"), out, act.end);
            let second = Job { held: Held::Server { server, turns }, ..second };
            Job { then: Some(Box::new(Then { gate, job: second })), ..first }
        }
    }
}

fn bystander(at: usize, server: &Server, fetched: fn(Vec<u8>) -> End) -> Job {
    let end = fetched(bystanders_body(at));
    Job::new(usize::MAX, BYSTANDERS.to_owned(), server.url(&format!("/by/{at}")), format!("by{at}"), end)
}

/// No two alike, most of them small.
fn bystanders_body(at: usize) -> Vec<u8> {
    let length = if at.is_multiple_of(16) { 100_000 } else { 100 + at % 1000 };
    let start = format!("bystander {at}\n").into_bytes();
    start.into_iter().chain((0..length).map(|n| ((n * 31 + at * 7) % 251) as u8)).collect()
}

fn answer(request: &Request, scripts: &[Option<Script>]) -> Reply {
    let mut segments = request.target.split('/').skip(1);
    let (kind, at) = (segments.next(), segments.next().and_then(|at| at.parse::<usize>().ok()));
    match (kind, at) {
        (Some("by"), Some(at)) => Reply::ok(bystanders_body(at)),
        (Some("act"), Some(at)) => match scripts.get(at) {
            Some(Some(script)) => script(request),
            _ => panic!("nothing is played at {}", request.target),
        },
        _ => Reply::status(404).body(BODY),
    }
}
