//! Gates: which bodies may take the place of an old file.

#![cfg(feature = "cli")]

mod support;

use std::fs;

use support::{Folder, Reply, Server, error, smolget};

/// What a captive portal sends.
const PORTAL: &str = "\u{feff}\n<!DOCTYPE html><title>Please log in</title>";

/// Fetches `/a` into a folder that has an old `a` of ten bytes; the row's error, and what `a` is then.
#[track_caller]
fn fetched(reply: &Reply, options: &[&str]) -> (String, String) {
    let server = Server::always(reply.clone());
    let folder = Folder::new();
    folder.write("a", "0123456789");
    let output = folder.smolget().args(["--json", "--retries", "2"]).args(options).arg(server.url("/a")).run();
    let row = output.row();
    assert_eq!(output.code, i32::from(row["ok"] == false));
    // What is refused today is refused the next second, too.
    assert_eq!(server.requests().len(), 1);
    assert_eq!(folder.names(), ["a"]);
    (error(&row).to_owned(), String::from_utf8(output.file("a")).unwrap())
}

#[track_caller]
fn rejects(reply: Reply, options: &[&str]) {
    for reply in [reply.clone(), reply.chunked(3)] {
        assert_eq!(fetched(&reply, options), ("rejected".to_owned(), "0123456789".to_owned()));
    }
}

#[track_caller]
fn takes(body: &str, options: &[&str]) {
    for reply in [Reply::ok(body), Reply::ok(body).chunked(3)] {
        assert_eq!(fetched(&reply, options), (String::new(), body.to_owned()));
    }
}

#[test]
fn a_body_that_is_too_short_leaves_the_old_file() {
    rejects(Reply::ok("1234"), &["--min-size", "5"]);
    takes("12345", &["--min-size", "5"]);
    rejects(Reply::ok(""), &["--min-size", "1"]);
    takes("", &["--min-size", "0"]);
}

#[test]
fn a_body_that_has_shrunk_too_much_leaves_the_old_file() {
    rejects(Reply::ok("1234"), &["--min-ratio", "0.5"]);
    takes("12345", &["--min-ratio", "0.5"]);
    takes("", &["--min-ratio", "0"]);
}

#[test]
fn a_page_leaves_the_old_file() {
    rejects(Reply::ok(PORTAL), &["--not-html"]);
    rejects(Reply::ok("plain").field("Content-Type", "text/html; charset=utf-8"), &["--not-html"]);
    takes(PORTAL, &[]);
    takes("<htm", &["--not-html"]);
    takes("", &["--not-html"]);
}

#[test]
fn a_long_page_is_known_before_it_is_kept_past_the_program() {
    let long = |start: &str| Reply::ok(start.to_owned() + &"x".repeat(1 << 20));
    assert_eq!(fetched(&long("<HTML>"), &["--not-html"]).0, "rejected");
    assert_eq!(fetched(&long("<xml>"), &["--not-html"]).1.len(), (1 << 20) + 5);
    assert_eq!(fetched(&long(""), &["--min-size", "1M"]).0, "");
    assert_eq!(fetched(&long(""), &["--min-size", "2M"]).0, "rejected");
}

#[test]
fn what_a_job_says_goes_before_the_flags() {
    let server = Server::start(|request| Reply::ok(request.target.clone()));
    let list = format!(
        "{0}\n min-size=3\n out=b\n{0}\n out=c\n{0}\n max-size=1\n out=d\n{0}\n not-html=false\n out=e\n",
        server.url("/a")
    );
    let output = smolget().args(["--json", "--min-size", "1", "--not-html"]).input(list).run().exits(1);
    let errors: Vec<_> = [1, 4, 6, 9]
        .iter()
        .map(|line| output.rows().into_iter().find(|row| row["line"] == *line).map(|row| error(&row).to_owned()))
        .collect();
    assert_eq!(errors.iter().flatten().collect::<Vec<_>>(), ["rejected", "", "too_large", ""]);
    assert_eq!(output.folder.names(), ["c", "e"]);
    assert!(output.stderr.contains("raise its max-size="), "{}", output.stderr);
}

#[test]
fn a_mirror_may_have_what_the_first_has_not() {
    let server = Server::start(|request| Reply::ok(if request.target == "/a" { PORTAL } else { "list" }));
    let list = format!("{}\t{}\n", server.url("/a"), server.url("/b"));
    let output = smolget().args(["--json", "--not-html"]).input(list).run().exits(0);
    assert_eq!(output.file("a"), b"list");
}

#[test]
fn bodies_that_go_to_standard_output_are_judged_too_and_none_of_what_is_refused_comes_out() {
    let server = Server::start(|request| Reply::ok(if request.target == "/a" { PORTAL } else { "list" }));
    let urls = ["/a", "/b"].map(|path| server.url(path));
    let output = smolget().args(["--stdout", "--not-html", "--min-size", "4"]).args(&urls).run().exits(1);
    assert_eq!(output.stdout, b"list");
    assert!(output.stderr.contains("the body begins as HTML does, which not-html refuses"), "{}", output.stderr);
}

#[test]
fn a_link_under_the_name_is_no_old_file() {
    let server = Server::always(Reply::ok("1"));
    let folder = Folder::new();
    let target = folder.write("target", "0123456789");
    std::os::unix::fs::symlink(&target, folder.path().join("a")).unwrap();
    folder.smolget().args(["--min-ratio", "1"]).arg(server.url("/a")).run().exits(0);
    assert_eq!(fs::read_to_string(target).unwrap(), "0123456789");
}
