//! Time limits, phase by phase, and what keeps within them.
//!
//! A name look-up that hangs can't be made on the loopback: its limit is tested where look-ups are done.

#![cfg(feature = "cli")]

mod support;

use serde_json::Value;
use support::{Port, Reply, Server, error, ms, smolget};

/// Fetches with no retries; the row.
fn fetch(url: &str, args: &[&str]) -> Value {
    smolget().args(["--json", "--discard", "--retries", "0"]).args(args).arg(url).run().row()
}

/// The row has to be a timeout in that phase, not much later than after these milliseconds.
#[track_caller]
fn assert_timeout(row: &Value, phase: &str, after: u64) {
    assert_eq!((error(row), row["phase"].as_str()), ("timeout", Some(phase)), "{row}");
    let took = row["ms"].as_u64().unwrap();
    assert!((after..after + 5000).contains(&took), "{row}");
}

#[test]
fn a_connection_that_is_not_made_times_out() {
    let port = Port::full();
    let row = fetch(&port.url("/"), &["--connect-timeout", "300ms"]);
    assert_timeout(&row, "connect", 300);
    assert_eq!((row.get("status"), &row["attempts"]), (None, &1.into()));
}

#[cfg(feature = "tls")]
#[test]
fn a_handshake_that_is_not_answered_times_out() {
    let server = Server::silent();
    let url = server.url("/").replace("http:", "https:");
    assert_timeout(&fetch(&url, &["--connect-timeout", "300ms"]), "tls", 300);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_head_that_does_not_come_times_out() {
    let server = Server::always(Reply::raw("").hold());
    assert_timeout(&fetch(&server.url("/"), &["--timeout", "300ms"]), "head", 300);
}

#[test]
fn a_head_that_stops_times_out() {
    let server = Server::always(Reply::raw("HTTP/1.1 200 OK\r\nContent-").hold());
    let row = fetch(&server.url("/"), &["--timeout", "300ms"]);
    assert_timeout(&row, "head", 300);
    assert_eq!(row.get("status"), None);
}

#[test]
fn a_body_that_does_not_come_times_out() {
    let server = Server::always(Reply::ok("").length(100).hold());
    let row = fetch(&server.url("/"), &["--timeout", "300ms"]);
    assert_timeout(&row, "body", 300);
    assert_eq!(row["status"], 200);
}

#[test]
fn a_body_that_stops_times_out() {
    for reply in [Reply::ok("part").length(100), Reply::raw("HTTP/1.1 200 OK\r\n\r\npart")] {
        let server = Server::always(reply.hold());
        assert_timeout(&fetch(&server.url("/"), &["--timeout", "300ms"]), "body", 300);
    }
    let chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n";
    let server = Server::always(Reply::raw(chunk).hold());
    assert_timeout(&fetch(&server.url("/"), &["--timeout", "300ms"]), "body", 300);
}

#[test]
fn slow_is_not_silent() {
    // Some 1200 ms for the body, and never silent for 1000.
    let server = Server::always(Reply::ok("slow body").drip(ms(150)));
    let row = fetch(&server.url("/"), &["--timeout", "1"]);
    assert_eq!((&row["ok"], &row["bytes"]), (&true.into(), &9.into()));
    assert!(row["ms"].as_u64().unwrap() >= 1000, "{row}");
}

#[test]
fn a_slow_head_is_not_silent_either() {
    let server = Server::always(Reply::raw("HTTP/1.1 204 x\r\n\r\n").drip(ms(70)).close());
    let row = fetch(&server.url("/"), &["--timeout", "1"]);
    assert_eq!(row["status"], 204, "{row}");
    assert!(row["ms"].as_u64().unwrap() >= 1000, "{row}");
}

#[test]
fn the_whole_attempt_has_a_limit() {
    let server = Server::always(Reply::ok(vec![b'x'; 1000]).drip(ms(20)));
    assert_timeout(&fetch(&server.url("/"), &["--max-time", "400ms"]), "total", 400);
    let silent = Server::always(Reply::raw("").hold());
    assert_timeout(&fetch(&silent.url("/"), &["--max-time", "400ms"]), "total", 400);
}

#[test]
fn the_limit_of_an_attempt_spans_its_redirects() {
    let other = Server::always(Reply::ok("x").after(ms(400)));
    for end in ["/end", &other.url("/end")] {
        let end = end.to_owned();
        let server = Server::start(move |request| match request.target.as_str() {
            "/end" => Reply::ok("x").after(ms(400)),
            _ => Reply::redirect(302, &end).after(ms(400)),
        });
        assert_timeout(&fetch(&server.url("/"), &["--max-time", "600ms"]), "total", 600);
        assert_eq!(fetch(&server.url("/"), &["--max-time", "10s", "--timeout", "2s"])["ok"], true);
    }
}

#[test]
fn a_host_is_not_taken_for_dead_that_slow_ones_left_no_time() {
    let end = Server::always(Reply::ok("x").after(ms(400)));
    let location = end.url("/");
    let slow = Server::start(move |_| Reply::redirect(302, &location).after(ms(700)));
    let args = ["-i", "-", "--json", "--discard", "-j1", "--max-time", "1s", "--retries", "0"];
    let mut running = smolget().args(args).open_input().start();
    // Three would be enough to give the host up, had it had the time. What follows in the list has the third begin.
    (0..4).for_each(|n| running.feed(&slow.url(&format!("/{n}\n"))));
    for _ in 0..3 {
        assert_timeout(&running.row(), "total", 1000);
    }
    running.feed(&end.url("/own\n"));
    running.end_input();
    assert_eq!(running.wait().exits(1).row_of(&end.url("/own"))["ok"], true);
}

#[test]
fn each_attempt_has_the_whole_limit() {
    let server = Server::start(|request| match request.visit {
        1 => Reply::busy(503).after(ms(700)),
        _ => Reply::ok("x").after(ms(700)),
    });
    let args = ["--json", "--discard", "--max-time", "1300ms"];
    let row = smolget().args(args).arg(server.url("/")).run().exits(0).row();
    assert_eq!(row["attempts"], 2);
}

#[test]
fn a_limit_that_is_not_reached_changes_nothing() {
    let server = Server::always(Reply::ok("x").after(ms(100)));
    let limits = ["--connect-timeout", "5", "--timeout", "5s", "--max-time", "1m", "--deadline", "1h"];
    assert_eq!(fetch(&server.url("/"), &limits)["ok"], true);
}

#[test]
fn a_connect_limit_does_not_bound_the_answer() {
    let server = Server::always(Reply::ok("x").after(ms(400)));
    assert_eq!(fetch(&server.url("/"), &["--connect-timeout", "200ms"])["ok"], true);
}
