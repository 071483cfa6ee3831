//! Other runs that start in the same folders: what they sweep away there is nothing that this run still needs.
//!
//! Each step of a file is held up, for as long as others take to start and to clear away what they find.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::place::Place;
use crate::shape::{FILES, SHAPES, Site};
use crate::strace::{Call, Strace, Tampering, View};
use crate::survey::Point;
use crate::tally::Tally;

/// What is held up. A whole body is open to a sweep at each step, any other before the lock; the rename tells that one came.
const STEPS: [&str; 4] = ["flock", "write", "close", "renameat"];

/// How long: some starts of the binary.
const PAUSE: &str = "delay_enter=40000";

/// Holds up each step of every file of a run in turn: each is a case.
pub fn between_steps(strace: &Strace, site: &Site, tally: &mut Tally) {
    let results = STEPS.map(|call| (call, held_up_at(strace, site, call)));
    tally.rows("swept by other runs while held up", results.into());
}

fn held_up_at(strace: &Strace, site: &Site, call: &str) -> Result<(), String> {
    let shape = &SHAPES[0];
    let place = Place::new(shape.before);
    let tampering = Tampering { call: call.to_owned(), what: PAUSE, when: "1+".to_owned() };
    let point = Point { shape, view: View::Folder, tampering };
    let is_over = AtomicBool::new(false);
    let (end, calls) = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                sweep(strace, &place);
            }
        });
        let run = strace.tamper(&place, site, &point);
        is_over.store(true, Ordering::Relaxed);
        run
    });
    if end.code() != Some(0) {
        return Err(format!("{}: {}", end.describe(), place.first_messages()));
    }
    place.is_complete()?;
    let was_swept = |call: &Call| call.text.contains("ENOENT");
    let proves = call != "renameat" || calls.iter().any(was_swept);
    if proves { Ok(()) } else { Err("no sweep came between, so this proves nothing".to_owned()) }
}

/// Runs that have no jobs, one in each folder.
fn sweep(strace: &Strace, place: &Place) {
    let folders = FILES.iter().map(|file| file.folder().map_or(place.out(), |folder| place.out().join(folder)));
    for folder in folders {
        let mut command = Command::new(&strace.binary);
        command.args(["-q", "-i", "/dev/null", "-d"]).arg(folder);
        let swept = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(swept.is_ok_and(|status| status.success()), "a run without jobs is ok");
    }
}
