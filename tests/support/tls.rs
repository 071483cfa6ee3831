//! Certificates made on the spot, and a server that shows them.

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::reply::Reply;
use super::server::{Request, Server, Wire};

/// A root that signs certificates for test servers.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = params(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "a root of the tests");
        Self { issuer: CertifiedIssuer::self_signed(params, key()).unwrap() }
    }

    /// The root, as `--cacert` reads it.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these names or addresses, valid now.
    pub fn identity(&self, names: &[&str]) -> Identity {
        self.sign(params(names))
    }

    /// A certificate that was valid long ago.
    pub fn expired(&self, names: &[&str]) -> Identity {
        self.valid(names, 2001, 2002)
    }

    /// A certificate that will be valid one day.
    pub fn not_yet_valid(&self, names: &[&str]) -> Identity {
        self.valid(names, 2200, 2201)
    }

    fn valid(&self, names: &[&str], from: i32, to: i32) -> Identity {
        let mut params = params(names);
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = key();
        Identity { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }
}

/// A certificate and its key.
pub struct Identity {
    certificate: Certificate,
    key: KeyPair,
}

impl Identity {
    /// A certificate that nobody but itself vouches for.
    pub fn self_signed(names: &[&str]) -> Self {
        let key = key();
        Self { certificate: params(names).self_signed(&key).unwrap(), key }
    }

    /// A server that shows this certificate, at an `https` URL.
    pub fn serve(self, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        Server::wrapped("https", Ipv4Addr::LOCALHOST.into(), move |stream| shake_hands(&config, stream), handler)
    }

    pub fn pem(&self) -> String {
        self.certificate.pem()
    }
}

fn shake_hands(config: &Arc<ServerConfig>, stream: TcpStream) -> io::Result<Box<dyn Wire>> {
    let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    Ok(Box::new(StreamOwned::new(connection, stream)))
}

impl Wire for StreamOwned<ServerConnection, TcpStream> {
    fn end(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        io::Write::flush(self)
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}
