//! What a connection leads to: the key that idle ones are found by.

use std::sync::Arc;

use surf::Url;

use crate::proxy::Proxy;

/// A scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub secure: bool,
    pub host: String,
    pub port: u16,
}

impl Origin {
    /// The origin of a URL; `None` if it has no host or its scheme no port, so never for http and https.
    pub fn of(url: &Url) -> Option<Self> {
        let (host, port) = (url.host_str()?.to_owned(), url.port_or_known_default()?);
        Some(Self { secure: url.scheme() == "https", host, port })
    }

    /// Whether it is that of a URL.
    fn is_of(&self, url: &Url) -> bool {
        self.secure == (url.scheme() == "https")
            && Some(self.port) == url.port_or_known_default()
            && url.host_str() == Some(&self.host)
    }
}

/// What a connection leads to; two requests may share one only if all of this is the same. A proxy is told apart by its
/// credentials too. The TLS settings are not part of it because a transport has only one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lead {
    /// To an origin.
    Direct(Origin),
    /// To an origin, through a proxy that only passes bytes on.
    Tunnel(Arc<Proxy>, Origin),
    /// To a proxy that passes requests on, to whatever origin each is for.
    Forward(Arc<Proxy>),
}

impl Lead {
    /// The way to a URL; `None` where [`Origin::of`] gives none.
    pub fn to(url: &Url, proxy: Option<&Arc<Proxy>>) -> Option<Self> {
        let origin = Origin::of(url)?;
        Some(match proxy {
            None => Self::Direct(origin),
            Some(proxy) if proxy.forwards(url) => Self::Forward(Arc::clone(proxy)),
            Some(proxy) => Self::Tunnel(Arc::clone(proxy), origin),
        })
    }

    /// Whether it is the way to a URL.
    pub fn is_to(&self, url: &Url, proxy: Option<&Arc<Proxy>>) -> bool {
        match (self, proxy) {
            (Self::Direct(origin), None) => origin.is_of(url),
            (Self::Tunnel(own, origin), Some(proxy)) => own == proxy && origin.is_of(url),
            (Self::Forward(own), Some(proxy)) => own == proxy && proxy.forwards(url),
            _ => false,
        }
    }

    /// The host at its end, for the log.
    pub fn host(&self) -> String {
        match self {
            Self::Direct(origin) | Self::Tunnel(_, origin) => origin.host.clone(),
            Self::Forward(proxy) => proxy.host.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_the_way_to_what_it_leads_to_and_by_the_same_proxy_alone() {
        let proxy = |text: &str| Arc::new(Proxy::parse(text).unwrap());
        let url = |text: &str| Url::parse(text).unwrap();
        let [one, other, socks] = ["http://u:p@x:1", "http://u:q@x:1", "socks5://u:p@x:1"].map(proxy);
        let (one, other, socks) = (Some(&one), Some(&other), Some(&socks));
        let to = |from: &str, by, to: &str, then| Lead::to(&url(from), by).unwrap().is_to(&url(to), then);
        for (from, by, next, then, is_same) in [
            ("http://a/", None, "http://a/b", None, true),
            ("http://a/", None, "http://b/", None, false),
            ("http://a/", None, "http://a:81/", None, false),
            ("http://a/", None, "https://a:80/", None, false),
            ("http://a/", None, "http://a/", one, false),
            // Plain requests to all origins share connections to the proxy that hands them on.
            ("http://a/", one, "http://b:81/", one, true),
            ("http://a/", one, "http://a/", other, false),
            ("http://a/", one, "http://a/", None, false),
            ("http://a/", one, "https://a/", one, false),
            ("https://a/", one, "https://a/", one, true),
            ("https://a/", one, "https://b/", one, false),
            ("https://a/", one, "https://a/", other, false),
            ("https://a/", one, "http://a:443/", one, false),
            ("http://a/", socks, "http://a/", socks, true),
            ("http://a/", socks, "http://b/", socks, false),
            ("http://a/", socks, "http://a/", one, false),
        ] {
            assert_eq!(to(from, by, next, then), is_same, "{from} {by:?} {next} {then:?}");
        }
    }
}
