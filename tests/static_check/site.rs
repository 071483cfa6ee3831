//! The servers that the checks ask: over http, over both versions of TLS, and ports where nobody answers.

use tempfile::TempDir;

use crate::ports::Port;
use crate::reply::Reply;
use crate::server::{Request, Server};
use crate::tls::{Authority, Identity, TLS12, TLS13};

/// A host that certificates are right for; it needs `--resolve`.
pub const HOST: &str = "static.test";
/// The most that a body may have in the run of errors.
pub const MAX_SIZE: usize = 1 << 20;

pub struct Site {
    pub http: Server,
    pub tls12: Server,
    pub tls13: Server,
    /// Shows a certificate that its authority never signed.
    pub stranger: Server,
    /// Says nothing.
    pub silent: Server,
    pub refusing: Port,
    pub full: Port,
    folder: TempDir,
}

impl Site {
    pub fn open() -> Self {
        let authority = Authority::new();
        let folder = tempfile::tempdir().expect("there is room for a temporary folder");
        std::fs::write(folder.path().join("roots.pem"), authority.pem()).expect("there is room for a file");
        Self {
            http: Server::start(answer),
            tls12: authority.identity(&[HOST]).speaking(TLS12).serve(answer),
            tls13: authority.identity(&[HOST]).speaking(TLS13).serve(answer),
            stranger: Identity::self_signed(&[HOST, "127.0.0.1"]).serve(answer),
            silent: Server::silent(),
            refusing: Port::refusing(),
            full: Port::full(),
            folder,
        }
    }

    /// The file with the root of the authority.
    pub fn roots(&self) -> String {
        self.folder.path().join("roots.pem").display().to_string()
    }
}

/// The body of a file: no two alike, of up to 40 KB; `large` is one of 4 MB.
pub fn body(path: &str) -> Vec<u8> {
    let seed = path.bytes().fold(7_usize, |seed, byte| (seed * 31 + usize::from(byte)) % 65_521);
    let length = if path.ends_with("large") { 4 << 20 } else { seed % 40_000 };
    (0..length).map(|n| ((n * 31 + seed) % 251) as u8).collect()
}

fn answer(request: &Request) -> Reply {
    let path = request.target.as_str();
    match path {
        "/babble" => Reply::raw("this is not HTTP\r\n\r\n").close(),
        "/short" => Reply::ok("short").length(1000).close(),
        "/missing" => Reply::status(404),
        "/loop" => Reply::redirect(302, path),
        "/moved" => Reply::redirect(302, "/small"),
        "/too-large" => Reply::ok(vec![b'x'; MAX_SIZE + 1]),
        "/no-head" => Reply::raw("").hold(),
        "/no-body" => Reply::ok("").length(10).hold(),
        _ if path.ends_with("chunked") => Reply::ok(body(path)).chunked(1000),
        _ => Reply::ok(body(path)),
    }
}
