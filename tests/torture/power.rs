//! Power cuts: the disk is a file, a copy of it is what a cut would have left, and what was told as ok has to be on it.
//!
//! A run is stopped at random moments while its disk is copied, so what it told and what the disk had are of one moment.
//! The same without `--durable` shows that a cut does take files: else nothing were proved.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::place::{path, until};
use crate::reply::Reply;
use crate::server::{Request, Server};
use crate::state;
use crate::tally::Tally;

/// How many files a run fetches: enough to be under way at every cut.
const FILES: usize = 1500;

/// The size of the disk in bytes: small, since it is copied at every cut.
const DISK: u64 = 16 << 20;

/// What was under the names before.
const OLD: &[u8] = b"an old file";

/// Runs with and without `--durable`, each with so many power cuts.
pub fn cuts(binary: &Path, cuts: usize, tally: &mut Tally) {
    if let Err(why) = TempDir::new().map_err(|e| e.to_string()).and_then(|dir| Disk::make(dir.path()).map(drop)) {
        return tally.not_run("power cuts", &why);
    }
    for option in ["--durable", "--sync"] {
        let results = match attempt(binary, &[option], cuts) {
            Ok(losses) => losses.iter().map(|loss| ("told as ok and there", nothing(loss))).collect(),
            Err(why) => vec![("", Err(why))],
        };
        tally.rows(&format!("power cuts: {option}"), results);
    }
    let twin = attempt(binary, &[], cuts).and_then(|losses| match losses.iter().map(Vec::len).sum() {
        0 => Err("no file was lost, so this proves nothing".to_owned()),
        lost => Ok(format!("{lost} files lost, as they may be")),
    });
    tally.row("power cuts: without --durable", twin);
}

fn nothing(lost: &[String]) -> Result<(), String> {
    let Some(file) = lost.first() else { return Ok(()) };
    Err(format!("{} files are torn, or told as ok and not on the disk; {file} is one", lost.len()))
}

/// What each cut of a run would have lost of the files that were told as ok by then, and whatever was torn.
///
/// # Errors
///
/// If the run is over before so many cuts, or a disk is beyond repair.
fn attempt(binary: &Path, options: &[&str], cuts: usize) -> Result<Vec<Vec<String>>, String> {
    let dir = TempDir::new().expect("there is room for a temporary folder");
    let disk = Disk::make(dir.path())?;
    let server = Server::start(|request: &Request| {
        Reply::ok(content(request.target.trim_start_matches('/'))).field("ETag", "\"1\"")
    });
    let mut run = Run::start(binary, options, dir.path(), &disk, &server);
    let mut copies = Vec::new();
    while copies.len() < cuts && run.wait_for_rows(cuts) {
        let told = run.stop();
        copies.push((disk.copy(&format!("copy-{}", copies.len())), told));
        run.go_on();
    }
    drop((run, disk));
    if copies.len() < cuts || copies.iter().any(|(_, told)| told.is_empty()) {
        return Err(format!("the run ended after {} cuts, or told of no file", copies.len()));
    }
    copies.into_iter().map(|(copy, told)| lost(&copy, &told)).collect()
}

/// Looks at a disk as it is found after the cut.
fn lost(copy: &Path, told: &HashSet<String>) -> Result<Vec<String>, String> {
    let disk = Disk::find(copy.to_owned())?;
    let is_lost = |name: &String| match fs::read(disk.folder().join(name)) {
        Ok(found) if found == content(name) => false,
        // What was not told as ok yet may be the old one; what is torn is lost in any case.
        Ok(found) => told.contains(name) || found != OLD,
        Err(_) => true,
    };
    let lost = (0..FILES).map(name).filter(is_lost);
    // What is remembered has to be there, told or not.
    let state = fs::read(disk.folder().join(state::NAME)).unwrap_or_default();
    let found = |name: &String| fs::read(disk.folder().join(name)).ok().map(|content| (name.clone(), content));
    let remembered = state::remembered(&state);
    let mut files: BTreeMap<String, Vec<u8>> = remembered.keys().filter_map(found).collect();
    files.insert(state::NAME.to_owned(), state);
    Ok(lost.chain(state::is_not_ahead(&files).err()).collect())
}

fn name(n: usize) -> String {
    format!("file-{n}")
}

fn content(name: &str) -> Vec<u8> {
    name.as_bytes().iter().copied().cycle().take(3000).collect()
}

/// A file system in a file, mounted until this is dropped.
struct Disk {
    image: PathBuf,
    mounted: PathBuf,
}

impl Disk {
    /// A new one, with old files on it.
    fn make(dir: &Path) -> Result<Self, String> {
        let image = dir.join("disk");
        File::create(&image).and_then(|file| file.set_len(DISK)).map_err(|e| e.to_string())?;
        command("mke2fs", &["-q", "-F", "-t", "ext4", path(&image)])?;
        let disk = Self::find(image)?;
        fs::create_dir(disk.folder()).map_err(|e| e.to_string())?;
        (0..FILES).map(name).for_each(|name| fs::write(disk.folder().join(name), OLD).unwrap());
        command("sync", &[])?;
        Ok(disk)
    }

    /// One that is there.
    fn find(image: PathBuf) -> Result<Self, String> {
        let mounted = image.with_extension("mounted");
        fs::create_dir(&mounted).map_err(|e| e.to_string())?;
        command("mount", &["-o", "loop", path(&image), path(&mounted)])?;
        Ok(Self { image, mounted })
    }

    fn folder(&self) -> PathBuf {
        self.mounted.join("out")
    }

    /// Copies it as it is at one moment: until two copies are the same, since the system writes when it sees fit.
    fn copy(&self, name: &str) -> PathBuf {
        let path = self.image.with_file_name(name);
        loop {
            fs::copy(&self.image, &path).unwrap();
            if fs::read(&self.image).unwrap() == fs::read(&path).unwrap() {
                return path;
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = command("umount", &[path(&self.mounted)]);
    }
}

/// A run that is stopped now and then.
struct Run {
    child: Child,
    rows: PathBuf,
    told: usize,
}

impl Run {
    fn start(binary: &Path, options: &[&str], dir: &Path, disk: &Disk, server: &Server) -> Self {
        let rows = dir.join("rows");
        let mut command = Command::new(binary);
        command.args(["-q", "-i", "-", "--json", "-j", "4", "-d"]).arg(disk.folder()).args(options);
        command.stdin(Stdio::piped()).stdout(File::create(&rows).unwrap());
        let mut child = command.spawn().expect("the binary is built");
        let list: String = (0..FILES).map(|n| server.url(&format!("/{}\n", name(n)))).collect();
        let mut stdin = child.stdin.take().expect("standard input is open");
        thread::spawn(move || stdin.write_all(list.as_bytes()));
        Self { child, rows, told: 0 }
    }

    /// Waits for some more rows, how many is chance's to say, so that there are enough for all cuts; false once the run is
    /// over.
    fn wait_for_rows(&mut self, cuts: usize) -> bool {
        let wanted = self.told + fastrand::usize(1..=(FILES / 2 / cuts).max(1));
        until("more rows", || self.rows().len() >= wanted || self.child.try_wait().unwrap().is_some());
        self.child.try_wait().unwrap().is_none()
    }

    /// Stops the run in the middle of what it does; the files that were told as ok by then.
    fn stop(&mut self) -> HashSet<String> {
        self.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", self.child.id());
        let is_still =
            |stat: &str| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['T', 'Z']));
        until("a standstill", || {
            let stats = fs::read_dir(&tasks).into_iter().flatten().flatten();
            stats.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok()).all(|stat| is_still(&stat))
        });
        let rows = self.rows();
        self.told = rows.len();
        let file = |row: Value| Some(row["file"].as_str()?.rsplit('/').next()?.to_owned());
        rows.into_iter().filter(|row| row["ok"] == true).filter_map(file).collect()
    }

    fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        // A run that is over takes none.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// The rows that are whole so far.
    fn rows(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.rows).unwrap_or_default();
        text.split_inclusive('\n').filter_map(|line| serde_json::from_str(line.strip_suffix('\n')?).ok()).collect()
    }
}

impl Drop for Run {
    /// What is not over by now would keep the disk busy.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(program: &str, args: &[&str]) -> Result<(), String> {
    let ran = Command::new(program).args(args).output().map_err(|e| format!("{program}: {e}"))?;
    let why = || format!("{program}: {}", String::from_utf8_lossy(&ran.stderr).trim_end());
    if ran.status.success() { Ok(()) } else { Err(why()) }
}
