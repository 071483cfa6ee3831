//! What is fetched: so many URLs of the same kind, in which way.

use std::array;

/// One way to fetch.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// What its figures' names begin with.
    pub name: &'static str,
    /// How many requests are in flight.
    pub at_once: usize,
    pub is_saved: bool,
    pub is_secure: bool,
    /// The lengths of the two runs whose difference is counted, both multiples of how many requests are in flight.
    lengths: [usize; 2],
}

/// Read and counted, one after another.
const DISCARDED: Workload =
    Workload { name: "discarded", at_once: 1, is_saved: false, is_secure: false, lengths: [100, 400] };

/// All of them. Not among them: files of several requests at once. How many calls these take is decided by which of the
/// threads for the disk is first, and differed by a quarter from run to run.
pub const WORKLOADS: [Workload; 4] = [
    DISCARDED,
    // When 32 connections begin, it is chance how many of them each wait brings: that has to be little beside the rest.
    Workload { name: "discarded-32", at_once: 32, lengths: [320, 6400], ..DISCARDED },
    Workload { name: "saved", is_saved: true, ..DISCARDED },
    Workload { name: "tls", is_secure: true, ..DISCARDED },
];

/// How often both runs are made.
const ROUNDS: usize = 3;

impl Workload {
    /// What each further request takes, from what a run of a given length takes: the median of all rounds.
    pub fn each<const N: usize>(&self, run: impl Fn(usize) -> Result<[u64; N], String>) -> Result<[f64; N], String> {
        let [short, long] = self.lengths;
        let mut rounds = [[0.0; N]; ROUNDS];
        for round in &mut rounds {
            let (less, more) = (run(short)?, run(long)?);
            *round = array::from_fn(|at| (more[at] as f64 - less[at] as f64) / (long - short) as f64);
        }
        Ok(array::from_fn(|at| median(rounds.map(|round| round[at]))))
    }
}

fn median(mut rounds: [f64; ROUNDS]) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}
