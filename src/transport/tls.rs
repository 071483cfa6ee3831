//! TLS: whom to believe → a verified stream, or an error that says why not.
//!
//! The only place that knows rustls. One configuration serves a whole fetcher, so sessions are resumed; they are kept
//! by server name, so two names on one address never share one.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use futures_rustls::TlsConnector;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, KeyProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::SigningKey;
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme, WantsVerifier};
use surf::http::url::Host;

use super::clock::Clock;
use super::distrust::explain;
use super::lent::Lent;
use super::pinned::Pinned;
use super::pool::Pool;
use super::stream::Stream;
use crate::config::Trust;
use crate::error::{Error, ErrorKind};
use crate::reactor::Tcp;
use crate::text;

/// TLS over a socket with a buffer.
pub(super) type TlsStream = futures_rustls::client::TlsStream<Lent<Tcp>>;

/// Makes verified streams.
#[derive(Debug)]
pub(super) struct Tls {
    trust: Trust,
    clock: Clock,
    // Reading Mozilla's roots takes time and memory that a run without an https URL need not spend.
    config: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    /// Reads the roots, where they come from outside.
    ///
    /// # Errors
    ///
    /// Kind [`Tls`](ErrorKind::Tls) if they can't be read or there is none.
    pub fn new(trust: &Trust) -> Result<Self, Error> {
        Self::with_clock(trust, Clock::SYSTEM)
    }

    fn with_clock(trust: &Trust, clock: Clock) -> Result<Self, Error> {
        let tls = Self { trust: trust.clone(), clock, config: OnceLock::new() };
        if matches!(trust, Trust::Pem(_) | Trust::System) {
            tls.config()?;
        }
        Ok(tls)
    }

    /// Shakes hands over a fresh connection. The stream is returned once the certificate is verified, not before.
    ///
    /// # Errors
    ///
    /// Kind [`Tls`](ErrorKind::Tls), [`Clock`](ErrorKind::Clock), or [`Connect`](ErrorKind::Connect) if the connection was reset.
    pub async fn handshake(&self, host: Host<&str>, socket: Tcp, pool: &Arc<Pool>) -> Result<Stream, Error> {
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.to_owned()).map_err(|e| {
                Error::new(ErrorKind::Tls, "the host is no name that a certificate can have").with_source(e)
            })?,
            Host::Ipv4(address) => ServerName::IpAddress(IpAddr::V4(address).into()),
            Host::Ipv6(address) => ServerName::IpAddress(IpAddr::V6(address).into()),
        };
        let connector = TlsConnector::from(self.config()?);
        let socket = Lent::new(socket, Arc::clone(pool));
        let stream = connector.connect(name, socket).await.map_err(|error| handshake_error(error, self.clock))?;
        Ok(Stream::Tls(Box::new(stream)))
    }

    fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let verifier: Arc<dyn ServerCertVerifier> = match &self.trust {
            Trust::BuiltIn => {
                let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
                Arc::new(verifier(roots, Vec::new()))
            }
            Trust::System => Arc::new(verifier(system_roots()?, Vec::new())),
            Trust::Pem(file) => Arc::new(pem_verifier(file)?),
            Trust::Anything => Arc::new(Unverified(provider())),
        };
        let config = client_config(self.clock)?.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }
}

fn client_config(clock: Clock) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_details(provider(), Arc::new(clock))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(ErrorKind::Tls, "TLS can't be set up").with_source(e))
}

/// What ring offers, but for keys of our own: without client certificates nothing is signed, and the code that could is
/// left out.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { key_provider: &NoKeys, ..ring::default_provider() })
}

#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("client certificates are not supported".to_owned()))
    }
}

fn verifier(roots: RootCertStore, named: Vec<CertificateDer<'static>>) -> Pinned {
    Pinned::new(roots, named, provider().signature_verification_algorithms)
}

fn pem_verifier(file: &Path) -> Result<Pinned, Error> {
    let unusable = |why: &str| {
        let file = file.display().to_string();
        let message = format!(
            "got \"{}\", which {why}; takes a PEM file with CA certificates",
            text::escape(&text::conceal(&file))
        );
        Error::new(ErrorKind::Tls, message)
    };
    let no_pem = |error: pem::Error| match error {
        pem::Error::Io(error) => unusable(&format!("can't be read: {error}")),
        _ => unusable("is no PEM file"),
    };
    let mut roots = RootCertStore::empty();
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_file_iter(file).map_err(no_pem)? {
        let certificate = certificate.map_err(no_pem)?;
        roots.add(certificate.clone()).map_err(|_| unusable("holds a certificate that is none"))?;
        certificates.push(certificate);
    }
    if roots.is_empty() {
        return Err(unusable("holds no certificate"));
    }
    Ok(verifier(roots, certificates))
}

fn system_roots() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let message = "no roots in the system's store; install ca-certificates, or leave out --system-roots";
        return Err(Error::new(ErrorKind::Tls, message));
    }
    Ok(roots)
}

fn handshake_error(error: io::Error, clock: Clock) -> Error {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error.kind() {
        ConnectionReset | ConnectionAborted | BrokenPipe => {
            Error::new(ErrorKind::Connect, "the connection was reset during the TLS handshake").with_source(error)
        }
        UnexpectedEof => Error::new(ErrorKind::Tls, "the server closed the connection during the TLS handshake"),
        _ => explained(&error, clock)
            .unwrap_or_else(|| Error::new(ErrorKind::Tls, format!("TLS handshake: {error}")).with_source(error)),
    }
}

/// What rustls says behind an error of a stream; `None` if it is the socket that failed.
pub(super) fn stream_error(error: &io::Error) -> Option<Error> {
    explained(error, Clock::SYSTEM)
}

fn explained(error: &io::Error, clock: Clock) -> Option<Error> {
    let tls: &rustls::Error = error.get_ref()?.downcast_ref()?;
    Some(explain(tls, clock).with_source(tls.clone()))
}

/// Believes any certificate, but still wants the server to own it: what `--insecure` asks for.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use rustls::{ServerConfig, ServerConnection};

    use super::*;

    /// Shakes hands at the time of `clock` with a server whose certificate is valid between the first days of two years.
    fn shake_hands(clock: Clock, from: i32, to: i32) -> Result<Stream, Error> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["h.test".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let certificate = params.self_signed(&key).unwrap();
        let roots = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(roots.path(), certificate.pem()).unwrap();

        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            // What the client thinks of it is for the client to tell.
            let _ = ServerConnection::new(config).unwrap().complete_io(&mut peer);
        });
        let tls = Tls::with_clock(&Trust::Pem(roots.path().into()), clock).unwrap();
        let socket = crate::reactor::block_on(Tcp::connect(address)).unwrap();
        let stream = crate::reactor::block_on(tls.handshake(Host::Domain("h.test"), socket, &Arc::new(Pool::new(1))));
        server.join().unwrap();
        stream
    }

    #[test]
    fn certificates_are_judged_as_of_the_release_where_the_clock_is_behind_it() {
        let failed = |clock, from, to| shake_hands(clock, from, to).unwrap_err().kind();
        assert_eq!(failed(Clock::OF_1970, 2200, 2201), ErrorKind::Clock);
        assert_eq!(failed(Clock::SYSTEM, 2200, 2201), ErrorKind::Tls);
        assert_eq!(failed(Clock::OF_1970, 2001, 2002), ErrorKind::Tls);
        assert!(shake_hands(Clock::OF_1970, 2001, 2201).is_ok());
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        for file in ["/dev/null", "/no/such/file"] {
            let error = Tls::new(&Trust::Pem(file.into())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Tls);
            assert!(error.to_string().contains(file));
        }
    }
}
