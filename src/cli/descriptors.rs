//! How many descriptors the process may have → how many workers it can afford.
//!
//! The limit is raised as far as it has to be and may be. Where that is not enough, fewer workers that finish are better than
//! many that fail.

use std::io;
use std::os::fd::AsFd as _;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::failure::Failure;

/// What any run gets by with: all of what is there beside the workers, and two for one transfer.
const LEAST: u64 = 18;

/// How many of these may be open before: the standard streams, and one that the process was given.
const OPEN: u64 = 4;

/// With so many it does, whatever else this process was given.
const ENOUGH: u64 = 64;

/// What takes descriptors in a run: how many for each worker, and for the rest together.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    worker: u64,
    rest: u64,
    /// The most that files take which wait to be synced.
    waiting: u64,
}

impl Need {
    /// Bodies are counted: a connection each. Kept ones make room when there are no more. The rest is the standard streams,
    /// async-io's three, the connections' two, the signals' two, the lists, and a few that come and go.
    pub const COUNTING: Self = Self { worker: 1, rest: 22, waiting: 0 };
    /// Bodies are kept: also the file that is being written, and a kept connection, which can't make room for a file. The rest
    /// also has the directory and up to 32 folders in it.
    pub const KEEPING: Self = Self { worker: 3, rest: 55, waiting: 0 };
    /// Bodies are kept and synced: also an eighth of all descriptors, up to 128, for files that wait for the disk.
    pub const SYNCING: Self = Self { waiting: 128, ..Self::KEEPING };
    /// They are compared, too: each with the file that is there. There is also the state file, once more while it is written anew.
    pub const COMPARING: Self = Self { worker: 4, rest: 57, ..Self::SYNCING };

    /// Commands are run, too, which takes four: for SIGCHLD, for what a command finds to read, and the C library's own pipe, by which
    /// it learns whether one could be begun.
    pub fn with_commands(self) -> Self {
        Self { rest: self.rest + 4, ..self }
    }

    fn of(self, workers: usize) -> u64 {
        let working = (workers as u64).saturating_mul(self.worker).saturating_add(self.rest);
        working.saturating_add(self.waiting)
    }

    fn workers(self, descriptors: u64) -> usize {
        let waiting = self.waiting.min(descriptors / 8);
        let working = descriptors.saturating_sub(self.rest).saturating_sub(waiting);
        usize::try_from(working / self.worker).unwrap_or(usize::MAX).max(1)
    }
}

/// Whether there is room for what any run has open at the least; only that is tried which a limit as low leaves in doubt.
///
/// # Errors
///
/// A failure that tells how many there have to be.
pub fn suffice() -> Result<(), Failure> {
    if raise(ENOUGH) >= ENOUGH {
        return Ok(());
    }
    let room: io::Result<Vec<_>> = (OPEN..LEAST).map(|_| io::stderr().as_fd().try_clone_to_owned()).collect();
    room.map(drop).map_err(|_| Failure::Run(format!("too few open files: a run takes {LEAST}; raise ulimit -n")))
}

/// As many of the wanted workers as there will be descriptors for; at least one.
pub fn afford(wanted: usize, need: Need) -> usize {
    let needed = need.of(wanted);
    let limit = raise(needed);
    if limit >= needed {
        return wanted;
    }
    let affordable = need.workers(limit);
    if affordable < wanted {
        log::warn!("{affordable} transfers at once instead of {wanted}: open files are limited; raise ulimit -n");
    }
    affordable.min(wanted)
}

/// Raises the limit as far as it has to be and may be; what it is then.
fn raise(needed: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    if current >= needed {
        return current;
    }
    let raised = limit.maximum.map_or(needed, |most| most.min(needed)).max(current);
    let set = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum });
    if set.is_ok() { raised } else { current }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDS: [Need; 4] = [Need::COUNTING, Need::KEEPING, Need::SYNCING, Need::COMPARING];

    #[test]
    fn what_is_needed_for_some_workers_affords_as_many() {
        for (need, wanted) in NEEDS.into_iter().flat_map(|need| [1, 8, 64, 1024].map(|wanted| (need, wanted))) {
            let affordable = need.workers(need.of(wanted));
            if need.waiting > 0 {
                // Where fewer files wait than may, there is room for more.
                assert!(affordable >= wanted);
            } else {
                assert_eq!(affordable, wanted);
                assert_eq!(need.workers(need.of(wanted + 1) - 1), wanted);
            }
        }
    }

    #[test]
    fn however_few_there_are_one_worker_tries() {
        for need in NEEDS {
            assert_eq!(need.workers(0), 1);
            assert_eq!(need.workers(need.rest), 1);
        }
    }

    #[test]
    fn more_than_this_process_may_have_is_not_afforded() {
        let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        let affordable = afford(64, Need::KEEPING);
        assert!(Need::KEEPING.of(affordable) <= most || affordable == 1);
        assert_eq!(afford(1, Need::COUNTING), 1);
    }
}
