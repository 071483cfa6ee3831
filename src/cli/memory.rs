//! How much memory the process may have → how many workers it can afford.
//!
//! What counts is what Linux charges the process for: its resident memory, code and libraries among it. The figures below
//! are what servers can make of it that do their worst, measured, not what a usual run takes: that is a third of it.

use std::fs;

use super::failure::Failure;
use super::normalise::{refuse_for, spelled};

/// What `--max-memory` was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// As it was typed.
    pub text: String,
    pub bytes: u64,
}

/// What takes memory in a run: how much for each worker, and for the rest together, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    worker: u64,
    rest: u64,
}

const KIB: u64 = 1024;

impl Need {
    /// A worker has a head of 64 KiB, once as it comes and once to be looked at, or that and a piece of a body on its way
    /// to the disk; TLS with a record of full size; two jobs and what becomes of them. The rest is code that has not run yet,
    /// the roots, the threads and their stacks, the list, jobs that are read ahead, look-ups, and what bodies share.
    pub const USUAL: Self = Self { worker: 224 * KIB, rest: 2304 * KIB };
    /// Bodies are held: each worker may have one that waits to be written, and some are on their way to standard output.
    pub const HOLDING: Self = Self { worker: 288 * KIB, rest: 3328 * KIB };

    /// Bodies are also decoded: each worker has a window of 32 KiB, tables of 11 KiB, and a piece of 16 KiB.
    pub const fn decoding(self) -> Self {
        Self { worker: self.worker + 72 * KIB, ..self }
    }
}

/// What the process takes at least before it begins. Less may be resident as yet, by chance: what the least is should not be.
const TAKEN: u64 = if cfg!(target_feature = "crt-static") { 1024 * KIB } else { 3328 * KIB };

/// As many of the wanted workers as there is memory for.
///
/// # Errors
///
/// A usage error that says the least, if that is not one.
pub fn afford(wanted: usize, need: Need, limit: Option<&Limit>) -> Result<usize, Failure> {
    let Some(limit) = limit else { return Ok(wanted) };
    let taken = fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident).unwrap_or(0).max(TAKEN);
    let affordable = need.workers(taken, limit.bytes).ok_or_else(|| {
        let least = need.least(taken).div_ceil(KIB);
        refuse_for("--max-memory", &limit.text, &format!("at least {least}k here, which is for one worker"))
    })?;
    if affordable < wanted {
        log::info!("{affordable} transfers at once instead of {wanted}: {} is {}", spelled("--max-memory"), limit.text);
    }
    Ok(affordable.min(wanted))
}

impl Need {
    /// What one worker takes at most, with all else.
    fn least(self, taken: u64) -> u64 {
        taken + self.rest + self.worker
    }

    /// How many workers stay below a limit; `None` if one does not.
    fn workers(self, taken: u64, limit: u64) -> Option<usize> {
        let workers = limit.checked_sub(taken + self.rest)? / self.worker;
        Some(usize::try_from(workers).unwrap_or(usize::MAX)).filter(|workers| *workers > 0)
    }
}

/// The resident memory in what Linux tells of a process, in bytes (proc(5), `VmRSS`).
fn resident(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kib.checked_mul(KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read() {
        assert_eq!(resident("Name:\tx\nVmHWM:\t    9 kB\nVmRSS:\t    2312 kB\nRssAnon: 1 kB\n"), Some(2312 * KIB));
        assert_eq!(resident("VmRSS:\tmuch\n"), None);
        assert_eq!(resident(""), None);
    }

    #[test]
    fn the_least_is_for_one_worker_and_a_byte_less_for_none() {
        for need in [Need::USUAL, Need::HOLDING] {
            let least = need.least(5000);
            assert_eq!(need.workers(5000, least), Some(1));
            assert_eq!(need.workers(5000, least - 1), None);
            assert_eq!(need.workers(5000, least + need.worker), Some(2));
            assert_eq!(need.workers(5000, 0), None);
        }
    }

    #[test]
    fn no_more_are_afforded_than_wanted_and_too_little_names_the_least() {
        let limit = |bytes| Limit { text: "B".to_owned(), bytes };
        assert_eq!(afford(8, Need::USUAL, None).unwrap(), 8);
        assert_eq!(afford(8, Need::USUAL, Some(&limit(1 << 40))).unwrap(), 8);
        let told = afford(8, Need::USUAL, Some(&limit(1000))).unwrap_err().to_string();
        assert!(told.starts_with("smolget: --max-memory: got \"B\"; takes at least "), "{told}");
    }
}
