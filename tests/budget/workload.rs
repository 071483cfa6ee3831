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
    /// Which system calls are counted, in strace's words.
    pub calls: &'static str,
    /// The lengths of the two runs whose difference is counted, both multiples of how many requests are in flight.
    lengths: [usize; 2],
}

/// All but those that wait or wake: of these there are as many as the thread for the disk happens to be late for, which
/// differed by 6 % from run to run.
const BUT_WAITS: &str = "!futex,?epoll_wait,?epoll_pwait,?epoll_pwait2,epoll_ctl,timerfd_settime,read";

/// Read and counted, one after another.
const DISCARDED: Workload =
    Workload { name: "discarded", at_once: 1, is_saved: false, is_secure: false, calls: "all", lengths: [100, 400] };
/// A file each, one after another.
const SAVED: Workload = Workload { name: "saved", is_saved: true, calls: BUT_WAITS, lengths: [100, 700], ..DISCARDED };

/// All of them. When 32 connections begin, it is chance how many of them each wait brings: that has to be little beside the
/// rest, so those runs are long.
pub const WORKLOADS: [Workload; 5] = [
    DISCARDED,
    Workload { name: "discarded-32", at_once: 32, lengths: [320, 3520], ..DISCARDED },
    SAVED,
    Workload { name: "saved-32", at_once: 32, lengths: [320, 1920], ..SAVED },
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
