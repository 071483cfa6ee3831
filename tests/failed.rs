//! `--failed`: a list of the jobs that failed, to be fed in again as it is.

#![cfg(feature = "cli")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use rustix::process::Signal;
use support::{Folder, Gate, Port, Reply, Server, error, smolget};

#[test]
fn the_list_of_what_failed_works_as_it_is() {
    let server = Server::start(|request| match (request.target.as_str(), request.visit) {
        ("/good" | "/mirror", _) | (_, 2) => Reply::ok("x"),
        _ => Reply::status(404),
    });
    let (bad, mirror) = (server.url("/bad").replace("://", "://user:secret@"), Port::refusing().url("/m"));
    let list = format!(
        "{}\n{bad}\t{mirror}\n out=a/b.txt\n header = X-Key: hush\n checksum=SHA-256={}\n{}\nnonsense\n{}\n  color=red\n",
        server.url("/good"),
        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881".to_uppercase(),
        server.url("/bad2"),
        server.url("/never"),
    );
    let folder = Folder::new();
    let args = ["-d", "out", "-j", "1", "--retries", "0", "--failed", "again.txt"];
    folder.smolget().args(args).input(list).run().exits(1);
    let again = fs::read_to_string(folder.path().join("again.txt")).unwrap();
    let entry = format!(
        "{bad}\t{mirror}\n  out=a/b.txt\n  header=X-Key: hush\n  checksum=sha-256=2d711642b726b04401627ca9fbac32f5c8530fb1903c\
         c4db02258717921a4881\n"
    );
    let others = [
        format!("{}\n", server.url("/bad2")),
        "# line 7: nonsense: not a URL; it has to start with http:// or https://\n".to_owned(),
    ];
    // In order of completion: a job that goes on to its mirror may be overtaken.
    let rest = again.replacen(&entry, "", 1);
    assert!(again.len() > rest.len() && rest.starts_with(&others.concat()), "{again}");
    assert!(again.lines().last().unwrap().starts_with("# line 9: http://127.0.0.1:"), "{again}");
    let mode = fs::metadata(folder.path().join("again.txt")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // The same file is read and written, and now nothing fails.
    folder.smolget().args(args).args(["-i", "again.txt"]).run().exits(0);
    assert_eq!(fs::read_to_string(folder.path().join("again.txt")).unwrap(), "");
    let request = server.requests().into_iter().rfind(|request| request.target == "/bad").unwrap();
    // base64 of `user:secret`
    assert_eq!(request.field("Authorization"), Some("Basic dXNlcjpzZWNyZXQ="));
    assert_eq!(request.field("X-Key"), Some("hush"));
    assert_eq!(folder.names(), ["again.txt", "out/a/b.txt", "out/bad2", "out/good"]);
}

#[test]
fn interrupted_jobs_are_in_it_and_those_that_were_not_read_are_not() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_| Reply::ok("x").until(&held));
    let folder = Folder::new();
    let mut run =
        folder.smolget().args(["--json", "--discard", "-j", "1", "--failed", "again.txt"]).open_input().start();
    run.feed(&format!("{}\n{}\n{}\n  out=c\n", server.url("/a"), server.url("/b"), server.url("/c")));
    server.wait_for_requests(1);
    run.signal(Signal::INT);
    let output = run.wait().exits(130);
    gate.open();
    let rows = output.rows();
    assert!(rows.iter().all(|row| error(row) == "interrupted"), "{rows:?}");
    let again = fs::read_to_string(folder.path().join("again.txt")).unwrap();
    assert_eq!(again.lines().filter(|line| line.starts_with("http")).count(), rows.len(), "{again}");
    assert!(again.contains(&server.url("/a")), "{again}");
}

#[test]
fn a_run_that_is_killed_leaves_the_old_list() {
    let server = Server::silent();
    let folder = Folder::new();
    folder.write("again.txt", "old");
    let list = format!("nonsense\n{}\n", server.url("/a"));
    let run = folder.smolget().args(["--discard", "--failed", "again.txt"]).input(list).start();
    server.wait_for_connections(1);
    run.signal(Signal::KILL);
    run.wait().exits(137);
    assert_eq!(fs::read(folder.path().join("again.txt")).unwrap(), b"old");
    assert_eq!(folder.names(), [".again.txt.part", "again.txt"]);

    // The next one takes away what that left.
    folder.smolget().args(["--discard", "--failed", "again.txt", "nonsense"]).run().exits(1);
    assert_eq!(folder.names(), ["again.txt"]);
    assert!(fs::read_to_string(folder.path().join("again.txt")).unwrap().starts_with("# nonsense: "));
}

#[test]
fn a_list_that_another_run_is_writing_is_left_to_it() {
    let server = Server::silent();
    let folder = Folder::new();
    let run = folder.smolget().args(["--discard", "--failed", "f"]).arg(server.url("/")).start();
    server.wait_for_connections(1);
    let output = folder.smolget().args(["--failed", "f", "nonsense"]).run().exits(3);
    assert!(output.stderr.contains("another run is writing it"), "{}", output.stderr);
    run.signal(Signal::TERM);
    run.wait().exits(143);
    assert_eq!(folder.names(), ["f"]);
}

#[test]
fn what_is_no_file_is_not_replaced_and_a_link_stays_one() {
    let folder = Folder::new();
    for file in ["/dev/null", ".", "missing/again.txt"] {
        let output = folder.smolget().args(["--failed", file, "http://127.0.0.1:1/"]).run().exits(3);
        assert!(output.stderr.contains("--failed: the list `"), "{}", output.stderr);
    }
    folder.write("real.txt", "old");
    symlink("real.txt", folder.path().join("link.txt")).unwrap();
    folder.smolget().args(["--retries", "0", "--failed", "link.txt", "nonsense"]).run().exits(1);
    assert!(fs::symlink_metadata(folder.path().join("link.txt")).unwrap().is_symlink());
    let list = fs::read_to_string(folder.path().join("real.txt")).unwrap();
    assert!(list.starts_with("# nonsense: "), "{list}");
}

#[test]
fn bodies_that_standard_output_does_not_take_are_jobs_that_failed() {
    let server = Server::always(Reply::ok("x"));
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let folder = Folder::new();
    folder.smolget().args(["--stdout", "--failed", "f"]).arg(server.url("/a")).stdout(full).run().exits(3);
    assert_eq!(fs::read_to_string(folder.path().join("f")).unwrap(), format!("{}\n", server.url("/a")));
}

#[test]
fn without_the_option_there_is_no_list() {
    let output = smolget().args(["nonsense"]).run().exits(1);
    assert!(output.files().is_empty());
}
