//! The programs that are measured, and how each is told to fetch the same list.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::server::{BODY, Server};

/// Transfers in flight at once, the same for all.
pub const AT_ONCE: usize = 32;

/// The variables that would send the programs elsewhere.
const PROXIES: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

/// Where bodies are saved, in the folder that the programs run in.
const OUT: &str = "out";

/// What becomes of the bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Discarded,
    Saved,
}

impl Keep {
    pub fn word(self) -> &'static str {
        match self {
            Self::Discarded => "discarded",
            Self::Saved => "saved",
        }
    }
}

/// A program that can be run.
pub struct Program {
    kind: Kind,
    path: OsString,
    /// Its name and version.
    pub name: String,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Smolget,
    Curl,
    Wget2,
    Aria2c,
}

impl Program {
    /// This build of smolget.
    pub fn smolget() -> io::Result<Self> {
        Self::new(Kind::Smolget, "smolget", env!("CARGO_BIN_EXE_smolget").into())
    }

    /// The other programs that are here; those that aren't are told of.
    pub fn peers() -> Vec<Self> {
        let peers = [(Kind::Curl, "curl", "CURL"), (Kind::Wget2, "wget2", "WGET2"), (Kind::Aria2c, "aria2c", "ARIA2C")];
        let find = |(kind, name, variable): (Kind, &str, &str)| {
            let path = env::var_os(variable).unwrap_or_else(|| name.into());
            let found = Self::new(kind, name, path.clone());
            found.inspect_err(|e| println!("no {name}: {}: {e}; {variable}= names another\n", path.display())).ok()
        };
        peers.into_iter().filter_map(find).collect()
    }

    fn new(kind: Kind, name: &str, path: OsString) -> io::Result<Self> {
        let output = Command::new(&path).arg("--version").output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let version = version.ok_or_else(|| io::Error::other("it tells no version"))?;
        Ok(Self { kind, path, name: format!("{name} {version}") })
    }

    /// How it is told to fetch the list; `None` if it can't do that.
    pub fn arguments(&self, keep: Keep) -> Option<String> {
        let (common, rest) = match (self.kind, keep) {
            (Kind::Smolget, Keep::Discarded) => ("-q -i list -j", " --discard"),
            (Kind::Smolget, Keep::Saved) => ("-q -i list -j", " -d out"),
            // Where each body goes is in its configuration.
            (Kind::Curl, _) => ("-q --no-progress-meter -K config -Z --parallel-max", ""),
            (Kind::Wget2, Keep::Discarded) => ("--no-config -q -i list --max-threads", " -O /dev/null"),
            (Kind::Wget2, Keep::Saved) => ("--no-config -q -i list --max-threads", " -P out"),
            (Kind::Aria2c, Keep::Discarded) => return None,
            (Kind::Aria2c, Keep::Saved) => ("--no-conf -q -i list --file-allocation=none -j", " -d out"),
        };
        Some(format!("{common} {AT_ONCE}{rest}"))
    }

    /// Its command, to be run in `folder`.
    pub fn command(&self, arguments: &str, folder: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments.split(' ')).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
        for proxy in PROXIES {
            command.env_remove(proxy);
        }
        command
    }
}

/// Writes the list, and the configuration that is the same for curl.
pub fn write_lists(server: &Server, count: usize, keep: Keep, folder: &Path) -> io::Result<()> {
    let (mut list, mut config) = (String::new(), String::new());
    for n in 0..count {
        let url = server.url(&format!("/{n}.bin"));
        let output = if keep == Keep::Saved { format!("{OUT}/{n}.bin") } else { "/dev/null".to_owned() };
        list.push_str(&format!("{url}\n"));
        config.push_str(&format!("url={url}\noutput={output}\n"));
    }
    fs::write(folder.join("list"), list)?;
    fs::write(folder.join("config"), config)
}

/// Makes the folder for bodies anew.
pub fn empty_out(folder: &Path) -> io::Result<()> {
    let out = folder.join(OUT);
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir(out)
}

/// Refuses a run that fetched less, or more, than it should have: it would be no measure.
pub fn check(server: &mut Server, count: usize, keep: Keep, folder: &Path) -> io::Result<()> {
    let answered = server.answered()?;
    let mut saved = 0;
    for entry in fs::read_dir(folder.join(OUT))? {
        saved += usize::from(entry?.metadata()?.len() == BODY as u64);
    }
    let expected = if keep == Keep::Saved { count } else { 0 };
    if (answered, saved) == (count, expected) {
        return Ok(());
    }
    Err(io::Error::other(format!("{answered} requests and {saved} whole files, where {count} and {expected} were due")))
}
