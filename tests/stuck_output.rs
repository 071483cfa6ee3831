//! Standard output or standard error that takes nothing: transfers go on, and whoever asks for the end gets it.

#![cfg(feature = "cli")]

mod support;

use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, mem};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::Signal;
use rustix::termios::{Action, tcflow};
use serde_json::Value;
use support::run::Summary;
use support::terminal::Terminal;
use support::{Reply, Running, Server, eventually, ms, smolget};

/// A run that is to end does so within this time: a second of grace, and what a busy machine takes.
const SOON: Duration = ms(5000);

/// A pipe that is full of line ends.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = io::pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    let full = loop {
        if let Err(error) = writer.write_all(&[b'\n'; 4096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    (reader, writer)
}

/// What was written to a full pipe, read to its end.
fn read(mut pipe: PipeReader) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        pipe.read_to_end(&mut all).unwrap();
        all.into_iter().skip_while(|&b| b == b'\n').collect()
    })
}

fn rows(text: &[u8]) -> Vec<Value> {
    text.split(|&b| b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|row| serde_json::from_slice(row).unwrap())
        .collect()
}

fn list(server: &Server, jobs: usize) -> String {
    (0..jobs).map(|n| server.url(&format!("/{n}\n"))).collect()
}

/// Waits until no more requests come; how many there were.
fn wait_for_standstill(server: &Server) -> usize {
    let mut before = 0;
    eventually("no more requests come", || {
        thread::sleep(ms(300));
        let now = server.requests().len();
        now > 0 && mem::replace(&mut before, now) == now
    });
    before
}

/// Waits for the end of a run that was told to end; since when it was.
#[track_caller]
fn ends_soon(running: &mut Running, since: Instant) {
    eventually("the run ends", || !running.is_running());
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
}

#[test]
fn transfers_end_in_time_while_nobody_reads_the_rows() {
    let server = Server::always(Reply::ok("slow").drip(ms(20)));
    let (reader, writer) = full_pipe();
    let args = ["-i", "-", "--json", "--discard", "-j4", "--max-time", "1", "--retries", "0"];
    let running = smolget().args(args).input(list(&server, 300)).stdout(writer).start();
    let begun = wait_for_standstill(&server);
    assert!((10..300).contains(&begun), "{begun} were begun");
    // Whatever was begun and left alone is over its time after this.
    thread::sleep(ms(1200));
    let out = read(reader);
    assert_eq!(running.wait().exits(0).summary().ok, 300);
    let rows = rows(&out.join().unwrap());
    assert!(rows.len() == 300 && rows.iter().all(|row| row["ok"] == true), "{rows:?}");
}

#[test]
fn the_deadline_ends_a_run_that_nobody_reads() {
    let server = Server::always(Reply::ok("x"));
    let (_reader, writer) = full_pipe();
    // A list that stays open, and one that has ended: all its jobs are done long before.
    for is_open in [true, false] {
        let args = ["-i", "-", "--json", "--discard", "--deadline", "1"];
        let run = smolget().args(args).open_input().stdout(writer.try_clone().unwrap());
        let started = Instant::now();
        let mut running = run.start();
        running.feed(&list(&server, 10));
        if !is_open {
            running.end_input();
        }
        ends_soon(&mut running, started + ms(1000));
        let output = running.wait().exits(3);
        assert!(output.stderr.contains("standard output did not take the rest"), "{}", output.stderr);
        assert!(Summary::parse(output.stderr.lines().last().unwrap()).is_some(), "{}", output.stderr);
    }
}

#[test]
fn the_deadline_of_a_run_that_waits_for_its_list_is_a_failure() {
    let server = Server::always(Reply::ok("x"));
    let mut running = smolget().args(["-i", "-", "--discard", "--deadline", "1"]).open_input().start();
    running.feed(&(server.url("/\n") + "\n"));
    eventually("the run ends with its input open", || !running.is_running());
    assert_eq!(running.wait().exits(1).summary().ok, 1);
    smolget().args(["-i", "-", "--discard", "--deadline", "60"]).input(server.url("/\n")).run().exits(0);
}

#[test]
fn one_signal_ends_a_run_that_nobody_reads() {
    let server = Server::always(Reply::ok(vec![b'x'; 100_000]));
    for (kind, args) in [("rows", ["--json", "--discard"]), ("bodies", ["--stdout", "--json"])] {
        let (_reader, writer) = full_pipe();
        let mut running = smolget().args(["-i", "-"]).args(args).input(list(&server, 1000)).stdout(writer).start();
        wait_for_standstill(&server);
        running.signal(Signal::TERM);
        ends_soon(&mut running, Instant::now());
        let output = running.wait().exits(143);
        assert!(output.stderr.contains("standard output did not take the rest"), "{kind}: {}", output.stderr);
        assert!(output.folder.names().is_empty(), "{kind}: {:?}", output.folder.names());
    }
}

#[test]
fn the_jobs_that_failed_are_listed_though_nobody_reads_of_them() {
    for args in [["--json", "--discard"], ["--stdout", "--json"]] {
        let server = Server::start(|request| match request.target.len() {
            2 => Reply::status(404),
            _ => Reply::ok(vec![b'x'; 100_000]),
        });
        let (_reader, writer) = full_pipe();
        let run = smolget().args(["-i", "-", "--failed", "again", "-j4"]).args(args).open_input().stdout(writer);
        let mut running = run.start();
        running.feed(&list(&server, 500));
        wait_for_standstill(&server);
        running.signal(Signal::TERM);
        ends_soon(&mut running, Instant::now());
        let output = running.wait().exits(143);
        let listed = String::from_utf8(output.file("again")).unwrap();
        // What is not there was kept, and never what failed: those are of one digit.
        let listed: Vec<_> = listed.lines().collect();
        assert!((0..10).all(|n| listed.contains(&server.url(&format!("/{n}")).as_str())), "{args:?}: {listed:?}");
        let mut once = listed.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), listed.len());
        // Of the bodies nobody has taken one, but for those whose jobs are told by now.
        let requests = server.requests();
        let is_listed = |request: &support::Request| listed.contains(&server.url(&request.target).as_str());
        let missing: Vec<_> = requests.iter().filter(|request| !is_listed(request)).map(|r| &r.target).collect();
        assert!(args[0] != "--stdout" || missing.is_empty(), "{missing:?} of {}: {listed:?}", requests.len());
    }
}

#[test]
fn a_job_that_failed_is_listed_though_the_terminal_is_held_still() {
    let server = Server::start(|request| match request.target.as_str() {
        "/held" => Reply::ok("part").length(100).hold(),
        _ => Reply::status(404),
    });
    let terminal = Terminal::new();
    let run = smolget().args(["-i", "-", "--discard", "-j2", "--failed", "again"]).open_input();
    let mut running = run.stdout(terminal.line()).stderr(terminal.line()).start();
    running.feed(&server.url("/held\n\n"));
    server.wait_for_requests(1);
    // A progress line is there then, which is in the way of what is told.
    thread::sleep(ms(500));
    tcflow(terminal.line(), Action::OOff).unwrap();
    running.feed(&server.url("/gone\n\n"));
    server.wait_for_requests(2);
    thread::sleep(ms(500));
    running.signal(Signal::TERM);
    ends_soon(&mut running, Instant::now());
    let output = running.wait().exits(143);
    let listed = String::from_utf8(output.file("again")).unwrap();
    assert_eq!(listed, ["/gone\n", "/held\n"].map(|target| server.url(target)).concat());
}

#[test]
fn a_reader_that_comes_back_after_a_signal_gets_every_row() {
    let server = Server::always(Reply::ok("x"));
    let (reader, writer) = full_pipe();
    let running = smolget().args(["-i", "-", "--json", "--discard"]).input(list(&server, 500)).stdout(writer).start();
    let begun = wait_for_standstill(&server);
    running.signal(Signal::TERM);
    let out = read(reader);
    let output = running.wait().exits(143);
    let rows = rows(&out.join().unwrap());
    assert_eq!(output.summary().jobs, rows.len() as u64);
    // The reader may be there before the signal is: then some more are begun.
    let count = |what: fn(&Value) -> bool| rows.iter().filter(|row| what(row)).count();
    assert!(count(|row| row["ok"] == true) >= begun, "{begun} were begun");
    assert_eq!(count(|row| row["attempts"] != 0), server.requests().len());
}

#[test]
fn two_signals_end_a_run_whose_messages_nobody_reads() {
    let server = Server::always(Reply::status(404));
    for args in [["--json", "-vvv"], ["--stdout", "--json"], ["-q", "-q"]] {
        let (_reader, writer) = full_pipe();
        let mut running = smolget().args(["-i", "-"]).args(args).input(list(&server, 500)).stderr(writer).start();
        wait_for_standstill(&server);
        running.signal(Signal::TERM);
        thread::sleep(ms(100));
        running.signal(Signal::TERM);
        ends_soon(&mut running, Instant::now());
        running.wait().exits(143);
    }
}

#[test]
fn a_log_that_nobody_reads_stops_no_transfer() {
    let server = Server::always(Reply::ok("x"));
    let (reader, writer) = full_pipe();
    let running = smolget().args(["-i", "-", "--json", "--discard", "-vvv"]).input(list(&server, 200)).stderr(writer);
    let running = running.start();
    server.wait_for_requests(200);
    let log = read(reader);
    assert_eq!(running.wait().exits(0).rows().len(), 200);
    let log = String::from_utf8(log.join().unwrap()).unwrap();
    assert_eq!(Summary::parse(log.lines().last().unwrap()).unwrap().ok, 200);
}

#[test]
fn a_terminal_that_is_held_still_stops_no_transfer() {
    let server = Server::always(Reply::ok("slow").drip(ms(20)));
    let terminal = Terminal::new();
    tcflow(terminal.line(), Action::OOff).unwrap();
    let run = smolget().args(["-i", "-", "--discard", "-j4"]).input(list(&server, 50)).stderr(terminal.line());
    let mut running = run.start();
    server.wait_for_requests(50);
    // It is done, and waits for the terminal to take the summary.
    thread::sleep(ms(500));
    assert!(running.is_running());
    tcflow(terminal.line(), Action::OOn).unwrap();
    running.wait().exits(0);
    let shown = terminal.shown();
    assert!(shown.contains("smolget: 50 jobs, 50 ok"), "{shown:?}");
}

#[test]
fn a_signal_ends_a_run_whose_terminal_is_held_still() {
    let server = Server::always(Reply::ok("x"));
    let terminal = Terminal::new();
    tcflow(terminal.line(), Action::OOff).unwrap();
    let mut running = smolget().arg("--discard").arg(server.url("/")).stderr(terminal.line()).start();
    server.wait_for_requests(1);
    running.signal(Signal::TERM);
    ends_soon(&mut running, Instant::now());
    running.wait().exits(143);
}

#[test]
fn an_output_that_refuses_to_wait_gets_everything() {
    const SIZE: usize = 3 << 20;
    let server = Server::always(Reply::ok(vec![b'x'; SIZE]));
    for (args, error) in [(["--json", "--discard"], false), (["--stdout", "-q"], false), (["--stdout", "--json"], true)]
    {
        let (reader, writer) = full_pipe();
        fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        let run = smolget().args(args).arg(server.url("/"));
        // The rows of bodies go to standard error, which may be shared in the same way.
        let run = if error { run.stderr(writer) } else { run.stdout(writer) };
        let before = server.requests().len();
        let running = run.start();
        server.wait_for_requests(before + 1);
        thread::sleep(ms(200));
        let out = read(reader);
        let output = running.wait().exits(0);
        let out = out.join().unwrap();
        match args {
            ["--stdout", "-q"] => assert_eq!(out.len(), SIZE),
            ["--stdout", _] => assert!(output.stdout.len() == SIZE && out.starts_with(b"{\"url\":")),
            _ => assert_eq!(rows(&out).len(), 1),
        }
    }
}
