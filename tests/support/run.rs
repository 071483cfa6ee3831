//! A harness around the binary: arguments, input and signals in; rows, messages, files and the exit status out.
//!
//! Every run has a folder of its own, an environment without what would steer it, and at most a minute: then it is
//! killed and the test fails.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;
use tempfile::TempDir;

/// The longest that any run may take: no test is slow, so what takes this long hangs.
const LONGEST_RUN: Duration = Duration::from_secs(60);

/// How often a run is looked at for its end.
const GLANCE: Duration = Duration::from_millis(2);

/// The variables that would change what a run does.
const STEERING: [&str; 14] = [
    "SMOLGET_LOG",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "NETRC",
];

/// A folder for runs, removed with the last value that knows of it.
#[derive(Clone)]
pub struct Folder(Arc<TempDir>);

impl Folder {
    pub fn new() -> Self {
        Self(Arc::new(TempDir::new().expect("there is room for a temporary folder")))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, with the folders that lead to it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Every file below the folder, hidden ones too: path from here → content.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(self.path(), self.path(), &mut files);
        files
    }

    /// The paths of every file below the folder, hidden ones too.
    pub fn names(&self) -> Vec<String> {
        self.files().into_keys().collect()
    }

    /// The temporaries of unfinished runs in the folder.
    pub fn temporaries(&self) -> Vec<String> {
        let is_temporary = |name: &String| name.rsplit('/').next().is_some_and(|last| last.starts_with(".smolget-"));
        self.names().into_iter().filter(is_temporary).collect()
    }

    /// A run in this folder.
    pub fn smolget(&self) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smolget"));
        command.current_dir(self.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in STEERING {
            command.env_remove(name);
        }
        Run { command, input: None, folder: self.clone() }
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    // A temporary may go between the listing and the reading: then it is not there.
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => collect(root, &path, files),
            Ok(metadata) if metadata.is_file() => drop(fs::read(&path).map(|content| files.insert(name, content))),
            _ => {}
        }
    }
}

/// A run in a fresh folder.
pub fn smolget() -> Run {
    Folder::new().smolget()
}

/// A run that is being set up.
pub struct Run {
    command: Command,
    input: Option<Vec<u8>>,
    folder: Folder,
}

impl Run {
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The whole of standard input.
    pub fn input(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.command.stdin(Stdio::piped());
        self.input = Some(text.into());
        self
    }

    /// A standard input that stays open, for [`Running::feed`].
    pub fn open_input(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// Another standard output than the one that [`Output`] shows.
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout);
        self
    }

    /// Another standard error than the one that [`Output`] shows.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.command.stderr(stderr);
        self
    }

    /// A standard output that nobody reads any more.
    pub fn closed_stdout(self) -> Self {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        self.stdout(writer)
    }

    /// Runs it to its end.
    pub fn run(self) -> Output {
        self.start().wait()
    }

    pub fn start(mut self) -> Running {
        let mut child = self.command.spawn().expect("the binary runs");
        // Dropped so that the ends of pipes that were given to the child are only its own.
        drop(self.command);
        let (lines, rows) = mpsc::channel();
        let sorted = move |line: &[u8]| drop(lines.send(line.to_vec()));
        let stdout = child.stdout.take().map(|pipe| thread::spawn(move || read_lines(pipe, sorted)));
        let log = Arc::new(Mutex::new(Vec::new()));
        let copy = log.clone();
        let keep = move |line: &[u8]| copy.lock().unwrap().extend_from_slice(line);
        let stderr = child.stderr.take().map(|pipe| thread::spawn(move || read_lines(pipe, keep)));
        let mut running = Running {
            stdin: child.stdin.take(),
            child: Guarded(child),
            started: Instant::now(),
            lines: rows,
            log,
            readers: stdout.into_iter().chain(stderr).collect(),
            stdout: Vec::new(),
            folder: self.folder,
        };
        if let Some(input) = self.input {
            running.feed_in_background(input);
        }
        running
    }
}

fn read_lines(pipe: impl Read, mut sink: impl FnMut(&[u8])) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while pipe.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        sink(&line);
        line.clear();
    }
}

/// A child that does not outlive its test.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A run that is going on.
pub struct Running {
    child: Guarded,
    stdin: Option<ChildStdin>,
    started: Instant,
    lines: Receiver<Vec<u8>>,
    log: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
    stdout: Vec<u8>,
    folder: Folder,
}

impl Running {
    /// Writes to standard input and leaves it open.
    pub fn feed(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("the run reads its input");
    }

    /// Closes standard input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for the next row on standard output.
    pub fn row(&mut self) -> Value {
        let left = LONGEST_RUN.saturating_sub(self.started.elapsed());
        let line = self.lines.recv_timeout(left).unwrap_or_else(|e| panic!("no row: {e}; stderr:\n{}", self.log()));
        self.stdout.extend_from_slice(&line);
        parse(&line)
    }

    /// What is on standard error so far, in whole lines.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
    }

    /// What Linux tells of the process: proc(5), `status`.
    pub fn seen_by_linux(&self) -> String {
        fs::read_to_string(format!("/proc/{}/status", self.child.0.id())).expect("the run is still going on")
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child.0), signal).expect("the run is still going on");
    }

    /// Allows the run no more of something from now on.
    pub fn limit(&self, resource: Resource, most: u64) {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        prlimit(Some(Pid::from_child(&self.child.0)), resource, limit).expect("the run is still going on");
    }

    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The most memory that the run has had resident so far, in KiB.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the run is still going on");
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Whether the run is still going on.
    pub fn is_running(&mut self) -> bool {
        self.child.0.try_wait().unwrap().is_none()
    }

    /// Waits for the end of the run.
    pub fn wait(mut self) -> Output {
        // What was to be fed has been: a run that reads on would never end.
        self.end_input();
        let status = self.status();
        self.readers.into_iter().for_each(|reader| reader.join().unwrap());
        self.stdout.extend(self.lines.iter().flatten());
        let stderr = String::from_utf8(std::mem::take(&mut *self.log.lock().unwrap())).expect("standard error is text");
        Output { code: code(status), stdout: self.stdout, stderr, folder: self.folder, took: self.started.elapsed() }
    }

    fn status(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.child.0.try_wait().unwrap() {
                return status;
            }
            let hangs = self.started.elapsed() > LONGEST_RUN;
            assert!(!hangs, "the run does not end; stderr:\n{}", self.log());
            thread::sleep(GLANCE);
        }
    }

    /// A list may be larger than a pipe, and the run may end before it has read all.
    fn feed_in_background(&mut self, input: Vec<u8>) {
        let mut stdin = self.stdin.take().expect("standard input is a pipe");
        self.readers.push(thread::spawn(move || drop(stdin.write_all(&input))));
    }
}

/// The exit status as a shell shows it: 128 and the signal's number where one killed the run.
fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

fn parse(line: &[u8]) -> Value {
    let row: Value =
        serde_json::from_slice(line).unwrap_or_else(|e| panic!("not a row: {e}: {:?}", String::from_utf8_lossy(line)));
    assert!(row.is_object(), "not an object: {row}");
    row
}

/// What a run left.
pub struct Output {
    /// The exit status, as a shell shows it.
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub folder: Folder,
    pub took: Duration,
}

impl Output {
    /// The rows on standard output.
    pub fn rows(&self) -> Vec<Value> {
        assert!(self.stdout.is_empty() || self.stdout.ends_with(b"\n"), "the last row is not whole");
        self.stdout.split_inclusive(|&b| b == b'\n').map(parse).collect()
    }

    /// The rows on standard error, where they stand between messages.
    pub fn rows_on_stderr(&self) -> Vec<Value> {
        self.stderr.lines().filter(|line| line.starts_with('{')).map(|line| parse(line.as_bytes())).collect()
    }

    /// The only row.
    pub fn row(&self) -> Value {
        let mut rows = self.rows();
        assert_eq!(rows.len(), 1, "rows: {rows:?}; stderr:\n{}", self.stderr);
        rows.remove(0)
    }

    /// The row of a URL, which must be the only one.
    pub fn row_of(&self, url: &str) -> Value {
        let mut rows = self.rows();
        rows.retain(|row| row["url"] == url);
        assert_eq!(rows.len(), 1, "rows of {url}: {rows:?}; stderr:\n{}", self.stderr);
        rows.remove(0)
    }

    /// The exit status has to be this one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        let rows = String::from_utf8_lossy(&self.stdout);
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", rows.get(..4096).unwrap_or(&rows), self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Every file below the run's folder, hidden ones too.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.folder.files()
    }

    /// The content of a file of the run's folder.
    #[track_caller]
    pub fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name))
            .unwrap_or_else(|e| panic!("{name}: {e}; there are {:?}; stderr:\n{}", self.folder.names(), self.stderr))
    }

    /// The numbers of the summary, which has to be the last line on standard error.
    #[track_caller]
    pub fn summary(&self) -> Summary {
        Summary::parse(self.stderr.lines().last().unwrap_or_default())
            .unwrap_or_else(|| panic!("the last line is no summary:\n{}", self.stderr))
    }

    /// Standard output and standard error in one, for what may be in neither.
    pub fn everything(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned() + &self.stderr
    }
}

/// The summary line, read strictly.
#[derive(Debug, PartialEq)]
pub struct Summary {
    pub jobs: u64,
    pub ok: u64,
    pub failed: u64,
    pub skipped: u64,
    pub bytes: u64,
    pub seconds: f64,
}

impl Summary {
    pub fn parse(line: &str) -> Option<Self> {
        let mut parts = line.strip_prefix("smolget: ")?.split(", ").map(|part| part.split_once(' '));
        let mut number = |word: &str| match parts.next()?? {
            (number, unit) if unit == word || unit == format!("{word}s") => Some(number),
            _ => None,
        };
        Some(Self {
            jobs: number("job")?.parse().ok()?,
            ok: number("ok")?.parse().ok()?,
            failed: number("failed")?.parse().ok()?,
            skipped: number("skipped")?.parse().ok()?,
            bytes: number("byte")?.parse().ok()?,
            seconds: number("second")?.parse().ok()?,
        })
        .filter(|_| parts.next().is_none())
    }
}

/// What may not be in any message or row: characters that steer a terminal or reorder a line.
#[track_caller]
pub fn assert_harmless(text: &str) {
    let steers = |c: &char| smolget::text::is_unsafe(*c) && *c != '\n';
    let found: Vec<char> = text.chars().filter(steers).collect();
    assert!(found.is_empty(), "{found:?} in:\n{}", text.escape_debug());
}

/// The `error` of a row; `""` where there is none.
pub fn error(row: &Value) -> &str {
    row["error"].as_str().unwrap_or_default()
}

/// The names of a row's fields, sorted.
pub fn fields(row: &Value) -> Vec<&str> {
    let mut fields: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    fields
}
