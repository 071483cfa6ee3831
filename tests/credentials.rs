//! Credentials and headers: who gets them, and who never does.

#![cfg(feature = "cli")]

mod support;

use support::{Reply, Request, Server, smolget};

/// What a user may have given with `-H`: secrets, plain fields, and the three that go along anywhere.
const GIVEN: [&str; 7] = [
    "Authorization: Bearer token",
    "Cookie: session=1",
    "X-Api-Key: key",
    "X-Plain: 1",
    "Accept: text/plain",
    "Accept-Language: de",
    "Referer: http://example.org/",
];

fn given() -> impl Iterator<Item = &'static str> {
    GIVEN.into_iter().flat_map(|header| ["-H", header])
}

/// Fields of a request that `-H` has brought.
fn brought(request: &Request) -> Vec<&str> {
    let lines = request.lines.iter().map(String::as_str);
    lines.filter(|line| GIVEN.contains(line)).collect()
}

/// A server whose `/start` redirects there.
fn redirecting(location: String) -> Server {
    Server::start(move |request| match request.target.as_str() {
        "/start" => Reply::redirect(302, &location),
        _ => Reply::ok("x"),
    })
}

#[test]
fn credentials_of_a_url_become_basic_authorization() {
    let server = Server::always(Reply::ok("x"));
    for (user, encoded) in [
        ("user:pass", "dXNlcjpwYXNz"),
        ("user", "dXNlcjo="),
        ("user:", "dXNlcjo="),
        (":pass", "OnBhc3M="),
        ("us%65r:p%40ss%3a", "dXNlcjpwQHNzOg=="),
        ("%C3%BC:%C3%B6", "w7w6w7Y="),
    ] {
        let path = format!("/{}", server.requests().len());
        smolget().arg("--discard").arg(server.url_as(&format!("{user}@127.0.0.1"), &path)).run().exits(0);
        let request = server.request(&path);
        assert_eq!(request.field("Authorization"), Some(format!("Basic {encoded}").as_str()), "{user}");
        assert_eq!(request.field("Host"), Some(format!("127.0.0.1:{}", server.port()).as_str()));
    }
}

#[test]
fn without_credentials_none_are_sent() {
    let server = Server::always(Reply::ok("x"));
    smolget().arg("--discard").arg(server.url("/")).run().exits(0);
    assert_eq!(server.request("/").field("Authorization"), None);
}

#[test]
fn a_header_given_for_authorization_is_the_only_one() {
    let server = Server::always(Reply::ok("x"));
    let run = smolget().args(["--discard", "-H", "Authorization: Bearer token"]);
    run.arg(server.url_as("user:pass@127.0.0.1", "/")).run().exits(0);
    assert!(server.request("/").field("Authorization").is_some());
}

#[test]
fn everything_stays_on_the_same_origin() {
    let server = redirecting("/end".to_owned());
    smolget().arg("--discard").args(given()).arg(server.url("/start")).run().exits(0);
    assert_eq!(brought(&server.request("/start")), GIVEN);
    assert_eq!(brought(&server.request("/end")), GIVEN);
}

#[test]
fn credentials_of_a_url_stay_on_the_same_origin() {
    let server = redirecting("/end".to_owned());
    smolget().arg("--discard").arg(server.url_as("user:pass@127.0.0.1", "/start")).run().exits(0);
    assert_eq!(server.request("/end").field("Authorization"), Some("Basic dXNlcjpwYXNz"));
}

#[test]
fn headers_stay_behind_on_another_port() {
    let other = Server::always(Reply::ok("x"));
    let server = redirecting(other.url("/end"));
    let run = smolget().args(["--discard", "-A", "me/1"]).args(given()).arg(server.url("/start"));
    run.run().exits(0);
    let request = other.request("/end");
    assert_eq!(brought(&request), ["Accept: text/plain", "Accept-Language: de"]);
    assert_eq!(request.field("User-Agent"), Some("me/1"));
}

#[test]
fn headers_stay_behind_on_another_host() {
    let server = Server::start(|request| match request.target.as_str() {
        "/start" => {
            let (_, port) = request.field("Host").unwrap().split_once(':').unwrap();
            Reply::redirect(302, format!("http://other.test:{port}/end"))
        }
        _ => Reply::ok("x"),
    });
    let run = smolget().args(["--discard", "--resolve", &server.resolve("other.test")]).args(given());
    run.arg(server.url("/start")).run().exits(0);
    let request = server.request("/end");
    assert_eq!(brought(&request), ["Accept: text/plain", "Accept-Language: de"]);
    assert_eq!(request.field("Host"), Some(format!("other.test:{}", server.port()).as_str()));
}

#[test]
fn headers_of_a_job_stay_behind_too() {
    let other = Server::always(Reply::ok("x"));
    let server = redirecting(other.url("/end"));
    let options: String = GIVEN.iter().map(|header| format!(" header={header}\n")).collect();
    let list = format!("{}\n{options}", server.url("/start"));
    smolget().args(["-i", "-", "--discard"]).input(list).run().exits(0);
    assert_eq!(brought(&server.request("/start")), GIVEN);
    assert_eq!(brought(&other.request("/end")), ["Accept: text/plain", "Accept-Language: de"]);
}

#[test]
fn credentials_of_a_url_stay_behind_on_another_port() {
    let other = Server::always(Reply::ok("x"));
    let server = redirecting(other.url("/end"));
    smolget().arg("--discard").arg(server.url_as("user:pass@127.0.0.1", "/start")).run().exits(0);
    assert_eq!(other.request("/end").field("Authorization"), None);
}

#[test]
fn headers_of_one_job_are_not_sent_with_the_next() {
    let server = Server::always(Reply::ok("x"));
    let list = format!(
        "{}\n header=Authorization: Bearer token\n{}\n{}\n",
        server.url("/with"),
        server.url("/without"),
        server.url_as("user:pass@127.0.0.1", "/own")
    );
    smolget().args(["-i", "-", "--discard", "-j1"]).input(list).run().exits(0);
    assert_eq!(server.connections(), 1);
    assert_eq!(server.request("/with").field("Authorization"), Some("Bearer token"));
    assert_eq!(server.request("/without").field("Authorization"), None);
    assert_eq!(server.request("/own").field("Authorization"), Some("Basic dXNlcjpwYXNz"));
}

#[test]
fn a_request_has_one_of_each_field_that_is_smolgets_own() {
    let server = Server::always(Reply::ok("x"));
    let run = smolget().args(["--discard", "-H", "User-Agent: mine", "-H", "Accept: text/plain"]);
    run.arg(server.url("/")).run().exits(0);
    let request = server.request("/");
    assert_eq!(request.field("Accept"), Some("text/plain"));
    assert_eq!(request.field("User-Agent"), Some("mine"));
    assert_eq!(request.field("Host"), Some(format!("127.0.0.1:{}", server.port()).as_str()));
    assert_eq!((request.field("Referer"), request.field("Cookie"), request.field("Content-Type")), (None, None, None));
}
