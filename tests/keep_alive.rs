//! Connections: when one is used again, and when it must not be.

#![cfg(feature = "cli")]

mod support;

use support::run::Output;
use support::{Gate, Reply, Server, error, ms, smolget};

/// Fetches these paths one after the other.
fn fetch(server: &Server, paths: &[&str]) -> Output {
    let args = ["--json", "--stdout", "-j1", "--retries", "0"];
    smolget().args(args).args(paths.iter().map(|path| server.url(path))).run()
}

/// A server whose first answer is this, and `second` every other.
fn first(reply: Reply) -> Server {
    Server::start(move |request| match request.target.as_str() {
        "/1" => reply.clone(),
        _ => Reply::ok("second"),
    })
}

#[test]
fn a_connection_is_used_for_one_job_after_the_other() {
    let server = Server::always(Reply::ok("x"));
    let urls = (0..50).map(|n| server.url(&format!("/{n}")));
    smolget().args(["--discard", "-j1"]).args(urls).run().exits(0);
    assert_eq!((server.connections(), server.requests().len()), (1, 50));
}

#[test]
fn there_are_never_more_connections_than_workers() {
    let server = Server::always(Reply::ok("x").after(ms(2)));
    let urls = (0..80).map(|n| server.url(&format!("/{n}")));
    smolget().args(["--discard", "-j4"]).args(urls).run().exits(0);
    assert!((2..=4).contains(&server.connections()), "{}", server.connections());
}

#[test]
fn every_exact_end_lets_a_connection_be_used_again() {
    let chunked = "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nfirst\r\n0\r\nTrailer: 1\r\n\r\n";
    for (reply, body) in [
        (Reply::ok("first"), "first"),
        (Reply::ok("first").chunked(2), "first"),
        (Reply::raw(chunked), "first"),
        (Reply::ok(""), ""),
        (Reply::status(204), ""),
        (Reply::ok("first").field("Connection", "keep-alive"), "first"),
        (Reply::ok("first").drip(ms(1)), "first"),
        (Reply::raw("HTTP/1.0 200 x\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nfirst"), "first"),
    ] {
        let server = first(reply);
        let output = fetch(&server, &["/1", "/2"]).exits(0);
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{body}second"));
        assert_eq!(server.connections(), 1, "{body}");
    }
}

#[test]
fn a_connection_that_the_server_ends_is_not_used_again() {
    for reply in [
        Reply::ok("first").field("Connection", "close").hold(),
        Reply::ok("first").field("connection", "Close, x").hold(),
        Reply::raw("HTTP/1.0 200 x\r\nContent-Length: 5\r\n\r\nfirst").hold(),
        Reply::ok("first").until_close(),
    ] {
        let server = first(reply);
        let output = fetch(&server, &["/1", "/2"]).exits(0);
        assert_eq!(output.stdout, b"firstsecond");
        assert_eq!((server.connections(), server.requests()[1].turn), (2, 1));
    }
}

#[test]
fn answers_to_head_leave_the_connection_usable() {
    let server = Server::always(Reply::ok("a body that is not sent"));
    let urls = ["/1", "/2", "/3"].map(|path| server.url(path));
    smolget().args(["--head", "-j1"]).args(urls).run().exits(0);
    assert_eq!((server.connections(), server.requests().len()), (1, 3));
}

#[test]
fn answers_that_are_failures_leave_the_connection_usable() {
    let server = first(Reply::status(404).body("an error page"));
    assert_eq!(fetch(&server, &["/1", "/2"]).exits(1).stdout, b"second");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_replaced_silently() {
    let server = first(Reply::ok("first").close());
    // The second job starts after the close has arrived.
    let mut running = smolget().args(["-i", "-", "--json", "--discard", "-j1", "--retries", "0"]).open_input().start();
    running.feed(&server.url("/1\n\n"));
    running.row();
    server.wait_for_hang_up();
    running.feed(&server.url("/2\n\n"));
    assert_eq!(running.row()["attempts"], 1);
    running.wait().exits(0);
    assert_eq!((server.connections(), server.requests().len()), (2, 2));
}

#[test]
fn a_connection_that_is_closed_on_the_next_request_is_replaced_silently() {
    for die in [Reply::raw("").close(), Reply::raw("").reset()] {
        let server = Server::start(move |request| if request.turn == 1 { Reply::ok("x") } else { die.clone() });
        let output = fetch(&server, &["/1", "/2", "/3"]).exits(0);
        assert_eq!(output.stdout, b"xxx");
        assert!(output.rows_on_stderr().iter().all(|row| row["attempts"] == 1), "{}", output.stderr);
        // A connection each, and each of the later ones was first tried on one that was used.
        assert_eq!((server.connections(), server.requests().len()), (3, 5));
    }
}

#[test]
fn a_fresh_connection_that_is_closed_is_not_replaced() {
    let server = Server::always(Reply::raw("").close());
    let output = fetch(&server, &["/1"]).exits(1);
    assert_eq!(error(&output.rows_on_stderr()[0]), "truncated");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_used_connection_that_dies_after_the_first_byte_is_not_replaced() {
    let server = Server::start(|request| match request.turn {
        1 => Reply::ok("x"),
        _ => Reply::raw("HTTP/1.1 2").close(),
    });
    let output = fetch(&server, &["/1", "/2"]).exits(1);
    assert_eq!(error(&output.rows_on_stderr()[1]), "truncated");
    assert_eq!(server.visits("/2"), 1);
}

/// An answer that nobody asked for.
const FORGED: &str = "HTTP/1.1 200 x\r\nContent-Length: 6\r\n\r\nforged";

#[test]
fn leftover_bytes_are_never_given_to_the_next() {
    for reply in [
        // In one piece each: what comes later can only be told from an answer if it comes before the next request.
        Reply::raw(format!("HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\nfirst{FORGED}")).hold(),
        Reply::raw(format!("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nf\r\n0\r\n\r\n{FORGED}")).hold(),
        Reply::raw(format!("HTTP/1.1 204 x\r\n\r\n{FORGED}")).hold(),
        Reply::raw("HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\nfirst\r\n").hold(),
    ] {
        let server = first(reply);
        let output = fetch(&server, &["/1", "/2"]).exits(0);
        assert!(output.stdout.ends_with(b"second"), "{:?}", String::from_utf8_lossy(&output.stdout));
        assert!(!output.stdout.windows(6).any(|bytes| bytes == b"forged"));
        assert_eq!((server.connections(), server.requests()[1].connection), (2, 2));
    }
}

#[test]
fn leftover_bytes_that_come_later_are_not_given_to_the_next_either() {
    let (read, sent) = (Gate::new(), Gate::new());
    let server = first(Reply::ok("first").then_until(&read).then(FORGED).then_open(&sent).hold());
    let mut running = smolget().args(["-i", "-", "--json", "-j1", "--retries", "0"]).open_input().start();
    running.feed(&server.url("/1\n\n"));
    running.row();
    // On the loopback, what was sent has arrived.
    read.open();
    assert!(sent.wait(ms(30_000)));
    running.feed(&server.url("/2\n\n"));
    running.row();
    let output = running.wait().exits(0);
    assert_eq!((output.file("1"), output.file("2")), (b"first".to_vec(), b"second".to_vec()));
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_body_after_an_answer_to_head_is_not_given_to_the_next() {
    let server = Server::start(|request| match request.target.as_str() {
        "/1" => Reply::raw(format!("HTTP/1.1 200 x\r\nContent-Length: {}\r\n\r\n{FORGED}", FORGED.len())).hold(),
        _ => Reply::status(203),
    });
    let urls = ["/1", "/2"].map(|path| server.url(path));
    let output = smolget().args(["--head", "--json", "-j1"]).args(&urls).run().exits(0);
    assert_eq!((&output.row_of(&urls[1])["status"], server.connections()), (&203.into(), 2));
}

#[test]
fn a_body_that_was_not_read_to_its_end_costs_the_connection() {
    let server = first(Reply::ok(vec![b'x'; 4 << 20]));
    let args = ["--json", "--discard", "-j1", "--max-size", "1M"];
    let output = smolget().args(args).args([server.url("/1"), server.url("/2")]).run().exits(1);
    assert_eq!(error(&output.row_of(&server.url("/1"))), "too_large");
    assert_eq!(output.row_of(&server.url("/2"))["ok"], true);
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_broken_answer_costs_the_connection() {
    for reply in [
        Reply::raw("HTTP/1.1 200 x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nfirst").hold(),
        Reply::raw("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").hold(),
        Reply::raw("nonsense\r\n\r\n").hold(),
    ] {
        let server = first(reply);
        let output = fetch(&server, &["/1", "/2"]).exits(1);
        assert_eq!(output.stdout, b"second");
        assert_eq!(server.connections(), 2);
    }
}

/// How many connections the hosts of these jobs take, one job after the other, with room for two that wait.
fn connections(hosts: &[&str]) -> usize {
    let server = Server::start(|request| Reply::ok(request.field("Host").unwrap().split(':').next().unwrap()));
    let resolve = ["a.test", "b.test"].map(|host| format!("--resolve={}", server.resolve(host)));
    let args = ["-i", "-", "--json", "-j2", "--retries", "0"];
    let mut running = smolget().args(args).args(resolve).open_input().start();
    for (n, host) in hosts.iter().enumerate() {
        running.feed(&server.url_as(host, &format!("/{n}\n\n")));
        running.row();
    }
    let output = running.wait().exits(0);
    for (n, host) in hosts.iter().enumerate() {
        assert_eq!(output.file(&n.to_string()), host.as_bytes());
    }
    server.connections()
}

#[test]
fn a_connection_belongs_to_one_host() {
    assert_eq!(connections(&["a.test", "a.test", "a.test"]), 1);
    assert_eq!(connections(&["a.test", "b.test", "a.test", "b.test"]), 2);
}
