//! One run of the program over all cases, each with a URL of its own.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use super::judge::{Seen, judge};
use super::markdown::Case;
use super::server::{Pace, Script, Server};
use super::verdict::End;

/// One attempt, no way out of the loopback, and limits that only what hangs can meet.
const ARGS: &str = "-i - --json -q -j16 --retries=0 --max-redirects=0 --timeout=20 --max-time=30 --deadline=50";

/// Replays the cases at this pace; what came of each, in their order.
pub fn replay(binary: &Path, cases: &[Case], pace: Pace) -> Result<Vec<Result<String, String>>, String> {
    let server = Server::start(cases.iter().map(script).collect(), pace).map_err(|e| format!("the server: {e}"))?;
    let folder = tempfile::tempdir().map_err(|e| format!("a temporary folder: {e}"))?;
    let mut rows = HashMap::new();
    for is_head in [false, true] {
        let numbers = (0..).zip(cases).filter(|(_, case)| case.is_head == is_head).map(|(number, _)| number);
        let jobs: Vec<String> = numbers.map(|number| format!("{}\n  out={number}\n", server.url(number))).collect();
        let fetched = fetch(binary, &jobs, is_head, folder.path()).map_err(|e| format!("{}: {e}", binary.display()))?;
        if fetched.len() != jobs.len() {
            return Err(format!("{} rows for {} jobs", fetched.len(), jobs.len()));
        }
        rows.extend(fetched.into_iter().map(|row| (row["url"].as_str().unwrap_or_default().to_owned(), row)));
    }
    let outcome = |(number, case): (usize, &Case)| {
        let row = rows.get(&server.url(number)).ok_or("it has no row")?;
        let verdict = judge(case, &Seen::of(row, &folder.path().join(number.to_string()))?)?;
        if server.was_misused(number) {
            Err("its connection was used again, with bytes left over".into())
        } else {
            Ok(verdict)
        }
    };
    Ok((0..).zip(cases).map(outcome).collect())
}

fn script(case: &Case) -> Script {
    let end = match case.verdict.end {
        End::At(end) => Some(end),
        End::Close | End::Never(_) => None,
    };
    Script { bytes: case.input.clone(), end }
}

/// Runs the program on a list of these jobs; its rows.
fn fetch(binary: &Path, jobs: &[String], is_head: bool, folder: &Path) -> io::Result<Vec<Value>> {
    let mut child = Command::new(binary)
        .args(ARGS.split(' '))
        .arg("--dir")
        .arg(folder)
        .args(is_head.then_some("--head"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let list = jobs.concat();
    let feeder = thread::spawn(move || stdin.write_all(list.as_bytes()));
    let output = child.wait_with_output()?;
    // What was not read shows as missing rows.
    let _ = feeder.join();
    if !matches!(output.status.code(), Some(0 | 1)) {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(io::Error::other(format!("{}: {said}", output.status)));
    }
    serde_json::Deserializer::from_slice(&output.stdout).into_iter().map(|row| row.map_err(io::Error::other)).collect()
}
