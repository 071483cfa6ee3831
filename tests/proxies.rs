//! Proxies: which requests go through which, what they are told, and what they and the origins never hear.

#![cfg(all(feature = "cli", feature = "tls"))]

mod support;

use support::proxy::Proxy;
use support::run::Run;
use support::tls::Identity;
use support::{Port, Reply, Server, error, ms, smolget};

/// base64 of `user:secret`.
const LOGIN: &str = "dXNlcjpzZWNyZXQ=";

fn run(args: &[&str]) -> Run {
    smolget().args(["--json", "--discard", "--retries", "0", "-vvv"]).args(args)
}

fn secure() -> Server {
    Identity::self_signed(&["h.test"]).serve(|_| Reply::ok("x"))
}

#[test]
fn plain_requests_are_handed_to_the_proxy_and_share_its_connections() {
    let (one, two) = (Server::always(Reply::ok("1")), Server::always(Reply::ok("22")));
    let proxy = Proxy::http();
    let urls = [one.url_as("h.test", "/a?b"), two.url_as("g.test", "/"), one.url_as("h.test", "/c")];
    let output = run(&["-j", "1", "--proxy", &proxy.url()]).args(&urls).run().exits(0);
    assert_eq!(output.rows().len(), 3);
    let asked = proxy.asked();
    let host = format!("h.test:{}", one.port());
    assert!(asked[0].starts_with(&format!("GET http://{host}/a?b HTTP/1.1\r\nHost: {host}\r\n")), "{asked:?}");
    assert_eq!((asked.len(), proxy.connections()), (3, 1));
    assert_eq!((one.requests().len(), two.requests().len()), (2, 1));
}

#[test]
fn https_goes_through_a_tunnel_and_is_verified_for_the_origin() {
    let server = secure();
    let proxy = Proxy::http();
    let urls = [server.url_as("h.test", "/a"), server.url_as("h.test", "/b")];
    run(&["-j", "1", "--insecure", "--proxy", &proxy.url()]).args(&urls).run().exits(0);
    let place = format!("h.test:{}", server.port());
    assert_eq!(proxy.asked(), [format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n")]);
    assert_eq!((server.connections(), server.request("/a").field("Host")), (1, Some(place.as_str())));
    // The twin: a certificate of another name is refused, through the proxy too, and the origin hears no request.
    let row = run(&["--proxy", &proxy.url()]).arg(&urls[0]).run().exits(1).row();
    assert_eq!((error(&row), server.requests().len()), ("tls", 2));
}

#[test]
fn socks_carries_both_schemes_and_leaves_names_to_the_proxy() {
    let (plain, secure) = (Server::always(Reply::ok("x")), secure());
    for scheme in ["socks5h", "socks5"] {
        let proxy = Proxy::socks();
        let url = proxy.url().replace("socks5h", scheme);
        let urls = [plain.url_as("h.test", "/"), secure.url_as("h.test", "/"), plain.url("/address")];
        run(&["-j", "1", "--insecure", "--proxy", &url]).args(urls).run().exits(0);
        let places = [("h.test", plain.port()), ("h.test", secure.port()), ("127.0.0.1", plain.port())];
        assert_eq!(proxy.asked(), places.map(|(host, port)| format!("{host}:{port}")));
    }
}

#[test]
fn credentials_go_to_the_proxy_and_no_further_and_are_never_shown() {
    let (plain, secure) = (Server::always(Reply::ok("x")), secure());
    for proxy in [Proxy::http_for(LOGIN), Proxy::socks_for("user:secret")] {
        let urls = [plain.url_as("h.test", "/"), secure.url_as("h.test", "/")];
        let good = run(&["--insecure", "--proxy", &proxy.url_for("user:secret")]).args(&urls).run().exits(0);
        for (login, told) in [("user:wrongsecret@", "does not take"), ("", "wants a user and password")] {
            let url = proxy.url().replace("://", &format!("://{login}"));
            let output = run(&["--insecure", "--proxy", &url]).args(&urls).run().exits(1);
            for row in output.rows() {
                assert_eq!((error(&row), &row["attempts"]), ("connect", &1.into()), "{row}");
                let message = row["message"].as_str().unwrap();
                assert!(message.starts_with(&format!("proxy {}: the proxy ", proxy.url())), "{message}");
                assert!(message.contains(told), "{message}");
            }
            assert!(!output.everything().contains("secret"), "{}", output.stderr);
        }
        let shown = good.everything();
        assert!(!shown.contains("secret") && !shown.contains(LOGIN), "{shown}");
    }
    for request in plain.requests().iter().chain(&secure.requests()) {
        assert!(!request.lines.iter().any(|line| line.contains(LOGIN) || line.starts_with("Proxy")), "{request:?}");
    }
    assert_eq!((plain.requests().len(), secure.requests().len()), (2, 2));
}

#[test]
fn a_redirect_is_followed_through_the_proxy_that_its_target_has() {
    let secure = secure();
    let target = secure.url_as("h.test", "/there");
    let plain = Server::start(move |_| Reply::redirect(302, &target));
    let (http, https) = (Proxy::http_for(LOGIN), Proxy::socks());
    let run = run(&["--insecure"]).env("http_proxy", http.url_for("user:secret")).env("https_proxy", https.url());
    run.arg(plain.url_as("g.test", "/")).run().exits(0);
    assert_eq!(http.asked().len(), 1);
    assert_eq!(https.asked(), [format!("h.test:{}", secure.port())]);
    assert!(secure.request("/there").fields("proxy-authorization").is_empty());
}

#[test]
fn the_environment_names_proxies_and_the_option_has_the_last_word() {
    let server = Server::always(Reply::ok("x"));
    let refusing = Port::refusing().url("");
    let went = |args: &[&str], variables: &[(&str, &str)]| {
        let proxy = Proxy::http();
        let url = proxy.url();
        let put = |text: &str| text.replace("PROXY:", &url).replace("REFUSING:", &refusing);
        let run = variables.iter().fold(run(&[]), |run, (name, value)| run.env(name, put(value)));
        let run = run.args(args.iter().map(|arg| put(arg)));
        run.arg(server.url("/")).run().exits(0);
        proxy.asked().len() == 1
    };
    assert!(went(&[], &[("http_proxy", "PROXY:")]));
    assert!(went(&[], &[("ALL_PROXY", "PROXY:")]));
    assert!(went(&[], &[("http_proxy", "PROXY:"), ("ALL_PROXY", "REFUSING:")]));
    assert!(!went(&[], &[("HTTP_PROXY", "REFUSING:"), ("https_proxy", "REFUSING:")]));
    assert!(!went(&[], &[("http_proxy", "REFUSING:"), ("no_proxy", "127.0.0.1")]));
    assert!(!went(&["--proxy", "REFUSING:"], &[("NO_PROXY", "*")]));
    assert!(went(&["--proxy", "PROXY:"], &[("http_proxy", "REFUSING:")]));
    assert!(!went(&["--proxy", ""], &[("http_proxy", "REFUSING:")]));
}

#[test]
fn a_proxy_that_fails_is_named_and_what_may_pass_is_tried_again() {
    let refusing = Port::refusing();
    let output = run(&["--proxy", &refusing.url("").replace("://", "://user:secret@")]).arg("http://h.test/").run();
    let row = output.row();
    let start = format!("proxy http://127.0.0.1:{}: no connection to port ", refusing.number());
    assert!(error(&row) == "connect" && row["message"].as_str().unwrap().starts_with(&start), "{row}");
    for (answer, kind, attempts) in [
        ("HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n", "connect", 2),
        ("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "connect", 1),
        ("", "connect", 2),
        ("SSH-2.0-OpenSSH\r\n", "protocol", 1),
    ] {
        let proxy = Proxy::saying(answer);
        let row = run(&["--retries", "1", "--proxy", &proxy.url()]).arg("https://h.test/").run().exits(1).row();
        assert_eq!((error(&row), &row["attempts"], row.get("status")), (kind, &attempts.into(), None), "{row}");
        assert!(row["message"].as_str().unwrap().contains(&proxy.url()), "{row}");
    }
}

#[test]
fn a_proxy_that_refuses_for_a_while_has_the_host_left_alone_for_so_long() {
    let plain = Server::always(Reply::ok("x"));
    let attempts = |answer| {
        let proxy = Proxy::saying(answer);
        let run = run(&["--retries", "1"]).env("https_proxy", proxy.url());
        let urls = ["https://h.test/1".to_owned(), "https://h.test/2".to_owned(), plain.url("/")];
        let output = run.args(["-j", "1"]).args(&urls).run().exits(1);
        assert_eq!(output.row_of(&urls[2])["ok"], true);
        assert!(proxy.asked().iter().all(|asked| asked.starts_with("CONNECT h.test:443 ")));
        let row = output.row_of(&urls[0]);
        assert_eq!((error(&row), row.get("status")), ("connect", None), "{row}");
        (row["attempts"].as_u64().unwrap(), output.took)
    };
    // Longer than anybody waits.
    assert_eq!(attempts("HTTP/1.1 503 Busy\r\nRetry-After: 601\r\n\r\n").0, 1);
    assert_eq!(attempts("HTTP/1.1 503 Busy\r\n\r\n").0, 2);
    // Twice as long as it would be without.
    let (attempts, took) = attempts("HTTP/1.1 429 Slowly\r\nRetry-After: 2\r\n\r\n");
    assert_eq!(attempts, 2);
    assert!((ms(1990)..ms(20_000)).contains(&took), "{took:?}");
}

#[test]
fn a_proxy_that_is_silent_has_the_time_of_connecting_alone() {
    let silent = Server::silent();
    for scheme in ["http", "socks5"] {
        let url = silent.url("").replace("http", scheme);
        let row = run(&["--connect-timeout", "200ms", "--proxy", &url]).arg("https://h.test/").run().exits(1).row();
        assert_eq!((error(&row), row["phase"].as_str()), ("timeout", Some("connect")));
        assert!(row["message"].as_str().unwrap().starts_with("proxy "), "{row}");
    }
}

#[test]
fn pinned_addresses_and_families_go_for_the_proxy() {
    let server = Server::always(Reply::ok("x"));
    let proxy = Proxy::http();
    let pin = format!("proxy.test:{}:127.0.0.1", proxy.port());
    let url = proxy.url().replace("127.0.0.1", "proxy.test");
    let wrong = format!("h.test:{}:127.9.9.9", server.port());
    let args = ["--proxy", &url, "--resolve", &pin, "--resolve", &wrong, "-4"];
    run(&args).arg(server.url_as("h.test", "/")).run().exits(0);
    assert_eq!((proxy.asked().len(), server.requests().len()), (1, 1));
}

#[test]
fn what_can_not_be_kept_through_a_proxy_is_a_usage_error() {
    let output = run(&["--deny-private"]).env("all_proxy", "http://127.0.0.1:1").arg("http://h/").run().exits(2);
    assert!(output.stderr.contains("--deny-private can't be kept through a proxy"), "{}", output.stderr);
    run(&["--proxy", "https://user:secret@127.0.0.1:1"]).arg("http://h/").run().exits(2);
}
