//! Mirrors: further URLs of the same file, tried in order when one has failed for good.

#![cfg(feature = "cli")]

mod support;

use support::run::Output;
use support::{Port, Reply, Server, error, smolget};

/// Runs one job with these URLs.
fn fetch(urls: &[&str], args: &[&str]) -> Output {
    smolget().args(["-i", "-", "--json"]).args(args).input(urls.join("\t") + "\n").run()
}

fn server() -> Server {
    Server::start(|request| match request.target.as_str() {
        "/missing" => Reply::status(404),
        "/busy" => Reply::busy(503),
        "/short" => Reply::ok("part").length(100).close(),
        "/babble" => Reply::raw("no HTTP\r\n\r\n").close(),
        "/moved" => Reply::redirect(302, "ftp://h/"),
        target => Reply::ok(target.to_owned()),
    })
}

#[test]
fn the_first_url_is_enough_if_it_works() {
    let server = server();
    let output = fetch(&[&server.url("/a"), &server.url("/b")], &[]).exits(0);
    let row = output.row();
    assert_eq!((&row["url"], row.get("final_url"), &row["attempts"]), (&server.url("/a").into(), None, &1.into()));
    assert_eq!((server.visits("/b"), output.file("a")), (0, b"/a".to_vec()));
}

#[test]
fn a_mirror_serves_where_the_first_has_failed_for_good() {
    let server = server();
    let refusing = Port::refusing();
    let urls = ["/missing", "/short", "/babble", "/moved"].map(|path| server.url(path));
    for first in urls.iter().chain([&refusing.url("/gone")]) {
        let output = fetch(&[first, &server.url("/mirror")], &["--retries", "0"]).exits(0);
        let row = output.row();
        assert_eq!((&row["url"], &row["final_url"]), (&first.as_str().into(), &server.url("/mirror").into()));
        assert_eq!((&row["attempts"], &row["status"]), (&2.into(), &200.into()), "{first}");
        let name = first.rsplit('/').next().unwrap();
        assert_eq!(output.files().into_iter().collect::<Vec<_>>(), [(name.to_owned(), b"/mirror".to_vec())]);
    }
}

#[test]
fn mirrors_are_tried_in_order() {
    let server = server();
    let urls = ["/missing", "/babble", "/third", "/fourth"].map(|path| server.url(path));
    let row = fetch(&urls.each_ref().map(String::as_str), &[]).exits(0).row();
    assert_eq!((&row["final_url"], &row["attempts"]), (&urls[2].as_str().into(), &3.into()));
    assert_eq!((server.visits("/missing"), server.visits("/babble"), server.visits("/fourth")), (1, 1, 0));
}

#[test]
fn a_mirror_waits_until_the_retries_of_the_one_before_are_used_up() {
    let server = server();
    let output = fetch(&[&server.url("/busy"), &server.url("/mirror")], &["--retries", "2"]).exits(0);
    assert_eq!((&output.row()["attempts"], server.visits("/busy")), (&4.into(), 3));
}

#[test]
fn when_all_have_failed_the_job_has() {
    let server = server();
    let urls = ["/missing", "/busy", "/missing"].map(|path| server.url(path));
    let output = fetch(&urls.each_ref().map(String::as_str), &["--retries", "1"]).exits(1);
    let row = output.row();
    assert_eq!((error(&row), &row["attempts"]), ("status", &4.into()));
    assert!(output.files().is_empty());
}

#[test]
fn a_mirror_that_is_no_url_is_passed_over() {
    let server = server();
    let output = fetch(&[&server.url("/missing"), "ftp://h/x", "nonsense", "", &server.url("/mirror")], &[]).exits(0);
    assert_eq!((&output.row()["final_url"], &output.row()["attempts"]), (&server.url("/mirror").into(), &2.into()));
}

#[test]
fn a_wrong_checksum_moves_on_to_the_next_mirror() {
    let server = server();
    let urls = [server.url("/a"), server.url("/b")].join("\t");
    let run = |digest: &str| {
        let list = format!("{urls}\n checksum=sha-256={digest}\n");
        smolget().args(["-i", "-", "--json"]).input(list).run()
    };
    let output = run(&digest(b"/b")).exits(0);
    assert_eq!((output.file("a"), &output.row()["attempts"]), (b"/b".to_vec(), &2.into()));
    let output = run(&digest(b"/neither")).exits(1);
    assert_eq!((error(&output.row()), output.files().len()), ("checksum", 0));
}

fn digest(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_interrupted_job_tries_no_mirror() {
    let server = Server::start(|request| match request.target.as_str() {
        "/held" => Reply::raw("").hold(),
        _ => Reply::ok("x"),
    });
    let output = fetch(&[&server.url("/held"), &server.url("/mirror")], &["--deadline", "300ms"]).exits(1);
    assert_eq!((error(&output.row()), &output.row()["phase"]), ("timeout", &"deadline".into()));
    assert_eq!(server.visits("/mirror"), 0);
}
