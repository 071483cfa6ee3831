//! Runs the fuzzers, one after the other: `fuzz PROGRAMS FINDS SECS [TARGET]`.
//!
//! PROGRAMS is the folder that they were built in, FINDS the one for what they find, SECS the time for all of them
//! together. There is a fuzzer for each folder of `tests/fuzz/seeds`; each begins with those seeds and with what it found
//! before. `make fuzz` builds them, calls this, and runs a single input again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use smolget::text::escape;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz");

/// The longest that one input may take, in seconds; they take far less than a millisecond.
const TOO_LONG: u32 = 20;
/// The most memory of a fuzzer, its own tables included, in MiB.
const TOO_MUCH: u32 = 1024;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [programs, finds, secs, only @ ..] = args.as_slice() else {
        eprintln!("fuzz: call it as fuzz PROGRAMS FINDS SECS [TARGET]");
        return ExitCode::from(2);
    };
    let Ok(secs) = secs.parse::<usize>() else {
        eprintln!("fuzz: SECS is a whole number of seconds, not `{secs}`");
        return ExitCode::from(2);
    };
    let targets: Vec<_> = targets().into_iter().filter(|name| only.is_empty() || only.contains(name)).collect();
    // Less than a second is none at all to a fuzzer.
    let each = (secs / targets.len().max(1)).max(1);
    let finds = Path::new(finds);
    let (mut executions, mut crashes) = (0, 0);
    for target in &targets {
        let run = run(&Path::new(programs).join(target), target, finds, each);
        let Run { executed, seconds, crash } = run.unwrap_or_else(|e| panic!("the fuzzer {target} can't be run: {e}"));
        executions += executed;
        let word = if crash.is_some() { "CRASHED" } else { "ok     " };
        println!("{word} {target:16} {executed} executions in {seconds:.0} s");
        if let Some(crash) = crash {
            crashes += 1;
            println!("{crash}");
        }
    }
    println!("fuzz: {executions} executions, {crashes} crashes");
    if crashes == 0 && executions > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn targets() -> Vec<String> {
    let entries = fs::read_dir(Path::new(HERE).join("seeds")).expect("the seeds are there");
    let mut names: Vec<_> = entries.flatten().flat_map(|entry| entry.file_name().into_string()).collect();
    names.sort();
    names
}

/// What came of one fuzzer.
struct Run {
    executed: u64,
    seconds: f64,
    /// What it was, and how to see it again.
    crash: Option<String>,
}

fn run(program: &Path, target: &str, finds: &Path, secs: usize) -> io::Result<Run> {
    let made = |folder: &str| -> io::Result<PathBuf> {
        let path = finds.join(folder).join(target);
        fs::create_dir_all(&path).map(|()| path)
    };
    let (corpus, crashes) = (made("corpus")?, made("crashes")?);
    let log = finds.join(format!("{target}.log"));
    let start = Instant::now();
    let status = Command::new(program)
        .arg(format!("-max_total_time={secs}"))
        .arg(format!("-timeout={TOO_LONG}"))
        .arg(format!("-rss_limit_mb={TOO_MUCH}"))
        .arg(format!("-dict={HERE}/words.dict"))
        .arg(format!("-artifact_prefix={}/", crashes.display()))
        .arg("-print_final_stats=1")
        .arg(corpus)
        .arg(Path::new(HERE).join("seeds").join(target))
        .stderr(File::create(&log)?)
        .status()?;
    let seconds = start.elapsed().as_secs_f64();
    let told = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let executed = after(&told, "stat::number_of_executed_units:").and_then(|number| number.parse().ok()).unwrap_or(0);
    let crash = (!status.success() || executed == 0).then(|| crash(&told, &log));
    Ok(Run { executed, seconds, crash })
}

/// What follows `mark` on its line.
fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.split_once(mark)).map(|(_, rest)| rest.trim())
}

fn crash(told: &str, log: &Path) -> String {
    let panic = told.lines().skip_while(|line| !line.contains(" panicked at "));
    let panic =
        panic.take_while(|line| !line.starts_with("stack backtrace")).take(6).map(|line| escape(line).to_string());
    let again = after(told, "Test unit written to ").map(|input| format!("again: make fuzz INPUT={input}"));
    let lines = panic.chain(again).chain([format!("more: {}", log.display())]);
    lines.map(|line| format!("        {line}")).collect::<Vec<_>>().join("\n")
}
