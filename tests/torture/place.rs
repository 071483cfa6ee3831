//! A folder for one run: laid out as its shape has it, and judged after.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

use crate::shape::{Before, FILES, Shape};
use crate::state;

/// No run takes a second on a machine that is idle: what takes this long hangs.
pub const LONGEST: Duration = Duration::from_secs(30);

/// A temporary as a killed run leaves it.
const LEFTOVER: &str = ".smolget-0123456789abcdef.part";

/// How the names end of what is left of a body that was cut, where the next run is to go on with it.
pub const PARTS: [&str; 2] = [".rest", ".about"];

/// The folder of a run, with all that the run writes.
pub struct Place {
    dir: TempDir,
    before: Before,
}

/// How a run ended.
pub enum End {
    Status(ExitStatus),
    /// It had to be killed.
    Hung,
}

impl Place {
    pub fn new(before: Before) -> Self {
        let place = Self { dir: TempDir::new().expect("there is room for a temporary folder"), before };
        fs::create_dir(place.out()).unwrap();
        for (index, file) in FILES.iter().enumerate() {
            match before {
                Before::Old => place.write(file.name, &file.old_content()),
                Before::Half if index % 2 == 1 => place.write(file.name, &file.new_content()),
                _ => {}
            }
        }
        if before == Before::Half {
            [LEFTOVER.to_owned(), format!("large/{LEFTOVER}")].iter().for_each(|name| place.write(name, b"half"));
        }
        place
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.out().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Where the files go. No link is on the way: strace compares paths as they are.
    pub fn out(&self) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap().join("out")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The options of every run here, the list being standard input.
    pub fn options(&self, shape: &Shape) -> Vec<String> {
        let out = self.out().display().to_string();
        let usual = ["-i", "-", "--json", "-j", "3", "--retries", "0", "-d", &out].map(str::to_owned);
        usual.into_iter().chain(shape.options.iter().map(|&option| option.to_owned())).collect()
    }

    /// Starts a program with its output going to files here, and its input open.
    pub fn start(&self, program: &Path, args: &[String]) -> Child {
        self.start_to(program, args, File::create(self.path("rows")).unwrap().into())
    }

    /// As [`start`](Self::start), with another standard output.
    pub fn start_to(&self, program: &Path, args: &[String], stdout: Stdio) -> Child {
        let messages = File::create(self.path("messages")).unwrap();
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(stdout).stderr(messages);
        command.env_remove("SMOLGET_LOG").current_dir(self.dir.path());
        // A group of its own, so that all of it can be ended.
        command.process_group(0).spawn().unwrap_or_else(|e| panic!("{}: {e}", program.display()))
    }

    /// Runs the binary to its end.
    pub fn run(&self, binary: &Path, args: &[String], list: &str) -> End {
        let mut child = self.start(binary, args);
        feed(&mut child, list);
        wait(child)
    }

    /// Every file, hidden ones too.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.out(), &self.out(), &mut files);
        files
    }

    pub fn messages(&self) -> String {
        fs::read_to_string(self.path("messages")).unwrap_or_default()
    }

    /// The first of what was said: many jobs may all say the same.
    pub fn first_messages(&self) -> String {
        self.messages().lines().take(8).collect::<Vec<_>>().join("\n        ")
    }

    /// The rows; one that is not whole is an error.
    pub fn rows(&self) -> Result<Vec<Value>, String> {
        let text = fs::read_to_string(self.path("rows")).map_err(|e| e.to_string())?;
        let row = |line: &str| serde_json::from_str(line).map_err(|e| format!("{e} in the row {line:?}"));
        text.lines().map(row).collect()
    }

    /// Under each name there has to be the old file or the new one, whole, and no other name but of temporaries.
    pub fn is_untorn(&self) -> Result<(), String> {
        let files = self.files();
        for (name, content) in &files {
            let file = FILES.iter().find(|file| file.name == name);
            match file {
                Some(file) if *content == file.new_content() => {}
                Some(file) if self.before == Before::Old && *content == file.old_content() => {}
                Some(_) => return Err(format!("{name} is torn: {} bytes", content.len())),
                None if is_temporary(name) || name == state::NAME => {}
                None => return Err(format!("{name} is there")),
            }
        }
        let is_lost = |(index, name): (usize, &str)| match self.before {
            Before::Nothing => false,
            Before::Old => !files.contains_key(name),
            Before::Half => index % 2 == 1 && !files.contains_key(name),
        };
        let lost = FILES.iter().map(|file| file.name).enumerate().find(|&file| is_lost(file));
        lost.map_or(Ok(()), |(_, name)| Err(format!("the old {name} is gone")))?;
        state::is_not_ahead(&files)
    }

    /// No temporary may be there.
    pub fn is_tidy(&self) -> Result<(), String> {
        let left = self.files().into_keys().find(|name| is_temporary(name));
        left.map_or(Ok(()), |name| Err(format!("{name} is left")))
    }

    /// No temporary may be there but what was there before, and names with these ends.
    pub fn has_no_own_temporary_but(&self, kept: &[&str]) -> Result<(), String> {
        let is_kept = |name: &String| name.ends_with(LEFTOVER) || kept.iter().any(|end| name.ends_with(end));
        let is_own = |name: &String| is_temporary(name) && !is_kept(name);
        let left = self.files().into_keys().find(is_own);
        left.map_or(Ok(()), |name| Err(format!("{name} is left")))
    }

    /// Every file has to be the new one, and nothing else there.
    pub fn is_complete(&self) -> Result<(), String> {
        self.is_untorn()?;
        self.is_tidy()?;
        let files = self.files();
        let is_missing = |file: &&crate::shape::File| files.get(file.name) != Some(&file.new_content());
        if let Some(missing) = FILES.iter().find(is_missing) {
            return Err(format!("{} is not the new one", missing.name));
        }
        // What a run with --sync leaves, it remembers.
        let Some(remembered) = files.get(state::NAME).map(|state| state::remembered(state)) else { return Ok(()) };
        let forgotten = FILES.iter().find(|file| !remembered.contains_key(file.name));
        forgotten.map_or(Ok(()), |file| Err(format!("{} is not remembered", file.name)))
    }
}

impl End {
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Status(status) => status.code(),
            Self::Hung => None,
        }
    }

    pub fn is_killed(&self) -> bool {
        matches!(self, Self::Status(status) if status.signal() == Some(Signal::KILL.as_raw()))
    }

    pub fn describe(&self) -> String {
        match self {
            Self::Status(status) => status.to_string(),
            Self::Hung => format!("hung for {} s", LONGEST.as_secs()),
        }
    }
}

pub fn is_temporary(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|last| last.starts_with(".smolget-") && last != state::NAME)
}

/// Hands over the list, and ends it. A run that is dead by then reads nothing.
pub fn feed(child: &mut Child, list: &str) {
    let mut stdin = child.stdin.take().expect("standard input is open");
    let _ = stdin.write_all(list.as_bytes());
}

/// Waits for the end, and brings it about where it does not come.
pub fn wait(mut child: Child) -> End {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return End::Status(status);
        }
        if started.elapsed() > LONGEST {
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            let _ = child.wait();
            return End::Hung;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until something is so that nothing announces.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < LONGEST, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A path as an argument.
pub fn path(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}
