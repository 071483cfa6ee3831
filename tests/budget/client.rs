//! The process that is being counted, as the server sees it: asleep or not, and how many requests it has in flight.
//!
//! All of them are answered together. A client that is answered while it is about its own business sometimes finds there
//! what it would have had to wait for, and sometimes not; this one makes the same calls each time.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// No client takes as long to go to sleep: one that does is answered all the same, and its figure tells.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a client is looked at.
const GLANCE: Duration = Duration::from_micros(100);

/// The one process that is served; none yet at first.
#[derive(Clone, Default)]
pub struct Client(Arc<Mutex<Option<Served>>>);

#[derive(Clone)]
struct Served {
    pid: Pid,
    at_once: usize,
    /// Where those wait who have a request of it in hand.
    meeting: Arc<Barrier>,
}

impl Client {
    /// From now on it is this one, with so many requests in flight: there are always that many, until it has no more.
    pub fn is(&self, pid: u32, at_once: usize) {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process has a number");
        let served = Served { pid, at_once, meeting: Arc::new(Barrier::new(at_once)) };
        *self.0.lock().unwrap() = Some(served);
    }

    /// Answers a request of it, once all that it has in flight have come and it waits for the answers.
    pub fn answer<T>(&self, answer: impl FnOnce() -> T) -> T {
        let Some(served) = self.wait_to_be_told() else { return answer() };
        let leads = served.meeting.wait().is_leader();
        if leads {
            served.wait_for_state(&['S']);
            served.hold();
        }
        served.meeting.wait();
        let answered = answer();
        served.meeting.wait();
        if leads {
            served.let_go();
        }
        answered
    }

    /// Who it is; a client may ask before its number is known.
    fn wait_to_be_told(&self) -> Option<Served> {
        eventually(|| self.0.lock().unwrap().is_some());
        self.0.lock().unwrap().clone()
    }
}

impl Served {
    /// Keeps it from waking at the first of several answers.
    fn hold(&self) {
        if self.at_once > 1 {
            let _ = kill_process(self.pid, Signal::STOP);
            self.wait_for_state(&['T', 't']);
        }
    }

    fn let_go(&self) {
        if self.at_once > 1 {
            let _ = kill_process(self.pid, Signal::CONT);
        }
    }

    /// Waits until every thread of it is in one of these states: one for the disk may have something to give back.
    fn wait_for_state(&self, states: &[char]) {
        let tasks = format!("/proc/{}/task", self.pid.as_raw_nonzero());
        eventually(|| {
            let threads = fs::read_dir(&tasks).into_iter().flatten().flatten();
            threads.map(|thread| state(&thread.path())).all(|state| state.is_some_and(|state| states.contains(&state)))
        });
    }
}

/// The state of a thread; `None` where it is gone.
fn state(thread: &Path) -> Option<char> {
    let stat = fs::read_to_string(thread.join("stat")).ok()?;
    // It follows the name, which is in brackets and may hold anything (proc_pid_stat(5)).
    stat.rsplit_once(") ")?.1.chars().next()
}

fn eventually(mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() && since.elapsed() < PATIENCE {
        thread::sleep(GLANCE);
    }
}
