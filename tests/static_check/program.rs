//! A program for one target, and what it takes to run it here: nothing, or qemu's emulation of its processor.

use std::env::consts::ARCH;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The longest that a run may take; the slowest takes some seconds under qemu.
const LONGEST_RUN: Duration = Duration::from_secs(120);

pub struct Program {
    path: PathBuf,
    /// What runs it, if it can't run by itself.
    emulator: Option<PathBuf>,
}

/// What is left of a run.
pub struct Output {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// A run that is under way.
pub struct Running {
    child: Child,
    stdout: JoinHandle<io::Result<Vec<u8>>>,
    stderr: JoinHandle<io::Result<Vec<u8>>>,
}

impl Program {
    /// The program of a target; else why it can't be run.
    pub fn find(target: &str, path: &str) -> Result<Self, String> {
        let path = PathBuf::from(path);
        if !path.is_file() {
            return Err(format!("{} is not built; make dist and make static build it", path.display()));
        }
        let arch = target.split('-').next().unwrap_or_default();
        if arch == ARCH {
            return Ok(Self { path, emulator: None });
        }
        let name = emulated(arch);
        // Distributions that have only the static one call it so, or don't.
        let names = [format!("qemu-{name}-static"), format!("qemu-{name}")];
        let emulator = names.iter().find_map(|name| on_path(name));
        let emulator = emulator.ok_or_else(|| format!("no {} (Debian: apt-get install qemu-user-static)", names[0]))?;
        Ok(Self { path, emulator: Some(emulator) })
    }

    /// The way in which it is run.
    pub fn way(&self) -> String {
        match &self.emulator {
            Some(emulator) => format!("under {}", emulator.file_name().unwrap_or_default().display()),
            None => "as it is".to_owned(),
        }
    }

    /// Runs it to its end with this for standard input.
    pub fn run(&self, args: &[&str], input: &str) -> Result<Output, String> {
        self.start(args, input)?.finish()
    }

    /// Starts it with an environment that is empty, and this for standard input.
    pub fn start(&self, args: &[&str], input: &str) -> Result<Running, String> {
        let program = self.emulator.as_ref().unwrap_or(&self.path);
        let mut command = Command::new(program);
        command.args(self.emulator.as_ref().map(|_| &self.path)).args(args).env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("{}: {e}", program.display()))?;
        let mut stdin = child.stdin.take().expect("it was piped");
        let input = input.to_owned();
        // What is not read by whoever has ended is missed in the rows.
        thread::spawn(move || stdin.write_all(input.as_bytes()));
        let stdout = child.stdout.take().map(collect).expect("it was piped");
        let stderr = child.stderr.take().map(collect).expect("it was piped");
        Ok(Running { child, stdout, stderr })
    }
}

impl Running {
    pub fn signal(&self, signal: Signal) -> Result<(), String> {
        kill_process(Pid::from_child(&self.child), signal).map_err(|e| e.to_string())
    }

    /// Waits for the end; a run that does not come to it is killed.
    pub fn finish(mut self) -> Result<Output, String> {
        let started = Instant::now();
        let status = loop {
            match self.child.try_wait().map_err(|e| e.to_string())? {
                Some(status) => break status,
                None if started.elapsed() > LONGEST_RUN => {
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                    return Err(format!("it hung for {} s", LONGEST_RUN.as_secs()));
                }
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        let all = |stream: JoinHandle<io::Result<Vec<u8>>>| match stream.join() {
            Ok(read) => read.map_err(|e| e.to_string()),
            Err(_) => Err("its output could not be read".to_owned()),
        };
        let (stdout, stderr) = (all(self.stdout)?, all(self.stderr)?);
        Ok(Output { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
    }
}

impl Output {
    /// The rows, if the run ended with this status.
    pub fn rows(&self, status: i32) -> Result<Vec<Value>, String> {
        if self.status.code() != Some(status) {
            return Err(self.describe());
        }
        let rows = serde_json::Deserializer::from_slice(&self.stdout).into_iter();
        rows.map(|row| row.map_err(|e| e.to_string())).collect()
    }

    /// How it ended, and the first of what it said.
    pub fn describe(&self) -> String {
        format!("{}: {}", self.status, self.stderr.lines().take(5).collect::<Vec<_>>().join(" | "))
    }
}

/// The one row of a run that may have failed.
pub fn row(output: &Output) -> Result<Value, String> {
    let mut rows = output.rows(0).or_else(|_| output.rows(1))?;
    if rows.len() == 1 { Ok(rows.remove(0)) } else { Err(format!("{} rows: {}", rows.len(), output.describe())) }
}

/// What qemu calls the processor of a target.
fn emulated(arch: &str) -> &str {
    match arch {
        "armv7" => "arm",
        "i686" => "i386",
        "riscv64gc" => "riscv64",
        _ => arch,
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| Path::is_file(file))
}

fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).map(|_| bytes)
    })
}
