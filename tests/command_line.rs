//! Options as they may be written, and what is refused: a usage error fetches nothing.

#![cfg(feature = "cli")]

mod support;

use support::run::Output;
use support::terminal::Terminal;
use support::{Folder, Reply, Server, eventually, smolget};

/// Every flag of the contract, as `--help` has to name it.
const FLAGS: [&str; 46] = [
    "--input",
    "--jobs",
    "--dir",
    "--discard",
    "--stdout",
    "--skip-existing",
    "--json",
    "--quiet",
    "--verbose",
    "--header",
    "--user-agent",
    "--head",
    "--connect-timeout",
    "--timeout",
    "--max-time",
    "--deadline",
    "--retries",
    "--max-redirects",
    "--max-size",
    "--max-memory",
    "--per-host",
    "--rate",
    "--limit-rate",
    "--min-speed",
    "--fail-fast",
    "--cacert",
    "--system-roots",
    "--insecure",
    "--resolve",
    "--sync",
    "--continue",
    "--durable",
    "--compressed",
    "--proxy",
    "--netrc-file",
    "--deny-private",
    "--wait-online",
    "-c",
    "--help",
    "--version",
    "-4",
    "-6",
    "-i",
    "-j",
    "-q",
    "-v",
];

/// Runs with these arguments before a URL that would work; the run has to be refused without a request.
#[track_caller]
fn refused(args: &[&str]) -> Output {
    let server = Server::always(Reply::ok("x"));
    let output = smolget().args(args).arg(server.url("/a")).run().exits(2);
    assert_eq!(server.connections(), 0, "{args:?}");
    assert!(output.stdout.is_empty() && output.files().is_empty(), "{args:?}");
    output
}

/// Runs with these arguments before a URL; the run has to succeed.
#[track_caller]
fn taken(args: &[&str]) -> Output {
    let server = Server::always(Reply::ok("x"));
    let output = smolget().args(args).arg(server.url("/a")).run().exits(0);
    assert_eq!(server.visits("/a"), 1, "{args:?}");
    output
}

#[test]
fn a_value_may_be_written_in_four_ways() {
    for args in [&["--jobs", "1"][..], &["--jobs=1"], &["-j", "1"], &["-j1"]] {
        taken(args);
    }
    for args in [&["--jobs", "0"][..], &["--jobs=0"], &["-j", "0"], &["-j0"]] {
        refused(args);
    }
}

#[test]
fn a_value_after_an_equals_sign_may_hold_another() {
    let server = Server::always(Reply::ok("x"));
    smolget().args(["--discard", "--header=X-A: b=c"]).arg(server.url("/")).run().exits(0);
    assert_eq!(server.request("/").field("X-A"), Some("b=c"));
}

#[test]
fn options_may_follow_urls() {
    let server = Server::always(Reply::ok("x"));
    let output = smolget().arg(server.url("/a")).arg("--json").arg(server.url("/b")).arg("--discard").run().exits(0);
    assert_eq!(output.rows().len(), 2);
    assert!(output.files().is_empty());
}

#[test]
fn two_dashes_end_the_options() {
    refused(&["-x"]);
    let output = smolget().args(["--json", "--", "-x"]).run().exits(1);
    assert_eq!((&output.row()["url"], &output.row()["error"]), (&"-x".into(), &"url".into()));
}

#[test]
fn a_bad_value_names_its_flag_and_what_it_got() {
    for (flag, value) in [
        ("--jobs", "0"),
        ("--jobs", "1025"),
        ("--jobs", "-1"),
        ("--jobs", "many"),
        ("--jobs", "1.5"),
        ("--connect-timeout", "soon"),
        ("--timeout", "1d"),
        ("--timeout", "-1"),
        ("--timeout", "1e3000"),
        ("--max-time", "NaN"),
        ("--max-time", "inf"),
        ("--deadline", "1,5"),
        ("--retries", "-1"),
        ("--retries", "some"),
        ("--retries", "99999999999999999999"),
        ("--max-redirects", "1k0"),
        ("--max-size", "1T"),
        ("--max-size", "-1"),
        ("--max-size", "99999999999999999999G"),
        ("--max-memory", "little"),
        ("--max-memory", "0"),
        ("--max-memory", "64k"),
        ("--header", "no colon"),
        ("--header", "Content-Length: 5"),
        ("--resolve", "host"),
        ("--resolve", "host:80"),
        ("--resolve", "host:port:127.0.0.1"),
        ("--resolve", "host:80:nowhere"),
        ("--cacert", "missing.pem"),
    ] {
        let output = refused(&[flag, value]);
        assert!(output.stderr.contains(flag), "{flag} {value}: {}", output.stderr);
        assert!(output.stderr.contains(value), "{flag} {value}: {}", output.stderr);
    }
}

#[test]
fn values_at_the_ends_of_their_range_are_taken() {
    for args in [
        ["--jobs", "1"],
        ["--jobs", "1024"],
        ["--connect-timeout", "1.5"],
        ["--timeout", "2000ms"],
        ["--timeout", "2s"],
        ["--max-time", "1m"],
        ["--deadline", "1h"],
        ["--deadline", "0.5m"],
        ["--retries", "0"],
        ["--max-redirects", "0"],
        ["--max-size", "1"],
        ["--max-size", "1k"],
        ["--max-size", "1M"],
        ["--max-size", "16G"],
        ["--max-memory", "64M"],
        ["-H", "X-A: 1"],
        ["-A", "me/1"],
        ["--resolve", "host:80:127.0.0.1"],
        ["--resolve", "host:80:::1"],
        ["--resolve", "host:80:[::1]"],
    ] {
        taken(&args);
    }
}

#[test]
fn a_size_counts_in_powers_of_1024() {
    let server = Server::start(|request| Reply::ok(vec![b'x'; request.target[1..].parse().unwrap()]));
    let run = |size: &str, path| smolget().args(["--json", "--max-size", size]).arg(server.url(path)).run();
    for (size, fits, does_not) in [("100", "/100", "/101"), ("2k", "/2048", "/2049"), ("1M", "/1048576", "/1048577")] {
        run(size, fits).exits(0);
        assert_eq!(run(size, does_not).exits(1).row()["error"], "too_large", "{size}");
    }
}

#[test]
fn a_duration_is_in_seconds_or_has_a_unit() {
    let server = Server::always(Reply::raw("").hold());
    let run = |time: &str| {
        let args = ["--json", "--retries", "0", "--max-time", time];
        smolget().args(args).arg(server.url("/")).run().exits(1).row()["ms"].as_u64().unwrap()
    };
    for time in ["0.2", "200ms", "0.2s"] {
        let took = run(time);
        assert!((200..5000).contains(&took), "{time}: {took} ms");
    }
}

#[test]
fn a_flag_without_its_value_is_refused() {
    let server = Server::always(Reply::ok("x"));
    for flag in ["--jobs", "-j", "--dir", "-H", "--timeout", "--input"] {
        let output = smolget().arg(server.url("/")).arg(flag).run().exits(2);
        assert!(output.stderr.contains(flag), "{flag}: {}", output.stderr);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_switch_takes_no_value() {
    refused(&["--json=yes"]);
    taken(&["--json"]);
}

#[test]
fn an_unknown_flag_is_refused_by_name() {
    for flag in ["--job", "--jsn", "-x", "--no-such-flag"] {
        let output = refused(&[flag]);
        assert!(output.stderr.contains(flag), "{flag}: {}", output.stderr);
    }
}

#[test]
fn short_switches_may_be_joined() {
    for args in [&["-v", "-v"][..], &["-vv"], &["-q"], &["-qv"]] {
        taken(args);
    }
}

#[test]
fn a_cacert_file_that_holds_no_certificate_is_a_usage_error() {
    let folder = Folder::new();
    let server = Server::always(Reply::ok("x"));
    for content in ["", "no certificate\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        folder.write("roots.pem", content);
        let output = folder.smolget().args(["--cacert", "roots.pem"]).arg(server.url("/")).run().exits(2);
        assert!(output.stderr.contains("--cacert"), "{}", output.stderr);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn help_names_every_flag_and_fetches_nothing() {
    let output = smolget().arg("--help").run().exits(0);
    let help = String::from_utf8(output.stdout.clone()).unwrap();
    for flag in FLAGS {
        assert!(help.contains(flag), "{flag} is not in:\n{help}");
    }
    assert!(output.stderr.is_empty());
}

#[test]
fn version_is_one_line_with_the_version() {
    let output = smolget().arg("--version").run().exits(0);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("smolget {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_to_a_closed_pipe_does_not_panic() {
    for flag in ["--help", "--version"] {
        let output = smolget().arg(flag).closed_stdout().run();
        assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    }
}

#[test]
fn a_closed_standard_error_does_not_panic() {
    let server = Server::always(Reply::status(404));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = smolget().args(["--json", "-vv"]).arg(server.url("/")).stderr(writer).run().exits(1);
    assert_eq!(output.row()["error"], "status");
}

#[test]
fn without_urls_and_input_a_terminal_is_a_usage_error() {
    let terminal = Terminal::new();
    smolget().stdin(terminal.line()).run().exits(2);
}

#[test]
fn without_urls_and_input_standard_input_is_read() {
    let server = Server::always(Reply::ok("x"));
    let output = smolget().args(["--json", "--discard"]).input(server.url("/a\n")).run().exits(0);
    assert_eq!(output.row()["line"], 1);
}

#[test]
fn with_urls_standard_input_is_left_alone() {
    let server = Server::always(Reply::ok("x"));
    let mut running = smolget().args(["--json", "--discard"]).arg(server.url("/a")).open_input().start();
    assert_eq!(running.row()["ok"], true);
    eventually("the run ends", || !running.is_running());
    assert_eq!(running.wait().exits(0).rows().len(), 1);
}

#[test]
fn the_user_agent_is_the_version_unless_it_is_set() {
    let server = Server::always(Reply::ok("x"));
    smolget().arg("--discard").arg(server.url("/default")).run().exits(0);
    smolget().args(["--discard", "-A", "me/1 (test)"]).arg(server.url("/set")).run().exits(0);
    smolget().args(["--discard", "--user-agent=me/2"]).arg(server.url("/long")).run().exits(0);
    let version = concat!("smolget/", env!("CARGO_PKG_VERSION"));
    assert_eq!(server.request("/default").field("User-Agent"), Some(version));
    assert_eq!(server.request("/set").field("User-Agent"), Some("me/1 (test)"));
    assert_eq!(server.request("/long").field("User-Agent"), Some("me/2"));
}

#[test]
fn headers_add_up() {
    let server = Server::always(Reply::ok("x"));
    smolget().args(["--discard", "-H", "X-A: 1", "-H", "X-B:2", "--header", "X-A: 3"]).arg(server.url("/")).run();
    let request = server.request("/");
    assert_eq!(request.fields("X-A"), ["1", "3"]);
    assert_eq!(request.field("X-B"), Some("2"));
}

#[test]
fn head_asks_for_no_body_and_leaves_no_file() {
    let server = Server::always(Reply::ok("body"));
    let output = smolget().args(["--head", "--json"]).arg(server.url("/a")).run().exits(0);
    let row = output.row();
    assert_eq!(server.request("/a").method, "HEAD");
    assert_eq!((&row["status"], &row["bytes"], row.get("file")), (&200.into(), &0.into(), None));
    assert!(output.files().is_empty());
}
