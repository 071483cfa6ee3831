//! https: whom the options have smolget believe, and what goes over a connection that is. Which certificates are good, how
//! handshakes and connections end, and sessions have files of their own.

#![cfg(all(feature = "cli", feature = "tls"))]

mod support;

use support::run::Output;
use support::tls::{Authority, Identity, TLS12, TLS13};
use support::{Folder, Reply, Request, Server, error, smolget};

/// The names that the certificate of a server is right for.
const NAMES: [&str; 2] = ["www.h.test", "127.0.0.1"];

fn answer(_: &Request) -> Reply {
    Reply::ok("secret body")
}

/// Fetches `https://www.h.test/`, that name being the server, with this root in `--cacert`.
fn fetch(server: &Server, authority: &Authority, args: &[&str]) -> Output {
    let folder = Folder::new();
    folder.write("roots.pem", authority.pem());
    let run = folder.smolget().args(["--json", "--discard", "--resolve", &server.resolve("www.h.test")]).args(args);
    run.args(["--cacert", "roots.pem"]).arg(server.url_as("www.h.test", "/")).run()
}

/// The run has to have failed with kind `tls` before the server got a byte.
#[track_caller]
fn assert_refused(server: &Server, output: Output) {
    let row = output.exits(1).row();
    assert_eq!((error(&row), &row["attempts"], row.get("status")), ("tls", &1.into(), None), "{row}");
    server.wait_for_hang_up();
    assert_eq!((server.bytes(), server.requests().len()), (0, 0));
}

#[test]
fn a_certificate_below_a_trusted_root_is_believed() {
    let authority = Authority::new();
    let server = authority.identity(&NAMES).serve(answer);
    let row = fetch(&server, &authority, &[]).exits(0).row();
    assert_eq!((&row["bytes"], server.visits("/")), (&11.into(), 1));
}

#[test]
fn a_root_that_nobody_named_is_not_believed() {
    let authority = Authority::new();
    let server = authority.identity(&NAMES).serve(answer);
    assert_refused(&server, fetch(&server, &Authority::new(), &[]));
    let without = smolget().args(["--json", "--discard"]).arg(server.url("/")).run();
    assert_refused(&server, without);
}

#[test]
fn credentials_are_not_sent_to_whom_is_not_believed() {
    let server = Identity::self_signed(&NAMES).serve(answer);
    let run = smolget().args(["--json", "--discard", "-H", "Authorization: Bearer token"]);
    assert_refused(&server, run.arg(server.url_as("user:pass@127.0.0.1", "/")).run());
}

#[test]
fn insecure_believes_anything_and_warns_once() {
    let authority = Authority::new();
    let identities = [
        Identity::self_signed(&NAMES),
        authority.expired(&NAMES),
        authority.identity(&["other.test"]),
        authority.not_yet_valid(&NAMES),
    ];
    for server in identities.map(|identity| identity.serve(answer)) {
        let urls = ["/1", "/2", "/3"].map(|path| server.url(path));
        let output = smolget().args(["--insecure", "--json", "--discard"]).args(urls).run().exits(0);
        let warnings = output.stderr.lines().filter(|line| line.contains("--insecure")).count();
        assert_eq!((server.requests().len(), warnings), (3, 1), "{}", output.stderr);
    }
}

#[test]
fn insecure_still_wants_the_server_to_own_the_certificate_that_it_shows() {
    for versions in [TLS12, TLS13] {
        let fetch = |identity: Identity| {
            let server = identity.speaking(versions).serve(answer);
            let output = smolget().args(["--insecure", "--json", "--discard"]).arg(server.url("/")).run();
            (server, output)
        };
        let (server, output) = fetch(Authority::new().identity(&NAMES).copied());
        assert_refused(&server, output);
        fetch(Authority::new().identity(&NAMES).forged()).1.exits(0);
    }
}

#[test]
fn nothing_is_warned_of_without_insecure() {
    let authority = Authority::new();
    let server = authority.identity(&NAMES).serve(answer);
    let output = fetch(&server, &authority, &[]).exits(0);
    assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
}

#[test]
fn the_systems_store_is_believed_where_asked_for() {
    let authority = Authority::new();
    let server = authority.identity(&NAMES).serve(answer);
    let folder = Folder::new();
    let store = folder.write("store.pem", authority.pem());
    let run = |args: &[&str]| {
        let run = folder.smolget().env("SSL_CERT_FILE", &store).args(["--json", "--discard"]);
        run.args(args).arg(server.url("/")).run()
    };
    assert_refused(&server, run(&[]));
    run(&["--system-roots"]).exits(0);
}

#[test]
fn a_connection_is_used_again() {
    let authority = Authority::new();
    let server = authority.identity(&NAMES).serve(answer);
    let folder = Folder::new();
    folder.write("roots.pem", authority.pem());
    let run = folder.smolget().args(["--cacert", "roots.pem", "--discard", "-j1"]);
    run.args(["/1", "/2", "/3"].map(|path| server.url(path))).run().exits(0);
    assert_eq!((server.connections(), server.requests().len()), (1, 3));
}

#[test]
fn a_large_body_is_whole() {
    let body: Vec<u8> = (0..=250).cycle().take(3_000_000).collect();
    let sent = body.clone();
    let server = Identity::self_signed(&NAMES).serve(move |_| Reply::ok(sent.clone()).chunked(70_000));
    let output = smolget().args(["--insecure", "--stdout"]).arg(server.url("/")).run().exits(0);
    assert!(output.stdout == body);
}

#[test]
fn from_https_to_http_no_redirect_is_followed() {
    let plain = Server::start(|request| match request.target.as_str() {
        "/end" => Reply::ok("x"),
        _ => Reply::status(404),
    });
    let location = plain.url("/end");
    let secure = Identity::self_signed(&NAMES).serve(move |_| Reply::redirect(302, &location));
    let row = smolget().args(["--insecure", "--json"]).arg(secure.url("/")).run().exits(1).row();
    assert_eq!((error(&row), &row["attempts"], plain.connections()), ("redirect", &1.into(), 0));
}

#[test]
fn to_https_a_redirect_is_followed_without_the_headers() {
    let secure = Identity::self_signed(&NAMES).serve(answer);
    let location = secure.url("/end");
    for server in [Server::always(Reply::redirect(302, &location)), {
        let location = location.clone();
        Identity::self_signed(&NAMES).serve(move |_| Reply::redirect(302, &location))
    }] {
        let before = secure.requests().len();
        let run = smolget().args(["--insecure", "--discard", "-H", "Authorization: Bearer token", "-H", "Accept: a/b"]);
        run.arg(server.url("/start")).run().exits(0);
        let request = secure.requests().remove(before);
        assert_eq!((request.field("Authorization"), request.field("Accept")), (None, Some("a/b")));
    }
}

#[test]
fn a_failed_handshake_fails_its_own_job_alone() {
    let authority = Authority::new();
    let good = authority.identity(&NAMES).serve(answer);
    let bad = Identity::self_signed(&NAMES).serve(answer);
    let folder = Folder::new();
    folder.write("roots.pem", authority.pem());
    let run = folder.smolget().args(["--json", "--discard", "--cacert", "roots.pem"]);
    let output = run.args([good.url("/"), bad.url("/")]).run().exits(1);
    assert_eq!(error(&output.row_of(&bad.url("/"))), "tls");
    assert_eq!(output.row_of(&good.url("/"))["ok"], true);
}
