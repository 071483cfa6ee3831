//! Vectors that others wrote: the response cases of llhttp, replayed over the loopback against the real program.
//!
//! `make vectors` fetches the cases and runs `vectors PATH-TO-SMOLGET FOLDER-OF-CASES`. Each case is sent whole and a
//! byte at a time, one run of the program a mode, and judged by llhttp's own verdict, which stands beside it: what llhttp
//! takes has to end as `ok` with that status and that body, what it refuses or finds cut must not. Where the program does
//! otherwise on purpose, [`deviations`] says so and why; a deviation that is not listed fails, and so does one that is
//! listed and does not occur.

mod deviations;
mod judge;
mod markdown;
mod replay;
mod server;
#[path = "../support/tally.rs"]
mod tally;
mod verdict;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use markdown::Case;
use server::Pace;
use tally::Tally;

fn main() -> ExitCode {
    let args: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [binary, folder] = args.as_slice() else {
        eprintln!("usage: vectors PATH-TO-SMOLGET FOLDER-OF-CASES");
        return ExitCode::FAILURE;
    };
    match replay_all(binary, folder) {
        Ok(tally) => tally.finish(),
        Err(why) => {
            eprintln!("vectors: {why}");
            ExitCode::FAILURE
        }
    }
}

fn replay_all(binary: &Path, folder: &Path) -> Result<Tally, String> {
    let cases = markdown::cases(folder)?;
    let mut tally = Tally::new("vectors");
    for (pace, mode) in [(Pace::Whole, "whole"), (Pace::Bytewise, "a byte at a time")] {
        for (case, verdict) in cases.iter().zip(replay::replay(binary, &cases, pace)?) {
            tally.row(&format!("{}, {mode}", case.name), verdict);
        }
    }
    let is_case = |name: &str| cases.iter().any(|case: &Case| case.name == name);
    for deviation in deviations::DEVIATIONS.iter().filter(|deviation| !is_case(deviation.case)) {
        tally.row(deviation.case, Err("listed as a deviation, but there is no such case".to_owned()));
    }
    Ok(tally)
}
