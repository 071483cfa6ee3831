//! Certificates made on the spot, and servers that show them. Nothing here is corrected: a certificate may be one that no CA
//! would sign, shown with a key that isn't its own.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion, version};

use super::reply::Reply;
use super::server::{Request, Server, Wire};

/// What TLS begins with (RFC 8446, section 5.1: a record of type handshake).
const CLIENT_HELLO: u8 = 22;

/// A CA that signs certificates for test servers: a root, or one below it.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// What a server has to show beside its own certificate: this CA's, and those above it up to the root's.
    chain: Vec<CertificateDer<'static>>,
}

impl Authority {
    pub fn new() -> Self {
        let params = ca_params("a root of the tests");
        Self { issuer: CertifiedIssuer::self_signed(params, key()).unwrap(), chain: Vec::new() }
    }

    /// A CA that this one has signed, after `adjust` had its way with it.
    pub fn below(&self, adjust: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = ca_params(&format!("CA {} between", self.chain.len()));
        adjust(&mut params);
        let issuer = CertifiedIssuer::signed_by(params, key(), &self.issuer).unwrap();
        let chain = [issuer.der()].into_iter().chain(&self.chain).cloned().collect();
        Self { issuer, chain }
    }

    /// The CA's own certificate.
    pub fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// The CA's own certificate, as `--cacert` reads it.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these names or addresses, valid now.
    pub fn identity(&self, names: &[&str]) -> Identity {
        self.issue(names, |_| {})
    }

    /// A certificate that was valid long ago.
    pub fn expired(&self, names: &[&str]) -> Identity {
        self.issue(names, |params| valid(params, 2001, 2002))
    }

    /// A certificate that will be valid one day.
    pub fn not_yet_valid(&self, names: &[&str]) -> Identity {
        self.issue(names, |params| valid(params, 2200, 2201))
    }

    /// A certificate for these names or addresses, after `adjust` had its way with it.
    pub fn issue(&self, names: &[&str], adjust: impl FnOnce(&mut CertificateParams)) -> Identity {
        let (mut params, key) = (params(names), key());
        adjust(&mut params);
        let own = params.signed_by(&key, &self.issuer).unwrap();
        let chain = [own.der()].into_iter().chain(&self.chain).cloned().collect();
        Identity { chain, key, versions: rustls::ALL_VERSIONS }
    }
}

/// The years, from the first of January, between which a certificate is valid.
pub fn valid(params: &mut CertificateParams, from: i32, to: i32) {
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
}

/// The versions of TLS that a server speaks.
pub type Versions = &'static [&'static SupportedProtocolVersion];

pub static TLS12: Versions = &[&version::TLS12];
pub static TLS13: Versions = &[&version::TLS13];

/// What a server shows of itself: a certificate, those of the CAs between it and the root, and a key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    versions: Versions,
}

impl Identity {
    /// A certificate that nobody but itself vouches for.
    pub fn self_signed(names: &[&str]) -> Self {
        let key = key();
        let own = params(names).self_signed(&key).unwrap();
        Self { chain: vec![own.der().clone()], key, versions: rustls::ALL_VERSIONS }
    }

    /// Shows no certificate of the CAs between.
    pub fn alone(mut self) -> Self {
        self.chain.truncate(1);
        self
    }

    /// Has another key than the certificate's, as somebody who has copied that.
    pub fn copied(self) -> Self {
        Self { key: key(), ..self }
    }

    /// Shows a certificate that was changed after it was signed.
    pub fn forged(mut self) -> Self {
        let mut own = self.chain[0].to_vec();
        // The signature is what comes last.
        *own.last_mut().unwrap() ^= 1;
        self.chain[0] = own.into();
        self
    }

    /// Speaks these versions of TLS alone.
    pub fn speaking(self, versions: Versions) -> Self {
        Self { versions, ..self }
    }

    /// A server that shows this certificate, at an `https` URL.
    pub fn serve(self, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        self.serve_noting(|_| {}, handler).0
    }

    /// As [`serve`](Self::serve), after `adjust` had its way with the server's settings; and what it saw of handshakes.
    pub fn serve_noting(
        self,
        adjust: impl FnOnce(&mut ServerConfig),
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> (Server, Handshakes) {
        let mut config = self.config();
        adjust(&mut config);
        let (config, handshakes) = (Arc::new(config), Handshakes::default());
        let noted = handshakes.clone();
        let wrap = move |stream| shake_hands(&config, stream, &noted);
        (Server::wrapped("https", Ipv4Addr::LOCALHOST.into(), wrap, handler), handshakes)
    }

    /// A server that speaks https and http at one port, whichever the client begins with; its own URLs are `http`.
    pub fn serve_both(self, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        let (config, noted) = (Arc::new(self.config()), Handshakes::default());
        let wrap = move |stream: TcpStream| -> io::Result<Box<dyn Wire>> {
            let mut first = [0];
            stream.peek(&mut first)?;
            if first == [CLIENT_HELLO] { shake_hands(&config, stream, &noted) } else { Ok(Box::new(stream)) }
        };
        Server::wrapped("http", Ipv4Addr::LOCALHOST.into(), wrap, handler)
    }

    /// The settings of a server that shows this certificate.
    pub fn config(self) -> ServerConfig {
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        let shown = CertifiedKey::new(self.chain, ring::sign::any_supported_type(&key).unwrap());
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)))
    }
}

/// The handshakes of a server, in the order in which they ended.
#[derive(Clone, Default)]
pub struct Handshakes(Arc<Mutex<Vec<Handshake>>>);

/// A handshake, from the server's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The host that the client asked for.
    pub name: Option<String>,
    pub end: End,
    /// Whether the client sent data before it had verified anything.
    pub was_early: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client saw the certificate, and goes on.
    Full,
    /// The client goes on with what it had verified before.
    Resumed,
    /// The client goes no further.
    Refused,
}

impl Handshakes {
    pub fn seen(&self) -> Vec<Handshake> {
        self.0.lock().unwrap().clone()
    }

    /// Every host that was asked for, and how that ended.
    pub fn ends(&self) -> Vec<(String, End)> {
        self.seen().into_iter().map(|seen| (seen.name.unwrap_or_default(), seen.end)).collect()
    }
}

fn shake_hands(config: &Arc<ServerConfig>, mut stream: TcpStream, noted: &Handshakes) -> io::Result<Box<dyn Wire>> {
    let mut connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    let mut done = Ok((0, 0));
    while connection.is_handshaking() && done.is_ok() {
        done = connection.complete_io(&mut stream);
    }
    noted.0.lock().unwrap().push(Handshake {
        name: connection.server_name().map(str::to_owned),
        end: match connection.handshake_kind() {
            _ if done.is_err() => End::Refused,
            Some(HandshakeKind::Resumed) => End::Resumed,
            _ => End::Full,
        },
        was_early: connection.early_data().is_some(),
    });
    if done.is_err() {
        // What the client still sends, unread, would make the end a reset, and that would overtake our alert.
        stream.shutdown(Shutdown::Write)?;
        io::copy(&mut stream, &mut io::sink())?;
    }
    done.map(|_| Box::new(StreamOwned::new(connection, stream)) as Box<dyn Wire>)
}

impl Wire for StreamOwned<ServerConnection, TcpStream> {
    fn end(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        io::Write::flush(self)
    }
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = params(&[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}
