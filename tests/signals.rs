//! Stopping: by a signal, at the deadline, at the first failure. Every job that was read has its row.

#![cfg(feature = "cli")]

mod support;

use rustix::process::Signal;
use serde_json::Value;
use support::{Folder, Gate, Port, Reply, Running, Server, error, eventually, ms, smolget};

/// A run of a list of many jobs, of which `jobs` are being answered for ever.
fn stuck(server: &Server, jobs: usize, args: &[&str]) -> Running {
    let list: String = (0..40).map(|n| server.url(&format!("/{n}\n"))).collect();
    let run = smolget().args(["-i", "-", "--json", "-j", &jobs.to_string()]).args(args);
    let mut running = run.open_input().start();
    running.feed(&list);
    server.wait_for_requests(jobs);
    running
}

fn silent() -> Server {
    Server::always(Reply::ok("part").length(100).hold())
}

/// There has to be one row for each line that was read: from the first on, without a gap.
#[track_caller]
fn assert_a_row_for_each_line_read(rows: &[Value]) {
    let mut lines: Vec<u64> = rows.iter().map(|row| row["line"].as_u64().unwrap()).collect();
    lines.sort_unstable();
    assert_eq!(lines, (1..=lines.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_signal_stops_the_run_and_every_job_read_has_its_row() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let server = silent();
        let running = stuck(&server, 4, &[]);
        running.signal(signal);
        let output = running.wait().exits(code);
        let rows = output.rows();
        assert_a_row_for_each_line_read(&rows);
        assert!(rows.len() >= 4 && rows.iter().all(|row| error(row) == "interrupted"), "{rows:?}");
        let sent = rows.iter().filter(|row| row["attempts"] == 1).count();
        assert_eq!((sent, server.requests().len()), (4, 4));
        assert_eq!(output.summary().jobs, rows.len() as u64);
        assert!(output.files().is_empty(), "{:?}", output.folder.names());
        assert!(output.took < ms(10_000), "{:?}", output.took);
    }
}

#[test]
fn two_signals_at_once_are_one() {
    let server = silent();
    let running = stuck(&server, 4, &[]);
    // Stopped meanwhile, it finds both when it goes on, however long it takes to send them.
    for signal in [Signal::STOP, Signal::INT, Signal::TERM, Signal::CONT] {
        running.signal(signal);
    }
    let output = running.wait();
    let rows = output.rows();
    assert_a_row_for_each_line_read(&rows);
    assert!(rows.len() >= 4 && rows.iter().all(|row| error(row) == "interrupted"), "{rows:?}");
}

#[test]
fn what_was_done_before_a_signal_stays_done() {
    let server = Server::start(|request| match request.target.as_str() {
        "/done" => Reply::ok("whole"),
        // So much that it is not all held in memory.
        _ => Reply::ok(vec![b'x'; 200 << 10]).length(300 << 10).hold(),
    });
    let folder = Folder::new();
    folder.write("held", "old");
    let urls = [server.url("/done"), server.url("/held")];
    let mut running = folder.smolget().args(["--json", "-j2"]).args(&urls).start();
    assert_eq!(running.row()["url"], urls[0]);
    eventually("there is a temporary", || !folder.temporaries().is_empty());
    running.signal(Signal::TERM);
    let output = running.wait().exits(143);
    assert_eq!(error(&output.row_of(&urls[1])), "interrupted");
    let files = folder.files();
    assert_eq!((files.len(), &files["done"][..], &files["held"][..]), (2, &b"whole"[..], &b"old"[..]));
}

#[test]
fn a_signal_ends_a_wait_for_input() {
    let server = Server::always(Reply::ok("x"));
    let mut running = smolget().args(["-i", "-", "--json", "--discard"]).open_input().start();
    running.feed(&server.url("/\n\n"));
    assert_eq!(running.row()["ok"], true);
    running.signal(Signal::INT);
    eventually("the run ends with its input open", || !running.is_running());
    assert_eq!(running.wait().exits(130).rows().len(), 1);
}

#[test]
fn a_job_whose_options_could_still_come_was_read_too() {
    let server = Server::always(Reply::ok("x"));
    let mut running = smolget().args(["-i", "-", "--json", "--discard"]).open_input().start();
    running.feed(&server.url("/1\n"));
    running.feed(&server.url("/2\n"));
    // The first is begun once the second is read.
    assert_eq!(running.row()["line"], 1);
    running.signal(Signal::INT);
    eventually("the run ends with its input open", || !running.is_running());
    let rows = running.wait().exits(130).rows();
    assert_a_row_for_each_line_read(&rows);
    assert_eq!((rows.len(), error(&rows[1]), server.visits("/2")), (2, "interrupted", 0));
}

#[test]
fn a_signal_ends_a_wait_between_attempts() {
    let server = Server::always(Reply::status(503).field("Retry-After", "300"));
    let running = smolget().args(["--json"]).arg(server.url("/")).start();
    server.wait_for_requests(1);
    // The answer is on its way: the wait begins now or soon, and either is to be ended.
    std::thread::sleep(ms(100));
    running.signal(Signal::TERM);
    let output = running.wait().exits(143);
    assert_eq!((error(&output.row()), &output.row()["attempts"]), ("interrupted", &1.into()));
}

#[test]
fn a_signal_ends_an_attempt_to_connect() {
    let port = Port::full();
    let server = Server::always(Reply::ok("x"));
    let urls = [server.url("/"), port.url("/")];
    let mut running = smolget().args(["--json", "--discard", "-j2"]).args(&urls).start();
    running.row();
    running.signal(Signal::INT);
    assert_eq!(error(&running.wait().exits(130).row_of(&urls[1])), "interrupted");
}

#[test]
fn a_second_signal_ends_even_a_run_whose_rows_nobody_reads() {
    let server = Server::always(Reply::ok("x"));
    let (reader, writer) = std::io::pipe().unwrap();
    let list: String = (0..5000).map(|n| server.url(&format!("/{n}\n"))).collect();
    let running = smolget().args(["-i", "-", "--json", "--discard"]).input(list).stdout(writer).start();
    // The pipe is full once no more requests come.
    let mut before = 0;
    eventually("the run is stuck", || {
        std::thread::sleep(ms(200));
        let now = server.requests().len();
        now > 0 && std::mem::replace(&mut before, now) == now
    });
    assert!(before < 5000, "the rows fitted into the pipe");
    running.signal(Signal::INT);
    std::thread::sleep(ms(100));
    running.signal(Signal::INT);
    let output = running.wait().exits(130);
    assert!(output.took < ms(30_000), "{:?}", output.took);
    drop(reader);
}

#[test]
fn at_the_deadline_what_is_in_flight_has_timed_out_and_the_rest_is_interrupted() {
    let server = silent();
    let running = stuck(&server, 2, &["--deadline", "500ms"]);
    let output = running.wait().exits(1);
    let rows = output.rows();
    assert_a_row_for_each_line_read(&rows);
    for row in &rows {
        if row["attempts"] == 1 {
            assert_eq!((error(row), &row["phase"]), ("timeout", &"deadline".into()));
        } else {
            assert_eq!((error(row), row.get("phase"), &row["attempts"]), ("interrupted", None, &0.into()));
        }
    }
    assert_eq!(rows.iter().filter(|row| error(row) == "timeout").count(), 2);
    assert_eq!(server.requests().len(), 2);
    assert!(output.files().is_empty());
    assert!((500..10_000).contains(&output.took.as_millis()), "{:?}", output.took);
}

#[test]
fn the_deadline_ends_a_wait_for_input() {
    let mut running = smolget().args(["-i", "-", "--deadline", "300ms"]).open_input().start();
    eventually("the run ends with its input open", || !running.is_running());
    assert_eq!(running.wait().summary().jobs, 0);
}

#[test]
fn a_deadline_that_is_not_reached_changes_nothing() {
    let server = Server::always(Reply::ok("x"));
    smolget().args(["--discard", "--deadline", "1h"]).arg(server.url("/")).run().exits(0);
    assert_eq!(server.visits("/"), 1);
}

/// A server where `/bad` fails as soon as another job is held.
fn failing(gate: &Gate) -> Server {
    let gate = gate.clone();
    Server::start(move |request| match request.target.as_str() {
        "/bad" => Reply::status(404).until(&gate),
        "/held" => Reply::ok("part").length(100).hold(),
        _ => Reply::ok("x"),
    })
}

#[test]
fn fail_fast_stops_at_the_first_failed_job() {
    let gate = Gate::new();
    let server = failing(&gate);
    let urls = ["/ok", "/held", "/bad", "/never"].map(|path| server.url(path));
    let run = smolget().args(["--json", "--fail-fast", "-j2"]).args(&urls).start();
    server.wait_for_requests(3);
    gate.open();
    let output = run.wait().exits(1);
    let kinds = urls.each_ref().map(|url| error(&output.row_of(url)).to_owned());
    assert_eq!(kinds, ["", "interrupted", "status", "interrupted"]);
    assert_eq!((server.visits("/never"), output.folder.names()), (0, vec!["ok".to_owned()]));
}

#[test]
fn without_fail_fast_a_failed_job_stops_nothing() {
    let gate = Gate::new();
    let server = failing(&gate);
    gate.open();
    let urls = ["/bad", "/ok"].map(|path| server.url(path));
    let output = smolget().args(["--json", "--discard", "-j1"]).args(&urls).run().exits(1);
    assert_eq!(output.row_of(&urls[1])["ok"], true);
}

#[test]
fn fail_fast_stops_at_a_bad_line_too() {
    let server = Server::always(Reply::ok("x"));
    let list = format!("{}\nno url\n{}\n", server.url("/1"), server.url("/3"));
    let run = smolget().args(["-i", "-", "--json", "--discard", "--fail-fast", "-j1"]).input(list);
    let output = run.run().exits(1);
    let rows = output.rows();
    assert_a_row_for_each_line_read(&rows);
    assert_eq!(rows.iter().filter(|row| error(row) == "url").count(), 1);
    assert_eq!(server.visits("/3"), 0);
}

#[test]
fn fail_fast_lets_an_attempt_fail_that_is_not_the_last() {
    let server = Server::start(|request| if request.visit == 1 { Reply::busy(503) } else { Reply::ok("x") });
    smolget().args(["--discard", "--fail-fast"]).arg(server.url("/")).run().exits(0);
    assert_eq!(server.visits("/"), 2);
}

#[test]
fn a_signal_ends_the_wait_for_the_network_at_once() {
    let port = Port::refusing();
    let list = format!("{}\n{}\n", port.url("/a"), port.url("/b"));
    let run = smolget().args(["--json", "-vv", "--wait-online", "1h"]).input(list).start();
    eventually("the first knock", || run.log().contains("waiting for the network"));
    run.signal(Signal::TERM);
    let output = run.wait().exits(143);
    let rows = output.rows();
    assert!(rows.len() == 2 && rows.iter().all(|row| error(row) == "interrupted" && row["attempts"] == 0), "{rows:?}");
    assert!(output.took < ms(30_000));
}
