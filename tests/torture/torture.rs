//! The torture: `smolget` is killed, its calls are failed, its disk is filled, and no file may be torn by it.
//!
//! `make torture`, or `cargo run --example torture PATH-TO-SMOLGET`. Kills and failures are made by strace, at a call of
//! its choice in a run of the real binary; which calls there are, a first run of each shape tells. In the short form
//! chance chooses as many as half a minute takes; with `POINTS=500` in the environment at least so many kills are made,
//! and every failure that there is. `SEED` repeats the choice of another time.

mod crew;
mod fault;
mod judge;
mod kill;
mod limits;
mod order;
mod place;
mod power;
mod shape;
mod state;
mod strace;
mod survey;
mod sweep;

#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
#[path = "../support/reply.rs"]
mod reply;
#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
#[path = "../support/server.rs"]
mod server;
#[path = "../support/tally.rs"]
mod tally;

use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use crew::Enough;
use shape::Site;
use strace::Strace;
use survey::survey;
use tally::Tally;

/// How long the short form makes each of: kills at a call, kills at random moments, failed calls.
const SHORT: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(1), Duration::from_secs(5)];
/// How many power cuts the short form has; the long form has one for each 25 points.
const CUTS: usize = 4;

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let Some(binary) = args.next() else {
        eprintln!("torture: say where smolget is: make torture does");
        return ExitCode::FAILURE;
    };
    if binary == strace::TRACED {
        return strace::become_traced(args);
    }
    let binary = fs::canonicalize(&binary).expect("the binary is built");
    match Strace::find(&binary) {
        Ok(strace) => torture(&strace),
        Err(message) => {
            eprintln!("torture: {message}");
            ExitCode::FAILURE
        }
    }
}

fn torture(strace: &Strace) -> ExitCode {
    let number = |name| env::var(name).ok().map(|value| value.parse().expect("POINTS and SEED are numbers"));
    let points: Option<u64> = number("POINTS");
    let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("torture: SEED={seed}{}", points.map_or(String::new(), |points| format!(" POINTS={points}")));
    let [kills, moments, faults] = match points {
        Some(points) => [Enough::Points(points), Enough::Points(points / 5), Enough::All],
        None => SHORT.map(Enough::Time),
    };

    let cuts = points.map_or(CUTS, |points| usize::try_from(points / 25).expect("points are few").max(1));
    let mut tally = Tally::new("torture");
    let site = Site::open();
    let known = survey(strace, &site);
    kill::at_calls(strace, &site, &known, seed, kills, &mut tally);
    kill::at_moments(strace, &site, seed, moments, &mut tally);
    fault::at_calls(strace, &site, &known, seed, faults, &mut tally);
    sweep::between_steps(strace, &site, &mut tally);
    limits::all(strace, &site, &mut tally);
    order::of(&shape::DURABLE, strace, &site, &mut tally);
    order::of(&shape::SYNC, strace, &site, &mut tally);
    power::cuts(&strace.binary, cuts, &mut tally);
    tally.finish()
}
