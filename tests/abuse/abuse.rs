//! Everything that a server can do to a program that fetches from it, done to the real binary.
//!
//! `cargo run --example abuse PATH-TO-SMOLGET [ROUNDS [SEED]]`. Each abuse has a twin, the nearest response that is lawful, which
//! has to be fetched, and both are on one list with URLs that nothing is wrong with. A few runs with different options:
//! some cases need a size limit or a second attempt, some HEAD, some an order. The first round is the list as it stands;
//! each further one has another order and another number of workers, drawn from the seed. Ends in `abuse: passed N of M`.

mod asked;
mod bodies;
mod case;
mod child;
mod endings;
mod heads;
mod hogs;
mod judge;
mod kept;
mod limits;
mod play;
#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
#[path = "../support/ports.rs"]
mod ports;
mod redirects;
#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
#[path = "../support/reply.rs"]
mod reply;
#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
#[path = "../support/server.rs"]
mod server;
mod setting;
#[path = "../support/tally.rs"]
mod tally;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use fastrand::Rng;

use case::{BODILESS, End};
use judge::Verdict;
use play::{Play, Scene};
use tally::Tally;

/// The most memory that may be resident in any run, in KiB.
const MOST_MEMORY: u64 = 16 << 10;

fn main() -> ExitCode {
    let Some(binary) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: abuse PATH-TO-SMOLGET [ROUNDS [SEED]]");
        return ExitCode::FAILURE;
    };
    let rounds = argument(2).unwrap_or(1);
    let seed = argument(3).unwrap_or_else(|| fastrand::u64(..));
    println!("abuse: {rounds} rounds of {}; seed {seed}", binary.display());
    let mut rng = Rng::with_seed(seed);
    let mut book = Book::default();
    for round in 0..rounds {
        for mut play in plays() {
            if round > 0 {
                play.jobs = rng.usize(play.fewest..=play.jobs.max(64));
            }
            match play.run(&binary, (round > 0).then_some(&mut rng)) {
                Ok(scene) => book.enter(scene),
                Err(e) => {
                    eprintln!("abuse: round {round}: {e}");
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    book.tell()
}

fn argument<T: FromStr>(at: usize) -> Option<T> {
    env::args().nth(at)?.parse().ok()
}

/// The runs of a round.
fn plays() -> [Play; 5] {
    let all = [heads::cases(), bodies::cases(), endings::cases(), redirects::cases()];
    let all = all.into_iter().flatten().collect();
    [
        Play {
            name: "the main run",
            flags: "--retries 0",
            jobs: 16,
            fewest: 8,
            cases: all,
            bystanders: 300,
            fetched: End::Fetched,
        },
        Play {
            name: "with limits",
            flags: "--retries 1 --max-size 1M -vv",
            jobs: 16,
            fewest: 4,
            cases: limits::cases(),
            bystanders: 50,
            fetched: End::Fetched,
        },
        // With more workers than connections, none that is kept has to make room for another.
        Play {
            name: "kept connections",
            flags: "--retries 0",
            jobs: 128,
            fewest: 128,
            cases: kept::cases(),
            bystanders: 50,
            fetched: End::Fetched,
        },
        Play {
            name: "HEAD",
            flags: "--retries 0 --head",
            jobs: 4,
            fewest: 1,
            cases: asked::cases(),
            bystanders: 50,
            fetched: |_| BODILESS,
        },
        Play {
            name: "hogs",
            flags: "--retries 0 --discard",
            jobs: 16,
            fewest: 16,
            cases: hogs::cases(),
            bystanders: 300,
            fetched: |body| End::Counted(body.len() as u64),
        },
    ]
}

/// What came of all rounds.
#[derive(Default)]
struct Book {
    entries: Vec<Verdict>,
    peak: Option<u64>,
}

impl Book {
    /// Adds a run: of a case that was there before the slowest counts, and what failed once has failed.
    fn enter(&mut self, scene: Scene) {
        self.peak = self.peak.max(scene.peak);
        for verdict in scene.verdicts {
            match self.entries.iter_mut().find(|entry| entry.name == verdict.name) {
                Some(entry) => entry.merge(verdict),
                None => self.entries.push(verdict),
            }
        }
    }

    fn tell(self) -> ExitCode {
        let mut tally = Tally::new("abuse");
        for Verdict { name, expected, got, took } in self.entries {
            let row = |got: String| format!("expected {expected}, got {got}, {} ms", took.as_millis());
            tally.row(&name, got.map(row).map_err(row));
        }
        let peak = self.peak.map(|peak| format!("{peak} KiB at most"));
        let is_little = self.peak.is_some_and(|peak| peak < MOST_MEMORY);
        let peak = peak.unwrap_or_else(|| "can't be read".to_owned());
        tally.row("memory under 16 MiB", if is_little { Ok(peak) } else { Err(peak) });
        tally.finish()
    }
}
