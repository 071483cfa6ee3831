//! Rows, the summary, messages and the exit status: what a run says of itself, and what it must not say.

#![cfg(feature = "cli")]

mod support;

use support::run::Output;
use support::terminal::Terminal;
use support::{Folder, Gate, Reply, Server, assert_harmless, error, fields, smolget};

fn statuses() -> Server {
    Server::start(|request| match request.target.trim_start_matches('/').parse() {
        Ok(200) => Reply::ok(vec![b'x'; 1024]),
        Ok(status) => Reply::status(status),
        Err(_) => Reply::redirect(302, "/200"),
    })
}

#[test]
fn a_row_of_a_saved_file_has_exactly_its_fields() {
    let server = statuses();
    let run = smolget().args(["-i", "-", "--json", "-d", "out"]).input(server.url("/200\n"));
    let row = run.run().exits(0).row();
    let expected = ["attempts", "bytes", "file", "line", "ms", "ok", "redirects", "status", "url"];
    assert_eq!(fields(&row), expected);
    assert_eq!(row["url"], server.url("/200"));
    assert_eq!((&row["ok"], &row["status"], &row["bytes"]), (&true.into(), &200.into(), &1024.into()));
    assert_eq!((&row["file"], &row["line"]), (&"out/200".into(), &1.into()));
    assert_eq!((&row["attempts"], &row["redirects"]), (&1.into(), &0.into()));
    assert!(row["ms"].as_u64().is_some_and(|ms| ms < 30_000), "{row}");
}

#[test]
fn a_row_of_a_discarded_body_has_no_file_and_one_of_the_command_line_no_line() {
    let server = statuses();
    let row = smolget().args(["--json", "--discard"]).arg(server.url("/200")).run().exits(0).row();
    assert_eq!(fields(&row), ["attempts", "bytes", "ms", "ok", "redirects", "status", "url"]);
}

#[test]
fn a_row_of_a_failed_job_says_why() {
    let server = statuses();
    let row = smolget().args(["--json"]).arg(server.url("/404")).run().exits(1).row();
    assert_eq!(fields(&row), ["attempts", "error", "message", "ms", "ok", "redirects", "status", "url"]);
    assert_eq!((&row["ok"], error(&row), &row["status"]), (&false.into(), "status", &404.into()));
    assert!(row["message"].as_str().unwrap().contains("404"), "{row}");
}

#[test]
fn a_row_of_a_timeout_has_a_phase_and_no_status() {
    let server = Server::always(Reply::raw("").hold());
    let args = ["--json", "--timeout", "100ms", "--retries", "0"];
    let row = smolget().args(args).arg(server.url("/")).run().exits(1).row();
    assert_eq!(fields(&row), ["attempts", "error", "message", "ms", "ok", "phase", "redirects", "url"]);
    assert_eq!((error(&row), &row["phase"]), ("timeout", &"head".into()));
}

#[test]
fn the_final_url_is_told_where_it_differs() {
    let server = statuses();
    let run = |path: &str| smolget().args(["--json", "--discard"]).arg(server.url(path)).run().exits(0).row();
    let moved = run("/moved");
    assert_eq!(moved["url"], server.url("/moved"));
    assert_eq!(moved["final_url"], server.url("/200"));
    assert_eq!((&moved["redirects"], &moved["status"]), (&1.into(), &200.into()));
    assert_eq!(run("/200").get("final_url"), None);
}

#[test]
fn a_skipped_job_has_its_file_and_no_status() {
    let server = statuses();
    let folder = Folder::new();
    folder.write("out/200", "old");
    let run = folder.smolget().args(["--json", "--skip-existing", "-d", "out"]).arg(server.url("/200"));
    let output = run.run().exits(0);
    let row = output.row();
    assert_eq!((&row["ok"], &row["skipped"], &row["file"]), (&true.into(), &true.into(), &"out/200".into()));
    assert_eq!((row.get("status"), &row["attempts"]), (None, &0.into()));
    assert_eq!(output.summary().skipped, 1);
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_status_is_the_number_that_was_sent_known_or_not() {
    let server = statuses();
    for status in [200, 203, 206, 299, 404, 418, 451, 499, 520, 599, 699, 999] {
        let url = server.url(&format!("/{status}"));
        let output = smolget().args(["--json", "--discard", "--retries", "0"]).arg(url).run();
        let output = output.exits(i32::from(status >= 400));
        assert_eq!(output.row()["status"], status);
        assert_eq!(error(&output.row()), if status >= 400 { "status" } else { "" }, "{status}");
    }
}

#[test]
fn an_empty_body_leaves_an_empty_file() {
    let server = Server::start(|request| match request.target.as_str() {
        "/204" => Reply::status(204),
        "/closed" => Reply::ok("").until_close(),
        _ => Reply::ok(""),
    });
    let output = smolget().arg("--json").args(["/204", "/empty", "/closed"].map(|p| server.url(p))).run().exits(0);
    assert_eq!(output.folder.names(), ["204", "closed", "empty"]);
    assert!(output.files().values().all(Vec::is_empty));
    assert!(output.rows().iter().all(|row| row["bytes"] == 0 && row["file"].is_string()));
}

#[test]
fn rows_come_in_order_of_completion() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.target.as_str() {
        "/late" => Reply::ok("x").until(&held),
        _ => Reply::ok("x"),
    });
    let urls = [server.url("/late"), server.url("/soon")];
    let mut running = smolget().args(["--json", "--discard"]).args(&urls).start();
    assert_eq!(running.row()["url"], urls[1]);
    gate.open();
    assert_eq!(running.row()["url"], urls[0]);
    running.wait().exits(0);
}

#[test]
fn the_summary_is_the_last_line_and_counts_what_the_rows_say() {
    let server = statuses();
    let folder = Folder::new();
    folder.write("old", "old");
    let urls = ["/200", "/404", "/old", "/moved"].map(|path| server.url(path));
    let output = folder.smolget().args(["--skip-existing"]).args(urls).args(["no-url", "-v"]).run().exits(1);
    let summary = output.summary();
    assert_eq!((summary.jobs, summary.failed, summary.skipped), (5, 2, 1));
    assert_eq!((summary.ok, summary.bytes), (2, 2048));
    assert!(summary.seconds < 30.0);
    let line = output.stderr.lines().last().unwrap();
    assert!(line.starts_with("smolget: 5 jobs, 2 ok, 2 failed, 1 skipped, 2048 bytes, "), "{line}");
    assert!(line.ends_with(" seconds"), "{line}");
}

#[test]
fn without_json_standard_output_stays_empty() {
    let server = statuses();
    let output = smolget().args([server.url("/200"), server.url("/404")]).run().exits(1);
    assert!(output.stdout.is_empty());
}

#[test]
fn quiet_leaves_only_failures_on_standard_error() {
    let server = statuses();
    let quiet = smolget().arg("-q").arg(server.url("/200")).run().exits(0);
    assert_eq!(quiet.stderr, "");
    let failed = smolget().arg("-q").args([server.url("/200"), server.url("/404")]).run().exits(1);
    assert!(failed.stderr.contains(&server.url("/404")), "{}", failed.stderr);
    assert!(!failed.stderr.contains(&server.url("/200")), "{}", failed.stderr);
    assert!(!failed.stderr.contains("smolget: 2 jobs"), "{}", failed.stderr);
}

#[test]
fn a_failure_is_named_on_standard_error_without_quiet_too() {
    let server = statuses();
    let output = smolget().arg(server.url("/404")).run().exits(1);
    assert!(output.stderr.contains(&server.url("/404")) && output.stderr.contains("404"), "{}", output.stderr);
}

#[test]
fn more_v_is_more_log() {
    let server = statuses();
    let log = |args: &[&str]| {
        let output = smolget().args(args).arg("--discard").arg(server.url("/200")).run().exits(0);
        output.stderr.lines().count()
    };
    let (none, more, most) = (log(&[]), log(&["-v"]), log(&["-vv"]));
    assert!(none < more && more < most, "{none} {more} {most}");
}

#[test]
fn the_log_variable_takes_a_filter() {
    let server = statuses();
    let lines = |filter| {
        let run = smolget().env("SMOLGET_LOG", filter).arg("--discard").arg(server.url("/200"));
        run.run().exits(0).stderr.lines().count()
    };
    assert!(lines("off") < lines("smolget=trace"));
}

#[test]
fn the_exit_status_says_how_the_run_went() {
    let server = statuses();
    smolget().args([server.url("/200"), server.url("/204")]).run().exits(0);
    smolget().args([server.url("/200"), server.url("/404")]).run().exits(1);
    smolget().args(["--jobs", "x", &server.url("/200")]).run().exits(2);
    smolget().args(["-i", "missing", &server.url("/200")]).run().exits(3);
}

#[test]
fn standard_output_that_is_closed_or_full_ends_the_run() {
    let server = statuses();
    let run = || smolget().args(["--json", "--discard"]).args((0..200).map(|_| server.url("/200")));
    run().closed_stdout().run().exits(3);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    run().stdout(full).run().exits(3);
    run().run().exits(0);
}

/// What a hostile server can put where smolget reads text.
fn hostile() -> Server {
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}\u{9b}31m\u{200b}";
    Server::start(move |request| match request.target.as_str() {
        "/reason" => Reply::raw(format!("HTTP/1.1 404 {evil}\r\nContent-Length: 0\r\n\r\n")),
        "/location" => Reply::raw(format!("HTTP/1.1 302 x\r\nLocation: ftp://{evil}/\r\nContent-Length: 0\r\n\r\n")),
        "/bidi" => Reply::raw("HTTP/1.1 302 x\r\nLocation: /\u{202e}gpj\r\nContent-Length: 0\r\n\r\n".to_owned()),
        "/field" => Reply::raw(format!("HTTP/1.1 200 x\r\n{evil}: 1\r\n\r\n")).close(),
        "/length" => Reply::raw(format!("HTTP/1.1 200 x\r\nContent-Length: {evil}\r\n\r\n")).close(),
        "/coding" => Reply::raw(format!("HTTP/1.1 200 x\r\nTransfer-Encoding: \u{202e}{evil}\r\n\r\n")).close(),
        "/wait" => Reply::status(503).field("Retry-After", "\u{202e}soon").close(),
        "/start" => Reply::raw(evil).close(),
        _ => Reply::ok("x"),
    })
}

fn show_hostile(server: &Server) -> Output {
    let paths = ["/reason", "/location", "/bidi", "/field", "/length", "/coding", "/wait", "/start"];
    let urls: String = paths.map(|path| server.url(path) + "\n").concat();
    let list = urls + "\u{202e}\u{1b}[2J no url\n" + &server.url("/\u{202e}bidi\u{200b}\n") + "http://\u{1b}[31m/\n";
    smolget().args(["-i", "-", "--json", "-vv", "--retries", "0", "--discard"]).input(list).run()
}

#[test]
fn text_from_outside_steers_no_terminal() {
    let server = hostile();
    let output = show_hostile(&server).exits(1);
    assert_eq!(output.rows().len(), 11);
    assert_harmless(&output.everything());
}

#[test]
fn text_from_the_command_line_steers_no_terminal() {
    let output = smolget().args(["--json", "http://h:x/\u{202e}\u{1b}[2J"]).run().exits(1);
    assert_harmless(&output.everything());
    for args in [["--jobs", "\u{1b}[2J\u{202e}"], ["--\u{1b}[2J\u{202e}", "x"], ["-i", "no/\u{1b}[2J\u{202e}"]] {
        assert_harmless(&smolget().args(args).run().stderr);
    }
}

#[test]
fn progress_is_one_line_on_a_terminal() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.target.as_str() {
        "/held" => Reply::ok("x").until(&held),
        "/404" => Reply::status(404),
        _ => Reply::ok("x"),
    });
    let terminal = Terminal::new();
    let urls = ["/a", "/404", "/held"].map(|path| server.url(path));
    let run = smolget().args(["--json", "--discard"]).args(&urls).stderr(terminal.line());
    let mut running = run.start();
    running.row();
    running.row();
    // Long enough for a redraw that shows what the two rows before have changed.
    std::thread::sleep(support::ms(300));
    gate.open();
    running.wait().exits(1);
    let shown = terminal.shown();
    assert!(shown.contains('\r'), "{shown:?}");
    let lines: Vec<&str> = shown.lines().collect();
    let drawn = lines.iter().filter(|line| line.contains('\r')).count();
    assert!(drawn <= 2, "progress is on one line: {lines:?}");
    assert!(lines.last().unwrap().contains("smolget: 3 jobs, 2 ok, 1 failed"), "{lines:?}");
}

#[test]
fn progress_is_redrawn_at_most_ten_times_a_second() {
    let server = Server::always(Reply::ok("x").after(support::ms(5)));
    let terminal = Terminal::new();
    let urls: String = (0..400).map(|n| server.url(&format!("/{n}\n"))).collect();
    let run = smolget().args(["-i", "-", "--discard", "-j4"]).input(urls).stderr(terminal.line());
    let output = run.run().exits(0);
    let redraws = terminal.shown().matches('\r').count() as u128;
    // Each redraw may take two returns; one more at the start and at the end.
    assert!(redraws > 0 && redraws <= 2 * (output.took.as_millis() / 100 + 2), "{redraws} in {:?}", output.took);
}

#[test]
fn there_is_no_progress_without_a_terminal_or_with_quiet() {
    let server = Server::always(Reply::ok("x").after(support::ms(300)));
    let output = smolget().arg("--discard").arg(server.url("/")).run().exits(0);
    assert!(!output.stderr.contains(['\r', '\u{1b}']), "{:?}", output.stderr);
    assert_eq!(output.stderr.lines().count(), 1);
    let terminal = Terminal::new();
    smolget().args(["-q", "--discard"]).arg(server.url("/")).stderr(terminal.line()).run().exits(0);
    assert_eq!(terminal.shown(), "");
}
