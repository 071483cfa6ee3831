//! Handshakes that go wrong: a row for each way, beside ones that go well. Nothing is said to a server before the handshake is
//! done, whatever it says itself, and `--insecure` allows for certificates alone.

#![cfg(all(feature = "cli", feature = "tls"))]

mod support;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use support::server::Wire;
use support::tls::{Authority, Identity, TLS12, TLS13, Versions};
use support::{Reply, Server, error, ms, smolget};

/// What may not be on the wire before it is encrypted.
const SECRET: &str = "hush";

/// The types of TLS records (RFC 8446, section 5.1).
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

/// Versions as they are on the wire.
const TLS_1_0: [u8; 2] = [3, 1];
const TLS_1_1: [u8; 2] = [3, 2];
const TLS_1_2: [u8; 2] = [3, 3];

/// TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, which smolget offers, and a CBC suite, which it does not.
const OFFERED: [u8; 2] = [0xc0, 0x2f];
const NOT_OFFERED: [u8; 2] = [0xc0, 0x13];

/// How a server's random ends that speaks TLS 1.3 and was made to speak 1.2 (RFC 8446, section 4.1.3).
const DOWNGRADED: [u8; 8] = *b"DOWNGRD\x01";

/// A server that answers the ClientHello with these bytes and then reads on, and all that it reads.
fn answering(bytes: Vec<u8>) -> (Server, Arc<Mutex<Vec<u8>>>) {
    let heard = Arc::<Mutex<Vec<u8>>>::default();
    let ear = heard.clone();
    let play = move |mut stream: TcpStream| {
        ear.lock().unwrap().extend(hello(&mut stream)?);
        stream.write_all(&bytes)?;
        let mut rest = Vec::new();
        let end = stream.read_to_end(&mut rest);
        ear.lock().unwrap().extend(rest);
        end.and(Err(io::ErrorKind::ConnectionAborted.into()))
    };
    (Server::wrapped("https", Ipv4Addr::LOCALHOST.into(), play, |_| unreachable!("nothing is deciphered")), heard)
}

/// Reads the record with the ClientHello.
fn hello(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut record = vec![0; 5];
    stream.read_exact(&mut record)?;
    record.resize(5 + usize::from(u16::from_be_bytes([record[3], record[4]])), 0);
    stream.read_exact(&mut record[5..])?;
    Ok(record)
}

fn fetch(server: &Server, args: &[&str]) -> Value {
    let run = smolget().args(["--insecure", "--json", "--discard", "-H", "Authorization: hush"]).args(args);
    run.arg(server.url_as("user:hush@127.0.0.1", "/hush")).run().exits(1).row()
}

fn record(kind: u8, version: [u8; 2], content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[kind], &version[..], &length, content].concat()
}

/// A fatal alert.
fn alert(version: [u8; 2], description: u8) -> Vec<u8> {
    record(ALERT, version, &[2, description])
}

/// A ServerHello (RFC 5246, section 7.4.1.3) without session; `extensions` are whole, their length aside.
fn server_hello(version: [u8; 2], random_end: [u8; 8], suite: [u8; 2], extensions: &[u8]) -> Vec<u8> {
    let length = u16::try_from(extensions.len()).unwrap().to_be_bytes();
    let body = [&version[..], &[7; 24], &random_end, &[0], &suite, &[0], &length, extensions].concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    record(HANDSHAKE, version, &[&[2], &length[1..], &body].concat())
}

/// The extension by which a server selects a protocol (RFC 7301, section 3.1).
fn alpn(protocol: &str) -> Vec<u8> {
    let size = u8::try_from(protocol.len()).unwrap();
    [&[0, 16, 0, size + 3, 0, size + 1, size], protocol.as_bytes()].concat()
}

/// The extension that a server of TLS 1.2 acknowledges safe renegotiation with (RFC 5746): nothing but decent.
const RENEGOTIATION: [u8; 5] = [0xff, 1, 0, 1, 0];

#[test]
fn a_server_that_does_not_speak_proper_tls_is_told_nothing() {
    let plain = [7; 8];
    let h2 = [&RENEGOTIATION[..], &alpn("h2")].concat();
    let early =
        [server_hello(TLS_1_2, plain, OFFERED, &RENEGOTIATION), record(DATA, TLS_1_2, b"HTTP/1.1 200 OK\r\n\r\n")];
    let page = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    for (case, told, bytes) in [
        ("TLS 1.1 alone", "no TLS newer than 1.1", server_hello(TLS_1_1, plain, NOT_OFFERED, &RENEGOTIATION)),
        ("TLS 1.0 alone", "no TLS newer than 1.1", server_hello(TLS_1_0, plain, NOT_OFFERED, &RENEGOTIATION)),
        ("TLS 1.1 alone, as an alert says", "ProtocolVersion", alert(TLS_1_1, 70)),
        ("nothing in common, as an alert says", "HandshakeFailure", alert(TLS_1_2, 40)),
        (
            "made to speak less than it can",
            "AttemptedDowngrade",
            server_hello(TLS_1_2, DOWNGRADED, OFFERED, &RENEGOTIATION),
        ),
        (
            "a suite that was not offered",
            "UnofferedCipherSuite",
            server_hello(TLS_1_2, plain, NOT_OFFERED, &RENEGOTIATION),
        ),
        ("h2, which was not offered", "UnofferedApplicationProtocol", server_hello(TLS_1_2, plain, OFFERED, &h2)),
        ("data before the handshake is done", "ApplicationData", early.concat()),
        ("a page in plain HTTP", "not TLS", page.to_vec()),
        ("another protocol's banner", "not TLS", b"220 mail.example.org ESMTP\r\n".to_vec()),
        ("zeros", "not TLS", vec![0; 64]),
    ] {
        let (server, heard) = answering(bytes);
        let row = fetch(&server, &[]);
        let seen = (error(&row), row.get("phase"), &row["attempts"], row.get("status"));
        assert_eq!(seen, ("tls", None, &1.into(), None), "{case}: {row}");
        assert!(row["message"].as_str().unwrap().contains(told), "{case}: {row}");
        server.wait_for_hang_up();
        let heard = heard.lock().unwrap();
        assert_eq!(heard[0], HANDSHAKE, "{case}");
        assert!(!heard.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "{case}");
    }
}

#[test]
fn a_server_that_has_no_protocol_in_common_is_told_nothing() {
    for versions in [TLS12, TLS13] {
        let speaking = |protocol: &str| {
            let speak = |config: &mut ServerConfig| config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
            Identity::self_signed(&["127.0.0.1"]).speaking(versions).serve_noting(speak, |_| Reply::ok("x")).0
        };
        let server = speaking("h2");
        let row = fetch(&server, &[]);
        assert_eq!((error(&row), &row["attempts"]), ("tls", &1.into()), "{row}");
        server.wait_for_hang_up();
        assert_eq!((server.bytes(), server.requests().len()), (0, 0));
        smolget().args(["--insecure", "--discard"]).arg(speaking("http/1.1").url("/")).run().exits(0);
    }
}

#[test]
fn a_server_that_speaks_h2_unasked_is_no_http() {
    let server = Identity::self_signed(&["127.0.0.1"]).serve(|_| {
        // Its empty SETTINGS frame (RFC 9113, section 6.5).
        Reply::raw([0, 0, 0, 4, 0, 0, 0, 0, 0]).hold()
    });
    assert_eq!(error(&fetch(&server, &[])), "protocol");
}

#[test]
fn who_wants_to_know_the_client_is_told_of_no_one() {
    let authority = Authority::new();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifiers = [verifier.clone().build().unwrap(), verifier.allow_unauthenticated().build().unwrap()];
    for versions in [TLS12, TLS13] {
        let [demanding, content] = verifiers.clone().map(|verifier| {
            let config = |old: &mut ServerConfig| {
                let new = ServerConfig::builder_with_provider(old.crypto_provider().clone());
                let new = new.with_protocol_versions(versions).unwrap().with_client_cert_verifier(verifier);
                *old = new.with_cert_resolver(old.cert_resolver.clone());
            };
            authority.identity(&["127.0.0.1"]).serve_noting(config, |_| Reply::ok("x")).0
        });
        let row = fetch(&demanding, &[]);
        assert_eq!((error(&row), &row["attempts"], demanding.requests().len()), ("tls", &1.into(), 0), "{row}");
        smolget().args(["--insecure", "--discard"]).arg(content.url("/")).run().exits(0);
    }
}

#[test]
fn a_server_that_hangs_up_fails_the_handshake_and_a_reset_may_pass() {
    let goodbye = record(ALERT, TLS_1_2, &[1, 0]);
    for (last_words, resets, told, attempts) in
        [(&[][..], false, "tls", 1), (&goodbye, false, "tls", 1), (&[], true, "connect", 2)]
    {
        let last_words = last_words.to_vec();
        let hang_up = move |mut stream: TcpStream| {
            hello(&mut stream)?;
            stream.write_all(&last_words)?;
            let linger = resets.then_some(Duration::ZERO);
            rustix::net::sockopt::set_socket_linger(&stream, linger)?;
            Err(io::ErrorKind::ConnectionAborted.into())
        };
        let server = Server::wrapped("https", Ipv4Addr::LOCALHOST.into(), hang_up, |_| unreachable!());
        let row = fetch(&server, &["--retries", "1"]);
        assert_eq!((error(&row), &row["attempts"], server.connections()), (told, &attempts.into(), attempts), "{row}");
    }
}

/// A server that shakes hands as it should, up to its so-manieth message, and then says no more.
fn falling_silent(versions: Versions, messages: usize) -> Server {
    let config = Arc::new(Identity::self_signed(&["127.0.0.1"]).speaking(versions).config());
    let play = move |mut stream: TcpStream| {
        let mut connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        connection.read_tls(&mut hello(&mut stream)?.as_slice())?;
        connection.process_new_packets().map_err(io::Error::other)?;
        let mut flight = Vec::new();
        while connection.wants_write() {
            connection.write_tls(&mut flight)?;
        }
        stream.write_all(&one_a_record(&flight)[..messages].concat())?;
        io::copy(&mut stream, &mut io::sink())?;
        Err(io::ErrorKind::ConnectionAborted.into())
    };
    Server::wrapped("https", Ipv4Addr::LOCALHOST.into(), play, |_| unreachable!("nothing is deciphered"))
}

/// Records as they are, but for handshake messages that share one: each gets its own.
fn one_a_record(mut flight: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let [kind, major, minor, high, low, rest @ ..] = flight {
        let (mut content, after) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        flight = after;
        while *kind == HANDSHAKE && !content.is_empty() {
            let length = u32::from_be_bytes([0, content[1], content[2], content[3]]) as usize;
            let (message, others) = content.split_at(4 + length);
            records.push(record(*kind, [*major, *minor], message));
            content = others;
        }
        if *kind != HANDSHAKE {
            records.push(record(*kind, [*major, *minor], content));
        }
    }
    records
}

#[test]
fn a_stalled_handshake_is_a_timeout_of_its_own_phase() {
    let goodbye = record(ALERT, TLS_1_2, &[1, 0]);
    // Nothing is wrong with these, unlike with those above.
    let [plain, http] = [Vec::new(), alpn("http/1.1")].map(|alpn| {
        let hello = server_hello(TLS_1_2, [7; 8], OFFERED, &[&RENEGOTIATION[..], &alpn].concat());
        answering(hello).0
    });
    for (case, server) in [
        ("a decent ServerHello", plain),
        ("a ServerHello that selects HTTP/1.1", http),
        ("silence", answering(Vec::new()).0),
        ("half a header", answering(vec![HANDSHAKE, 3, 3]).0),
        ("a goodbye", answering(goodbye).0),
        ("TLS 1.2, after the ServerHello", falling_silent(TLS12, 1)),
        ("TLS 1.2, after the certificate", falling_silent(TLS12, 2)),
        ("TLS 1.2, after the ServerHelloDone", falling_silent(TLS12, 4)),
        ("TLS 1.3, after the ServerHello", falling_silent(TLS13, 1)),
        ("TLS 1.3, after the ChangeCipherSpec", falling_silent(TLS13, 2)),
    ] {
        let row = fetch(&server, &["--connect-timeout", "200ms", "--retries", "0"]);
        let seen = (error(&row), row["phase"].as_str(), &row["attempts"]);
        assert_eq!(seen, ("timeout", Some("tls"), &1.into()), "{case}: {row}");
    }
}

/// Bytes that leave one at a time, far apart.
struct Dripping(TcpStream, Duration);

impl Read for Dripping {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Dripping {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        std::thread::sleep(self.1);
        self.0.write(&bytes[..bytes.len().min(1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn a_handshake_a_byte_at_a_time_is_one_too_unless_there_is_time_for_it() {
    let fetch_dripping = |pause, limit| {
        let config = Arc::new(Identity::self_signed(&["127.0.0.1"]).config());
        let drip = move |stream: TcpStream| {
            let mut connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
            let mut slow = Dripping(stream.try_clone()?, pause);
            while connection.is_handshaking() {
                connection.complete_io(&mut slow)?;
            }
            Ok(Box::new(StreamOwned::new(connection, stream)) as Box<dyn Wire>)
        };
        let server = Server::wrapped("https", Ipv4Addr::LOCALHOST.into(), drip, |_| Reply::ok("x"));
        let args = ["--insecure", "--json", "--discard", "--retries", "0", "--connect-timeout", limit];
        smolget().args(args).arg(server.url("/")).run().row()
    };
    let row = fetch_dripping(ms(20), "300ms");
    assert_eq!((error(&row), row["phase"].as_str()), ("timeout", Some("tls")), "{row}");
    assert_eq!(fetch_dripping(Duration::ZERO, "20s")["ok"], true);
}
