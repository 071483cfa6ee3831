//! `--stdout`: bodies whole, one after the other, in order of completion.

#![cfg(feature = "cli")]

mod support;

use std::fs::OpenOptions;

use support::{Gate, Reply, Server, error, eventually, fields, ms, smolget};

#[test]
fn a_body_is_written_as_it_is() {
    let body: Vec<u8> = (0..=255).cycle().take(1000).collect();
    let server = Server::always(Reply::ok(body.clone()).chunked(7));
    let output = smolget().arg("--stdout").arg(server.url("/a")).run().exits(0);
    assert_eq!(output.stdout, body);
    assert!(output.files().is_empty());
}

#[test]
fn bodies_that_arrive_at_once_are_not_interleaved() {
    let server = Server::start(|request| {
        let letter = request.target.as_bytes()[1];
        Reply::ok(vec![letter; 100]).drip(ms(1))
    });
    let urls = ["/a", "/b", "/c", "/d"].map(|path| server.url(path));
    let output = smolget().args(["--stdout", "-j4"]).args(urls).run().exits(0);
    let mut blocks: Vec<&[u8]> = output.stdout.chunk_by(|a, b| a == b).collect();
    assert!(server.busiest() > 1, "nothing could have been interleaved");
    blocks.sort();
    assert_eq!(blocks, [[b'a'; 100], [b'b'; 100], [b'c'; 100], [b'd'; 100]]);
}

#[test]
fn large_bodies_are_whole_and_not_interleaved_either() {
    const SIZE: usize = 3 << 20;
    let server = Server::start(|request| Reply::ok(vec![request.target.as_bytes()[1]; SIZE]));
    let urls = ["/a", "/b", "/c"].map(|path| server.url(path));
    let output = smolget().args(["--stdout", "-j3"]).args(urls).run().exits(0);
    let mut blocks: Vec<(u8, usize)> = output.stdout.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
    blocks.sort_unstable();
    assert_eq!(blocks, [(b'a', SIZE), (b'b', SIZE), (b'c', SIZE)]);
    assert!(output.files().is_empty());
}

#[test]
fn bodies_come_in_order_of_completion() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.target.as_str() {
        "/late" => Reply::ok("la").length(4).then_until(&held).then("te"),
        _ => Reply::ok("soon"),
    });
    let urls = [server.url("/late"), server.url("/soon")];
    let running = smolget().args(["--stdout", "--json", "-j2"]).args(urls).start();
    eventually("a row is there", || running.log().contains("/soon"));
    gate.open();
    assert_eq!(running.wait().exits(0).stdout, b"soonlate");
}

#[test]
fn nothing_of_a_failed_attempt_is_written() {
    let server = Server::start(|request| match (request.target.as_str(), request.visit) {
        ("/again", 1) => Reply::ok("part").length(100).close(),
        ("/short", _) => Reply::ok(vec![b'y'; 2 << 20]).length(3 << 20).close(),
        ("/missing", _) => Reply::status(404).body("an error page"),
        ("/large", _) => Reply::ok(vec![b'z'; 5 << 20]).until_close(),
        _ => Reply::ok("whole"),
    });
    let args = ["--stdout", "--retries", "1", "--max-size", "4M", "-i", "-"];
    let list = ["/again\n", "/short\n", "/missing\n", "/large\n", "/sum\n"].map(|path| server.url(path)).concat();
    let list = list + " checksum=sha-256=" + &"0".repeat(64);
    let output = smolget().args(args).input(list).run().exits(1);
    assert_eq!(output.stdout, b"whole");
}

#[test]
fn with_json_the_rows_are_on_standard_error() {
    let server = Server::start(|request| match request.target.as_str() {
        "/missing" => Reply::status(404),
        _ => Reply::ok("body"),
    });
    let urls = [server.url("/a"), server.url("/missing")];
    let output = smolget().args(["--stdout", "--json", "-j1"]).args(urls).run().exits(1);
    assert_eq!(output.stdout, b"body");
    let rows = output.rows_on_stderr();
    assert_eq!((rows.len(), error(&rows[1])), (2, "status"));
    assert_eq!(fields(&rows[0]), ["attempts", "bytes", "ms", "ok", "redirects", "status", "url"]);
    assert_eq!(output.summary().jobs, 2);
}

#[test]
fn an_output_that_is_closed_or_full_ends_the_run() {
    let server = Server::always(Reply::ok(vec![b'x'; 100_000]));
    let run = || smolget().arg("--stdout").args((0..20).map(|_| server.url("/a")));
    run().closed_stdout().run().exits(3);
    run().stdout(OpenOptions::new().write(true).open("/dev/full").unwrap()).run().exits(3);
    assert_eq!(run().run().exits(0).stdout.len(), 2_000_000);
}
