//! Few descriptors: a run gets by with what it may have, and no job fails for want of one.

#![cfg(feature = "cli")]

mod support;

use std::fs;
use std::process::{Command, Output};

use support::{Folder, Reply, Server};

/// The least that a run gets by with: the standard streams, the list, async-io, the connections, the signals, the
/// directory, and two for the transfer.
const FEW: u32 = 18;

/// Runs the program with so few descriptors.
fn with_few(folder: &Folder, few: u32, args: &[&str]) -> Output {
    let limited = format!("ulimit -n {few}; exec \"$0\" -q \"$@\"");
    let mut run = Command::new("sh");
    run.args(["-c", &limited, env!("CARGO_BIN_EXE_smolget")]).args(args).current_dir(folder.path());
    run.output().unwrap()
}

/// Has thirty files fetched with many workers and few descriptors.
#[track_caller]
fn finishes_with_few(args: &[&str], file: fn(u32) -> String, repeated: usize) {
    let server = Server::start(move |request| Reply::ok(request.target.repeat(repeated)));
    let folder = Folder::new();
    let list: String = (0..30).map(|n| format!("{}\n  out={}\n", server.url(&format!("/{n}")), file(n))).collect();
    folder.write("list", list);
    let output = with_few(&folder, FEW, &[&["-j", "64", "-i", "list", "-d", "out"], args].concat());
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    for n in 0..30 {
        let content = fs::read(folder.path().join("out").join(file(n))).unwrap();
        assert!(content == format!("/{n}").repeat(repeated).into_bytes(), "{args:?}: {n}");
    }
    assert_eq!(folder.names().len(), 31, "{args:?}");
}

#[test]
fn large_files_are_kept_synced_and_not() {
    finishes_with_few(&[], |n| n.to_string(), 100_000);
    finishes_with_few(&["--durable"], |n| n.to_string(), 100_000);
}

#[test]
fn files_in_folders_are_kept_synced_and_not() {
    finishes_with_few(&[], |n| format!("f/{}/{n}", n % 3), 1);
    finishes_with_few(&["--durable"], |n| format!("f/{}/{n}", n % 3), 1);
}

#[test]
fn with_too_few_a_run_says_so_and_how_many_it_takes() {
    let server = Server::always(Reply::ok("x"));
    // One may be left to what the tests themselves have been given.
    for few in 6..FEW - 1 {
        let output = with_few(&Folder::new(), few, &[&server.url("/")]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{few}: {told}");
        assert_eq!(told, "smolget: too few open files: a run takes 18; raise ulimit -n\n", "{few}");
    }
    assert!(with_few(&Folder::new(), FEW, &[&server.url("/")]).status.success());
}
