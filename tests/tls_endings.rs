//! How a TLS connection may end under a response. Only a goodbye (close_notify) is the server's own word: without one, somebody
//! on the way may have cut the rest off.

#![cfg(all(feature = "cli", feature = "tls"))]

mod support;

use support::run::Output;
use support::tls::{Identity, TLS12, TLS13, Versions};
use support::{Reply, Server, error, smolget};

fn server(versions: Versions, reply: Reply) -> Server {
    let identity = Identity::self_signed(&["127.0.0.1"]).speaking(versions);
    identity.serve(move |request| if request.target == "/after" { Reply::ok("after") } else { reply.clone() })
}

/// Fetches what ends in some way, and something else from the same server after it.
fn fetch(server: &Server) -> Output {
    let run = smolget().args(["--insecure", "--json", "--retries", "0", "-j1"]);
    run.args(["/first", "/after"].map(|path| server.url(path))).run()
}

/// The word for how `/first` ended, `""` for well; what comes after it has to go well in any case.
#[track_caller]
fn ends(case: &str, versions: Versions, reply: Reply) -> String {
    let server = server(versions, reply);
    let output = fetch(&server);
    assert_eq!(output.row_of(&server.url("/after"))["ok"], true, "{case}");
    let row = output.row_of(&server.url("/first"));
    let names = if row["ok"] == true { vec!["after", "first"] } else { vec!["after"] };
    assert_eq!(output.folder.names(), names, "{case}: {row}");
    error(&row).to_owned()
}

#[test]
fn an_end_without_goodbye_fails_what_ends_with_the_connection_and_nothing_else() {
    let lasting = || Reply::raw("HTTP/1.1 200 x\r\n\r\nbody");
    let counted = || Reply::ok("body");
    let chunked = || Reply::ok("body").chunked(3);
    for versions in [TLS12, TLS13] {
        for (case, reply, with_goodbye, without) in [
            ("a body that ends with the connection", lasting(), "", "truncated"),
            ("an empty one", Reply::raw("HTTP/1.1 200 x\r\n\r\n"), "", "truncated"),
            ("a counted body", counted(), "", ""),
            ("a chunked body", chunked(), "", ""),
            ("no body at all", Reply::status(204), "", ""),
            ("a counted body that is cut short", counted().length(5), "truncated", "truncated"),
            ("a chunked body without its last chunk", raw_chunk(), "truncated", "truncated"),
            ("half a head", Reply::raw("HTTP/1.1 200 x\r\nContent-"), "truncated", "truncated"),
            ("nothing", Reply::raw(""), "truncated", "truncated"),
        ] {
            assert_eq!(ends(case, versions, reply.clone().close()), with_goodbye, "{case}, with a goodbye");
            assert_eq!(ends(case, versions, reply.cut()), without, "{case}, without a goodbye");
        }
    }
}

fn raw_chunk() -> Reply {
    Reply::raw("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n")
}

#[test]
fn a_reset_fails_what_is_not_whole_by_then() {
    for versions in [TLS12, TLS13] {
        for (case, reply) in [
            ("lasting", Reply::raw("HTTP/1.1 200 x\r\n\r\nbody")),
            ("counted", Reply::ok("body").length(5)),
            ("chunked", raw_chunk()),
        ] {
            assert_eq!(ends(case, versions, reply.reset()), "truncated", "{case}");
        }
    }
}
