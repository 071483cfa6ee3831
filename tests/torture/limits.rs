//! Full disks, folders that take nothing, limits, and standard streams that are closed or full.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::judge;
use crate::place::{Place, feed, path, wait};
use crate::shape::{Before, FILES, SHAPES, Shape, Site};
use crate::state;
use crate::strace::Strace;
use crate::tally::Tally;

/// The files of more than 150 KiB: what a limit between fails.
const LARGE: [&str; 2] = ["large/counted", "far/down/chunked"];

/// How many jobs share few descriptors.
const MANY: usize = 64;

/// Whoever is nobody on every system.
const NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// What all cases need.
struct Limits<'a> {
    binary: &'a Path,
    site: &'a Site,
}

/// Runs under every limit: each is a case.
pub fn all(strace: &Strace, site: &Site, tally: &mut Tally) {
    let limits = Limits { binary: &strace.binary, site };
    for shape in SHAPES {
        limits.in_namespace(&format!("a full disk: {}", shape.name), tally, |unshare| limits.full_disk(shape, unshare));
    }
    limits.in_namespace("a read-only file system", tally, |unshare| limits.read_only(unshare));
    match nobody() {
        Ok(nobody) => tally.row("a folder without the right to write", limits.forbidden(nobody)),
        Err(why) => tally.not_run("a folder without the right to write", why),
    }
    tally.row("ulimit -f", limits.file_size());
    for option in ["--json", "--durable", "--sync"] {
        let case = format!("ulimit -n 18, -j 64, {option}");
        tally.row(&case, limits.descriptors(option, |n| format!("file-{n}")));
        tally.row(&format!("{case}, a folder for each"), limits.descriptors(option, |n| format!("folder-{n}/file")));
    }
    for option in ["--json", "--stdout"] {
        tally.row(&format!("standard output is a closed pipe: {option}"), limits.stdout(closed_pipe(), option));
        tally.row(&format!("standard output is full: {option}"), limits.stdout(full(), option));
    }
    // Rust opens /dev/null in place of what is closed, and that takes everything.
    tally.row("standard output is closed", limits.redirected(">&-"));
    tally.row("standard error is closed", limits.redirected("2>&-"));
    tally.row("standard error is full", limits.redirected("2>/dev/full"));
}

type Verdict = Result<String, String>;

impl Limits<'_> {
    /// A case in a mount namespace of its own, for which one has to be root, or allowed to seem so.
    fn in_namespace(&self, case: &str, tally: &mut Tally, run: impl Fn(&str) -> Verdict) {
        let may = |flags: &&str| {
            let trial = Command::new("unshare").args([flags, "true"]).stderr(Stdio::null()).status();
            trial.is_ok_and(|status| status.success())
        };
        match ["-m", "-rm"].iter().find(|flags| may(flags)) {
            Some(flags) => tally.row(case, run(flags)),
            None => tally.not_run(case, "unshare is missing, or makes no mount namespace for this user"),
        }
    }

    /// What is too large for the disk fails, alone; the rest finds room since nothing is left of that.
    fn full_disk(&self, shape: &Shape, unshare: &str) -> Verdict {
        let place = Place::new(shape.before);
        let (out, kept) = (place.out(), place.path("kept"));
        // What the disk holds goes with the namespace, so a copy is made.
        let script = r#"size=$1 out=$2 kept=$3; shift 3
            cp -a "$out" "$kept" && mount -t tmpfs -o size="$size" none "$out" && cp -a "$kept/." "$out" || exit 99
            "$@"; status=$?
            rm -rf "$kept" && cp -a "$out" "$kept" || exit 98
            exit $status"#;
        let size = if shape.before == Before::Old { "400k" } else { "180k" };
        let args = [unshare, "sh", "-c", script, "sh", size, path(&out), path(&kept), path(self.binary)];
        let args = args.map(str::to_owned);
        // One after the other, so that it is known which find room.
        let options: Vec<String> = place
            .options(shape)
            .into_iter()
            .map(|option| if option == "3" { "1".to_owned() } else { option })
            .collect();
        let end = place.run(Path::new("unshare"), &[&args, options.as_slice()].concat(), &self.site.list(shape));
        fs::remove_dir_all(&out).and_then(|()| fs::rename(&kept, &out)).map_err(|e| e.to_string())?;
        place.is_untorn().and_then(|()| place.is_tidy())?;
        let failed = judge::failed(&place, self.site, shape)?;
        if end.code() != Some(1) || failed.is_empty() || failed.len() == FILES.len() {
            return Err(format!("{}, {} failed: {}", end.describe(), failed.len(), place.first_messages()));
        }
        match failed.iter().find(|failed| !failed.is_io()) {
            Some(failed) => Err(format!("not `io`: {}", failed.row)),
            None => Ok(format!("{} failed with `io`, {} ok", failed.len(), FILES.len() - failed.len())),
        }
    }

    fn read_only(&self, unshare: &str) -> Verdict {
        let place = Place::new(Before::Old);
        let script = r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 99; shift; exec "$@""#;
        let args = [unshare, "sh", "-c", script, "sh", path(&place.out()), path(self.binary)].map(str::to_owned);
        self.refuses(&place, Path::new("unshare"), &args)
    }

    fn forbidden(&self, nobody: &[&str]) -> Verdict {
        let place = Place::new(Before::Old);
        // Where the binary was built, others may have no business.
        let copy = place.path("smolget");
        fs::copy(self.binary, &copy).map_err(|e| e.to_string())?;
        let allow = |path: PathBuf, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        [(place.path(""), 0o755), (copy.clone(), 0o755), (place.out(), 0o555)]
            .into_iter()
            .for_each(|(path, mode)| allow(path, mode));
        let program: Vec<String> = nobody.iter().copied().chain([path(&copy)]).map(str::to_owned).collect();
        let verdict = self.refuses(&place, Path::new(&program[0]), &program[1..]);
        allow(place.out(), 0o755);
        verdict
    }

    /// The run has to end at once, with status 3 and a reason, and to leave the old files.
    fn refuses(&self, place: &Place, program: &Path, args: &[String]) -> Verdict {
        let shape = &SHAPES[0];
        let end = place.run(program, &[args, &place.options(shape)].concat(), &self.site.list(shape));
        place.is_untorn().and_then(|()| place.is_tidy())?;
        let told = place.messages().contains("can't be used");
        let is_refused = end.code() == Some(3) && told && place.rows()?.is_empty();
        if is_refused {
            Ok("exit status 3".to_owned())
        } else {
            Err(format!("{}: {}", end.describe(), place.first_messages()))
        }
    }

    /// Shells count in pieces of 512 or of 1024 bytes.
    fn file_size(&self) -> Verdict {
        let (place, shape) = (Place::new(Before::Nothing), &SHAPES[0]);
        let args = ["-c", r#"ulimit -f 150 && exec "$@""#, "sh", path(self.binary)].map(str::to_owned);
        let end =
            place.run(Path::new("sh"), &[&args, place.options(shape).as_slice()].concat(), &self.site.list(shape));
        place.is_untorn().and_then(|()| place.is_tidy())?;
        let failed = judge::failed(&place, self.site, shape)?;
        let is_right = failed.iter().all(|failed| failed.is_io() && LARGE.contains(&failed.name()));
        if end.code() == Some(1) && is_right && failed.len() == LARGE.len() {
            return Ok("2 failed with `io`, 5 ok".to_owned());
        }
        Err(format!("{}: {}", end.describe(), place.first_messages()))
    }

    fn descriptors(&self, option: &str, name: fn(usize) -> String) -> Verdict {
        let (place, shape) = (Place::new(Before::Nothing), &SHAPES[0]);
        let large = FILES.iter().position(|file| file.name == LARGE[0]).unwrap();
        let url = self.site.url(large, shape);
        let list: String = (0..MANY).map(|n| format!("{url}\n out={}\n", name(n))).collect();
        let out = place.out();
        let script = r#"ulimit -n 18 && exec "$@""#;
        let args = ["-c", script, "sh", path(self.binary), "-i", "-", option, "-j", "64", "-d", path(&out)];
        let end = place.run(Path::new("sh"), &args.map(str::to_owned), &list);
        let whole = place.files().values().filter(|content| **content == FILES[large].new_content()).count();
        let others = place.files().into_keys().filter(|name| name != state::NAME).count() - whole;
        if end.code() == Some(0) && whole == MANY && others == 0 {
            return Ok(format!("{MANY} of {MANY} ok"));
        }
        Err(format!("{}, {whole} of {MANY} files whole: {}", end.describe(), place.first_messages()))
    }

    /// Whatever was to be told can't be: the run has to say so with status 3, and to leave nothing half.
    fn stdout(&self, stdout: Stdio, option: &str) -> Verdict {
        let (place, shape) = (Place::new(Before::Old), &SHAPES[0]);
        let args = ["-i", "-", option, "-d", path(&place.out())].map(str::to_owned);
        let mut child = place.start_to(self.binary, &args, stdout);
        feed(&mut child, &self.site.list(shape));
        let end = wait(child);
        place.is_untorn().and_then(|()| place.is_tidy())?;
        if end.code() == Some(3) {
            Ok("exit status 3".to_owned())
        } else {
            Err(format!("{}: {}", end.describe(), place.first_messages()))
        }
    }

    /// The run has to do its work, and not to take a file for a standard stream.
    fn redirected(&self, how: &str) -> Verdict {
        let (place, shape) = (Place::new(Before::Old), &SHAPES[0]);
        let args = ["-c".to_owned(), format!(r#"exec "$@" {how}"#), "sh".to_owned(), path(self.binary).to_owned()];
        let end =
            place.run(Path::new("sh"), &[&args, place.options(shape).as_slice()].concat(), &self.site.list(shape));
        place.is_complete()?;
        if end.code() == Some(0) { Ok("every file right".to_owned()) } else { Err(end.describe()) }
    }
}

/// What makes a program run as somebody who is not root: nothing, where this does not.
fn nobody() -> Result<&'static [&'static str], &'static str> {
    if !rustix::process::geteuid().is_root() {
        return Ok(&[]);
    }
    let trial = Command::new(NOBODY[0]).args(&NOBODY[1..]).arg("true").stderr(Stdio::null()).status();
    let may = trial.is_ok_and(|status| status.success());
    if may { Ok(&NOBODY) } else { Err("root may write everywhere, and there is no setpriv to be somebody else") }
}

fn closed_pipe() -> Stdio {
    let (_, writer) = io::pipe().unwrap();
    writer.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}
