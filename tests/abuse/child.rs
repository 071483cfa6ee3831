//! The program under test: lines of its list in, rows out; what it took of memory, and what it wrote.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fs, mem};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;

/// What the program may have of data, threads' stacks among it, in bytes: without more it would be ended, not slowed down.
const DATA: u64 = 32 << 20;
/// The longest wait for the next row.
const PATIENCE: Duration = Duration::from_secs(30);

/// A run that is under way.
pub struct Running {
    child: Child,
    /// To the thread that feeds the list: a program that hangs must not have this one hang too.
    list: Sender<String>,
    rows: Receiver<Vec<u8>>,
    stderr: JoinHandle<Vec<u8>>,
    stdout: Vec<u8>,
}

/// What is left of a run.
pub struct Remains {
    pub status: ExitStatus,
    /// How many rows came after the last that was taken.
    pub further: usize,
    /// Everything that was written, standard output first.
    pub text: Vec<u8>,
}

impl Running {
    /// Starts the program with a list that is still to come, under a limit on its memory.
    pub fn start(binary: &Path, args: &str, folder: &Path) -> io::Result<Self> {
        let mut command = Command::new(binary);
        command.args(["-i", "-", "--json", "--dir"]).arg(folder).args(args.split_whitespace()).env_clear();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let limit = Rlimit { current: Some(DATA), maximum: Some(DATA) };
        prlimit(Some(Pid::from_child(&child)), Resource::Data, limit)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (list, lines) = channel();
        let (sender, rows) = channel();
        thread::spawn(move || stdin.map(|stdin| feed(stdin, &lines)));
        thread::spawn(move || stdout.map(|stdout| split(stdout, &sender)));
        let stderr = thread::spawn(move || stderr.map(all).unwrap_or_default());
        Ok(Self { child, list, rows, stderr, stdout: Vec::new() })
    }

    /// Adds to the list. A blank line ends a job.
    pub fn feed(&self, lines: String) {
        // Whoever has ended reads no more, and shows as missing rows.
        let _ = self.list.send(lines);
    }

    /// The next row; `None` if none comes.
    pub fn row(&mut self) -> Option<Value> {
        let line = self.rows.recv_timeout(PATIENCE).ok()?;
        self.stdout.extend_from_slice(&line);
        serde_json::from_slice(&line).ok()
    }

    /// The most memory that was resident so far, in KiB.
    pub fn peak(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Ends the list and waits for the end; a program that does not come to it is killed.
    pub fn finish(self) -> io::Result<Remains> {
        let Self { mut child, list, rows, stderr, mut stdout } = self;
        drop(list);
        let mut further = 0;
        // Its standard output ends with it.
        let hangs = loop {
            match rows.recv_timeout(PATIENCE) {
                Ok(line) => {
                    further += 1;
                    stdout.extend_from_slice(&line);
                }
                Err(error) => break error == RecvTimeoutError::Timeout,
            }
        };
        if hangs {
            child.kill()?;
        }
        let status = child.wait()?;
        Ok(Remains { status, further, text: [stdout, stderr.join().unwrap_or_default()].concat() })
    }
}

fn feed(mut stdin: ChildStdin, lines: &Receiver<String>) {
    while let Ok(lines) = lines.recv()
        && stdin.write_all(lines.as_bytes()).is_ok()
    {}
}

fn split(stdout: ChildStdout, lines: &Sender<Vec<u8>>) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    while stdout.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) && lines.send(mem::take(&mut line)).is_ok() {
    }
}

fn all(mut stream: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What was read before an error is all there is.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}
