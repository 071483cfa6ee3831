//! Words and variables → a process, its end, and the signals that it is sent meanwhile.
//!
//! Processes are begun with posix_spawn and looked at when SIGCHLD comes, on the thread of the run: no thread waits for them,
//! and as nobody else takes note of their ends, a signal never meets a stranger that has got the same number. It owns what
//! a process finds: an empty standard input, standard error for all that it writes, and every signal as usual.

use std::cell::Cell;
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::task::{Poll, Waker};

use futures_lite::future::poll_fn;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal as Named};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, waitpid};

/// The descriptors of the standard streams.
const STDIN: i32 = 0;
const STDOUT: i32 = 1;
const STDERR: i32 = 2;

/// Words or variables, as a program gets them: one after the other, with a NUL behind each and so none in any.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Texts(Vec<u8>);

impl Texts {
    /// Adds a byte to the text that is begun.
    pub fn push(&mut self, byte: u8) {
        if byte != 0 {
            self.0.push(byte);
        }
    }

    /// Ends the text that is begun.
    pub fn end(&mut self) {
        self.0.push(0);
    }

    /// Adds a text.
    pub fn add(&mut self, text: &[u8]) {
        text.iter().for_each(|&byte| self.push(byte));
        self.end();
    }

    /// All of them.
    pub fn all(&self) -> Vec<&CStr> {
        self.0.split_inclusive(|&byte| byte == 0).filter_map(|text| CStr::from_bytes_with_nul(text).ok()).collect()
    }

    /// The first.
    pub fn first(&self) -> Option<&CStr> {
        CStr::from_bytes_until_nul(&self.0).ok()
    }
}

/// A place for one process at a time.
#[derive(Default)]
pub struct Running {
    /// `None` once its end was seen: it is another's number then.
    pid: Cell<Option<Pid>>,
    /// Whether it may have ended.
    changed: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Running {
    /// Begins a process. The first of the `words` is its program, looked for in PATH if there is no slash in it.
    ///
    /// # Errors
    ///
    /// Why there is none: no such program, or nothing that can be run.
    #[inline(never)]
    pub fn start(&self, words: &Texts, variables: &Texts) -> io::Result<()> {
        let program = words.first().ok_or(io::ErrorKind::InvalidInput)?;
        let empty = File::open("/dev/null")?;
        let mut streams = PosixSpawnFileActions::init()?;
        streams.add_dup2(empty.as_raw_fd(), STDIN)?;
        streams.add_dup2(STDERR, STDOUT)?;
        let pid = posix_spawnp(program, &streams, &usual_signals()?, &words.all(), &variables.all())?;
        self.pid.set(Pid::from_raw(pid.as_raw()));
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// If someone else has seen it.
    pub async fn end(&self) -> io::Result<WaitStatus> {
        poll_fn(|cx| {
            self.waker.set(Some(cx.waker().clone()));
            let Some(pid) = self.pid.get().filter(|_| self.changed.take()) else { return Poll::Pending };
            let ended = waitpid(Some(pid), WaitOptions::NOHANG).transpose();
            ended.map_or(Poll::Pending, |ended| {
                self.pid.set(None);
                Poll::Ready(ended.map(|(_, status)| status).map_err(io::Error::from))
            })
        })
        .await
    }

    /// Takes note of a SIGCHLD: some process has ended.
    pub fn look(&self) {
        self.changed.set(true);
        self.wake();
    }

    /// Has whoever waits for its end look around.
    pub fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.pid.get().is_some()
    }

    /// Sends it a signal, if it is still there.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid.get() {
            let _ = kill_process(pid, signal);
        }
    }
}

/// Has SIGCHLD come though whoever began this process has blocked it, which it would have inherited. To be called before there
/// is another thread.
pub fn unblock() -> io::Result<()> {
    let mut blocked = SigSet::empty();
    blocked.add(Named::SIGCHLD);
    Ok(blocked.thread_unblock()?)
}

/// No signal blocked, and SIGPIPE, which every Rust program ignores, not ignored.
fn usual_signals() -> nix::Result<PosixSpawnAttr> {
    let mut ignored = SigSet::empty();
    ignored.add(Named::SIGPIPE);
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_sigdefault(&ignored)?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK)?;
    Ok(attributes)
}
