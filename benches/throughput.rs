//! Whole programs on the same lists → what each costs: smolget, and curl, wget2 and aria2c where they are installed.
//!
//! They run in turn against one server on the loopback, so what disturbs the machine disturbs all alike. The result is
//! Markdown on standard output. From the environment: `DISCARDED` and `SAVED`, the lengths of the two lists (20000 and
//! 2000; 0 leaves one out); `ROUNDS` (5, after one that does not count); `CURL`, `WGET2`, `ARIA2C`, programs to use;
//! `TMPDIR`, where to save. That is in memory unless set: what a disk costs depends on what it did before.
//! Without `--bench`, as `cargo test --all-targets` calls it, everything is done once and in small.

mod support;

use std::path::Path;
use std::{env, io};

use tempfile::TempDir;

use support::process::{Cost, measure};
use support::programs::{AT_ONCE, Keep, Program, check, empty_out, write_lists};
use support::server::{self, BODY, Server};
use support::table::{self, Series};

/// Linux's file system in memory.
const MEMORY: &str = "/dev/shm";

fn main() -> io::Result<()> {
    if env::args().nth(1).is_some_and(|first| first == server::SERVE) {
        return server::serve();
    }
    let in_full = env::args().any(|argument| argument == "--bench");
    let [discarded, saved, rounds] = if in_full { [20_000, 2_000, 5] } else { [100, 100, 1] };
    let rounds = setting("ROUNDS", rounds)?;

    let mut programs = vec![Program::smolget()?];
    programs.extend(Program::peers());
    let mut server = Server::start()?;
    let cases = [(Keep::Discarded, setting("DISCARDED", discarded)?), (Keep::Saved, setting("SAVED", saved)?)];
    for (keep, count) in cases.into_iter().filter(|(_, count)| *count > 0) {
        let what = keep.word();
        println!(
            "{count} bodies of {BODY} bytes, {what}, {AT_ONCE} at once; median (least to most) of {rounds} runs:\n"
        );
        table::print(&run(&programs, &mut server, keep, count, rounds)?);
    }
    Ok(())
}

/// A number from the environment.
fn setting(name: &str, default: usize) -> io::Result<usize> {
    match env::var(name) {
        Ok(text) => text.parse().map_err(|e| io::Error::other(format!("{name}={text}: {e}"))),
        Err(_) => Ok(default),
    }
}

/// A folder for the lists and bodies.
fn folder() -> io::Result<TempDir> {
    match env::var_os("TMPDIR") {
        None if Path::new(MEMORY).is_dir() => tempfile::tempdir_in(MEMORY),
        _ => tempfile::tempdir(),
    }
}

/// Runs every program that can do it, in turn, round by round.
fn run<'a>(
    programs: &'a [Program],
    server: &mut Server,
    keep: Keep,
    count: usize,
    rounds: usize,
) -> io::Result<Vec<Series<'a>>> {
    let folder = folder()?;
    write_lists(server, count, keep, folder.path())?;
    let series = |program: &'a Program| {
        program.arguments(keep).map(|arguments| Series { program, arguments, costs: Vec::new() })
    };
    let mut all: Vec<Series> = programs.iter().filter_map(series).collect();
    for round in 0..=rounds {
        for one in &mut all {
            let cost = once(one, server, keep, count, folder.path())
                .map_err(|e| io::Error::other(format!("{}: {e}", one.program.name)))?;
            // The first round only warms up.
            if round > 0 {
                one.costs.push(cost);
            }
        }
    }
    Ok(all)
}

/// One run, checked to have fetched everything.
fn once(one: &Series, server: &mut Server, keep: Keep, count: usize, folder: &Path) -> io::Result<Cost> {
    empty_out(folder)?;
    let cost = measure(&mut one.program.command(&one.arguments, folder))?;
    check(server, count, keep, folder)?;
    Ok(cost)
}
