//! Calls that fail: the failure is told of its job, the others go on, and no row says ok of a file that isn't whole.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::crew::{Enough, work};
use crate::judge::{self, Failed};
use crate::place::{End, PARTS, Place};
use crate::shape::{FILES, SHAPES, Site};
use crate::strace::{Call, Strace};
use crate::survey::{Kind, Known, Point};
use crate::tally::Tally;

/// What calls are made to fail with, in strace's words.
const ERRORS: [&str; 5] = ["error=EIO", "error=ENOSPC", "error=EDQUOT", "error=EMFILE", INTERRUPTED];
const INTERRUPTED: &str = "error=EINTR";

/// How many calls of a name are made to fail, each in a run of its own.
const FIRST: usize = 10;

/// What a run has for itself alone: neither a file nor a connection. The kernel fails none of these.
const OWN: [&str; 4] = ["anon_inode:[eventfd", "anon_inode:[timerfd", "UNIX-STREAM:", "UNIX:"];

/// Has calls fail: each is a case.
pub fn at_calls(strace: &Strace, site: &Site, known: &[Known], seed: u64, enough: Enough, tally: &mut Tally) {
    let mut points: Vec<Point> = known.iter().flat_map(points).collect();
    Rng::with_seed(seed).shuffle(&mut points);
    let all = points.len();
    let results = work(points.into_iter(), enough, |point| {
        let place = Place::new(point.shape.before);
        let (end, calls) = strace.tamper(&place, site, point);
        let tampered = calls.into_iter().filter(Call::is_tampered);
        let (own, hits): (Vec<_>, Vec<_>) = tampered.partition(|call| OWN.iter().any(|own| call.text.contains(own)));
        // Another thread's call of that number was its own, and what it was to wake sleeps on.
        let is_spoilt = !own.is_empty() && matches!(end, End::Hung);
        let case = Case { place, point, site, hits };
        (!case.hits.is_empty() && !is_spoilt).then(|| case.judge(&end).map_err(|why| case.explain(&why)))
    });
    tally.row(&format!("failures at {all} points of {} shapes", SHAPES.len()), enough.judge(results.len()));
    let mut by_call: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (point, result) in results {
        let result = result.map_err(|why| format!("{}: {why}", point.describe()));
        let error = point.tampering.what.trim_start_matches("error=");
        by_call.entry(point.tampering.call).or_default().push((error, result));
    }
    for (call, results) in by_call {
        tally.rows(&format!("failed {call}"), results);
    }
}

/// The first of a file or socket call with every error, and interruptions of every second one too.
fn points(known: &Known) -> Vec<Point> {
    let errors = match known.kind {
        Kind::FileOrSocket => &ERRORS[..],
        Kind::Wait => &[INTERRUPTED],
        Kind::Other => return Vec::new(),
    };
    let first = |&error: &&'static str| (1..=known.most.min(FIRST)).map(move |when| known.point(error, when));
    errors.iter().flat_map(first).chain([known.point(INTERRUPTED, "1+2")]).collect()
}

/// A run in which calls failed.
struct Case<'a> {
    place: Place,
    point: &'a Point,
    site: &'a Site,
    /// The calls that failed.
    hits: Vec<Call>,
}

impl Case<'_> {
    fn judge(&self, end: &End) -> Result<(), String> {
        let code = end.code().filter(|code| [0, 1, 3].contains(code)).ok_or_else(|| end.describe())?;
        if self.place.messages().contains("panicked") {
            return Err("it panicked".to_owned());
        }
        self.place.is_untorn()?;
        if code == 3 {
            // It may have ended before it cleared away what others had left.
            let kept: &[&str] = if self.point.shape.goes_on() { &PARTS } else { &[] };
            self.place.has_no_own_temporary_but(kept)?;
            return self.judge_end_of_run();
        }
        self.judge_temporaries()?;
        let failed = judge::failed(&self.place, self.site, self.point.shape)?;
        match (code, failed.first()) {
            (0, None) => Ok(()),
            (1, Some(first)) if self.is_interruption() => Err(format!("an interruption is no failure: {}", first.row)),
            (1, Some(_)) => self.judge_blame(&failed),
            _ => Err(format!("exit status {code} with {} failed jobs", failed.len())),
        }
    }

    fn is_interruption(&self) -> bool {
        self.point.tampering.what == INTERRUPTED
    }

    /// Nothing of a run is left, unless that was what failed: to remove it, or to look for what others had left.
    fn judge_temporaries(&self) -> Result<(), String> {
        let has_failed =
            |names: &[&str]| self.hits.iter().any(|call| names.iter().any(|name| call.name.starts_with(name)));
        if self.is_interruption() || !has_failed(&["unlink", "getdents", "flock", "open", "fstat", "newfstat"]) {
            return self.place.is_tidy();
        }
        if has_failed(&["unlink"]) { Ok(()) } else { self.place.has_no_own_temporary_but(&[]) }
    }

    /// The run as a whole can only fail for what it has once: its folder, its list, its standard output.
    fn judge_end_of_run(&self) -> Result<(), String> {
        let once = ["<pipe:", "/rows>", "/out>", "/out\"", "/.smolget-state>"];
        let is_once = |call: &Call| once.iter().any(|once| call.text.contains(once));
        if self.hits.iter().any(is_once) && !self.is_interruption() {
            return Ok(());
        }
        Err("the run ended".to_owned())
    }

    /// At most one job fails for each call, and it is the call's own; with kind `io` where that is about a file. All files of
    /// a batch lie in the output folder, and fail with its sync.
    fn judge_blame(&self, failed: &[Failed]) -> Result<(), String> {
        if failed.len() > self.hits.len() && !self.hits.iter().any(syncs_all) {
            return Err(format!("{} jobs failed for {} calls", failed.len(), self.hits.len()));
        }
        let owner = |call: &Call| if syncs_all(call) { None } else { self.owner(call) };
        let owners: Option<Vec<usize>> = self.hits.iter().map(owner).collect();
        let is_innocent = |failed: &&Failed| owners.as_ref().is_some_and(|owners| !owners.contains(&failed.index));
        if let Some(innocent) = failed.iter().find(is_innocent) {
            return Err(format!("{} failed, whose call it was not", innocent.name()));
        }
        let out = self.place.out().display().to_string();
        let is_about_files = self.hits.iter().all(|call| call.text.contains(&out));
        let other = failed.iter().find(|failed| is_about_files && !failed.is_io());
        other.map_or(Ok(()), |failed| Err(format!("not `io`: {}", failed.row)))
    }

    /// The job that a call is about, as the folder or the port in it tells.
    fn owner(&self, call: &Call) -> Option<usize> {
        let is_about = |&index: &usize| {
            let (port, folder) = (self.site.port(index), FILES[index].folder());
            let of_folder = folder.map(|folder| [format!("/out/{folder}/"), format!("/out/{folder}>")]);
            let of_port = [format!("htons({port})"), format!("->127.0.0.1:{port}]")];
            of_folder.iter().flatten().chain(&of_port).any(|words| call.text.contains(words))
        };
        (0..FILES.len()).find(is_about)
    }

    fn explain(&self, why: &str) -> String {
        let calls: Vec<&str> = self.hits.iter().map(|call| call.text.as_str()).take(3).collect();
        format!("{why}\n        calls: {}\n        messages: {}", calls.join(" | "), self.place.first_messages())
    }
}

/// Whether a call is about the sync of the output folder, which is opened anew for that, by way of the folder of some file.
fn syncs_all(call: &Call) -> bool {
    match call.name.as_str() {
        "fsync" => call.text.contains("/out>"),
        _ => [", \"../", "/out>, \".\""].iter().any(|way| call.text.contains(way)),
    }
}
