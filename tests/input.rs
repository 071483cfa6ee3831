//! Lists: what is a job, what is an option of it, what is a bad line.

#![cfg(feature = "cli")]

mod support;

use serde_json::Value;
use support::run::Output;
use support::{Folder, Reply, Server, error, fields, smolget};

/// Runs a list from standard input, `{}` in it standing for the server's URL without a path.
fn run_list(server: &Server, list: &str) -> Output {
    let list = list.replace("{}", &server.url(""));
    smolget().args(["-i", "-", "--json", "--discard", "-j1"]).input(list).run()
}

fn lines(output: &Output) -> Vec<u64> {
    let mut lines: Vec<u64> = output.rows().iter().map(|row| row["line"].as_u64().unwrap()).collect();
    lines.sort_unstable();
    lines
}

fn echo_target() -> Server {
    Server::start(|request| Reply::ok(request.target.clone()))
}

#[test]
fn lists_and_urls_add_up_and_only_lines_have_numbers() {
    let server = echo_target();
    let folder = Folder::new();
    folder.write("one.txt", server.url("/1\n"));
    folder.write("two.txt", format!("\n{}\n", server.url("/2")));
    let run = folder.smolget().args(["--json", "--discard", "-i", "one.txt", "--input=two.txt"]);
    let output = run.args(["-i", "-"]).arg(server.url("/3")).input(server.url("/4")).run().exits(0);
    let number = |path: &str| output.row_of(&server.url(path)).get("line").and_then(Value::as_u64);
    assert_eq!([number("/1"), number("/2"), number("/3"), number("/4")], [Some(1), Some(2), None, Some(1)]);
}

#[test]
fn comments_blank_lines_crlf_and_a_byte_order_mark_are_passed_over() {
    let server = echo_target();
    let output = run_list(&server, "\u{feff}{}/1\r\n\r\n# a comment\r\n#{}/no\n\n{}/5").exits(0);
    assert_eq!(lines(&output), [1, 6]);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_byte_order_mark_may_stand_before_a_comment() {
    let server = echo_target();
    assert_eq!(lines(&run_list(&server, "\u{feff}# comment\n{}/2\n").exits(0)), [2]);
}

#[test]
fn an_empty_list_is_a_run_of_no_jobs() {
    for list in ["", "\n\n", "# nothing\n", "\u{feff}"] {
        let output = smolget().args(["-i", "-", "--json"]).input(list).run().exits(0);
        assert!(output.rows().is_empty());
        assert_eq!(output.summary().jobs, 0);
    }
}

#[test]
fn a_url_that_is_listed_twice_is_two_jobs() {
    let server = echo_target();
    let output = run_list(&server, "{}/a\n{}/a\n").exits(0);
    assert_eq!(lines(&output), [1, 2]);
    assert_eq!(server.visits("/a"), 2);
}

#[test]
fn indented_lines_are_options_of_the_job_before() {
    let server = echo_target();
    let folder = Folder::new();
    let list = "{}/a\n  out=x/y.txt\n\theader=X-A: 1\n header=X-B: 2\n \t header=X-A: 3\r\n{}/b\n";
    let run = folder.smolget().args(["-i", "-", "--json"]).input(list.replace("{}", &server.url("")));
    let output = run.run().exits(0);
    assert_eq!(folder.names(), ["b", "x/y.txt"]);
    let with = server.request("/a");
    assert_eq!((with.fields("X-A"), with.field("X-B")), (vec!["1", "3"], Some("2")));
    assert!(server.request("/b").fields("X-A").is_empty());
    assert_eq!(lines(&output), [1, 6]);
}

#[test]
fn a_checksum_has_to_match() {
    let server = Server::always(Reply::ok("abc"));
    let right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let list = format!(
        "{{}}/right\n checksum=sha-256={right}\n{{}}/upper\n checksum=sha-256={}\n{{}}/wrong\n checksum=sha-256={}\n",
        right.to_uppercase(),
        "0".repeat(64)
    );
    let run = smolget().args(["-i", "-", "--json"]).input(list.replace("{}", &server.url("")));
    let output = run.run().exits(1);
    let row = output.row_of(&server.url("/wrong"));
    assert_eq!((error(&row), &row["attempts"], row.get("file")), ("checksum", &1.into(), None));
    assert_eq!(output.folder.names(), ["right", "upper"]);
}

#[test]
fn a_fragment_is_not_sent() {
    let server = echo_target();
    run_list(&server, "{}/a?q=1#part\n").exits(0);
    assert_eq!(server.visits("/a?q=1"), 1);
}

#[test]
fn a_bad_line_is_one_failed_job_and_the_run_goes_on() {
    let server = echo_target();
    for bad in [
        "no URL",
        "/path/only",
        "ftp://127.0.0.1/file",
        "file:///etc/hosts",
        "http://",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "{}/bell\u{7}",
        "{}/nul\0",
        "{}/del\u{7f}",
    ] {
        let output = run_list(&server, &format!("{{}}/1\n{bad}\n{{}}/3\n")).exits(1);
        let rows = output.rows();
        assert_eq!(lines(&output), [1, 2, 3], "{bad}");
        let row = rows.iter().find(|row| row["line"] == 2).unwrap();
        assert_eq!((error(row), &row["attempts"]), ("url", &0.into()), "{bad}");
        assert_eq!(fields(row), ["attempts", "error", "line", "message", "ms", "ok", "redirects", "url"], "{bad}");
        let summary = output.summary();
        assert_eq!((summary.ok, summary.failed), (2, 1), "{bad}");
    }
}

#[test]
fn a_line_that_is_not_utf_8_is_a_bad_line() {
    let server = echo_target();
    let list = [server.url("/\u{fc}\n").as_bytes(), b"http://h/\xff\xfe\n", server.url("/3\n").as_bytes()].concat();
    let output = smolget().args(["-i", "-", "--json", "--discard"]).input(list).run().exits(1);
    let rows = output.rows();
    let row = rows.iter().find(|row| row["line"] == 2).unwrap();
    assert_eq!((error(row), &row["url"]), ("url", &"http://h/\u{fffd}\u{fffd}".into()));
    assert_eq!(server.visits("/%C3%BC"), 1);
}

#[test]
fn a_line_may_have_16_kib_and_no_more() {
    let server = echo_target();
    let of_length = |length: usize| {
        let url = server.url("/");
        format!("{url}{}", "x".repeat(length - url.len()))
    };
    let list = format!("{}\n{}\n{}\n", of_length(16 * 1024), of_length(16 * 1024 + 1), server.url("/3"));
    let output = smolget().args(["-i", "-", "--json", "--discard"]).input(list).run().exits(1);
    let rows = output.rows();
    let of_line = |line: u64| rows.iter().find(|row| row["line"] == line).unwrap();
    assert_eq!((error(of_line(1)), error(of_line(2)), error(of_line(3))), ("", "url", ""));
    assert_eq!(of_line(2)["url"].as_str().unwrap().chars().count(), 200);
}

#[test]
fn a_line_without_end_is_cut_not_collected() {
    let list = "x".repeat(4 << 20) + "\n";
    let output = smolget().args(["-i", "-", "--json"]).input(list).run().exits(1);
    assert_eq!((error(&output.row()), &output.row()["line"]), ("url", &1.into()));
}

#[test]
fn what_spoils_a_job_is_told_with_its_line_and_nothing_is_fetched() {
    let server = echo_target();
    for bad in
        ["colour=red", "no equals sign", "OUT=x", "=x", "header=no colon", "header=Connection: close", "checksum=md5=0"]
    {
        let output = run_list(&server, &format!("{{}}/good\n{{}}/bad\n out=x\n {bad}\n header=X-A: 1\n{{}}/good\n"));
        let rows = output.exits(1).rows();
        let failed: Vec<&Value> = rows.iter().filter(|row| row["ok"] == false).collect();
        assert_eq!((rows.len(), failed.len()), (3, 1), "{bad}: {rows:?}");
        assert_eq!((error(failed[0]), &failed[0]["line"]), ("url", &4.into()), "{bad}");
    }
    assert_eq!((server.visits("/bad"), server.visits("/good")), (0, 14));
}

#[test]
fn options_without_a_job_are_a_bad_line() {
    let server = echo_target();
    let output = run_list(&server, " out=x\n{}/2\n\n out=y\n").exits(1);
    let rows = output.rows();
    let failed: Vec<_> = rows.iter().filter(|row| error(row) == "url").map(|row| row["line"].clone()).collect();
    assert_eq!((rows.len(), failed), (3, vec![1.into(), 4.into()]));
}

#[test]
fn a_list_that_cannot_be_read_ends_the_run() {
    let server = echo_target();
    let folder = Folder::new();
    folder.write("folder/inside", "");
    folder.write("list", server.url("/"));
    for list in ["missing", "folder"] {
        let output = folder.smolget().args(["--discard", "-i", list]).run().exits(3);
        assert!(output.stderr.contains(list), "{}", output.stderr);
    }
    folder.smolget().args(["--discard", "-i", "list"]).run().exits(0);
}

#[test]
fn a_bad_url_on_the_command_line_is_a_failed_job_without_a_line() {
    let server = echo_target();
    let output = smolget().args(["--json", "--discard", "no-url"]).arg(server.url("/")).run().exits(1);
    let row = output.row_of("no-url");
    assert_eq!((error(&row), row.get("line")), ("url", None));
    assert_eq!(output.row_of(&server.url("/"))["ok"], true);
}
