//! TLS: whom to believe → a verified stream, or an error that says why not.
//!
//! The only place that knows rustls. One configuration serves a whole fetcher, so sessions are resumed; they are kept
//! by server name, so two names on one address never share one. The clock is checked against the date of this release:
//! a router that boots in 1970 can still verify certificates, and is told about its clock where it can't.

use std::io;
use std::net::{IpAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use async_io::Async;
use futures_lite::io::BufReader;
use futures_rustls::TlsConnector;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use surf::http::url::Host;

use super::pinned::{CA_ITSELF, Pinned};
use super::stream::Stream;
use super::turns::Turns;
use crate::config::Trust;
use crate::error::{Error, ErrorKind};
use crate::text;

/// TLS over a buffered socket: rustls reads at most 4 KiB a call, the buffer below makes that one system call in four.
pub(super) type TlsStream = futures_rustls::client::TlsStream<Turns<BufReader<Async<TcpStream>>>>;

/// The buffer between the socket and rustls: a TLS record of full size, 16 KiB and its header.
const SOCKET_BUFFER: usize = 17 * 1024;

/// 2026-11-01: no clock that is right is behind the release it runs. Raised with each release.
const RELEASED: Duration = Duration::from_secs(1_793_491_200);

/// Makes verified streams.
#[derive(Debug)]
pub(super) struct Tls {
    trust: Trust,
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
        let tls = Self { trust: trust.clone(), config: OnceLock::new() };
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
    pub async fn handshake(&self, host: Host<&str>, socket: Async<TcpStream>) -> Result<Stream, Error> {
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.to_owned()).map_err(|e| {
                Error::new(ErrorKind::Tls, "the host is no name that a certificate can have").with_source(e)
            })?,
            Host::Ipv4(address) => ServerName::IpAddress(IpAddr::V4(address).into()),
            Host::Ipv6(address) => ServerName::IpAddress(IpAddr::V6(address).into()),
        };
        let connector = TlsConnector::from(self.config()?);
        let socket = Turns::new(BufReader::with_capacity(SOCKET_BUFFER, socket));
        let stream = connector.connect(name, socket).await.map_err(handshake_error)?;
        Ok(Stream::Tls(Box::new(stream)))
    }

    fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let config = match &self.trust {
            Trust::BuiltIn => {
                let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
                client_config(|config| config.with_root_certificates(roots))?
            }
            Trust::System => {
                let roots = system_roots()?;
                client_config(|config| config.with_root_certificates(roots))?
            }
            Trust::Pem(file) => {
                let verifier = pem_verifier(file)?;
                client_config(|config| config.dangerous().with_custom_certificate_verifier(verifier))?
            }
            Trust::Anything => {
                let verifier = Arc::new(Unverified(Arc::new(ring::default_provider())));
                client_config(|config| config.dangerous().with_custom_certificate_verifier(verifier))?
            }
        };
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }
}

type WantsVerifier = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;
type WantsClientCert = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn client_config(verify: impl FnOnce(WantsVerifier) -> WantsClientCert) -> Result<ClientConfig, Error> {
    let versions = ClientConfig::builder_with_details(Arc::new(ring::default_provider()), Arc::new(Clock))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(ErrorKind::Tls, "TLS can't be set up").with_source(e))?;
    let mut config = verify(versions).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn pem_verifier(file: &Path) -> Result<Arc<Pinned>, Error> {
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
    let provider = Arc::new(ring::default_provider());
    let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let webpki = webpki.map_err(|_| unusable("holds no usable certificate"))?;
    Ok(Arc::new(Pinned::new(webpki, certificates)))
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

/// The system's clock, but never before this release was made.
#[derive(Debug)]
struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(system_time().max(RELEASED)))
    }
}

fn system_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn handshake_error(error: io::Error) -> Error {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error.kind() {
        ConnectionReset | ConnectionAborted | BrokenPipe => {
            Error::new(ErrorKind::Connect, "the connection was reset during the TLS handshake").with_source(error)
        }
        UnexpectedEof => Error::new(ErrorKind::Tls, "the server closed the connection during the TLS handshake"),
        _ => stream_error(&error).unwrap_or_else(|| Error::new(ErrorKind::Tls, format!("TLS handshake: {error}"))),
    }
}

/// What rustls says behind an error of a stream; `None` if it is the socket that failed.
pub(super) fn stream_error(error: &io::Error) -> Option<Error> {
    let tls: &rustls::Error = error.get_ref()?.downcast_ref()?;
    Some(explain(tls, system_time()).with_source(tls.clone()))
}

fn explain(error: &rustls::Error, now: Duration) -> Error {
    let rustls::Error::InvalidCertificate(reason) = error else {
        return Error::new(ErrorKind::Tls, format!("TLS: {}", text::escape(&error.to_string())));
    };
    let not_yet = matches!(reason, CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. });
    if not_yet && now < RELEASED {
        let message = "the certificate is not valid yet, and this machine's clock is behind the release of smolget; \
                       set the clock (ntpd -q -p pool.ntp.org) and run again";
        return Error::new(ErrorKind::Clock, message);
    }
    let why = match reason {
        CertificateError::UnknownIssuer => {
            "nobody known has signed it; trust its CA with --cacert, or the system's with --system-roots".to_owned()
        }
        CertificateError::BadEncoding => "it can't be read".to_owned(),
        CertificateError::Other(why) if why.to_string() == CA_ITSELF => {
            "it is a CA's own; name it with --cacert, or give the server one that the CA has signed".to_owned()
        }
        _ => text::escape(&reason.to_string()).to_string(),
    };
    Error::new(ErrorKind::Tls, format!("the server's certificate can't be trusted: {why}"))
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
    use super::*;

    const BOOT: Duration = Duration::from_secs(1000);

    #[test]
    fn a_clock_behind_the_release_is_told_apart_from_a_certificate_of_tomorrow() {
        let error = rustls::Error::InvalidCertificate(CertificateError::NotValidYet);
        assert_eq!(explain(&error, BOOT).kind(), ErrorKind::Clock);
        assert_eq!(explain(&error, RELEASED).kind(), ErrorKind::Tls);
    }

    #[test]
    fn an_expired_certificate_is_no_matter_of_the_clock() {
        let error = rustls::Error::InvalidCertificate(CertificateError::Expired);
        assert_eq!(explain(&error, BOOT).kind(), ErrorKind::Tls);
    }

    #[test]
    fn the_release_is_not_in_the_future() {
        assert!(system_time() >= RELEASED);
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
