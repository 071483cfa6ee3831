//! Files: their names, when they appear, and what a failed or killed run leaves.

#![cfg(feature = "cli")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::{Resource, Signal};
use support::{Folder, Gate, Reply, Server, error, eventually, smolget};

fn echo_target() -> Server {
    Server::start(|request| Reply::ok(request.target.clone()))
}

#[test]
fn a_file_is_named_after_the_last_segment_decoded_once() {
    let server = echo_target();
    for (path, name) in [
        ("/a/b/file.txt", "file.txt"),
        ("/file.txt?query=1/2", "file.txt"),
        ("/file.txt#part", "file.txt"),
        ("/two%20words", "two words"),
        ("/twice%252e", "twice%2e"),
        ("/%C3%BC.txt", "ü.txt"),
        ("/ü2.txt", "ü2.txt"),
        ("/percent%", "percent%"),
        ("/percent%zz", "percent%zz"),
        ("/plus+plus", "plus+plus"),
        ("/folder/", "index.html"),
        ("/", "index.html"),
        ("", "index.html"),
        ("/?a/b", "index.html"),
        ("/semi;colon", "semi;colon"),
        ("/a..b", "a..b"),
    ] {
        let output = smolget().args(["--json", "-d", "out"]).arg(server.url(path)).run().exits(0);
        assert_eq!(output.folder.names(), [format!("out/{name}")], "{path}");
        assert_eq!(output.row()["file"], format!("out/{name}"), "{path}");
    }
}

#[test]
fn a_name_that_is_not_one_is_refused_before_anything_is_sent() {
    let server = echo_target();
    for path in [
        "/a/..",
        "/a/.",
        "/%2e%2e",
        "/%2e",
        "/.%2E",
        "/.hidden",
        "/%2ehidden",
        "/..%2fup",
        "/a%2fb",
        "/a%5cb",
        "/nul%00",
        "/bell%07",
        "/line%0a",
        "/escape%1b",
        "/del%7f",
        "/%ff%fe",
    ] {
        let output = smolget().args(["--json", "-d", "out"]).arg(server.url(path)).run().exits(1);
        assert_eq!(error(&output.row()), "url", "{path}");
        assert!(output.files().is_empty(), "{path}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn what_is_saved_nowhere_needs_no_name() {
    let server = echo_target();
    for flag in ["--discard", "--stdout", "--head"] {
        smolget().arg(flag).arg(server.url("/.hidden")).run().exits(0);
    }
    assert_eq!(server.visits("/.hidden"), 3);
}

#[test]
fn a_name_that_is_too_long_is_cut_and_keeps_its_extension() {
    let server = echo_target();
    for (stem, extension) in [("x".repeat(300), ".tar.gz"), ("ü".repeat(200), ".txt"), ("y".repeat(400), "")] {
        let output = smolget().args(["--json"]).arg(server.url(&format!("/{stem}{extension}"))).run().exits(0);
        let name = output.folder.names().remove(0);
        let last = extension.rsplit('.').next().unwrap();
        assert!(name.len() <= 255 && name.len() > 200 && name.ends_with(last), "{name}");
        assert!(stem.starts_with(&name[..200]), "{name}");
    }
}

#[test]
fn long_names_that_are_cut_to_the_same_are_told_apart() {
    let server = echo_target();
    let urls = ["a", "b"].map(|end| server.url(&format!("/{}{end}.txt", "x".repeat(300))));
    let output = smolget().args(["--json", "-j1"]).args(urls).run().exits(0);
    let names = output.folder.names();
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|name| name.len() <= 255 && name.ends_with(".txt")), "{names:?}");
}

#[test]
fn the_file_of_a_row_is_the_folder_as_it_was_given_and_the_name() {
    let server = echo_target();
    for (dir, file) in [("out", "out/a"), ("./out", "./out/a"), ("x/y/z", "x/y/z/a"), (".", "./a")] {
        let output = smolget().args(["--json", "-d", dir]).arg(server.url("/a")).run().exits(0);
        assert_eq!(output.row()["file"], file);
        assert_eq!(output.file(file), b"/a");
    }
    let output = smolget().args(["--json"]).arg(server.url("/a")).run().exits(0);
    assert_eq!((&output.row()["file"], output.folder.names()), (&"./a".into(), vec!["a".to_owned()]));
}

#[test]
fn a_folder_that_cannot_be_made_ends_the_run() {
    let server = echo_target();
    let folder = Folder::new();
    folder.write("file", "");
    for dir in ["file", "file/below"] {
        folder.smolget().args(["-d", dir]).arg(server.url("/a")).run().exits(3);
    }
    assert_eq!(server.requests().len(), 0);
    folder.smolget().args(["-d", "folder"]).arg(server.url("/a")).run().exits(0);
}

#[test]
fn nothing_is_made_where_nothing_is_saved() {
    let server = echo_target();
    for flag in ["--discard", "--stdout", "--head"] {
        let output = smolget().args([flag, "-d", "out"]).arg(server.url("/a")).run().exits(0);
        assert!(!output.folder.path().join("out").exists(), "{flag}");
    }
    assert_eq!(server.visits("/a"), 3);
}

/// Runs a list of one job whose `out=` is this.
fn run_out(server: &Server, folder: &Folder, out: &str) -> support::Output {
    let list = format!("{}\n out={out}\n", server.url("/a"));
    folder.smolget().args(["-i", "-", "--json", "-d", "out"]).input(list).run()
}

#[test]
fn out_may_name_folders_below_the_directory() {
    let server = echo_target();
    for out in ["name", "one/two/three", "ü ö.txt", "a..b/c", "per%20cent"] {
        let folder = Folder::new();
        let output = run_out(&server, &folder, out).exits(0);
        assert_eq!(folder.names(), [format!("out/{out}")]);
        assert_eq!(output.row()["file"], format!("out/{out}"));
    }
}

#[test]
fn out_leads_nowhere_else() {
    let server = echo_target();
    for out in ["", "..", ".", "../up", "a/../../up", "a/..", "a/../b", "/tmp/absolute", "a\\b", ".hidden", "a/"] {
        let folder = Folder::new();
        let output = run_out(&server, &folder, out).exits(1);
        assert_eq!(error(&output.row()), "url", "{out:?}");
        assert!(folder.names().is_empty(), "{out:?}: {:?}", folder.names());
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn out_does_not_go_through_a_symbolic_link() {
    let server = echo_target();
    let folder = Folder::new();
    folder.write("elsewhere/kept", "kept");
    folder.write("out/real/x", "");
    symlink("../elsewhere", folder.path().join("out/link")).unwrap();
    let output = run_out(&server, &folder, "link/file").exits(1);
    assert_eq!(error(&output.row()), "io");
    assert!(!folder.path().join("elsewhere/file").exists());
    run_out(&server, &folder, "real/file").exits(0);
}

#[test]
fn a_link_under_the_final_name_is_replaced_not_followed() {
    let server = echo_target();
    let folder = Folder::new();
    folder.write("target", "kept");
    symlink("target", folder.path().join("a")).unwrap();
    folder.smolget().arg(server.url("/a")).run().exits(0);
    assert_eq!(fs::read(folder.path().join("target")).unwrap(), b"kept");
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"/a");
}

#[test]
fn an_existing_file_is_replaced_unless_it_is_to_be_skipped() {
    let server = Server::always(Reply::ok("new"));
    let folder = Folder::new();
    folder.write("a", "something old and longer");
    folder.smolget().arg("--skip-existing").arg(server.url("/a")).run().exits(0);
    assert_eq!(folder.files()["a"], b"something old and longer");
    assert_eq!(server.connections(), 0);
    folder.smolget().arg(server.url("/a")).run().exits(0);
    assert_eq!(folder.files()["a"], b"new");
}

#[test]
fn a_failed_job_leaves_the_old_file_and_nothing_else() {
    let server = Server::start(|request| match request.target.as_str() {
        "/short" => Reply::ok("part").length(100).close(),
        "/missing" => Reply::status(404).body("an error page"),
        "/large" => Reply::ok(vec![b'x'; 5000]).chunked(100),
        _ => Reply::ok("new"),
    });
    let folder = Folder::new();
    let names = ["good", "large", "missing", "short", "sum"];
    names.iter().for_each(|name| drop(folder.write(name, "old")));
    let list: String = names.iter().map(|name| server.url(&format!("/{name}\n"))).collect();
    let list = list + " checksum=sha-256=" + &"0".repeat(64) + "\n" + &server.url("/short\n out=sub/new\n");
    let args = ["-i", "-", "--retries", "0", "--max-size", "4k", "--json"];
    folder.smolget().args(args).input(list).run().exits(1);
    let files = folder.files();
    assert_eq!(files.keys().collect::<Vec<_>>(), names);
    assert!(files.iter().all(|(name, content)| content == if name == "good" { &b"new"[..] } else { b"old" }));
}

#[test]
fn a_file_that_cannot_take_its_place_is_an_io_failure() {
    let server = echo_target();
    let folder = Folder::new();
    folder.write("a/inside", "kept");
    let run = folder.smolget().args(["--json"]).args([server.url("/a"), server.url("/b")]);
    let output = run.run().exits(1);
    assert_eq!(error(&output.row_of(&server.url("/a"))), "io");
    assert_eq!(folder.names(), ["a/inside", "b"]);
}

#[test]
fn jobs_of_the_same_name_are_numbered_before_the_extension() {
    let server = echo_target();
    let paths = ["/1/x.txt", "/2/x.txt", "/3/x.txt", "/1/y", "/2/y", "/1/z.tar.gz", "/2/z.tar.gz"];
    let output = smolget().args(["--json", "-j1"]).args(paths.map(|path| server.url(path))).run().exits(0);
    let files = output.files();
    assert_eq!((&files["x.txt"][..], &files["x.1.txt"][..]), (&b"/1/x.txt"[..], &b"/2/x.txt"[..]));
    assert_eq!(
        (&files["x.2.txt"][..], &files["y"][..], &files["y.1"][..]),
        (&b"/3/x.txt"[..], &b"/1/y"[..], &b"/2/y"[..])
    );
    assert_eq!((&files["z.tar.gz"][..], &files["z.tar.1.gz"][..]), (&b"/1/z.tar.gz"[..], &b"/2/z.tar.gz"[..]));
    assert_eq!(files.len(), 7);
    assert_eq!(output.row_of(&server.url("/2/x.txt"))["file"], "./x.1.txt");
}

#[test]
fn a_name_that_is_made_up_takes_no_other_jobs_name() {
    let server = echo_target();
    let urls = ["/x.1.txt", "/x.txt", "/2/x.txt"].map(|path| server.url(path));
    let output = smolget().args(["-j1"]).args(urls).run().exits(0);
    let mut contents: Vec<Vec<u8>> = output.files().into_values().collect();
    contents.sort();
    assert_eq!(contents, [&b"/2/x.txt"[..], b"/x.1.txt", b"/x.txt"]);
}

#[test]
fn another_run_replaces_it_does_not_number() {
    let server = echo_target();
    let folder = Folder::new();
    for _ in 0..2 {
        folder.smolget().args([server.url("/1/x"), server.url("/2/x")]).run().exits(0);
    }
    assert_eq!(folder.names(), ["x", "x.1"]);
}

/// How much of a gated body comes at once: so much that it is not all held in memory.
const FIRST_HALF: usize = 200 << 10;

/// A server whose bodies stop in the middle until the gate is open.
fn gated(gate: &Gate) -> Server {
    let gate = gate.clone();
    let reply = Reply::ok([b'1'; FIRST_HALF]).length(FIRST_HALF as u64 + 11).then_until(&gate).then("second half");
    Server::always(reply)
}

/// What a gated server sends in the end.
fn gated_body() -> Vec<u8> {
    [&[b'1'; FIRST_HALF][..], b"second half"].concat()
}

#[test]
fn a_body_is_under_a_hidden_name_until_it_is_whole() {
    let gate = Gate::new();
    let server = gated(&gate);
    let folder = Folder::new();
    folder.write("sub/a", "old");
    let list = server.url("/a\n out=sub/a\n");
    let running = folder.smolget().args(["-i", "-"]).input(list).start();
    server.wait_for_requests(1);
    eventually("there is a temporary", || !folder.temporaries().is_empty());
    assert!(folder.temporaries()[0].starts_with("sub/.smolget-"), "{:?}", folder.temporaries());
    assert_eq!(folder.files()["sub/a"], b"old");
    gate.open();
    running.wait().exits(0);
    assert_eq!(folder.names(), ["sub/a"]);
    assert!(folder.files()["sub/a"] == gated_body());
}

#[test]
fn a_killed_run_leaves_a_temporary_that_the_next_run_removes() {
    let gate = Gate::new();
    let server = gated(&gate);
    let folder = Folder::new();
    folder.write("a", "old");
    let running = folder.smolget().arg(server.url("/a")).start();
    eventually("there is a temporary", || !folder.temporaries().is_empty());
    running.signal(Signal::KILL);
    running.wait().exits(128 + 9);
    assert_eq!(folder.files()["a"], b"old");
    gate.open();
    folder.smolget().arg(server.url("/b")).run().exits(0);
    assert_eq!(folder.names(), ["a", "b"]);
}

#[test]
fn temporaries_of_a_run_that_is_going_on_are_left_alone() {
    let gate = Gate::new();
    let slow = gated(&gate);
    let fast = Server::always(Reply::ok("x"));
    let folder = Folder::new();
    let running = folder.smolget().arg(slow.url("/a")).start();
    eventually("there is a temporary", || !folder.temporaries().is_empty());
    let before = folder.temporaries();
    folder.smolget().arg(fast.url("/b")).run().exits(0);
    assert_eq!(folder.temporaries(), before);
    gate.open();
    assert!(running.wait().exits(0).file("a") == gated_body());
    assert_eq!(folder.names(), ["a", "b"]);
}

#[test]
fn a_file_past_the_limit_on_file_sizes_is_one_failed_job() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.target.as_str() {
        "/large" => Reply::ok(vec![b'x'; 300_000]).until(&held),
        _ => Reply::ok(vec![b'x'; 50_000]).until(&held),
    });
    let urls = ["/a", "/large", "/b"].map(|path| server.url(path));
    let running = smolget().args(["--json", "-j1"]).args(&urls).start();
    server.wait_for_requests(1);
    running.limit(Resource::Fsize, 200_000);
    gate.open();
    let output = running.wait().exits(1);
    let row = output.row_of(&urls[1]);
    assert_eq!(error(&row), "io", "{row}");
    assert_eq!(output.folder.names(), ["a", "b"]);
}

#[test]
fn hidden_files_of_others_are_left_alone() {
    let server = echo_target();
    let folder = Folder::new();
    folder.write(".other", "kept");
    folder.smolget().arg(server.url("/a")).run().exits(0);
    assert_eq!(folder.names(), [".other", "a"]);
}
