//! Redirects: which are followed, where to, and what stops them.

#![cfg(feature = "cli")]

mod support;

use std::sync::{Arc, OnceLock};

use serde_json::Value;
use support::{Port, Reply, Server, error, smolget};

fn fetch(server: &Server, args: &[&str]) -> Value {
    smolget().args(["--json", "--discard"]).args(args).arg(server.url("/start/here")).run().row()
}

/// A server that redirects `/start/here` with this reply, and has something everywhere else.
fn redirecting(reply: Reply) -> Server {
    Server::start(move |request| match request.target.as_str() {
        "/start/here" => reply.clone(),
        target => Reply::ok(target.to_owned()),
    })
}

#[test]
fn the_five_statuses_that_redirect_are_followed() {
    for status in [301, 302, 303, 307, 308] {
        let server = redirecting(Reply::redirect(status, "/end"));
        let row = fetch(&server, &[]);
        assert_eq!((&row["ok"], &row["status"], &row["redirects"]), (&true.into(), &200.into(), &1.into()), "{status}");
        assert_eq!(row["final_url"], server.url("/end"), "{status}");
        assert_eq!((&row["attempts"], server.visits("/end")), (&1.into(), 1), "{status}");
    }
}

#[test]
fn other_statuses_with_a_location_are_not_followed() {
    for status in [200, 201, 300, 304, 305, 306, 404] {
        let server = redirecting(Reply::redirect(status, "/end"));
        let row = fetch(&server, &[]);
        assert_eq!((&row["status"], &row["redirects"]), (&status.into(), &0.into()));
        assert_eq!(server.visits("/end"), 0, "{status}");
    }
}

#[test]
fn head_stays_head() {
    for status in [301, 302, 303, 307, 308] {
        let server = redirecting(Reply::redirect(status, "/end"));
        assert_eq!(fetch(&server, &["--head"])["ok"], true);
        assert_eq!(server.request("/end").method, "HEAD", "{status}");
    }
}

#[test]
fn a_location_is_resolved_against_the_url_that_gave_it() {
    for (location, target) in [
        ("/end", "/end"),
        ("end", "/start/end"),
        ("../end", "/end"),
        ("?q=1", "/start/here?q=1"),
        ("end?q=1#part", "/start/end?q=1"),
        ("./", "/start/"),
        ("end%20here", "/start/end%20here"),
        ("end here", "/start/end%20here"),
        ("/end?q=a\\b", "/end?q=a\\b"),
        ("/end?to=http:///x", "/end?to=http:///x"),
    ] {
        let server = redirecting(Reply::redirect(302, location));
        assert_eq!(fetch(&server, &[])["ok"], true, "{location}");
        assert_eq!(server.visits(target), 1, "{location}");
    }
}

#[test]
fn a_location_may_name_only_the_host() {
    let end = Server::always(Reply::ok("x"));
    let server = redirecting(Reply::redirect(302, format!("//127.0.0.1:{}/end", end.port())));
    let row = fetch(&server, &[]);
    assert_eq!((&row["ok"], &row["final_url"]), (&true.into(), &end.url("/end").into()));
}

#[test]
fn a_location_in_utf_8_is_followed() {
    let server = redirecting(Reply::redirect(302, "/ü"));
    assert_eq!(fetch(&server, &[])["ok"], true);
    assert_eq!(server.visits("/%C3%BC"), 1);
}

#[test]
fn each_hop_is_resolved_against_the_hop_before() {
    let server = Server::start(|request| match request.target.as_str() {
        "/start/here" => Reply::redirect(302, "/a/b/c"),
        "/a/b/c" => Reply::redirect(302, "d"),
        _ => Reply::ok("x"),
    });
    let row = fetch(&server, &[]);
    assert_eq!((&row["redirects"], &row["final_url"]), (&2.into(), &server.url("/a/b/d").into()));
}

/// A server where `/start/here` is `hops` redirects away from an end.
fn chain(hops: usize) -> Server {
    Server::start(move |request| {
        let hop = request.target[1..].parse().unwrap_or(0);
        if hop < hops { Reply::redirect(302, format!("/{}", hop + 1)) } else { Reply::ok("x") }
    })
}

#[test]
fn as_many_are_followed_as_allowed_and_no_more() {
    for (args, allowed) in [(&[][..], 10), (&["--max-redirects", "1"], 1), (&["--max-redirects", "25"], 25)] {
        let row = fetch(&chain(allowed), args);
        assert_eq!((&row["ok"], &row["redirects"]), (&true.into(), &allowed.into()));
        let server = chain(allowed + 1);
        let row = fetch(&server, args);
        assert_eq!((error(&row), &row["attempts"]), ("redirect", &1.into()), "{allowed}");
        assert_eq!(server.requests().len(), allowed + 1);
    }
}

#[test]
fn with_none_allowed_the_redirect_is_the_result() {
    let server = redirecting(Reply::redirect(302, "/end"));
    let row = fetch(&server, &["--max-redirects", "0"]);
    assert_eq!((error(&row), &row["status"], &row["redirects"]), ("redirect", &302.into(), &0.into()));
    assert_eq!(server.visits("/end"), 0);
}

#[test]
fn a_circle_ends() {
    let server = redirecting(Reply::redirect(301, "/start/here"));
    assert_eq!(error(&fetch(&server, &[])), "redirect");
    assert_eq!(server.visits("/start/here"), 11);
}

#[test]
fn a_circle_of_two_origins_ends_and_is_one_attempt() {
    let there = Arc::new(OnceLock::new());
    let back = there.clone();
    let one = Server::start(move |_| Reply::redirect(302, there.get().unwrap()));
    let home = one.url("/start/here");
    let two = Server::start(move |_| Reply::redirect(302, &home));
    back.set(two.url("/")).unwrap();
    let row = fetch(&one, &["--max-redirects", "4"]);
    assert_eq!((error(&row), &row["attempts"], &row["redirects"]), ("redirect", &1.into(), &4.into()));
    assert_eq!((one.requests().len(), two.requests().len(), &row["final_url"]), (3, 2, &Value::Null));
}

#[test]
fn only_http_is_followed() {
    for location in [
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:,x",
        "mailto:a@b",
        "http://",
        "http://[",
        "http:///end",
        "http:end",
        "/\\end",
        "//h\\@end",
    ] {
        let server = redirecting(Reply::redirect(302, location));
        let row = fetch(&server, &[]);
        assert_eq!((error(&row), &row["attempts"]), ("redirect", &1.into()), "{location}");
        assert_eq!(server.requests().len(), 1, "{location}");
    }
}

#[test]
fn a_redirect_needs_one_location() {
    let without = redirecting(Reply::status(302));
    assert_eq!(error(&fetch(&without, &[])), "redirect");
    let two = redirecting(Reply::redirect(302, "/end").field("Location", "/other"));
    assert_eq!(error(&fetch(&two, &[])), "redirect");
    assert_eq!(two.requests().len(), 1);
    let twice = redirecting(Reply::redirect(302, "/end").field("Location", "/end"));
    assert_eq!(fetch(&twice, &[])["ok"], true);
}

#[test]
fn a_redirect_to_a_dead_port_is_a_failed_connection() {
    let port = Port::refusing();
    let server = redirecting(Reply::redirect(302, port.url("/end")));
    let row = fetch(&server, &["--retries", "0"]);
    assert_eq!((error(&row), &row["redirects"], row.get("status")), ("connect", &1.into(), None));
}

#[test]
fn a_small_body_of_a_redirect_is_read_and_its_connection_used_again() {
    let server = redirecting(Reply::redirect(302, "/end").body(vec![b'x'; 60 << 10]));
    assert_eq!(fetch(&server, &[])["bytes"], 4);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_large_body_of_a_redirect_is_not_read() {
    let server = redirecting(Reply::redirect(302, "/end").body(vec![b'x'; 8 << 20]));
    assert_eq!(fetch(&server, &[])["bytes"], 4);
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_redirects_body_does_not_count_for_the_size_limit() {
    let server = redirecting(Reply::redirect(302, "/end").body(vec![b'x'; 10 << 10]));
    assert_eq!(fetch(&server, &["--max-size", "1k"])["ok"], true);
}

#[test]
fn a_file_is_named_after_the_first_url() {
    let server = redirecting(Reply::redirect(302, "/end.txt"));
    let output = smolget().arg(server.url("/start/here")).run().exits(0);
    assert_eq!(output.folder.names(), ["here"]);
}
