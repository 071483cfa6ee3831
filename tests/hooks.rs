//! `--exec` and `--on-done`: commands of the user's, what they find, and what becomes of those that fail or do not end.

#![cfg(feature = "cli")]

mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::{SigSet, Signal as Named};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::Signal;
use support::terminal::Terminal;
use support::{Folder, Output, Reply, Running, Server, eventually, ms, smolget};

/// A run of five URLs, one after the other, of which `command` is run for the first one now.
fn begun(folder: &Folder, command: &str, on_done: &str) -> Running {
    let server = Server::always(Reply::ok("x"));
    let run = folder.smolget().args(["-j", "1", "-d", "out", "--exec", command, "--on-done", on_done]);
    let run = run.args((0..5).map(|n| server.url(&format!("/{n}")))).start();
    eventually("the first command", || folder.path().join("begun").exists());
    run
}

/// What commands have written to a file, line by line.
#[track_caller]
fn told(folder: &Folder) -> Vec<String> {
    fs::read_to_string(folder.path().join("told")).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The only line on standard error that begins so, without that.
#[track_caller]
fn said<'a>(output: &'a Output, begin: &str) -> &'a str {
    let mut lines = output.stderr.lines().filter_map(|line| line.strip_prefix(begin));
    let line = lines.next().unwrap_or_else(|| panic!("no {begin:?} in:\n{}", output.stderr));
    assert_eq!(lines.next(), None, "{}", output.stderr);
    line
}

#[test]
fn a_command_is_run_for_each_saved_file_and_told_its_row() {
    let server = Server::start(|request| match request.target.as_str() {
        "/gone" => Reply::status(404),
        "/from" => Reply::redirect(302, "/b"),
        _ => Reply::ok("four"),
    });
    let folder = Folder::new();
    folder.write("out/there", "old");
    let command = "sh -c 'echo $SMOLGET_FILE $SMOLGET_BYTES $SMOLGET_STATUS $SMOLGET_LINE $SMOLGET_ATTEMPTS \
                   $SMOLGET_REDIRECTS $SMOLGET_URL ${SMOLGET_FINAL_URL:-none} ${SMOLGET_WRITTEN:-none} $OTHER >>told'";
    let secret = server.url("/a").replace("://", "://user:secret@");
    let urls = [secret.clone(), server.url("/gone"), server.url("/from"), server.url("/there")];
    let args = ["-j", "1", "-d", "out", "--retries", "0", "--json", "--skip-existing", "--exec", command];
    let run = folder.smolget().args(args).env("SMOLGET_FINAL_URL", "stale").env("OTHER", "kept");
    let run = run.input(urls.join("\n") + "\n").run().exits(1);
    let expected = [
        format!("out/a 4 200 1 1 0 {} none none kept", secret.replace("secret", "***")),
        format!("out/from 4 200 3 1 1 {} {} none kept", server.url("/from"), server.url("/b")),
    ];
    assert_eq!(told(&folder), expected);
    assert_eq!(run.rows().len(), 4);
}

#[test]
fn with_sync_only_what_has_changed_is_told() {
    let server = Server::start(|request| match (request.target.as_str(), request.visit) {
        ("/new", 2) => Reply::ok("newer"),
        ("/same", 2) => Reply::status(304),
        _ => Reply::ok("old").field("ETag", "\"1\""),
    });
    let folder = Folder::new();
    let run = || {
        folder.write("told", "");
        let exec = "sh -c 'echo $SMOLGET_FILE $SMOLGET_WRITTEN >>told'";
        let done = "sh -c 'echo $SMOLGET_SAVED of $SMOLGET_OK >>told'";
        let run = folder.smolget().args(["-j", "1", "-d", "out", "--sync", "--exec", exec, "--on-done", done]);
        run.args([server.url("/same"), server.url("/equal"), server.url("/new")]).run().exits(0);
        told(&folder)
    };
    assert_eq!(run(), ["out/same 3", "out/equal 3", "out/new 3", "3 of 3"]);
    assert_eq!(run(), ["out/new 5", "1 of 3"]);
}

#[test]
fn commands_run_one_at_a_time() {
    let server = Server::always(Reply::ok("x"));
    let folder = Folder::new();
    let urls = (0..50).map(|n| server.url(&format!("/{n}")));
    let output = folder.smolget().args(["-d", "out", "--exec", "sh -c 'mkdir lock && rmdir lock'"]).args(urls).run();
    assert_eq!(output.exits(0).stderr.lines().count(), 1);
}

#[test]
fn transfers_go_on_while_a_command_runs() {
    let server = Server::always(Reply::ok("x"));
    let folder = Folder::new();
    let command = "sh -c 'while [ ! -e go ]; do sleep 0.01; done'";
    let run = folder.smolget().args(["-j", "1", "-d", "out", "--exec", command, "--on-done", "touch ended"]);
    let run = run.args((0..20).map(|n| server.url(&format!("/{n}")))).start();
    server.wait_for_requests(20);
    assert!(!folder.path().join("ended").exists());
    folder.write("go", "");
    run.wait().exits(0);
    assert!(folder.path().join("ended").exists());
}

#[test]
fn no_progress_is_shown_while_a_command_runs() {
    let server = Server::start(|request| match request.target.as_str() {
        "/held" => Reply::ok("part").length(100).hold(),
        _ => Reply::ok("x"),
    });
    let terminal = Terminal::new();
    let folder = Folder::new();
    let run = folder.smolget().args([
        "--exec",
        "sh -c 'printf A; sleep 0.5; echo B'",
        "--on-done",
        "sh -c 'sleep 0.3; echo C'",
    ]);
    let mut run = run.args([server.url("/held"), server.url("/a")]).stderr(terminal.line()).start();
    eventually("the file", || folder.path().join("a").exists());
    std::thread::sleep(ms(1500));
    run.signal(Signal::TERM);
    eventually("the end of the run", || !run.is_running());
    run.wait().exits(143);
    let shown = terminal.shown();
    // Before and after there is one.
    assert!(shown.contains("AB\r\n\r") && shown.contains("C\r\n"), "{shown:?}");
}

#[test]
fn rows_come_while_a_command_runs() {
    let server =
        Server::start(|request| if request.target == "/gone" { Reply::status(404) } else { Reply::ok("four") });
    let folder = Folder::new();
    let command = "sh -c 'echo $SMOLGET_FILE >>told; while [ ! -e go ]; do sleep 0.01; done'";
    let mut run =
        folder.smolget().args(["-j", "1", "--json", "--retries", "0", "--exec", command]).open_input().start();
    for target in ["/a", "/gone", "/b", "/c"] {
        run.feed(&server.url(&format!("{target}\n\n")));
        assert_eq!(run.row()["url"], server.url(target));
    }
    eventually("the first command", || told(&folder) == ["./a"]);
    folder.write("go", "");
    run.end_input();
    run.wait().exits(1);
    assert_eq!(told(&folder), ["./a", "./b", "./c"]);
}

#[test]
fn files_that_are_left_out_are_named_though_nobody_takes_the_rows() {
    let server = Server::always(Reply::ok("x"));
    let (_reader, mut writer) = std::io::pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'\n'; 4096]).is_ok() {}
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    let folder = Folder::new();
    let run =
        folder.smolget().args(["-j", "2", "--json", "-d", "out", "--exec", "touch ran", "--on-done", "touch ended"]);
    let run = run.args((0..300).map(|n| server.url(&format!("/{n}")))).stdout(writer).start();
    server.wait_for_requests(20);
    run.signal(Signal::TERM);
    let output = run.wait().exits(143);
    let names = folder.names();
    for file in names.iter().filter(|name| name.starts_with("out/")) {
        said(&output, &format!("smolget: --exec for {file}: `touch`: not run"));
    }
    assert!(names.len() > 10 && names.contains(&"ended".to_owned()) && !names.contains(&"ran".to_owned()), "{names:?}");
}

#[test]
fn what_a_command_writes_is_on_standard_error_and_it_has_nothing_to_read() {
    let server = Server::always(Reply::ok("x"));
    let command = "sh -c 'echo out; echo err >&2; cat'";
    let list = format!("{}\n{}\n", server.url("/a"), server.url("/b"));
    let output = smolget().args(["-q", "-j", "1", "--json", "--exec", command, "--on-done", command]).input(list).run();
    assert_eq!(output.rows().len(), 2);
    assert_eq!(output.exits(0).stderr, "out\nerr\n".repeat(3));
}

#[test]
fn a_command_that_fails_is_named_with_its_file_and_makes_the_status_1() {
    let server = Server::always(Reply::ok("x"));
    let folder = Folder::new();
    folder.write("no-program", "true\n");
    fs::set_permissions(folder.write("no-interpreter", "true\n"), fs::Permissions::from_mode(0o755)).unwrap();
    let run = |option, command: &str| {
        let run = folder.smolget().args(["-q", "--json", "-d", "out", option, command]).arg(server.url("/a")).run();
        let output = run.exits(if command == "true" { 0 } else { 1 });
        assert_eq!(output.row()["ok"], true);
        output.stderr
    };
    for (command, why) in [
        ("false", "`false`: exit status 1\n"),
        ("sh -c 'exit 77'", "`sh`: exit status 77\n"),
        ("sh -c 'kill -9 $$'", "`sh`: ended by signal 9\n"),
        ("no-such-command", "`no-such-command`: No such file or directory (os error 2)\n"),
        ("./no-program", "`./no-program`: Permission denied (os error 13)\n"),
        // There is no shell, not even for what looks like a script.
        ("./no-interpreter", "`./no-interpreter`: Exec format error (os error 8)\n"),
    ] {
        assert_eq!(run("--exec", command), format!("smolget: --exec for out/a: {why}"));
        assert_eq!(run("--on-done", command), format!("smolget: --on-done: {why}"));
    }
    assert_eq!(run("--exec", "true"), "");
    assert_eq!(run("--on-done", "true"), "");
}

#[test]
fn a_program_is_looked_for_in_path_unless_there_is_a_slash_in_it() {
    let server = Server::always(Reply::ok("x"));
    let folder = Folder::new();
    let script = folder.write("bin/a program", "#!/bin/sh\necho \"$0|$1|$2\" >>told\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("/usr/bin:/bin:{}", folder.path().join("bin").display());
    for (command, status) in [
        ("'a program' \"it's\" ''", 0),
        ("\"bin/a program\" a\\ * '*'", 0),
        ("'./a program'", 1),
        ("'a program' $HOME ;", 0),
    ] {
        let run = folder.smolget().env("PATH", &path).args(["-d", "out", "--exec", command]);
        run.arg(server.url("/a")).run().exits(status);
    }
    let found = script.to_string_lossy();
    assert_eq!(told(&folder), [format!("{found}|it's|"), "bin/a program|a *|*".to_owned(), format!("{found}|$HOME|;")]);
}

#[test]
fn the_last_command_is_told_how_the_run_went_and_the_summary_is_below_what_it_writes() {
    let server =
        Server::start(|request| if request.target == "/gone" { Reply::status(404) } else { Reply::ok("four") });
    let command = "sh -c 'echo $SMOLGET_JOBS $SMOLGET_OK $SMOLGET_FAILED $SMOLGET_SKIPPED $SMOLGET_BYTES \
                   $SMOLGET_SAVED $SMOLGET_EXIT; [ ! -e again ] || echo listed'";
    let folder = Folder::new();
    let args = ["--retries", "0", "--failed", "again", "--on-done", command];
    let run = |more: &[&str]| {
        let urls = ["/a", "/gone", "/b"].map(|target| server.url(target));
        let output = folder.smolget().args(args).args(more).args(urls).run().exits(1);
        assert_eq!(output.summary().jobs, 3);
        output.stderr
    };
    assert!(run(&["-d", "out"]).contains("\n3 2 1 0 8 2 1\nlisted\n"));
    assert!(run(&["--discard"]).contains("\n3 2 1 0 8 0 1\nlisted\n"));
    assert!(run(&["-d", "out", "--skip-existing"]).contains("\n3 0 1 2 0 0 1\nlisted\n"));
    let output = smolget().args(["-q", "--on-done", command]).input("").run().exits(0);
    assert_eq!(output.stderr, "0 0 0 0 0 0 0\n");
}

#[test]
fn where_nothing_was_begun_no_command_is_run() {
    let folder = Folder::new();
    folder.write("file", "");
    for (args, status) in [(["-i", "missing"], 3), (["-d", "file"], 3), (["-j", "0"], 2)] {
        folder.smolget().args(["--on-done", "touch ended"]).args(args).arg("http://127.0.0.1:1/").run().exits(status);
    }
    assert!(!folder.path().join("ended").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_finds_signals_as_usual_and_no_descriptor_of_the_run() {
    let server = Server::start(|request| match request.target.as_str() {
        "/held" => Reply::ok("part").length(100).hold(),
        _ => Reply::ok("x"),
    });
    let folder = Folder::new();
    let command = "sh -c 'ls /proc/$PPID/fd >run; ls /proc/self/fd >own; grep Sig /proc/$PPID/status >run-signals; \
                   exec grep Sig /proc/self/status >own-signals'";
    let run = folder.smolget().args(["-j", "2", "-d", "out", "--sync", "-c", "--failed", "again", "--exec", command]);
    let run = run.args([server.url("/held"), server.url("/a")]).start();
    let read = |name| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    eventually("the command", || read("own-signals").contains("SigCgt"));
    run.signal(Signal::TERM);
    run.wait().exits(143);
    let of_run = read("run");
    assert!(of_run.lines().count() > 10, "{of_run}");
    // What the tests have been given themselves goes on to all below them.
    let given = std::process::Command::new("sh").args(["-c", "ls /proc/self/fd"]).output().unwrap();
    assert_eq!(read("own"), String::from_utf8(given.stdout).unwrap());
    let set = |file, name: &str| {
        let text = read(file);
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    let pipe = 1 << (Signal::PIPE.as_raw() - 1);
    assert_eq!((set("run-signals", "SigIgn:") & pipe, set("own-signals", "SigIgn:") & pipe), (pipe, 0));
    assert_eq!(set("own-signals", "SigBlk:"), 0);
}

#[test]
fn a_signal_ends_the_command_and_only_the_last_one_is_begun_after_it() {
    let folder = Folder::new();
    let command = "sh -c 'trap \"echo ended >>told; exit 5\" TERM; echo >begun; while :; do sleep 0.01; done'";
    let run = begun(&folder, command, "sh -c 'echo $SMOLGET_EXIT >>told'");
    run.signal(Signal::TERM);
    let output = run.wait().exits(143);
    assert_eq!(told(&folder), ["ended", "143"]);
    assert_eq!(said(&output, "smolget: --exec for out/0: "), "`sh`: exit status 5");
    let saved = folder.names().iter().filter(|name| name.starts_with("out/")).count();
    assert_eq!(
        output.stderr.matches("`sh`: not run, since the run was stopped\n").count(),
        saved - 1,
        "{}",
        output.stderr
    );
    output.summary();
}

#[test]
fn a_command_that_does_not_listen_is_killed() {
    let folder = Folder::new();
    let run = begun(&folder, "sh -c 'trap \"\" TERM; echo >begun; while [ -e begun ]; do sleep 0.01; done'", "true");
    run.signal(Signal::INT);
    let output = run.wait().exits(130);
    assert_eq!(said(&output, "smolget: --exec for out/0: "), "`sh`: ended by signal 9");
}

#[test]
fn a_second_signal_ends_the_run_at_once_and_the_command_is_told() {
    let folder = Folder::new();
    let command = "sh -c 'trap \"echo got >>told\" TERM; echo >begun; while [ -e begun ]; do sleep 0.01; done'";
    let mut run = begun(&folder, command, "touch ended");
    for received in [1, 2] {
        // A second one that comes at once is the first once more.
        std::thread::sleep(ms(100));
        run.signal(Signal::TERM);
        eventually("the command's signal", || told(&folder).len() == received);
    }
    eventually("the end of the run", || !run.is_running());
    fs::remove_file(folder.path().join("begun")).unwrap();
    run.wait().exits(143);
    assert!(!folder.path().join("ended").exists());
}

/// The last command, which sleeps for a minute, was ended before.
fn assert_last_was_ended(output: &Output, program: &str) {
    assert_eq!(said(output, "smolget: --on-done: "), format!("`{program}`: ended by signal 15"));
    assert!(output.took < ms(30_000), "{:?}", output.took);
}

#[test]
fn the_last_command_is_ended_by_a_signal_too() {
    let server = Server::always(Reply::ok("x"));
    let folder = Folder::new();
    let run = folder.smolget().args(["--on-done", "sh -c 'echo >begun; exec sleep 60'"]).arg(server.url("/a")).start();
    eventually("the command", || folder.path().join("begun").exists());
    run.signal(Signal::TERM);
    let output = run.wait().exits(143);
    assert_last_was_ended(&output, "sh");
}

#[test]
fn the_deadline_ends_the_command_and_the_last_one_is_run_all_the_same() {
    let server = Server::always(Reply::ok("x"));
    let args =
        ["-j", "1", "--deadline", "1", "--exec", "sleep 60", "--on-done", "sh -c 'sleep 1.2; echo $SMOLGET_EXIT'"];
    let output = smolget().args(args).args([server.url("/a"), server.url("/b")]).run().exits(1);
    assert_eq!(said(&output, "smolget: --exec for ./a: "), "`sleep`: ended by signal 15");
    assert_eq!(said(&output, "smolget: --exec for ./b: "), "`sleep`: not run, since the run was stopped");
    assert_eq!(said(&output, "1"), "");
    assert_eq!(output.summary().ok, 2);
}

#[test]
fn the_end_of_a_command_is_seen_though_whoever_began_the_run_has_blocked_its_signal() {
    let server = Server::always(Reply::ok("x"));
    let child = SigSet::from(Named::SIGCHLD);
    let run = smolget().args(["--exec", "true", "--on-done", "true"]).arg(server.url("/a"));
    child.thread_block().unwrap();
    let run = run.start();
    child.thread_unblock().unwrap();
    run.wait().exits(0);
}

#[test]
fn files_that_are_left_out_wait_no_longer_than_one_for_standard_error() {
    let (_reader, mut writer) = std::io::pipe().unwrap();
    let folder = Folder::new();
    let server = Server::always(Reply::ok("x"));
    let run = folder.smolget().args(["-q", "-d", "out", "--exec", "sh -c 'echo >begun; exec sleep 60'"]);
    let mut run = run.args((0..30).map(|n| server.url(&format!("/{n}")))).stderr(writer.try_clone().unwrap()).start();
    eventually("the command", || folder.path().join("begun").exists());
    server.wait_for_requests(30);
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'\n'; 4096]).is_ok() {}
    run.signal(Signal::TERM);
    let since = std::time::Instant::now();
    eventually("the end of the run", || !run.is_running());
    assert!(since.elapsed() < ms(10_000), "{:?}", since.elapsed());
    run.wait().exits(143);
}

#[test]
fn a_signal_ends_the_last_command_also_after_the_deadline() {
    let server = Server::silent();
    let folder = Folder::new();
    let run = folder.smolget().args(["--deadline", "0.2", "--on-done", "sh -c 'echo >begun; exec sleep 60'"]);
    let run = run.arg(server.url("/a")).start();
    eventually("the command", || folder.path().join("begun").exists());
    run.signal(Signal::TERM);
    let output = run.wait().exits(143);
    assert_last_was_ended(&output, "sh");
}

#[test]
fn the_deadline_ends_the_last_command_too() {
    let server = Server::always(Reply::ok("x"));
    let run = smolget().args(["--deadline", "1", "--on-done", "sleep 60"]).arg(server.url("/a")).run();
    let output = run.exits(1);
    assert_last_was_ended(&output, "sleep");
}

#[test]
fn files_that_were_saved_before_the_first_failure_have_their_commands() {
    let server = Server::start(|request| match request.target.as_str() {
        "/bad" => Reply::status(404),
        _ => Reply::ok("x"),
    });
    let folder = Folder::new();
    let run =
        folder.smolget().args(["-j", "1", "--fail-fast", "-d", "out", "--exec", "sh -c 'echo $SMOLGET_FILE >>told'"]);
    run.args(["/a", "/bad", "/b"].map(|target| server.url(target))).run().exits(1);
    assert_eq!(told(&folder), ["out/a"]);
}

#[test]
fn a_command_that_can_not_be_one_is_a_usage_error() {
    for args in [["--exec", ""], ["--exec", "a 'b"], ["--on-done", " "], ["--on-done", "'' a"]] {
        let output = smolget().args(args).arg("http://127.0.0.1:1/").run().exits(2);
        assert!(output.stderr.contains(args[0]), "{}", output.stderr);
    }
    for mode in ["--discard", "--stdout", "--head"] {
        smolget().args(["--exec", "true", mode, "http://127.0.0.1:1/"]).run().exits(2);
        smolget().args(["--on-done", "true", "-q", mode, "--retries", "0", "http://127.0.0.1:1/"]).run().exits(1);
    }
}
