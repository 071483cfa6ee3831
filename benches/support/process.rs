//! A command → what it cost, as the kernel accounts for it.
//!
//! The child is left a zombie until `/proc` has told its CPU time. Its peak memory is gone by then, so that is read while it
//! runs; what it takes on in its last milliseconds is missed.

use std::fs;
use std::io;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// Between two looks at a running child.
const GLANCE: Duration = Duration::from_millis(2);

/// The unit of times in `/proc`: the kernel's `USER_HZ`, which is 100 wherever Rust runs.
const TICKS_PER_SECOND: f64 = 100.0;

/// What one run cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// User and system time of all threads, in seconds.
    pub cpu: f64,
    pub wall: f64,
    /// The most memory that was resident, in KiB; `None` where it can't be read.
    pub peak: Option<u64>,
}

/// Runs a command to its end, which has to be a good one.
pub fn measure(command: &mut Command) -> io::Result<Cost> {
    let started = Instant::now();
    let mut child = command.spawn()?;
    let mut peak = None;
    // Not the largest of them: a script in front of a program is the same process, and no part of it.
    while !is_done(&child)? {
        peak = field("status", &child).and_then(|status| peak_memory(&status)).or(peak);
        thread::sleep(GLANCE);
    }
    let wall = started.elapsed().as_secs_f64();
    let cpu = field("stat", &child).and_then(|stat| cpu_time(&stat));
    let status = child.wait()?;
    match cpu {
        _ if !status.success() => Err(io::Error::other(format!("{command:?}: {status}"))),
        Some(cpu) => Ok(Cost { cpu, wall, peak }),
        None => Err(io::Error::other("/proc does not tell what CPU time a process took; is this Linux?")),
    }
}

/// Whether the child has ended; it is not reaped.
fn is_done(child: &Child) -> io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Ok(waitid(WaitId::Pid(Pid::from_child(child)), options)?.is_some())
}

fn field(file: &str, child: &Child) -> Option<String> {
    fs::read_to_string(format!("/proc/{}/{file}", child.id())).ok()
}

/// The line `VmHWM:   2048 kB`.
fn peak_memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Fields 14 and 15, user and system time (proc(5)); the second, the program's name, may hold anything up to the last `)`.
fn cpu_time(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let mut next = || times.next()?.parse::<u32>().ok().map(f64::from);
    Some((next()? + next()?) / TICKS_PER_SECOND)
}
