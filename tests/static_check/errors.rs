//! The checks of what has to fail: an error of each kind that can be provoked, with its word in the row.

use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::program::{Program, row};
use crate::site::{MAX_SIZE, Site};
use crate::{Check, Verdict};

pub const CHECKS: [Check; 4] = [
    ("an error of each kind", kinds),
    ("the end of an attempt's time", |program, site| timeout(program, site, "--max-time", "total")),
    ("the end of the run's time", |program, site| timeout(program, site, "--deadline", "deadline")),
    ("a wrong option", usage),
];

/// A job that has to fail.
struct Case {
    url: String,
    options: &'static str,
    kind: &'static str,
    /// Of a limit on time.
    phase: Option<&'static str>,
}

/// One of each kind. What a signal interrupts is a check of its own.
fn cases(site: &Site) -> Vec<Case> {
    let case = |url, kind| Case { url, options: "", kind, phase: None };
    let timeout = |url, phase| Case { phase: Some(phase), ..case(url, "timeout") };
    let with = |options, case| Case { options, ..case };
    let http = |path| site.http.url(path);
    vec![
        case("no URL at all".to_owned(), "url"),
        // The run is for IPv4 alone.
        case("http://[::1]/".to_owned(), "dns"),
        case(site.refusing.url("/"), "connect"),
        case(site.stranger.url("/"), "tls"),
        timeout(site.full.url("/"), "connect"),
        timeout(site.silent.url_as("127.0.0.1", "/").replace("http:", "https:"), "tls"),
        timeout(http("/no-head"), "head"),
        timeout(http("/no-body"), "body"),
        case(http("/babble"), "protocol"),
        case(http("/short"), "truncated"),
        case(http("/missing"), "status"),
        case(http("/loop"), "redirect"),
        case(http("/too-large"), "too_large"),
        with(WRONG_CHECKSUM, case(http("/small"), "checksum")),
        with("\n out=link/file", case(http("/linked"), "io")),
    ]
}

/// Of no body that there is.
const WRONG_CHECKSUM: &str = "\n checksum=sha-256=0000000000000000000000000000000000000000000000000000000000000000";

fn kinds(program: &Program, site: &Site) -> Verdict {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    symlink("/", folder.path().join("link")).map_err(|e| e.to_string())?;
    let (out, most, cases) = (folder.path().display().to_string(), MAX_SIZE.to_string(), cases(site));
    let list: String = cases.iter().map(|case| format!("{}{}\n", case.url, case.options)).collect();
    let usual = ["-i", "-", "--json", "-j", "32", "--retries", "0", "-4", "-d", &out];
    let limits = ["--timeout", "4", "--connect-timeout", "4", "--max-size", &most];
    let rows = program.run(&[usual.as_slice(), &limits].concat(), &list)?.rows(1)?;
    for case in &cases {
        let found: Vec<&Value> = rows.iter().filter(|row| row["url"] == case.url).collect();
        if !matches!(found[..], [row] if case.is(row)) {
            return Err(format!("{} {}: {found:?}", case.kind, case.phase.unwrap_or_default()));
        }
    }
    if rows.len() != cases.len() {
        return Err(format!("{} rows for {} jobs", rows.len(), cases.len()));
    }
    Ok(format!("{} errors", rows.len()))
}

impl Case {
    fn is(&self, row: &Value) -> bool {
        let phase = row.get("phase").and_then(Value::as_str);
        row["ok"] == false && row["error"] == self.kind && phase == self.phase && row["message"] != ""
    }
}

fn timeout(program: &Program, site: &Site, option: &str, phase: &str) -> Verdict {
    let args = ["--json", "--discard", "--retries", "0", option, "300ms", &site.http.url("/no-head")];
    let row = row(&program.run(&args, "")?)?;
    let is_right = row["error"] == "timeout" && row["phase"] == phase;
    if is_right { Ok(format!("timeout in {phase}")) } else { Err(row.to_string()) }
}

fn usage(program: &Program, _: &Site) -> Verdict {
    let output = program.run(&["--jobs", "0"], "")?;
    let is_told = output.status.code() == Some(2) && output.stderr.contains("--jobs: got \"0\"");
    if is_told { Ok("exit status 2".to_owned()) } else { Err(output.describe()) }
}
