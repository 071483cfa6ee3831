//! Allocations a request, in every thread of a program that does nothing but run the library.
//!
//! That program is this one, started again: what serving takes, or the other runs, is not among its own. It is built as
//! `cargo run` builds it, which changes what is inlined and not what is allocated.

use std::alloc::System;
use std::env;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use futures_lite::{StreamExt as _, stream};
use smolget::{Existing, Fetcher, Keep, Trust};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tempfile::TempDir;

use crate::figures::Figure;
use crate::site::{BODY, Site};
use crate::workload::Workload;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The first argument of this program where it is to be what is counted.
pub const COUNTED: &str = "--counted";

/// How many allocations a request takes, and of how many bytes in all.
pub fn of(workload: &Workload, site: &Site) -> Result<[Figure; 2], String> {
    let [allocations, bytes] = workload.each(|count| count_in_process(workload, site, count))?;
    Ok([
        Figure::new(format!("{}/allocations", workload.name), allocations, "allocations a request"),
        Figure::new(format!("{}/allocated", workload.name), bytes, "bytes allocated a request"),
    ])
}

fn count_in_process(workload: &Workload, site: &Site, count: usize) -> Result<[u64; 2], String> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let mut command = Command::new(env::current_exe().map_err(|error| error.to_string())?);
    command
        .arg(COUNTED)
        .arg(workload.at_once.to_string())
        .arg(count.to_string())
        .arg(site.url(workload.is_secure, ""))
        .arg(site.roots());
    if workload.is_saved {
        command.arg(folder.path());
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    site.client.is(child.id(), workload.at_once);
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let counts: Vec<u64> = String::from_utf8_lossy(&output.stdout).split_whitespace().flat_map(str::parse).collect();
    counts.try_into().map_err(|_| format!("the {} run was not counted: {}", workload.name, output.status))
}

/// Fetches so many URLs and prints what that took: `AT-ONCE COUNT URL ROOTS [FOLDER]`.
pub fn run(args: impl Iterator<Item = String>) -> ExitCode {
    let args: Vec<String> = args.collect();
    let [at_once, count, url, roots, folder @ ..] = args.as_slice() else { return ExitCode::FAILURE };
    let [at_once, count] = [at_once, count].map(|text| text.parse::<usize>().expect("counts are numbers"));
    let urls: Vec<String> = (0..count).map(|number| format!("{url}/{number}")).collect();
    let region = Region::new(ALLOCATOR);
    fetch(at_once, urls, roots.as_ref(), folder.first());
    let change = region.change();
    println!("{} {}", change.allocations + change.reallocations, change.bytes_allocated);
    ExitCode::SUCCESS
}

fn fetch(at_once: usize, urls: Vec<String>, roots: &Path, folder: Option<&String>) {
    let keep = folder.map_or(Keep::Count, |dir| Keep::Save { dir: dir.into(), existing: Existing::Replace });
    let fetcher = Fetcher::builder().jobs(at_once).keep(keep).trust(Trust::Pem(roots.to_owned())).build();
    let mut outcomes = fetcher.expect("the roots can be read").fetch(stream::iter(urls));
    smolget::block_on(async {
        while let Some(outcome) = outcomes.next().await {
            assert!(outcome.is_ok() && outcome.bytes() == BODY as u64, "{outcome:?}");
        }
    });
}
