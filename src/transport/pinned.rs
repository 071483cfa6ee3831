//! Roots → a verifier of what is below them, which also believes a server whose own certificate the user has named.
//!
//! `openssl req -x509` makes certificates that are their own CA. webpki refuses such a one as a server's, whoever trusts it;
//! curl does not, and whoever puts it in `--cacert` means it. All else is webpki's to decide. Revocation lists are not asked
//! for, as they are not by rustls' own verifier unless it is given some; but that one brings the code to read them.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// What webpki calls it when a server shows a CA's certificate. It looks at the dates before it looks at that.
pub(super) const CA_ITSELF: &str = "CaUsedAsEndEntity";

/// Believes what is below the roots, and what is named.
#[derive(Debug)]
pub(super) struct Pinned {
    roots: RootCertStore,
    named: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    pub fn new(
        roots: RootCertStore,
        named: Vec<CertificateDer<'static>>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        Self { roots, named, algorithms }
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
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.algorithms.all;
        match verify_server_cert_signed_by_trust_anchor(&shown, &self.roots, intermediates, now, algorithms) {
            Err(error) if is_ca_itself(&error) && self.named.contains(end_entity) => {}
            verdict => verdict?,
        }
        verify_server_name(&shown, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
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
        let algorithms = ring::default_provider().signature_verification_algorithms;
        let name = ServerName::try_from(name).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(at));
        Pinned::new(store, vec![trusted.clone()], algorithms).verify_server_cert(shown, &[], &name, &[], now).is_ok()
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
