//! A server for counted clients: to whatever is asked, the same kilobyte, in one piece, when [`Client`] says.
//!
//! Nothing is scripted here and nothing is looked at: the integration tests' server does that, and its replies come in more
//! pieces than one. It ends with the program.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::client::Client;
use crate::tls::Authority;

/// The size of every body.
pub const BODY: usize = 1024;

/// Two servers, one of them with TLS, and what their clients need to know.
pub struct Site {
    pub client: Client,
    http: u16,
    https: u16,
    folder: TempDir,
}

impl Site {
    pub fn open() -> Self {
        let (client, folder) = (Client::default(), TempDir::new().expect("there is room for a temporary folder"));
        let authority = Authority::new();
        let config = Arc::new(authority.identity(&["127.0.0.1"]).config());
        let site = Self { http: serve(&client, None), https: serve(&client, Some(config)), client, folder };
        fs::write(site.roots(), authority.pem()).unwrap();
        site
    }

    /// The URL of a path here.
    pub fn url(&self, is_secure: bool, path: &str) -> String {
        match is_secure {
            true => format!("https://127.0.0.1:{}{path}", self.https),
            false => format!("http://127.0.0.1:{}{path}", self.http),
        }
    }

    /// The file with the roots that vouch for it.
    pub fn roots(&self) -> PathBuf {
        self.folder.path().join("roots.pem")
    }
}

/// Starts to serve, on a port that it tells.
fn serve(client: &Client, tls: Option<Arc<ServerConfig>>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback takes listeners");
    let port = listener.local_addr().unwrap().port();
    let client = client.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, tls, client) = (stream.expect("the loopback gives connections"), tls.clone(), client.clone());
            thread::spawn(move || match tls.map(ServerConnection::new) {
                None => converse(stream, &client),
                Some(session) => converse(StreamOwned::new(session.expect("the settings are good"), stream), &client),
            });
        }
    });
    port
}

/// Answers until the client hangs up, as it does at its end.
fn converse(mut wire: impl Read + Write, client: &Client) -> io::Result<()> {
    let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n{}", "x".repeat(BODY));
    let (mut head, mut block) = (Vec::new(), [0; 4096]);
    loop {
        let count = wire.read(&mut block)?;
        if count == 0 {
            return Ok(());
        }
        head.extend_from_slice(&block[..count]);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            client.answer(|| wire.write_all(reply.as_bytes()).and_then(|()| wire.flush()))?;
        }
    }
}
