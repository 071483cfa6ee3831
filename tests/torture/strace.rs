//! A run under strace → how it ended, and which calls were made or tampered with.
//!
//! strace counts the calls of each thread by itself, and so does what is told here. The start of a program, before
//! its `main`, is its linker's and no part of the torture.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rustix::process::{PTracer, Pid, Signal, kill_process_group, set_ptracer};

use crate::place::{End, LONGEST, Place, feed, until, wait};
use crate::shape::{FILES, Shape, Site};
use crate::survey::Point;

/// The first argument of this program where it is to turn into another that may be traced.
pub const TRACED: &str = "--traced";

/// The thread that a run waits for its list with: once it is there, the run has begun.
const READER: &str = "smolget-list";

const NO_STRACE: &str = "there is no strace, which makes the kills and failures. \
    Debian: apt-get install strace; Alpine: apk add strace; OpenWrt: opkg install strace";

/// strace, and what it is to run.
pub struct Strace {
    pub binary: PathBuf,
    me: PathBuf,
}

/// Which calls of a run are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// All, from where the run waits for its list.
    Run,
    /// Those on the output folder or a folder in it, from the start.
    Folder,
}

/// What is done to which call: to the so-manieth of that name in a thread.
pub struct Tampering {
    pub call: String,
    /// A signal or an error, in strace's words.
    pub what: &'static str,
    /// Which of the calls, or which and every so-manieth after it, in strace's words.
    pub when: String,
}

/// A call as strace tells it.
pub struct Call {
    pub thread: u32,
    pub name: String,
    /// The whole of it, with paths and addresses.
    pub text: String,
    /// The lines of the log where it begins and ends.
    pub begun: usize,
    pub ended: usize,
}

impl Call {
    pub fn is_tampered(&self) -> bool {
        self.text.contains("(INJECTED)")
    }
}

impl Strace {
    /// strace for runs of `binary`.
    ///
    /// # Errors
    ///
    /// What is missing, and how to get it.
    pub fn find(binary: &Path) -> Result<Self, String> {
        let tampered = ["-f", "-qq", "-yy", "-o", "/dev/null", "-e", "inject=exit_group:signal=KILL", "true"];
        let trial = Command::new("strace").args(tampered).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let status = trial.map_err(|_| NO_STRACE)?;
        // strace ends as what it traces does.
        if status.signal() != Some(Signal::KILL.as_raw()) {
            return Err(format!(
                "strace can't kill `true` with -e inject, {status}: it is too old, or may not trace here"
            ));
        }
        let me = env::current_exe().expect("a program knows where it is");
        Ok(Self { binary: binary.to_owned(), me })
    }

    /// Which calls of a class, as strace names it, a run of that shape makes: how many at most in one thread.
    pub fn calls(&self, shape: &Shape, site: &Site, view: View, class: &str) -> BTreeMap<String, usize> {
        let place = Place::new(shape.before);
        let (end, calls) = self.run(&place, shape, site, view, &[format!("-etrace={class}")]);
        assert_eq!(end.code(), Some(0), "a run that nobody tampers with is ok: {}", place.messages());
        let mut counts = HashMap::<(u32, String), usize>::new();
        calls.into_iter().for_each(|call| *counts.entry((call.thread, call.name)).or_default() += 1);
        let mut most = BTreeMap::new();
        for ((_, name), count) in counts {
            let known = most.entry(name).or_default();
            *known = count.max(*known);
        }
        most
    }

    /// Runs the binary to its end, and only looks on; its calls of these names, with all that they were told to write.
    pub fn watch(&self, place: &Place, shape: &Shape, site: &Site, names: &str) -> Vec<Call> {
        let options = [format!("-etrace={names}"), "-s65536".to_owned()];
        self.run(place, shape, site, View::Run, &options).1
    }

    /// Runs the binary to its end, tampering with it; the calls of the tampering's name.
    pub fn tamper(&self, place: &Place, site: &Site, point: &Point) -> (End, Vec<Call>) {
        let Tampering { call, what, when } = &point.tampering;
        let options = [format!("-etrace={call}"), format!("-einject={call}:{what}:when={when}")];
        self.run(place, point.shape, site, point.view, &options)
    }

    fn run(&self, place: &Place, shape: &Shape, site: &Site, view: View, options: &[String]) -> (End, Vec<Call>) {
        let log = place.path("log");
        let usual = ["-f", "-qq", "-yy", "-s", "0", "-o", log.to_str().unwrap()].map(str::to_owned);
        let options = [&usual, options].concat();
        let list = site.list(shape);
        let end = match view {
            View::Run => self.attach(place, &options, &place.options(shape), &list),
            View::Folder => self.launch(place, options, &place.options(shape), &list),
        };
        (end, parse(&fs::read_to_string(&log).unwrap_or_default()))
    }

    /// Lets the run start, and traces it from where it waits for its list.
    fn attach(&self, place: &Place, options: &[String], args: &[String], list: &str) -> End {
        let program = [TRACED.to_owned(), self.binary.display().to_string()];
        let mut child = place.start(&self.me, &[&program, args].concat());
        let pid = child.id();
        until("the run waits for its list", || threads(pid, "comm").any(|name| name.trim_end() == READER));
        let mut strace = Command::new("strace");
        strace.args(options).args(["-p", &pid.to_string()]).stdin(Stdio::null()).stderr(Stdio::null());
        let mut strace = strace.process_group(0).spawn().expect("strace was there before");
        until("strace has come", || {
            // Gone again already, if it could kill the run at once.
            let gone = strace.try_wait().unwrap();
            assert!(gone.is_none_or(|status| status.success()), "strace may not trace what runs already: {gone:?}");
            gone.is_some() || threads(pid, "status").all(|status| !status.contains("TracerPid:\t0\n"))
        });
        feed(&mut child, list);
        let end = wait(child);
        reap(strace);
        end
    }

    /// Starts the run under strace, which looks at nothing but the folders.
    fn launch(&self, place: &Place, mut options: Vec<String>, args: &[String], list: &str) -> End {
        let out = place.out();
        let folders = FILES.iter().filter_map(|file| file.folder()).map(|folder| out.join(folder));
        for folder in folders.chain([out.clone(), out.join("far")]) {
            options.push(format!("-P{}", folder.display()));
        }
        options.extend(["--".to_owned(), self.binary.display().to_string()]);
        place.run(Path::new("strace"), &[options.as_slice(), args].concat(), list)
    }
}

/// Turns this process into the program that the arguments say, which a process that did not start it may trace: where
/// Yama guards that, it takes leave.
pub fn become_traced(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let program = args.next().expect("there is a program to become");
    // Where there is no Yama, no leave is needed.
    let _ = set_ptracer(PTracer::Any);
    eprintln!("{}: {}", program.display(), Command::new(&program).args(args).exec());
    ExitCode::FAILURE
}

/// What the kernel tells of each thread of a process; nothing of one that is gone.
fn threads(pid: u32, file: &str) -> impl Iterator<Item = String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.filter_map(move |task| fs::read_to_string(task.path().join(file)).ok())
}

/// strace ends with what it traces.
fn reap(mut strace: Child) {
    let group = Pid::from_child(&strace);
    let started = Instant::now();
    while strace.try_wait().unwrap().is_none() {
        if started.elapsed() > LONGEST {
            let _ = kill_process_group(group, Signal::KILL);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Reads a log. A call that others come between is told in two lines.
fn parse(log: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut unfinished: HashMap<u32, usize> = HashMap::new();
    for (number, line) in log.lines().enumerate() {
        let Some((thread, text)) = line.split_once(' ') else { continue };
        let (Ok(thread), text) = (thread.parse(), text.trim_start()) else { continue };
        if text.starts_with("<... ") {
            let begun = unfinished.remove(&thread).and_then(|index| calls.get_mut(index));
            if let Some(call) = begun {
                call.text.push_str(text);
                call.ended = number;
            }
        } else if let Some((name, _)) = text.split_once('(')
            && !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            unfinished.insert(thread, calls.len());
            let (name, text) = (name.to_owned(), text.to_owned());
            calls.push(Call { thread, name, text, begun: number, ended: number });
        }
    }
    calls
}
