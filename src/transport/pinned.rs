//! Roots that a user names → a verifier that also believes a server whose own certificate is among them.
//!
//! `openssl req -x509` makes certificates that are their own CA. webpki refuses such a one as a server's, whoever trusts it;
//! curl does not, and whoever puts it in `--cacert` means it. All else is webpki's to decide.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// What webpki calls it when a server shows a CA's certificate. It looks at the dates before it looks at that.
pub(super) const CA_ITSELF: &str = "CaUsedAsEndEntity";

/// Believes what is below the roots, and the roots themselves.
#[derive(Debug)]
pub(super) struct Pinned {
    webpki: Arc<WebPkiServerVerifier>,
    roots: Vec<CertificateDer<'static>>,
}

impl Pinned {
    pub fn new(webpki: Arc<WebPkiServerVerifier>, roots: Vec<CertificateDer<'static>>) -> Self {
        Self { webpki, roots }
    }
}

fn is_ca_itself(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(CertificateError::Other(why)) if why.to_string() == CA_ITSELF)
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(error) if is_ca_itself(&error) && self.roots.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
    use rustls::RootCertStore;
    use rustls::crypto::ring;

    use super::*;

    /// Seconds from 1970 to the middle of 2030, and to a year later.
    const IN_2030: u64 = 1_909_000_000;
    const IN_2031: u64 = 1_940_000_000;

    /// A certificate that is its own CA, valid in 2030.
    fn certificate() -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["h.test".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2030, 1, 1);
        params.not_after = date_time_ymd(2030, 12, 31);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn verify(trusted: &CertificateDer<'static>, shown: &CertificateDer<'static>, name: &str, at: u64) -> bool {
        let mut store = RootCertStore::empty();
        store.add(trusted.clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build().unwrap();
        let name = ServerName::try_from(name).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(at));
        Pinned::new(webpki, vec![trusted.clone()]).verify_server_cert(shown, &[], &name, &[], now).is_ok()
    }

    #[test]
    fn a_self_signed_certificate_that_the_user_names_is_believed_for_its_name_and_its_time() {
        let own = certificate();
        assert!(verify(&own, &own, "h.test", IN_2030));
        assert!(!verify(&own, &own, "g.test", IN_2030));
        assert!(!verify(&own, &own, "h.test", IN_2031));
    }

    #[test]
    fn another_certificate_of_the_same_name_is_not() {
        assert!(!verify(&certificate(), &certificate(), "h.test", IN_2030));
    }
}
