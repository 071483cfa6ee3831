//! The checks, run once more in a network and with system files of their own, so that names can be theirs.
//!
//! A resolver that is linked into a program reads `/etc/hosts` and `/etc/resolv.conf`, and asks at port 53. Neither needs
//! root where users may make namespaces: there nothing of the system is touched, and everything is gone with the process.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::process::{Command, ExitCode, Stdio};

use crate::names;

/// The first argument of the program that runs inside.
pub const INSIDE: &str = "--inside";

/// Puts the files in their places and brings the loopback up; a status that the checks don't have says that it failed.
const SCRIPT: &str = r#"mount --bind "$1/hosts" /etc/hosts && mount --bind "$1/resolv.conf" /etc/resolv.conf || exit 98
    ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null || exit 99
    shift; exec "$@""#;

/// Runs this program inside, with these arguments, to its end; or says why there is no inside here.
pub fn run_inside(args: &[String]) -> Result<ExitCode, String> {
    let may = |flags: &&str| {
        let trial = Command::new("unshare").args([flags, "true"]).stderr(Stdio::null()).status();
        trial.is_ok_and(|status| status.success())
    };
    let flags = ["-mn", "-rmn"].into_iter().find(may);
    let flags = flags.ok_or("unshare is missing, or makes no namespaces for this user")?;
    let files = tempfile::tempdir().map_err(|e| e.to_string())?;
    fs::write(files.path().join("hosts"), names::HOSTS).map_err(|e| e.to_string())?;
    fs::write(files.path().join("resolv.conf"), names::RESOLV_CONF).map_err(|e| e.to_string())?;
    let own = env::current_exe().map_err(|e| e.to_string())?;
    let before = [flags, "sh", "-c", SCRIPT, "sh"].map(OsStr::new);
    let inside = [files.path().as_os_str(), own.as_os_str(), OsStr::new(INSIDE)];
    let status = Command::new("unshare").args(before).args(inside).args(args).status().map_err(|e| e.to_string())?;
    match status.code() {
        Some(98) => Err("/etc/hosts or /etc/resolv.conf can't be replaced, even in a namespace".to_owned()),
        Some(99) => Err("the loopback of a namespace can't be brought up: there is no ip, no ifconfig".to_owned()),
        code => Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))),
    }
}
