//! What was verified for a name is used again for that name, and never for another one at the same address.

#![cfg(all(feature = "cli", feature = "tls"))]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};
use serde_json::Value;
use support::run::Output;
use support::tls::{Authority, End, Handshakes, TLS12, TLS13, Versions};
use support::{Folder, Reply, Server, error};

/// The name that the certificate is for, and one that it is not for, at the same address.
const KNOWN: &str = "a.test";
const OTHER: &str = "b.test";

/// The sessions of a server, and how many of them a client came back with.
#[derive(Debug)]
struct Sessions {
    kept: Arc<ServerSessionMemoryCache>,
    offered: AtomicUsize,
}

impl Sessions {
    fn new() -> Arc<Self> {
        Arc::new(Self { kept: ServerSessionMemoryCache::new(64), offered: AtomicUsize::new(0) })
    }

    fn offered(&self) -> usize {
        self.offered.load(Ordering::SeqCst)
    }

    fn count(&self, session: Option<Vec<u8>>) -> Option<Vec<u8>> {
        self.offered.fetch_add(usize::from(session.is_some()), Ordering::SeqCst);
        session
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.kept.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.count(self.kept.get(key))
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.count(self.kept.take(key))
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// A server with a certificate for the known name alone, that would resume any session, and a folder with its root.
struct Place {
    server: Server,
    handshakes: Handshakes,
    sessions: Arc<Sessions>,
    folder: Folder,
}

impl Place {
    fn new(versions: Versions) -> Self {
        let (authority, folder, sessions) = (Authority::new(), Folder::new(), Sessions::new());
        folder.write("roots.pem", authority.pem());
        let kept = sessions.clone();
        let (server, handshakes) = authority.identity(&[KNOWN]).speaking(versions).serve_noting(
            |config| {
                config.session_storage = kept;
                config.max_early_data_size = 16 * 1024;
            },
            |request| match request.target.as_str() {
                "/close" => Reply::ok("x").close(),
                "/elsewhere" => {
                    let (_, port) = request.field("Host").unwrap().split_once(':').unwrap();
                    Reply::redirect(302, format!("https://{OTHER}:{port}/"))
                }
                _ => Reply::ok("x"),
            },
        );
        Self { server, handshakes, sessions, folder }
    }

    /// Fetches one URL after the other in one run.
    fn fetch(&self, urls: &[String]) -> Output {
        let run = self.folder.smolget().args(["--json", "--discard", "-j1", "--cacert", "roots.pem"]);
        let names = [KNOWN, OTHER].map(|name| self.server.resolve(name));
        let run = run.args(names.iter().flat_map(|name| ["--resolve", name]));
        let output = run.args(["-H", "Authorization: Bearer token"]).args(urls).run();
        self.server.wait_for_hang_up();
        output
    }

    fn known(&self, path: &str) -> String {
        self.server.url_as(KNOWN, path)
    }

    fn other(&self, path: &str) -> String {
        self.server.url_as(OTHER, path)
    }

    /// How often the server was asked for anything by the other name.
    fn asked_by_other_name(&self) -> usize {
        let hosts = self.server.requests();
        hosts.iter().filter(|request| request.field("Host").unwrap().starts_with(OTHER)).count()
    }
}

fn ends(ends: &[(&str, End)]) -> Vec<(String, End)> {
    ends.iter().map(|(name, end)| ((*name).to_owned(), *end)).collect()
}

#[test]
fn a_session_is_resumed_for_its_own_name_and_nothing_is_sent_early() {
    for versions in [TLS12, TLS13] {
        let place = Place::new(versions);
        place.fetch(&["/close", "/close", "/"].map(|path| place.known(path))).exits(0);
        assert_eq!(place.handshakes.ends(), ends(&[(KNOWN, End::Full), (KNOWN, End::Resumed), (KNOWN, End::Resumed)]));
        assert_eq!((place.sessions.offered(), place.server.requests().len()), (2, 3));
        assert!(place.handshakes.seen().iter().all(|handshake| !handshake.was_early));
    }
}

#[test]
fn another_name_gets_neither_a_session_nor_a_connection_that_was_verified_for_the_first() {
    for versions in [TLS12, TLS13] {
        // A session is left by the first, an idle connection by the second, which both are used again at the end.
        let place = Place::new(versions);
        let urls =
            [place.known("/close"), place.known("/"), place.other("/b"), place.known("/close"), place.known("/c")];
        let output = place.fetch(&urls).exits(1);
        let row = output.row_of(&place.other("/b"));
        assert_eq!((error(&row), &row["attempts"], row.get("status")), ("tls", &1.into(), None), "{row}");
        assert_eq!(output.rows().iter().filter(|row| row["ok"] == true).count(), 4);
        let met = [(KNOWN, End::Full), (KNOWN, End::Resumed), (OTHER, End::Refused), (KNOWN, End::Resumed)];
        assert_eq!(place.handshakes.ends(), ends(&met));
        assert_eq!((place.sessions.offered(), place.asked_by_other_name()), (2, 0));
    }
}

#[test]
fn a_redirect_to_the_other_name_gets_neither() {
    for versions in [TLS12, TLS13] {
        let place = Place::new(versions);
        // To the other name itself, and to the known one that leads on to it: whichever of the two is asked first, the handshakes
        // have one order.
        let ways = [place.other("/"), place.known("/elsewhere")];
        let plain = Server::start(move |request| Reply::redirect(301, &ways[usize::from(request.target == "/2")]));
        let urls = [place.known("/close"), place.known("/"), plain.url("/1"), plain.url("/2")];
        let output = place.fetch(&urls).exits(1);
        for (url, redirects) in [(&urls[2], 1), (&urls[3], 2)] {
            let row = output.row_of(url);
            let seen = (error(&row), &row["redirects"], &row["final_url"]);
            assert_eq!(seen, ("tls", &redirects.into(), &Value::from(place.other("/"))), "{row}");
        }
        // The known name's connection has made room for the plain one, its session is there.
        let known = [(KNOWN, End::Full), (KNOWN, End::Resumed), (OTHER, End::Refused)];
        assert_eq!(place.handshakes.ends(), ends(&[&known[..], &known[1..]].concat()));
        assert_eq!((place.sessions.offered(), place.asked_by_other_name()), (2, 0));
    }
}

#[test]
fn a_redirect_to_the_known_name_is_followed() {
    let place = Place::new(TLS13);
    let location = place.known("/close");
    let plain = Server::start(move |_| Reply::redirect(301, &location));
    place.fetch(&[plain.url("/1"), plain.url("/2")]).exits(0);
    assert_eq!(place.handshakes.ends(), ends(&[(KNOWN, End::Full), (KNOWN, End::Resumed)]));
}
