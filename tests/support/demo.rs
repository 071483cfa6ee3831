//! The demonstration: `smolget` on a list of some hundred URLs of a server that is fast, slow, odd and broken.
//!
//! `cargo run --example demo [PATH-TO-SMOLGET]`. Progress and summary are shown as the program shows them; then each URL
//! is checked to have ended as it should. Exit status 0 if all did, else 1 and what differed.

#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
mod ports;
#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
mod reply;
#[allow(dead_code, reason = "shared with the integration tests, which take other parts of it")]
mod server;

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use std::{env, thread};

use serde_json::Value;
use sha2::{Digest, Sha256};

use ports::Port;
use reply::Reply;
use server::{Request, Server};

/// What the server says to whatever has no behaviour of its own.
const SMALL: &[u8] = b"a small file\n";

/// The size of a large body.
const LARGE: usize = 8 << 20;

fn main() -> ExitCode {
    let binary = env::args_os().nth(1).map_or_else(sibling, PathBuf::from);
    let server = Server::start(answer);
    let refusing = Port::refusing();
    let cases = cases(&server, &refusing);
    let folder = tempfile::tempdir().expect("there is room for a temporary folder");
    println!("fetching {} URLs with {}", cases.len(), binary.display());
    let rows = match run(&binary, &cases, folder.path()) {
        Ok(rows) => rows,
        Err(e) => {
            eprintln!("{}: {e}; build it first, or say where it is", binary.display());
            return ExitCode::FAILURE;
        }
    };
    let differences = compare(&cases, &rows, folder.path());
    tell(&cases, &differences)
}

/// The binary of the build that this example is of.
fn sibling() -> PathBuf {
    let example = env::current_exe().expect("a program knows where it is");
    let profile = example.ancestors().nth(2).expect("examples are two folders below the profile's");
    profile.join("smolget")
}

/// One job of the list and how it has to end.
struct Case {
    what: &'static str,
    url: String,
    /// What stands on the job's line after the URL, and below it.
    options: String,
    end: End,
}

#[derive(Clone)]
enum End {
    Saved {
        bytes: usize,
        redirects: u64,
        file: Option<String>,
    },
    /// With this status, where one is named.
    Failed {
        kind: &'static str,
        status: Option<u64>,
    },
}

const SAVED: End = End::Saved { bytes: SMALL.len(), redirects: 0, file: None };

fn answer(request: &Request) -> Reply {
    let behaviour = request.target.split('/').nth(1).unwrap_or_default();
    match behaviour {
        "slow" => Reply::ok(SMALL).after(Duration::from_millis(400)),
        "drip" => Reply::ok(SMALL).drip(Duration::from_millis(20)),
        "large" => Reply::ok(vec![b'x'; LARGE]),
        "chunked" => Reply::ok(SMALL).chunked(5),
        "moved" => Reply::redirect(302, "/small/behind-a-redirect"),
        "loop" => Reply::redirect(301, &request.target),
        "missing" => Reply::status(404).body("not here"),
        "flaky" if request.visit == 1 => Reply::busy(500),
        "short" => Reply::ok(SMALL).length(1000).close(),
        "babble" => Reply::raw("this is not HTTP\r\n\r\n").close(),
        _ => Reply::ok(SMALL),
    }
}

fn cases(server: &Server, refusing: &Port) -> Vec<Case> {
    let failed = |kind, status| End::Failed { kind, status };
    let large = End::Saved { bytes: LARGE, redirects: 0, file: None };
    let moved = End::Saved { bytes: SMALL.len(), redirects: 1, file: None };
    let mut cases = Vec::new();
    let mut add = |count: usize, what, path: &str, end: &End| {
        let urls = (1..=count).map(|n| server.url(&format!("/{path}/{path}-{n}.txt")));
        cases.extend(urls.map(|url| Case { what, url, options: String::new(), end: end.clone() }));
    };
    add(60, "small files", "small", &SAVED);
    add(8, "slow answers", "slow", &SAVED);
    add(6, "answers that drip", "drip", &SAVED);
    add(2, "files of 8 MiB", "large", &large);
    add(10, "chunked answers", "chunked", &SAVED);
    add(10, "redirected", "moved", &moved);
    add(2, "redirects in a circle", "loop", &failed("redirect", None));
    add(5, "not found", "missing", &failed("status", Some(404)));
    add(6, "busy at first", "flaky", &SAVED);
    add(2, "cut short", "short", &failed("truncated", Some(200)));
    add(2, "not HTTP", "babble", &failed("protocol", None));
    cases.extend(special_cases(server, refusing));
    cases
}

/// The jobs that have options, or no server.
fn special_cases(server: &Server, refusing: &Port) -> Vec<Case> {
    let case = |what, url: String, options: String, end| Case { what, url, options, end };
    let url = |path: &str| server.url(path);
    let filed = |file: &str| End::Saved { bytes: SMALL.len(), redirects: 0, file: Some(file.to_owned()) };
    let failed = |kind| End::Failed { kind, status: None };
    let right: String = Sha256::digest(SMALL).iter().map(|byte| format!("{byte:02x}")).collect();
    let checksum = |hex: &str| format!("\n\tchecksum=sha-256={hex}");
    vec![
        case("put into folders", url("/small/a"), "\n  out=one/a.txt".to_owned(), filed("one/a.txt")),
        case("put into folders", url("/small/b"), "\n  out=one/two/b.txt".to_owned(), filed("one/two/b.txt")),
        case("a checksum that is right", url("/small/right"), checksum(&right), SAVED),
        case(
            "a checksum that is wrong",
            url("/small/wrong"),
            checksum(&"0".repeat(64)),
            End::Failed { kind: "checksum", status: Some(200) },
        ),
        case("served by a mirror", url("/missing/mirrored"), format!("\t{}", url("/small/mirror")), SAVED),
        case("a port that refuses", refusing.url("/"), String::new(), failed("connect")),
        case("a line that is no URL", "this line is no URL".to_owned(), String::new(), failed("url")),
    ]
}

/// Runs the binary on the list of all cases; its rows.
fn run(binary: &Path, cases: &[Case], folder: &Path) -> io::Result<Vec<Value>> {
    let list: String = cases.iter().map(|case| format!("{}{}\n", case.url, case.options)).collect();
    let mut child = Command::new(binary)
        .args(["-i", "-", "--json", "-j", "16", "--retries", "1", "--deadline", "60", "--dir"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().expect("it was piped");
    let feeder = thread::spawn(move || stdin.write_all(list.as_bytes()));
    let output = child.wait_with_output()?;
    // What was not read shows as missing rows.
    let _ = feeder.join();
    serde_json::Deserializer::from_slice(&output.stdout).into_iter().map(|row| row.map_err(io::Error::other)).collect()
}

/// What is not as it should be, a line each.
fn compare(cases: &[Case], rows: &[Value], folder: &Path) -> Vec<String> {
    let mut by_url: HashMap<&str, Vec<&Value>> = HashMap::new();
    for row in rows {
        by_url.entry(row["url"].as_str().unwrap_or_default()).or_default().push(row);
    }
    let mut differences = Vec::new();
    if rows.len() != cases.len() {
        differences.push(format!("{} rows for {} jobs", rows.len(), cases.len()));
    }
    for case in cases {
        match by_url.get(case.url.as_str()).map(Vec::as_slice) {
            Some([row]) if ended_as(&case.end, row, folder) => {}
            found => differences.push(format!("{}: {}: {found:?}", case.what, case.url)),
        }
    }
    differences
}

fn ended_as(end: &End, row: &Value, folder: &Path) -> bool {
    match end {
        End::Saved { bytes, redirects, file } => {
            let saved = row["file"].as_str().unwrap_or_default();
            let length = std::fs::metadata(saved).map_or(u64::MAX, |metadata| metadata.len());
            row["ok"] == true
                && row["bytes"] == *bytes
                && row["redirects"] == *redirects
                && length == *bytes as u64
                && file.as_ref().is_none_or(|file| Path::new(saved) == folder.join(file))
        }
        End::Failed { kind, status } => {
            let same_status = status.is_none_or(|status| row["status"] == status);
            row["ok"] == false && row["error"] == *kind && same_status && row["file"].is_null()
        }
    }
}

fn tell(cases: &[Case], differences: &[String]) -> ExitCode {
    println!();
    for group in cases.chunk_by(|a, b| a.what == b.what) {
        let (Some(case), count) = (group.first(), group.len()) else { continue };
        let end = match case.end {
            End::Saved { .. } => "fetched".to_owned(),
            End::Failed { kind, .. } => format!("failed: {kind}"),
        };
        println!("{count:4}  {:26}{end}", case.what);
    }
    let fetched = cases.iter().filter(|case| matches!(case.end, End::Saved { .. })).count();
    println!("\n{} URLs: {fetched} to be fetched, {} to fail", cases.len(), cases.len() - fetched);
    if differences.is_empty() {
        println!("each of them ended as it should");
        return ExitCode::SUCCESS;
    }
    println!("not as it should be:");
    differences.iter().for_each(|difference| println!("  {difference}"));
    ExitCode::FAILURE
}
