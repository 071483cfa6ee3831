//! The static programs, each run through a short suite: on this processor as they are, for any other under qemu.
//!
//! `make static-check`, or `cargo run --example static-check TARGET=PROGRAM…`. Servers, and the programs with them, run
//! in a network of their own with `hosts` and `resolv.conf` of its own, where this system makes such for this user. What
//! can't be run is told as such, and is not passed: exit status 0 means that all of it was run, and passed. Of the kinds
//! of errors two can't be provoked: `clock` takes a machine whose clock is wrong, and nothing makes `encoding` yet.

mod errors;
mod fetched;
mod names;
mod namespace;
#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
#[path = "../support/ports.rs"]
mod ports;
mod program;
#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
#[path = "../support/reply.rs"]
mod reply;
#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
#[path = "../support/server.rs"]
mod server;
mod signals;
mod site;
#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
#[path = "../support/tls.rs"]
mod tls;

use std::env;
use std::process::ExitCode;

use names::Names;
use program::Program;
use site::Site;

/// What came of a check, in a word or two: what was seen, or what should not have been.
type Verdict = Result<String, String>;

/// A check of one program.
type Check = (&'static str, fn(&Program, &Site) -> Verdict);

/// What needs no more than the loopback.
const CHECKS: [&[Check]; 3] = [&fetched::CHECKS, &errors::CHECKS, &signals::CHECKS];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let (names, targets) = match args.split_first() {
        None => {
            eprintln!("usage: static-check TARGET=PROGRAM...");
            return ExitCode::FAILURE;
        }
        Some((first, targets)) if first == namespace::INSIDE => (Ok(Names::serve()), targets),
        Some(_) => match namespace::run_inside(&args) {
            Ok(status) => return status,
            Err(why) => (Err(why), args.as_slice()),
        },
    };
    let site = Site::open();
    let names = names.as_ref().map_err(String::as_str);
    let ends: Vec<End> = targets.iter().map(|target| check(target, &site, names)).collect();
    tell(&ends)
}

/// How the suite ended for one target.
enum End {
    Passed,
    Failed,
    /// Also if a part of it could not be run.
    NotRun,
}

/// Runs every check that can be run, with a line for each that has not passed and one for them all.
fn check(target: &str, site: &Site, names: Result<&Names, &str>) -> End {
    let (target, path) = target.split_once('=').unwrap_or((target, ""));
    let program = match Program::find(target, path) {
        Ok(program) => program,
        Err(why) => {
            println!("{target}: not run: {why}");
            return End::NotRun;
        }
    };
    let named: &[Check] = if names.is_ok() { &names::CHECKS } else { &[] };
    let checks: Vec<&Check> = CHECKS.into_iter().flatten().chain(named).collect();
    let mut passed = 0;
    for (name, run) in &checks {
        match run(&program, site) {
            Ok(_) => passed += 1,
            Err(why) => println!("{target}: FAILED: {name}: {why}"),
        }
    }
    if passed < checks.len() {
        println!("{target}: passed {passed} of {} checks", checks.len());
        return End::Failed;
    }
    println!("{target}: passed ({passed} checks, {})", program.way());
    match names {
        Ok(_) => End::Passed,
        Err(why) => {
            println!("{target}: not run: {} checks of names: {why}", names::CHECKS.len());
            End::NotRun
        }
    }
}

fn tell(ends: &[End]) -> ExitCode {
    let passed = ends.iter().filter(|end| matches!(end, End::Passed)).count();
    let failed = ends.iter().filter(|end| matches!(end, End::Failed)).count();
    println!("static-check: {passed} passed, {failed} failed, {} not or not wholly run", ends.len() - passed - failed);
    if passed == ends.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
