//! The hosts that are asked themselves although there is a proxy: a list as `no_proxy` has it → whether a URL's host is one.
//!
//! No standard says what `no_proxy` is. This reads it as curl does, and takes a port and `*.` as others do.

use std::net::IpAddr;

use surf::Url;
use surf::http::url::Host;

use crate::url::parse_host;

/// The hosts that a list names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bypass(Vec<Entry>);

#[derive(Debug, Clone)]
struct Entry {
    hosts: Hosts,
    /// The one port that it goes for.
    port: Option<u16>,
}

#[derive(Debug, Clone)]
enum Hosts {
    All,
    /// A name, and all below it.
    Below(String),
    /// The addresses that agree with this one in so many bits.
    Network(IpAddr, u32),
}

impl Bypass {
    /// Reads a list; what in it is no host is passed over.
    pub fn parse(list: &str) -> Self {
        let entries = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
        Self(entries.filter_map(Entry::parse).collect())
    }

    /// Whether a URL's host is among them.
    pub fn has(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        let port = url.port_or_known_default();
        self.0.iter().any(|entry| (entry.port.is_none() || entry.port == port) && entry.hosts.has(&host))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        if let Some((address, bits)) = text.split_once('/') {
            let (address, bits) = (address.parse().ok()?, bits.parse().ok()?);
            return Some(Self { hosts: Hosts::Network(address, bits), port: None });
        }
        if let Ok(address) = text.parse() {
            return Some(Self { hosts: Hosts::one(address), port: None });
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse().ok()?)),
            _ => (text, None),
        };
        Some(Self { hosts: Hosts::parse(name)?, port })
    }
}

impl Hosts {
    fn parse(name: &str) -> Option<Self> {
        if name == "*" {
            return Some(Self::All);
        }
        let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
        Some(match parse_host(name.strip_prefix('.').unwrap_or(name))? {
            Host::Domain(name) => Self::Below(without_dot(&name).to_owned()),
            Host::Ipv4(address) => Self::one(address.into()),
            Host::Ipv6(address) => Self::one(address.into()),
        })
    }

    fn one(address: IpAddr) -> Self {
        Self::Network(address, u32::MAX)
    }

    fn has(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::All, _) => true,
            (Self::Below(name), Host::Domain(host)) => {
                let above = without_dot(host).strip_suffix(name.as_str());
                above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Self::Network(IpAddr::V4(network), bits), Host::Ipv4(host)) => {
                agree(network.to_bits().into(), host.to_bits().into(), 32, *bits)
            }
            (Self::Network(IpAddr::V6(network), bits), Host::Ipv6(host)) => {
                agree(network.to_bits(), host.to_bits(), 128, *bits)
            }
            _ => false,
        }
    }
}

/// Whether two numbers of so many bits agree in the first few.
fn agree(one: u128, other: u128, width: u32, bits: u32) -> bool {
    let rest = width.saturating_sub(bits);
    (one ^ other).checked_shr(rest).unwrap_or(0) == 0
}

/// A name without the dot that says it is whole.
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bypassed(list: &str, url: &str) -> bool {
        Bypass::parse(list).has(&Url::parse(url).unwrap())
    }

    #[test]
    fn hosts_of_the_list_and_below_them_are_asked_themselves() {
        for (list, url) in [
            ("*", "http://h/"),
            ("example.org", "http://example.org/"),
            ("example.org", "https://www.example.org:8443/"),
            (".example.org", "http://example.org/"),
            (".example.org", "http://a.b.example.org/"),
            ("*.example.org", "http://www.example.org/"),
            ("EXAMPLE.org", "http://Example.ORG/"),
            ("example.org.", "http://example.org/"),
            ("example.org", "http://example.org./"),
            ("a, b\tc", "http://c/"),
            (",,b,", "http://b/"),
            ("b\u{fc}cher.example", "http://xn--bcher-kva.example/"),
            ("h:81", "http://h:81/"),
            ("h:80", "http://h/"),
            ("127.0.0.1", "http://127.0.0.1:81/"),
            ("127.0.0.1", "http://2130706433/"),
            ("127.0.0.1:81", "http://127.0.0.1:81/"),
            ("::1", "http://[::1]/"),
            ("[::1]", "http://[0:0::1]/"),
            ("[::1]:81", "http://[::1]:81/"),
            ("192.168.0.0/16", "http://192.168.255.1/"),
            ("10.1.2.3/8", "http://10.255.0.1/"),
            ("10.0.0.0/0", "http://11.0.0.1/"),
            ("2001:db8::/32", "http://[2001:db8:1::1]/"),
        ] {
            assert!(bypassed(list, url), "{list} {url}");
        }
    }

    #[test]
    fn other_hosts_are_not() {
        for (list, url) in [
            ("", "http://h/"),
            ("example.org", "http://notexample.org/"),
            ("www.example.org", "http://example.org/"),
            ("h:81", "http://h/"),
            ("h:81", "https://h/"),
            ("h:x", "http://h/"),
            ("0.0.1", "http://127.0.0.1/"),
            ("127.0.0.1", "http://127.0.0.11/"),
            ("[::1]:81", "http://[::1]/"),
            ("::2", "http://[::1]/"),
            ("192.168.0.0/16", "http://192.169.0.1/"),
            ("192.168.0.0/x", "http://192.168.0.1/"),
            ("h/8", "http://h/"),
            ("2001:db8::/32", "http://[2001:db9::1]/"),
            ("0.0.0.0/0", "http://[::1]/"),
            ("org.", "http://example.orgg/"),
        ] {
            assert!(!bypassed(list, url), "{list} {url}");
        }
    }
}
