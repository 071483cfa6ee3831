//! Passwords: in no row, no message and no log, however they came in. Who is sent them is another matter, of `credentials`.

#![cfg(all(feature = "cli", feature = "tls"))]

mod support;

use std::os::unix::fs::symlink;

use support::run::{Output, Run};
use support::terminal::Terminal;
use support::tls::Identity;
use support::{Folder, Port, Reply, Server, error, smolget};

/// A password that occurs in nothing else.
const SECRET: &str = "s3cr3t";

/// The same as it might be shown by mistake: decoded, encoded, or as it is sent (base64 of it after `user:` and `:`).
const DISGUISES: [&str; 5] = [SECRET, "s3cr%33t", "%73%33", "dXNlcjpzM2NyM3", "OnMzY3IzdA"];

#[track_caller]
fn assert_hidden(output: &Output) {
    let told = output.everything() + &output.folder.names().join("\n");
    for disguise in DISGUISES {
        assert!(!told.contains(disguise), "{disguise} in:\n{told}");
    }
}

/// A run that says all it can.
fn talkative(run: Run) -> Run {
    run.args(["--json", "-vvv", "--retries", "0"]).env("SMOLGET_LOG", "trace")
}

/// Runs a list that has to have a failed job for each of these, whatever they are.
#[track_caller]
fn assert_refused_and_hidden(jobs: &[String]) {
    let output = talkative(smolget()).args(["-i", "-"]).input(jobs.join("\n\n")).run().exits(1);
    let rows = output.rows();
    assert_eq!(rows.len(), jobs.len(), "{}", output.everything());
    for row in rows {
        assert_eq!(error(&row), "url", "{row}");
    }
    assert_hidden(&output);
}

#[test]
fn the_password_of_a_url_that_fails_is_shown_nowhere_whatever_it_failed_with() {
    let server = Server::start(|request| match request.target.as_str() {
        "/status" => Reply::status(404),
        "/busy" => Reply::status(503).field("Retry-After", "soon"),
        "/short" => Reply::ok("pa").length(3).close(),
        "/babble" => Reply::raw("no HTTP\r\n\r\n").close(),
        "/large" => Reply::ok("too large"),
        "/silent" => Reply::raw("").hold(),
        "/slow" => Reply::ok("x").length(2).hold(),
        _ => Reply::ok("x"),
    });
    let (secure, refusing) = (Identity::self_signed(&["127.0.0.1"]).serve(|_| Reply::ok("x")), Port::refusing());
    let silent = Server::silent();
    let host = format!("user:{SECRET}@127.0.0.1");
    let here = |path| server.url_as(&host, path);
    let folder = Folder::new();
    symlink("elsewhere", folder.path().join("link")).unwrap();
    let jobs = [
        ("status", here("/status")),
        ("status", here("/busy")),
        ("truncated", here("/short")),
        ("protocol", here("/babble")),
        ("too_large", here("/large")),
        ("timeout", here("/silent")),
        ("timeout", here("/slow")),
        ("timeout", format!("https://{host}:{}/", silent.port())),
        ("tls", secure.url_as(&host, "/")),
        ("connect", refusing.url("/").replace("127.0.0.1", &host)),
        ("dns", format!("http://user:{SECRET}@[::1]/")),
        ("url", here("/..%2f")),
        ("url", format!("http://user:{SECRET}%ff@127.0.0.1:{}/", server.port())),
        ("checksum", format!("{}\n checksum=sha-256={}", here("/ok"), "0".repeat(64))),
        ("io", format!("{}\n out=link/x", here("/ok"))),
    ];
    let list: String = jobs.iter().map(|(_, job)| format!("{job}\n")).collect();
    let args = ["-4", "-j16", "-i", "-", "--max-size", "4", "--timeout", "1", "--connect-timeout", "1"];
    let output = talkative(folder.smolget()).args(args).input(list).run().exits(1);
    assert_hidden(&output);
    let rows = output.rows();
    let mut told: Vec<_> = rows.iter().map(error).collect();
    let mut expected = jobs.map(|(error, _)| error);
    told.sort_unstable();
    expected.sort_unstable();
    assert_eq!(told, expected);
    assert!(rows.iter().all(|row| row["url"].as_str().unwrap().contains("user:***@")));
}

#[test]
fn a_password_is_hidden_however_it_is_written_and_sent_all_the_same() {
    let server = Server::always(Reply::ok("x"));
    let six = Server::start_at(std::net::Ipv6Addr::LOCALHOST.into(), |_| Reply::ok("x"));
    for (user, shown) in [
        (format!("user:{SECRET}"), "user:***"),
        (format!(":{SECRET}"), ":***"),
        ("user:s3cr%33t".to_owned(), "user:***"),
        (format!("user:{SECRET}@{SECRET}"), "user:***"),
        (format!("user:{SECRET}:{SECRET}"), "user:***"),
        (format!("us%65r:{SECRET}%40:"), "us%65r:***"),
        (format!("user:a {SECRET}\u{202e}"), "user:***"),
    ] {
        for (server, host) in [(&server, "127.0.0.1"), (&six, "[::1]")] {
            let before = server.requests().len();
            let output = talkative(smolget()).arg(server.url_as(&format!("{user}@{host}"), "/file")).run().exits(0);
            assert_hidden(&output);
            assert_eq!(output.row()["url"], server.url_as(&format!("{shown}@{host}"), "/file"));
            assert!(server.requests()[before].field("Authorization").is_some());
        }
    }
}

#[test]
fn the_password_of_a_location_is_shown_nowhere() {
    let server = Server::start(|request| {
        let host = request.field("Host").unwrap();
        let user = format!("user:{SECRET}@");
        match request.target.as_str() {
            "/same" => Reply::redirect(302, format!("http://{user}{host}/end")),
            "/brief" => Reply::redirect(302, format!("//{user}{host}/end")),
            "/within" => Reply::redirect(302, format!("/end?next=http://{user}h/")),
            "/missing" => Reply::redirect(302, format!("http://{user}{host}/404")),
            "/404" => Reply::status(404),
            "/ftp" => Reply::redirect(302, format!("ftp://{user}h/")),
            "/no-scheme" => Reply::redirect(302, format!("{user}h/")),
            "/no-port" => Reply::redirect(302, format!("http://{user}h:99999/")),
            "/two" => Reply::redirect(302, format!("http://{user}h/")).field("Location", format!("http://{user}g/")),
            "/circle" => Reply::redirect(302, format!("http://{user}{host}/circle")),
            _ => Reply::ok("x"),
        }
    });
    let down =
        Identity::self_signed(&["127.0.0.1"]).serve(|_| Reply::redirect(302, format!("http://user:{SECRET}@h/")));
    let paths = ["same", "brief", "within", "missing", "ftp", "no-scheme", "no-port", "two", "circle"];
    let urls = paths.map(|path| server.url(&format!("/{path}")));
    let output = talkative(smolget()).arg("--insecure").args(&urls).arg(down.url("/")).run().exits(1);
    assert_hidden(&output);
    assert_eq!(output.rows().iter().filter(|row| row["ok"] == true).count(), 3);
    let end = server.url_as("user:***@127.0.0.1", "/end");
    assert_eq!(
        (&output.row_of(&urls[0])["final_url"], &output.row_of(&urls[1])["final_url"]),
        (&end.clone().into(), &end.into())
    );
}

#[test]
fn the_password_of_a_mirror_is_shown_nowhere() {
    let server = Server::start(|request| match request.target.as_str() {
        "/first" => Reply::status(404),
        "/babble" => Reply::raw("no HTTP\r\n\r\n").close(),
        _ => Reply::ok("x"),
    });
    let user = format!("user:{SECRET}@");
    let mirror = |path| server.url_as(&format!("{user}127.0.0.1"), path);
    let line =
        [server.url("/first"), format!("ftp://{user}h/"), format!("{user}h/"), mirror("/babble"), mirror("/end")];
    let output = talkative(smolget()).args(["-i", "-"]).input(line.join("\t")).run().exits(0);
    assert_hidden(&output);
    assert_eq!(output.row()["final_url"], server.url_as("user:***@127.0.0.1", "/end"));
}

#[test]
fn the_password_in_a_line_that_is_no_url_is_shown_nowhere() {
    let user = format!("user:{SECRET}@");
    let lines = [
        format!("{user}h/x"),
        format!("//{user}h/x"),
        format!("ftp://{user}h/"),
        format!("{user}http://h/"),
        format!("user:{SECRET}://x@h/"),
        format!("http:{user}h/"),
        format!("http:/{user}h/"),
        format!("http:\\\\{user}h/"),
        format!("http:{user}h/://"),
        format!("http:///{user}h/"),
        format!("http://{user}h:99999/"),
        format!("http://{user}/"),
        format!("http://{user}[::1/"),
        format!("http://user:{SECRET}/{SECRET}@h/"),
        format!("http://user:{SECRET}@{SECRET}@h:x/"),
        format!("http://user:\u{7}{SECRET}@h/"),
        format!("see http://{user}h/"),
        format!("\"http://{user}h/\""),
        format!("ftp://h/\thttp://{user}m/"),
        format!("ftp://h/ http://{user}m/"),
        format!("http://user:{SECRET}{}@h/", "x".repeat(20_000)),
        format!("http://h/\thttp://user:{SECRET}{}@h/", "x".repeat(20_000)),
        format!("user:{SECRET}{}@h/", "x".repeat(20_000)),
    ];
    assert_refused_and_hidden(&lines);
}

#[test]
fn the_password_in_what_is_no_option_is_shown_nowhere() {
    let user = format!("user:{SECRET}@");
    let job = "http://127.0.0.1:1/";
    let jobs = [
        format!("{job}\n http://{user}h/"),
        format!("{job}\n {user}h/"),
        format!("{job}\n out=../http://{user}h/"),
        format!("{job}\n checksum=http://{user}h/"),
        format!("http://{user}h/\n no-option=1"),
        format!("http://{user}h/\n Authorization: Basic {SECRET}"),
        format!("{job}\n Authorization: Basic {SECRET}"),
        format!("{job}\n authorization:{SECRET}"),
        format!("{job}\n Authorization: Basic {SECRET}=="),
        format!("{job}\n Cookie: session={SECRET}"),
        format!("{job}\n X-Api-Key: {SECRET}"),
        format!("{job}\n X-Plain: {SECRET}"),
        format!("{job}\n header Authorization: {SECRET}"),
        format!("{job}\n header: Authorization: {SECRET}"),
        format!("{job}\n -H 'Authorization: {SECRET}'"),
        format!("{job}\n header=Authorization {SECRET}"),
        format!("{job}\n header=Authorization: \u{7}{SECRET}"),
        format!("{job}\n Header=Authorization: {SECRET}"),
    ];
    assert_refused_and_hidden(&jobs);
}

#[test]
fn the_password_in_an_option_without_a_job_is_shown_nowhere() {
    let stray = [
        format!(" header=Authorization: Basic {SECRET}"),
        format!(" header = Authorization Basic {SECRET}"),
        format!(" header=X-Plain: {SECRET}"),
        format!(" header=X-Plain {SECRET}"),
        format!(" Authorization: Basic {SECRET}"),
        format!("header=Authorization: Basic {SECRET}"),
        format!("header=X-Plain: {SECRET}"),
        format!("header=X-Plain:\t{SECRET}"),
        format!("Authorization: Basic {SECRET}"),
        format!("Cookie: session={SECRET}"),
        format!(" out=http://user:{SECRET}@h/"),
    ];
    assert_refused_and_hidden(&stray);
}

#[test]
fn the_password_of_another_url_within_a_url_is_shown_nowhere() {
    let server = Server::always(Reply::ok("x"));
    let user = format!("user:{SECRET}@");
    for path in [format!("/proxy/http://{user}h/x"), format!("/?next=https://{user}h/"), format!("/x http://{user}m/y")]
    {
        let output = talkative(smolget()).arg(server.url(&path)).run().exits(0);
        assert_hidden(&output);
        assert_eq!(output.row()["url"], server.url(&path.replace(SECRET, "***")));
    }
}

#[test]
fn the_values_of_headers_are_shown_nowhere() {
    let server = Server::start(|request| Reply::status(if request.target == "/404" { 404 } else { 200 }));
    let job = format!("{}\n header=X-Other: {SECRET}\n", server.url("/200"));
    let run = talkative(smolget()).args(["-H", &format!("Authorization: Bearer {SECRET}"), "-i", "-"]);
    let output = run.arg(server.url("/404")).input(job).run().exits(1);
    assert_hidden(&output);
    let request = server.request("/200");
    assert_eq!(request.field("Authorization"), Some(format!("Bearer {SECRET}").as_str()));
    assert_eq!(request.field("X-Other"), Some(SECRET));
}

#[test]
fn a_secret_on_the_command_line_is_not_repeated_in_a_usage_error() {
    let url = format!("http://user:{SECRET}@h/");
    let twice = format!("{url} {url}");
    let headers = [
        format!("Authorization: Bearer {SECRET}\u{7}"),
        format!("Authorization Basic {SECRET}"),
        format!("Authorization={SECRET}"),
        format!("header=Authorization: {SECRET}\u{7}"),
        format!("Cookie {SECRET}:1"),
        format!("X-Api-Key {SECRET}"),
        format!("X-Auth-Token={SECRET}"),
        format!("Connection: http://user:{SECRET}@h/"),
    ];
    let wrong = [
        ["--jobs", &url],
        ["--jobs", &twice],
        ["--dir=", &url],
        ["--resolve", &url],
        ["--resolve", "user:s3cr3t@h:80:1.2.3.4"],
        ["--cacert", &url],
        ["--no-such-flag", &url],
        [&format!("--{url}"), "x"],
        [&format!("--Authorization: {SECRET}"), "x"],
        [&format!("-x{SECRET}"), "x"],
        ["--max-time", &format!("user:{SECRET}@h")],
    ]
    .map(|args| args.map(str::to_owned));
    for args in wrong.into_iter().chain(headers.map(|header| ["-H".to_owned(), header])) {
        let output = smolget().args(["--retries", "0"]).args(&args).arg("http://127.0.0.1:1/").run().exits(2);
        assert_hidden(&output);
    }
}

#[test]
fn a_list_that_is_named_like_a_url_is_told_without_its_password() {
    let output = smolget().args(["-i", &format!("http://user:{SECRET}@h/")]).run().exits(3);
    assert_hidden(&output);
}

#[test]
fn a_terminal_is_shown_no_password_either() {
    let server = Server::always(Reply::status(404));
    let terminal = Terminal::new();
    let url = server.url_as(&format!("user:{SECRET}@127.0.0.1"), "/");
    let run = smolget().args(["-vvv", "--discard"]).env("SMOLGET_LOG", "trace").args([&url, "nonsense"]);
    run.stderr(terminal.line()).run().exits(1);
    let shown = terminal.shown();
    assert!(shown.contains("user:***@127.0.0.1") && !shown.contains(SECRET), "{shown}");
}

#[test]
fn a_run_that_is_stopped_shows_no_password_of_what_is_left() {
    let server = Server::start(|_| Reply::raw("").hold());
    let urls = ["/1", "/2"].map(|path| server.url_as(&format!("user:{SECRET}@127.0.0.1"), path));
    let output = talkative(smolget()).args(["-j1", "--deadline", "300ms"]).args(urls).run().exits(1);
    assert_eq!(output.rows().len(), 2);
    assert_hidden(&output);
}
