//! Killed runs: whatever the moment, under each name there is the old file or the new one, and the next run makes good.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::crew::{Enough, work};
use crate::place::{Place, feed, wait};
use crate::shape::{SHAPES, Shape, Site};
use crate::strace::Strace;
use crate::survey::{Known, Point};
use crate::tally::Tally;

/// Kills runs at their calls, any of them at any time: each is a case.
pub fn at_calls(strace: &Strace, site: &Site, known: &[Known], seed: u64, enough: Enough, tally: &mut Tally) {
    let each = |known: &Known| (1..=known.most).map(|when| known.point("signal=KILL", when)).collect::<Vec<_>>();
    let mut points: Vec<Point> = known.iter().flat_map(each).collect();
    Rng::with_seed(seed).shuffle(&mut points);
    let all = points.len();
    let results = work(points.into_iter(), enough, |point| {
        let place = Place::new(point.shape.before);
        let (end, _) = strace.tamper(&place, site, point);
        // If it came to its end, it made fewer calls than the first run did.
        let was_there = end.code() != Some(0);
        let judge = || if end.is_killed() { recovers(&place, strace, site, point.shape) } else { Err(end.describe()) };
        was_there.then(judge)
    });
    tally.row(&format!("kills at the {all} calls of {} shapes", SHAPES.len()), enough.judge(results.len()));
    let mut by_call: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (point, result) in results {
        let result = result.map_err(|why| format!("{}: {why}", point.describe()));
        by_call.entry(point.tampering.call).or_default().push((point.shape.name, result));
    }
    for (call, results) in by_call {
        tally.rows(&format!("killed at {call}"), results);
    }
}

/// Kills runs at random moments, of each shape as often.
pub fn at_moments(strace: &Strace, site: &Site, seed: u64, enough: Enough, tally: &mut Tally) {
    let mut rng = Rng::with_seed(seed);
    let usual: Vec<Duration> = SHAPES.iter().map(|shape| duration(strace, site, shape)).collect();
    let moments = SHAPES.iter().zip(usual).cycle().map(|(shape, usual)| (shape, usual.mul_f64(rng.f64())));
    let results = work(moments, enough, |(shape, moment)| {
        let place = Place::new(shape.before);
        let mut child = place.start(&strace.binary, &place.options(shape));
        feed(&mut child, &site.list(shape));
        thread::sleep(*moment);
        child.kill().unwrap();
        wait(child).is_killed().then(|| recovers(&place, strace, site, shape))
    });
    tally.row("kills at random moments", enough.judge(results.len()));
    let results = results.into_iter().map(|((shape, moment), result)| {
        (shape.name, result.map_err(|why| format!("{} after {moment:?}: {why}", shape.name)))
    });
    tally.rows("killed at a random moment", results.collect());
}

/// What has to be so after a kill, and after the run that comes next.
fn recovers(place: &Place, strace: &Strace, site: &Site, shape: &Shape) -> Result<(), String> {
    place.is_untorn()?;
    rerun(place, strace, site, shape)?;
    place.is_complete().map_err(|why| format!("after the next run {why}"))
}

fn rerun(place: &Place, strace: &Strace, site: &Site, shape: &Shape) -> Result<(), String> {
    let end = place.run(&strace.binary, &place.options(shape), &site.list(shape));
    let is_ok = end.code() == Some(0);
    is_ok.then_some(()).ok_or_else(|| format!("the next run: {}: {}", end.describe(), place.first_messages()))
}

/// How long a run of that shape takes.
fn duration(strace: &Strace, site: &Site, shape: &Shape) -> Duration {
    let place = Place::new(shape.before);
    let started = Instant::now();
    rerun(&place, strace, site, shape).expect("a run that nobody kills is ok");
    started.elapsed()
}
