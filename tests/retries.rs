//! Retries: what is tried again, what is not, and how long the server may make smolget wait.
//!
//! How the waits grow is tested where it is decided, with a clock that is handed in. Here real time passes, so as
//! many jobs as possible wait at once.

#![cfg(feature = "cli")]

mod support;

use std::time::{Duration, SystemTime};

use serde_json::Value;
use support::{Port, Reply, Request, Server, error, ms, smolget};

/// Fetches these paths all at once.
fn fetch(server: &Server, args: &[&str], paths: &[&str]) -> Vec<Value> {
    let run = smolget().args(["--json", "--discard", "-j64"]).args(args);
    let output = run.args(paths.iter().map(|path| server.url(path))).run();
    paths.iter().map(|path| output.row_of(&server.url(path))).collect()
}

fn fetch_one(server: &Server, args: &[&str]) -> Value {
    fetch(server, args, &["/"]).remove(0)
}

#[test]
fn statuses_that_may_pass_are_tried_again() {
    let server = Server::start(|request| match request.visit {
        1 => Reply::busy(request.target[1..].parse().unwrap()),
        _ => Reply::ok("x"),
    });
    let paths = [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524].map(|status| format!("/{status}"));
    let rows = fetch(&server, &[], &paths.each_ref().map(String::as_str));
    for (row, path) in rows.iter().zip(&paths) {
        assert_eq!((&row["ok"], &row["status"], &row["attempts"]), (&true.into(), &200.into(), &2.into()), "{path}");
        assert_eq!(server.visits(path), 2);
    }
}

#[test]
fn other_statuses_are_not_tried_again() {
    let server = Server::start(|request| Reply::busy(request.target[1..].parse().unwrap()));
    let paths = [400, 401, 403, 404, 405, 407, 410, 416, 421, 451, 501, 505, 507, 511, 519, 525, 530, 599, 600];
    let paths = paths.map(|status| format!("/{status}"));
    for (row, path) in fetch(&server, &[], &paths.each_ref().map(String::as_str)).iter().zip(&paths) {
        assert_eq!((error(row), &row["attempts"]), ("status", &1.into()), "{path}");
        assert_eq!(server.visits(path), 1);
    }
}

#[test]
fn there_are_as_many_attempts_as_allowed() {
    for (args, attempts) in [(&[][..], 4), (&["--retries", "0"], 1), (&["--retries", "6"], 7)] {
        let server = Server::always(Reply::busy(503));
        let row = fetch_one(&server, args);
        assert_eq!((error(&row), &row["status"], &row["attempts"]), ("status", &503.into(), &attempts.into()));
        assert_eq!(server.requests().len(), attempts);
    }
}

#[test]
fn broken_transfers_are_tried_again() {
    let broken = |request: &Request| match request.target.as_str() {
        "/short" => Reply::ok("part").length(100).close(),
        "/chunk" => Reply::raw("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\npa").close(),
        "/empty" => Reply::raw("").close(),
        "/head" => Reply::raw("HTTP/1.1 200 x\r\nConte").close(),
        "/reset" => Reply::raw("").reset(),
        "/reset-body" => Reply::ok("part").length(100).then_pause(ms(50)).reset(),
        "/silent" => Reply::raw("").hold(),
        "/silent-body" => Reply::ok("part").length(100).hold(),
        target => panic!("{target} is not in the table"),
    };
    let paths = ["/short", "/chunk", "/empty", "/head", "/reset", "/reset-body", "/silent", "/silent-body"];
    let passing = Server::start(move |request| if request.visit == 1 { broken(request) } else { Reply::ok("whole") });
    for (row, path) in fetch(&passing, &["--timeout", "300ms"], &paths).iter().zip(paths) {
        assert_eq!(
            (&row["ok"], &row["bytes"], &row["attempts"]),
            (&true.into(), &5.into(), &2.into()),
            "{path}: {row}"
        );
        // A new attempt waits between half a second and a whole one.
        assert!(row["ms"].as_u64().unwrap() >= 500, "{path}: {row}");
    }
    let lasting = Server::start(broken);
    let kinds = ["truncated", "truncated", "truncated", "truncated", "truncated", "truncated", "timeout", "timeout"];
    let rows = fetch(&lasting, &["--timeout", "300ms", "--retries", "1"], &paths);
    for ((row, path), kind) in rows.iter().zip(paths).zip(kinds) {
        assert_eq!((error(row), &row["attempts"]), (kind, &2.into()), "{path}");
    }
}

#[test]
fn a_refused_connection_is_tried_again() {
    let port = Port::refusing();
    let row = smolget().args(["--json", "--retries", "1"]).arg(port.url("/")).run().exits(1).row();
    assert_eq!((error(&row), &row["attempts"]), ("connect", &2.into()));
    assert!((500..10_000).contains(&row["ms"].as_u64().unwrap()), "{row}");
}

#[test]
fn what_cannot_pass_is_not_tried_again() {
    let server = Server::start(|request| match request.target.as_str() {
        "/protocol" => Reply::raw("this is not HTTP\r\n\r\n").close(),
        "/redirect" => Reply::redirect(302, "ftp://h/"),
        "/large" => Reply::ok(vec![b'x'; 2000]),
        _ => Reply::ok("x"),
    });
    let paths = ["/protocol\n", "/redirect\n", "/large\n", "/sum\n checksum=sha-256="].map(|path| server.url(path));
    let list = paths.concat() + &"0".repeat(64);
    let run = smolget().args(["-i", "-", "--json", "--max-size", "1k", "--retries", "5"]).input(list).run();
    for (path, kind) in
        [("/protocol", "protocol"), ("/redirect", "redirect"), ("/large", "too_large"), ("/sum", "checksum")]
    {
        let row = run.row_of(&server.url(path));
        assert_eq!((error(&row), &row["attempts"], server.visits(path)), (kind, &1.into(), 1));
    }
}

#[test]
fn an_attempt_that_failed_leaves_nothing_in_the_next() {
    let server = Server::start(|request| match request.visit {
        1 => Reply::status(500).field("Retry-After", "0").body("an error page"),
        2 => Reply::ok("a part of").length(100).close(),
        _ => Reply::ok("whole"),
    });
    let output = smolget().arg("--json").arg(server.url("/a")).run().exits(0);
    assert_eq!((output.file("a"), &output.row()["attempts"]), (b"whole".to_vec(), &3.into()));
    assert_eq!(output.folder.names(), ["a"]);
}

/// How long it took to get past a first 503 with this `Retry-After`.
fn waited(retry_after: &str) -> Duration {
    let value = retry_after.to_owned();
    let server = Server::start(move |request| match request.visit {
        1 => Reply::status(503).field("Retry-After", &value),
        _ => Reply::ok("x"),
    });
    let row = fetch_one(&server, &["--max-time", "5s"]);
    assert_eq!((&row["ok"], &row["attempts"]), (&true.into(), &2.into()), "{retry_after}");
    ms(row["ms"].as_u64().unwrap())
}

/// Whether there was no wait, even once: without `Retry-After` it is 500 ms at least, but a busy machine may take long.
fn is_tried_at_once(retry_after: &str) -> bool {
    (0..5).any(|_| waited(retry_after) < ms(450))
}

#[test]
fn retry_after_in_seconds_is_kept() {
    assert!(is_tried_at_once("0"));
    assert!(waited("1") >= ms(990));
}

#[test]
fn retry_after_as_a_date_is_kept() {
    let date = |from_now| httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(from_now));
    assert!(is_tried_at_once("Sun, 06 Nov 1994 08:49:37 GMT"));
    // A date has whole seconds: up to one of the two has passed already.
    let took = waited(&date(2));
    assert!(took >= ms(900) && took < ms(4000), "{took:?}");
}

#[test]
fn a_retry_after_that_cannot_be_read_is_as_none() {
    for value in ["soon", "-1", "1.5", ""] {
        assert!(waited(value) >= ms(490), "{value}");
    }
}

#[test]
fn a_retry_after_beyond_ten_minutes_fails_at_once() {
    for value in ["601", "99999999999999999999", "Tue, 31 Dec 2199 23:59:59 GMT"] {
        let server = Server::always(Reply::status(503).field("Retry-After", value));
        let row = fetch_one(&server, &[]);
        assert_eq!((error(&row), &row["status"], &row["attempts"]), ("status", &503.into(), &1.into()), "{value}");
        assert!(row["ms"].as_u64().unwrap() < 5000, "{row}");
    }
}

#[test]
fn a_job_that_waits_holds_no_other_up() {
    let server = Server::start(|request| match (request.target.as_str(), request.visit) {
        ("/waits", 1) => Reply::status(500).field("Retry-After", "1"),
        _ => Reply::ok("x"),
    });
    let urls = ["/waits", "/a", "/b", "/c"].map(|path| server.url(path));
    let rows = smolget().args(["--json", "--discard", "-j2"]).args(&urls).run().exits(0).rows();
    assert_eq!(rows.last().unwrap()["url"], urls[0]);
}
