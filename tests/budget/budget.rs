//! The budget: what a request costs and how large the program is, held to the figures in `budget.txt`.
//!
//! `make budget`, or `cargo run --example budget PATH-TO-SMOLGET`. Counted, never timed: allocations, of a program around the
//! library; system calls of the real program, by strace; the program's bytes. A figure a request is the difference between a
//! long run and a short one, so that starting costs nothing, and the server answers only once its client sleeps, so that no
//! run is luckier than another. What is over its budget by more than 5 % fails. With `WRITE=1` in the environment the figures
//! of this run become the budget.

mod allocations;
mod calls;
mod client;
mod figures;
mod site;
mod workload;

#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
#[path = "../support/reply.rs"]
mod reply;
#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
#[path = "../support/server.rs"]
mod server;
#[path = "../support/tally.rs"]
mod tally;
#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
#[path = "../support/tls.rs"]
mod tls;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use figures::{Budget, Figure};
use site::Site;
use tally::Tally;
use workload::WORKLOADS;

/// The committed figures.
const BUDGET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/budget/budget.txt");

/// The figure that is another on each kind of machine, and the one where it is compared.
const SIZE: &str = "program/size";
const HOME: &str = "x86_64-unknown-linux-gnu";
const IS_HOME: bool = cfg!(all(target_arch = "x86_64", target_env = "gnu", target_os = "linux"));

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let Some(binary) = args.next() else {
        eprintln!("budget: say where smolget is: make budget does");
        return ExitCode::FAILURE;
    };
    if binary == allocations::COUNTED {
        return allocations::run(args);
    }
    match hold(Path::new(&binary)) {
        Ok(tally) => tally.finish(),
        Err(why) => {
            eprintln!("budget: {why}");
            ExitCode::FAILURE
        }
    }
}

fn hold(binary: &Path) -> Result<Tally, String> {
    let text = fs::read_to_string(BUDGET).map_err(|error| format!("{BUDGET}: {error}"))?;
    let mut budget = Budget::parse(&text)?;
    let is_to_write = env::var_os("WRITE").is_some();
    let mut tally = Tally::new("budget");
    if !IS_HOME {
        let why = format!("the budget's is that of {HOME}");
        if is_to_write {
            return Err(format!("{SIZE} can't be written here: {why}"));
        }
        budget.remove(SIZE);
        tally.not_run(SIZE, &why);
    }
    let measured = measure(binary)?;
    if is_to_write {
        fs::write(BUDGET, budget.renewed(&measured)).map_err(|error| format!("{BUDGET}: {error}"))?;
        measured.iter().for_each(|figure| tally.row(&figure.name, Ok(format!("{}: written", figure.shown()))));
    } else {
        budget.judge(&measured).into_iter().for_each(|(name, verdict)| tally.row(&name, verdict));
    }
    Ok(tally)
}

/// Every figure there is here.
fn measure(binary: &Path) -> Result<Vec<Figure>, String> {
    let site = Site::open();
    let mut figures = Vec::new();
    for workload in &WORKLOADS {
        figures.extend(allocations::of(workload, &site)?);
        figures.push(calls::of(workload, &site, binary)?);
    }
    if IS_HOME {
        figures.push(size(binary)?);
    }
    Ok(figures)
}

fn size(binary: &Path) -> Result<Figure, String> {
    let size = fs::metadata(binary).map_err(|error| format!("{}: {error}", binary.display()))?.len();
    Ok(Figure::new(SIZE, size as f64, "bytes"))
}
