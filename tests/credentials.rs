//! Credentials and headers: who gets them, and who never does. Where they are shown is another matter, of `privacy`.

#![cfg(all(feature = "cli", feature = "tls"))]

mod support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use support::run::Run;
use support::tls::Identity;
use support::{Reply, Request, Server, smolget};

/// What a user may have given: secrets, plain fields, and the three that go along anywhere.
const GIVEN: [&str; 8] = [
    "Authorization: Bearer token",
    "Cookie: session=1",
    "X-Api-Key: key",
    "X-Plain: 1",
    "Referer: http://example.org/",
    "Accept: text/plain",
    "Accept-Language: de",
    "User-Agent: me/1",
];

/// Those of them that tell no more of the user than any request does.
const PORTABLE: [&str; 3] = ["Accept: text/plain", "Accept-Language: de", "User-Agent: me/1"];

/// base64 of `user:pass` and of `x:y`.
const USER: &str = "Basic dXNlcjpwYXNz";
const OTHER_USER: &str = "Basic eDp5";

/// The name where most ways begin, and others for its address.
const NAMES: [&str; 4] = ["home.test", "sub.home.test", "home.test.", "other.test"];

/// Two servers, and what leads where.
struct Web {
    /// Speaks http and https at one port.
    home: Server,
    away: Server,
    ways: Ways,
}

/// A request's target → where it is redirected.
#[derive(Clone, Default)]
struct Ways(Arc<Mutex<HashMap<String, String>>>);

impl Ways {
    fn answer(&self, request: &Request) -> Reply {
        match self.0.lock().unwrap().get(&request.target) {
            Some(location) => Reply::redirect(302, location),
            None => Reply::ok("x"),
        }
    }
}

impl Web {
    fn new() -> Self {
        let ways = Ways::default();
        let [at_home, away] = [ways.clone(), ways.clone()];
        let home = Identity::self_signed(&["home.test"]).serve_both(move |request| at_home.answer(request));
        Self { home, away: Server::start(move |request| away.answer(request)), ways }
    }

    /// The URL of a path at a place, which is written with `%home` for home's port and `%away` for the other server.
    fn url(&self, place: &str, path: &str) -> String {
        let away = format!("127.0.0.1:{}", self.away.port());
        place.replace("%home", &self.home.port().to_string()).replace("%away", &away) + path
    }

    /// What each place gets that redirects lead to, from the first to the last: `fetch` says how the first is asked for.
    fn walk(&self, places: &[&str], fetch: impl Fn(Run, &str) -> Run) -> Vec<Request> {
        let stops: Vec<_> = (0..).zip(places).map(|(n, place)| self.url(place, &format!("/{n}"))).collect();
        let ways = (0..).zip(stops.iter().skip(1)).map(|(n, next)| (format!("/{n}"), next.clone()));
        *self.ways.0.lock().unwrap() = ways.collect();
        let servers = [&self.home, &self.away];
        let seen = servers.map(|server| server.requests().len());
        let run = smolget().args(["--insecure", "--discard"]);
        let run = run.args(NAMES.iter().flat_map(|name| ["--resolve".to_owned(), self.home.resolve(name)]));
        fetch(run, &stops[0]).run().exits(0);
        let new = servers.into_iter().zip(seen).flat_map(|(server, seen)| server.requests().split_off(seen));
        let mut new: Vec<_> = new.collect();
        new.sort_by_key(|request| request.target.clone());
        assert_eq!(new.len(), places.len(), "{places:?}");
        new
    }
}

/// The fields of a request that the user has given.
fn brought(request: &Request) -> Vec<&str> {
    let lines = request.lines.iter().map(String::as_str);
    lines.filter(|line| GIVEN.contains(line)).collect()
}

/// The options of a job that give it these headers.
fn options(headers: &[&str]) -> String {
    headers.iter().map(|header| format!(" header={header}\n")).collect()
}

/// A way, and for each place that it leads to whether everything that was given goes there.
const WAYS: [(&str, &[&str], &[bool]); 17] = [
    ("the same origin", &["http://home.test:%home", ""], &[true]),
    ("the same origin, whole", &["http://home.test:%home", "http://home.test:%home"], &[true]),
    ("the same origin in capitals", &["http://home.test:%home", "HTTP://HOME.TEST:%home"], &[true]),
    ("the same origin over TLS", &["https://home.test:%home", "//home.test:%home"], &[true]),
    ("another port", &["http://127.0.0.1:%home", "http://%away"], &[false]),
    ("another host", &["http://home.test:%home", "http://other.test:%home"], &[false]),
    ("another host over TLS", &["https://home.test:%home", "//other.test:%home"], &[false]),
    ("a host below", &["http://home.test:%home", "http://sub.home.test:%home"], &[false]),
    ("the host above", &["http://sub.home.test:%home", "http://home.test:%home"], &[false]),
    ("the host with a dot", &["http://home.test:%home", "http://home.test.:%home"], &[false]),
    ("its address", &["http://home.test:%home", "http://127.0.0.1:%home"], &[false]),
    ("https at the same port", &["http://home.test:%home", "https://home.test:%home"], &[false]),
    ("away and on", &["http://home.test:%home", "http://%away", "/on"], &[false, false]),
    ("on and away", &["http://home.test:%home", "", "http://%away"], &[true, false]),
    ("away and back", &["http://home.test:%home", "http://%away", "http://home.test:%home"], &[false, false]),
    (
        "away, back and on",
        &["http://home.test:%home", "http://other.test:%home", "http://home.test:%home", ""],
        &[false, false, false],
    ),
    ("on, up to https and on", &["http://home.test:%home", "", "https://home.test:%home", ""], &[true, false, false]),
];

#[test]
fn headers_stay_behind_where_scheme_host_or_port_change_and_do_not_come_back() {
    let web = Web::new();
    for (way, places, all_go) in WAYS {
        let by_option = web.walk(places, |run, url| run.args(GIVEN.iter().flat_map(|h| ["-H", *h])).arg(url));
        let by_job = web.walk(places, |run, url| run.args(["-i", "-"]).input(format!("{url}\n{}", options(&GIVEN))));
        for requests in [by_option, by_job] {
            assert_eq!(brought(&requests[0]), GIVEN, "{way}");
            for (request, all_go) in requests[1..].iter().zip(all_go) {
                let expected = if *all_go { &GIVEN[..] } else { &PORTABLE };
                assert_eq!(brought(request), expected, "{way}, {}", request.target);
                assert_eq!(request.fields("Referer").len(), usize::from(*all_go), "{way}");
            }
        }
    }
}

#[test]
fn credentials_of_a_url_stay_behind_in_the_same_way() {
    let web = Web::new();
    for (way, places, all_go) in WAYS {
        let first = places[0].replace("://", "://user:pass@");
        let places = [&[first.as_str()], &places[1..]].concat();
        let requests = web.walk(&places, |run, url| run.arg(url));
        let going = [true].iter().chain(all_go);
        for (request, goes) in requests.iter().zip(going) {
            assert_eq!(request.field("Authorization"), goes.then_some(USER), "{way}, {}", request.target);
        }
    }
}

#[test]
fn credentials_in_a_location_are_for_its_own_origin_alone() {
    let web = Web::new();
    let home = "http://home.test:%home";
    let (own, others) = ("http://user:pass@home.test:%home", "http://x:y@home.test:%home");
    let (away, others_away) = ("http://%away", "http://x:y@%away");
    for (way, places, sent) in [
        ("at home", [home, others, ""], [None, Some(OTHER_USER), Some(OTHER_USER)]),
        ("in place of the first", [own, others, home], [Some(USER), Some(OTHER_USER), Some(OTHER_USER)]),
        ("away", [home, others_away, away], [None, Some(OTHER_USER), Some(OTHER_USER)]),
        ("away and back", [own, others_away, home], [Some(USER), Some(OTHER_USER), None]),
        ("away and elsewhere", [own, others_away, "http://other.test:%home"], [Some(USER), Some(OTHER_USER), None]),
        ("away, and back with some", [home, away, others], [None, None, Some(OTHER_USER)]),
        ("up to https", [own, "https://x:y@home.test:%home", ""], [Some(USER), Some(OTHER_USER), Some(OTHER_USER)]),
        ("up to https without", [own, "https://home.test:%home", ""], [Some(USER), None, None]),
    ] {
        let requests = web.walk(&places, |run, url| run.arg(url));
        let authorizations: Vec<_> = requests.iter().map(|request| request.field("Authorization")).collect();
        assert_eq!(authorizations, sent, "{way}");
    }
}

#[test]
fn a_header_given_for_authorization_replaces_those_of_the_url_where_it_goes_itself() {
    let web = Web::new();
    let places = ["http://user:pass@home.test:%home", "http://x:y@home.test:%home", "http://x:y@%away"];
    let requests = web.walk(&places, |run, url| run.args(["-H", "authorization: Bearer token", url]));
    let authorizations: Vec<_> = requests.iter().map(|request| request.field("Authorization")).collect();
    assert_eq!(authorizations, [Some("Bearer token"), Some("Bearer token"), Some(OTHER_USER)]);
}

#[test]
fn credentials_of_a_url_become_basic_authorization() {
    let server = Server::always(Reply::ok("x"));
    for (user, encoded) in [
        ("user:pass", "dXNlcjpwYXNz"),
        ("user", "dXNlcjo="),
        ("user:", "dXNlcjo="),
        (":pass", "OnBhc3M="),
        ("us%65r:p%40ss%3a", "dXNlcjpwQHNzOg=="),
        ("user:p@ss:", "dXNlcjpwQHNzOg=="),
        ("%C3%BC:%C3%B6", "w7w6w7Y="),
    ] {
        let path = format!("/{}", server.requests().len());
        smolget().arg("--discard").arg(server.url_as(&format!("{user}@127.0.0.1"), &path)).run().exits(0);
        let request = server.request(&path);
        assert_eq!(request.field("Authorization"), Some(format!("Basic {encoded}").as_str()), "{user}");
        assert_eq!(request.field("Host"), Some(format!("127.0.0.1:{}", server.port()).as_str()));
    }
}

#[test]
fn headers_of_one_job_are_not_sent_with_the_next() {
    let server = Server::always(Reply::ok("x"));
    let list = format!(
        "{}\n header=Authorization: Bearer token\n{}\n{}\n",
        server.url("/with"),
        server.url("/without"),
        server.url_as("user:pass@127.0.0.1", "/own")
    );
    smolget().args(["-i", "-", "--discard", "-j1"]).input(list).run().exits(0);
    assert_eq!(server.connections(), 1);
    assert_eq!(server.request("/with").field("Authorization"), Some("Bearer token"));
    assert_eq!(server.request("/without").field("Authorization"), None);
    assert_eq!(server.request("/own").field("Authorization"), Some(USER));
}

#[test]
fn an_attempt_after_a_redirect_begins_with_everything_again() {
    let away = Server::start(|request| if request.visit == 1 { Reply::busy(503) } else { Reply::ok("x") });
    let location = away.url("/end");
    let home = Server::start(move |_| Reply::redirect(307, &location));
    let run = smolget().arg("--discard").args(GIVEN.iter().flat_map(|header| ["-H", *header]));
    run.arg(home.url("/start")).run().exits(0);
    assert_eq!(home.requests().iter().map(brought).collect::<Vec<_>>(), [GIVEN; 2]);
    assert_eq!(away.requests().iter().map(brought).collect::<Vec<_>>(), [PORTABLE; 2]);
}

/// Mirrors are URLs that the user names, as the first is: what was given for the job is given for them.
#[test]
fn headers_go_to_every_mirror_but_no_further() {
    let end = Server::always(Reply::ok("x"));
    let location = end.url("/end");
    let [first, second] = [404, 302].map(|status| {
        let location = location.clone();
        Server::start(move |_| Reply::redirect(status, &location))
    });
    let list = format!("{}\t{}\n{}", first.url("/a"), second.url("/b"), options(&GIVEN[..4]));
    let options = GIVEN[4..].iter().flat_map(|header| ["-H", *header]);
    smolget().args(["-i", "-", "--discard"]).args(options).input(list).run().exits(0);
    for server in [&first, &second] {
        let requests = server.requests();
        let mut brought = brought(&requests[0]);
        brought.sort_unstable();
        let mut given = GIVEN;
        given.sort_unstable();
        assert_eq!((requests.len(), brought.as_slice()), (1, &given[..]));
    }
    assert_eq!(brought(&end.request("/end")), PORTABLE);
}

#[test]
fn credentials_of_a_url_go_to_no_mirror_and_those_of_a_mirror_nowhere_else() {
    let server = Server::start(|request| if request.target == "/end" { Reply::ok("x") } else { Reply::status(404) });
    let urls = [
        server.url_as("user:pass@127.0.0.1", "/first"),
        server.url("/same"),
        server.url_as("localhost", "/other"),
        server.url_as("x:y@127.0.0.1", "/own"),
        server.url("/end"),
    ];
    let run = smolget().args(["-4", "-i", "-", "--discard"]);
    run.input(urls.join("\t")).run().exits(0);
    let requests = server.requests();
    let sent: Vec<_> = requests.iter().map(|request| request.field("Authorization")).collect();
    assert_eq!(sent, [Some(USER), None, None, Some(OTHER_USER), None]);
}

#[test]
fn no_cookie_is_kept_and_no_referer_made() {
    let server = Server::start(|request| {
        let reply = match (request.target.as_str(), request.visit) {
            ("/redirect", _) => Reply::redirect(302, "/end"),
            ("/busy", 1) => Reply::busy(503),
            ("/missing", _) => Reply::status(404),
            _ => Reply::ok("x"),
        };
        reply.field("Set-Cookie", "kept=1; Path=/")
    });
    let [redirect, busy, missing] = ["/redirect", "/busy", "/missing"].map(|path| server.url(path));
    let list = format!("{redirect}\n{busy}\n{missing}\t{}\n{}", server.url("/mirror"), server.url("/next"));
    smolget().args(["-i", "-", "--discard", "-j1"]).input(list).run().exits(0);
    let requests = server.requests();
    assert_eq!(requests.len(), 7);
    for request in requests {
        assert_eq!((request.field("Cookie"), request.field("Referer")), (None, None), "{}", request.target);
    }
}

#[test]
fn a_request_has_one_of_each_field_that_is_smolgets_own_and_no_more() {
    let server = Server::always(Reply::ok("x"));
    smolget().arg("--discard").arg(server.url("/plain")).run().exits(0);
    let request = server.request("/plain");
    let names: Vec<_> = request.lines.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(names, ["Host", "User-Agent", "Accept"]);
    let run = smolget().args(["--discard", "-H", "User-Agent: mine", "-H", "Accept: text/plain"]);
    run.arg(server.url("/given")).run().exits(0);
    let request = server.request("/given");
    assert_eq!(request.field("Accept"), Some("text/plain"));
    assert_eq!(request.field("User-Agent"), Some("mine"));
    assert_eq!(request.field("Host"), Some(format!("127.0.0.1:{}", server.port()).as_str()));
}

#[test]
fn a_netrc_file_has_credentials_for_its_hosts_and_its_passwords_are_never_shown() {
    let web = Web::new();
    let netrc =
        "machine home.test login user password pass\nmachine other.test login x password y\ndefault login d password e";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), netrc).unwrap();
    // base64 of `d:e`
    let default = "Basic ZDpl";
    for (ways, sent) in [
        (&["https://home.test:%home"][..], &[Some(USER)][..]),
        (&["http://home.test:%home"], &[Some(USER)]),
        (&["https://x:y@home.test:%home"], &[Some(OTHER_USER)]),
        (&["https://sub.home.test:%home"], &[Some(default)]),
        (&["https://home.test:%home", "https://home.test:%home"], &[Some(USER), Some(USER)]),
        (&["https://home.test:%home", "https://other.test:%home"], &[Some(USER), Some(OTHER_USER)]),
        (&["https://home.test:%home", "https://sub.home.test:%home"], &[Some(USER), None]),
        (&["http://home.test:%home", "http://other.test:%home"], &[Some(USER), None]),
        (&["http://%away", "https://home.test:%home"], &[Some(default), Some(USER)]),
    ] {
        let requests = web.walk(ways, |run, url| run.arg("--netrc-file").arg(file.path()).arg(url));
        let got: Vec<_> = requests.iter().map(|request| request.field("Authorization")).collect();
        assert_eq!(got, sent, "{ways:?}");
    }
    let own = web.walk(&["https://home.test:%home"], |run, url| {
        run.arg("--netrc-file").arg(file.path()).args(["-H", "Authorization: Bearer token", url])
    });
    assert_eq!(own[0].field("Authorization"), Some("Bearer token"));
    let server = Server::always(Reply::status(401));
    let output =
        smolget().args(["--json", "-vvv", "--netrc-file"]).arg(file.path()).arg(server.url("/")).run().exits(1);
    assert_eq!(server.request("/").field("Authorization"), Some(default));
    assert!(!output.everything().contains(default) && !output.everything().contains("pass"), "{}", output.stderr);
}

#[test]
fn a_netrc_file_that_can_not_be_used_is_a_usage_error_that_names_its_line_alone() {
    let folder = support::Folder::new();
    for (content, told) in [
        (
            "machine h\nlogin u password hush hush\n".as_bytes(),
            "which can't be used: line 2 has a word that is no keyword",
        ),
        (b"machine h password \"hush", "line 1 has a quote that does not end there"),
        (b"machine \xff password hush", "UTF-8"),
    ] {
        let file = folder.write("netrc", content);
        let output = folder.smolget().arg("--netrc-file").arg(&file).arg("http://127.0.0.1:1/").run().exits(2);
        assert!(output.stderr.contains(told) && output.stderr.contains("/netrc"), "{}", output.stderr);
        assert!(!output.stderr.contains("hush"), "{}", output.stderr);
    }
    for file in ["missing", "."] {
        let output = folder.smolget().args(["--netrc-file", file, "http://127.0.0.1:1/"]).run().exits(2);
        assert!(output.stderr.contains("--netrc-file: got "), "{}", output.stderr);
    }
}
