//! What rustls says of a handshake that failed → our error, in words that a user can do something about.

use rustls::{CertificateError, InvalidMessage, PeerIncompatible};

use super::clock::Clock;
use super::pinned::CA_ITSELF;
use crate::error::{Error, ErrorKind};
use crate::text;

/// What webpki calls the faults that rustls has no words for, and what they mean.
const FAULTS: [(&str, &str); 5] = [
    (CA_ITSELF, "it is a CA's own; name it with --cacert, or give the server one that the CA has signed"),
    ("EndEntityUsedAsCa", "it was signed with a certificate that is not a CA's"),
    ("NameConstraintViolation", "a CA that signed it may not do so for its names"),
    ("PathLenConstraintViolated", "there are more CAs between it and the root than these allow"),
    ("UnsupportedCriticalExtension", "it has a critical extension that is unknown here"),
];

/// The error for what rustls says, as of `clock`.
pub(super) fn explain(error: &rustls::Error, clock: Clock) -> Error {
    let rustls::Error::InvalidCertificate(reason) = error else {
        return Error::new(ErrorKind::Tls, failure(error));
    };
    let not_yet = matches!(reason, CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. });
    if not_yet && clock.is_behind() {
        let message = "the certificate is not valid yet, and this machine's clock is behind the release of smolget; \
                       set the clock (ntpd -q -p pool.ntp.org) and run again";
        return Error::new(ErrorKind::Clock, message);
    }
    Error::new(ErrorKind::Tls, format!("the server's certificate can't be trusted: {}", fault(reason)))
}

fn failure(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what the server speaks on this port is not TLS".to_owned()
        }
        rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "the server speaks no TLS newer than 1.1, which is not safe; it has to be upgraded".to_owned()
        }
        _ => format!("TLS: {}", text::escape(&error.to_string())),
    }
}

fn fault(reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer => {
            "nobody known has signed it; trust its CA with --cacert, or the system's with --system-roots".to_owned()
        }
        CertificateError::BadEncoding => "it can't be read".to_owned(),
        CertificateError::BadSignature => {
            "a signature does not match: it was changed, or signed by another of its CA's name, or is not the server's own"
                .to_owned()
        }
        CertificateError::Other(why) => {
            let why = why.to_string();
            let known = FAULTS.iter().find(|(name, _)| *name == why);
            known.map_or_else(|| text::escape(&why).to_string(), |(_, words)| (*words).to_owned())
        }
        _ => text::escape(&reason.to_string()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(reason: CertificateError, clock: Clock) -> ErrorKind {
        explain(&rustls::Error::InvalidCertificate(reason), clock).kind()
    }

    #[test]
    fn a_clock_behind_the_release_is_told_apart_from_a_certificate_of_tomorrow() {
        assert_eq!(kind(CertificateError::NotValidYet, Clock::OF_1970), ErrorKind::Clock);
        assert_eq!(kind(CertificateError::NotValidYet, Clock::SYSTEM), ErrorKind::Tls);
    }

    #[test]
    fn what_else_is_wrong_is_no_matter_of_the_clock() {
        for reason in [CertificateError::Expired, CertificateError::UnknownIssuer, CertificateError::BadSignature] {
            assert_eq!(kind(reason, Clock::OF_1970), ErrorKind::Tls);
        }
    }
}
