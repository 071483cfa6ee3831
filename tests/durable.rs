//! `--durable`: files whose rows wait for the disk. That the disk really has them, `make torture` shows.

#![cfg(feature = "cli")]

mod support;

use std::fmt::Write as _;
use std::fs;

use support::{Folder, Reply, Server, error, smolget};

fn echo_target() -> Server {
    Server::start(|request| Reply::ok(request.target.clone()))
}

#[test]
fn every_file_is_there_with_its_row_and_nothing_beside_it() {
    let server = echo_target();
    let list = (0..300).fold(String::new(), |mut list, n| {
        let _ = writeln!(list, "{}\n  out={}/{n}.txt", server.url(&format!("/{n}")), n % 7);
        list
    });
    let output = smolget().args(["--durable", "--json", "-d", "out", "-j", "16"]).input(list).run().exits(0);
    let rows = output.rows();
    assert_eq!((rows.len(), output.files().len()), (300, 300));
    for row in rows {
        let n = row["line"].as_u64().unwrap() / 2;
        assert_eq!(row["file"], format!("out/{}/{n}.txt", n % 7));
        assert_eq!(output.file(row["file"].as_str().unwrap()), format!("/{n}").into_bytes());
        assert_eq!(row["bytes"], format!("/{n}").len());
    }
}

#[test]
fn a_large_file_takes_the_place_of_the_old_one() {
    let body = vec![b'x'; 300_000];
    let server = Server::always(Reply::ok(body.clone()).chunked(10_000));
    let folder = Folder::new();
    fs::write(folder.path().join("a"), "old").unwrap();
    let output = folder.smolget().args(["--durable", "--json"]).arg(server.url("/a")).run().exits(0);
    assert!(output.file("a") == body);
    assert_eq!(output.folder.names(), ["a"]);
}

#[test]
fn a_file_that_can_not_be_named_fails_alone_with_its_url() {
    let server = echo_target();
    let folder = Folder::new();
    fs::create_dir(folder.path().join("b")).unwrap();
    let urls = ["/a", "/b", "/c"].map(|path| server.url(path));
    let output = folder.smolget().args(["--durable", "--json"]).args(&urls).run().exits(1);
    for (url, error_is) in urls.iter().zip(["", "io", ""]) {
        let row = output.row_of(url);
        assert_eq!((error(&row), row["file"].is_string()), (error_is, error_is.is_empty()), "{row}");
    }
    assert_eq!(output.files().len(), 2);
    assert!(output.stderr.contains(&format!("{}: a directory is in the way of `./b`", urls[1])), "{}", output.stderr);
    assert_eq!(output.summary().failed, 1);
}

#[test]
fn a_failure_on_the_disk_stops_a_run_that_is_to_fail_fast() {
    let server = echo_target();
    let folder = Folder::new();
    fs::create_dir(folder.path().join("a")).unwrap();
    let mut list = format!("{}\n", server.url("/a"));
    (0..5000).for_each(|n| list += &format!("{}\n", server.url(&format!("/{n}"))));
    let output = folder.smolget().args(["--durable", "--json", "--fail-fast", "-j", "1"]).input(list).run().exits(1);
    assert!(output.rows().len() < 5000, "the run went on to the end");
    assert_eq!(error(&output.row_of(&server.url("/a"))), "io");
}

#[test]
fn without_files_there_is_nothing_to_sync() {
    let server = echo_target();
    for other in ["--discard", "--stdout", "--head"] {
        let output = smolget().args(["--durable", other]).arg(server.url("/")).run().exits(2);
        assert!(output.stderr.contains(&format!("--durable and {other} exclude each other")), "{}", output.stderr);
    }
    assert_eq!(server.connections(), 0);
}
