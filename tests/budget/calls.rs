//! System calls a request, of the release program and in all its threads, as strace counts them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::figures::Figure;
use crate::site::Site;
use crate::workload::Workload;

const NO_STRACE: &str = "there is no strace, which counts system calls. \
    Debian: apt-get install strace; Alpine: apk add strace; OpenWrt: opkg install strace";

/// How many system calls a request takes.
pub fn of(workload: &Workload, site: &Site, binary: &Path) -> Result<Figure, String> {
    let [calls] = workload.each(|count| count_under_strace(workload, site, binary, count).map(|calls| [calls]))?;
    Ok(Figure::new(format!("{}/calls", workload.name), calls, "system calls a request"))
}

fn count_under_strace(workload: &Workload, site: &Site, binary: &Path, count: usize) -> Result<u64, String> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let list = folder.path().join("list");
    let urls: String = (0..count).map(|number| site.url(workload.is_secure, &format!("/{number}\n"))).collect();
    fs::write(&list, urls).map_err(|error| error.to_string())?;
    let mut command = Command::new("strace");
    // -D: the process that is started is the program, and strace the one beside it.
    command
        .args(["-D", "-f", "-qq", "-c", "-U", "calls,name", "-e", &format!("trace={}", workload.calls)])
        .arg(binary)
        .args(["-q", "--retries", "0", "-j", &workload.at_once.to_string(), "-i"])
        .arg(&list);
    command.arg("--cacert").arg(site.roots());
    match workload.is_saved {
        true => command.arg("-d").arg(folder.path().join("out")),
        false => command.arg("--discard"),
    };
    let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(|_| NO_STRACE)?;
    site.client.is(child.id(), workload.at_once);
    // Until strace is done, too: it has the same standard error.
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&output.stderr);
    let total = told.lines().find_map(|line| line.trim().strip_suffix("total")?.trim().parse().ok());
    match total {
        Some(total) if output.status.success() => Ok(total),
        _ => {
            let first = told.lines().next().unwrap_or("it said nothing");
            Err(format!("strace could not count the {} run, {}: {first}", workload.name, output.status))
        }
    }
}
