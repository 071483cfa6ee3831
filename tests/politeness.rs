//! What hosts are asked of, and who waits for whom: a host that is slow, busy or gone holds up nobody but itself.

#![cfg(feature = "cli")]

mod support;

use support::{Reply, Server, smolget};

#[test]
fn a_retry_that_waits_holds_no_worker() {
    let server = Server::start(|request| match (request.target.as_str(), request.visit) {
        ("/busy", 1) => Reply::status(500),
        _ => Reply::ok("x"),
    });
    let urls = ["/busy", "/1", "/2"].map(|path| server.url(path));
    let output = smolget().args(["--json", "--discard", "-j1"]).args(&urls).run().exits(0);
    let order: Vec<_> = output.rows().iter().map(|row| row["url"].as_str().unwrap().to_owned()).collect();
    assert_eq!(order, [&urls[1][..], &urls[2], &urls[0]]);
    assert_eq!(output.row_of(&urls[0])["attempts"], 2);
    let targets: Vec<_> = server.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/busy", "/1", "/2", "/busy"]);
}
