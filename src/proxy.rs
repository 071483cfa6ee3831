//! Proxies: the text of one → a [`Proxy`], and of a URL → the proxy that its requests go through.
//!
//! Pure. Nothing here reads the environment: what a program's users have set there, the program says. Users and passwords
//! are in no `Debug` output, no message and no display.

use std::fmt;
use std::sync::Arc;

use surf::Url;
use surf::http::url::Host;

use crate::bypass::Bypass;
use crate::credentials::Credentials;
use crate::grammar::has_control;
use crate::text::escape;
use crate::url::parse_host;

/// Where a SOCKS proxy listens unless its URL says otherwise (RFC 1928, section 3).
const SOCKS_PORT: u16 = 1080;

/// The longest user or password that SOCKS has room for (RFC 1929, section 2).
const MAX_SOCKS_CREDENTIAL: usize = 255;

/// A proxy: how it is spoken to, where it is, and what it is told about who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(crate) protocol: Protocol,
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    pub(crate) credentials: Option<Credentials>,
    /// The field with those for a request, its end included; empty without.
    pub(crate) authorization: String,
}

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1: plain requests are handed to it, for https it is asked for a tunnel (RFC 9110, section 9.3.6).
    Http,
    /// SOCKS 5 (RFC 1928): it is asked for a tunnel to a name.
    Socks5,
}

impl Proxy {
    /// Reads `http://HOST:PORT`, `socks5://HOST:PORT` or `socks5h://HOST:PORT`, before whose host a `USER:PASSWORD@` may stand,
    /// percent-encoded. Without a scheme it is `http`. Both kinds of SOCKS leave name look-ups to the proxy.
    ///
    /// An HTTP proxy has to name its port: without one curl takes 1080, and others 80. SOCKS proxies listen at 1080.
    ///
    /// # Errors
    ///
    /// A message that says what is wrong; it does not repeat the text.
    ///
    /// ```
    /// use smolget::Proxy;
    ///
    /// let proxy = Proxy::parse("http://user:secret@proxy.example:3128").unwrap();
    /// assert_eq!(proxy.to_string(), "http://proxy.example:3128");
    /// assert!(Proxy::parse("https://proxy.example:443").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let protocol = Protocol::parse(scheme)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if has_control(authority) || authority.contains(['/', '\\', '?', '#', ' ']) {
            return Err("a proxy has no path; in a user or password, / ? # and spaces are percent-encoded".to_owned());
        }
        let (user, place) = authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user), place));
        let credentials = user.filter(|user| !user.is_empty()).map(login).transpose()?;
        let is_too_long = |credentials: &Credentials| {
            [&credentials.user, &credentials.password].iter().any(|text| text.len() > MAX_SOCKS_CREDENTIAL)
        };
        if protocol == Protocol::Socks5 && credentials.as_ref().is_some_and(is_too_long) {
            return Err(format!("SOCKS takes no user or password over {MAX_SOCKS_CREDENTIAL} bytes"));
        }
        let (host, port) = split_port(place)?;
        let host = parse_host(host).ok_or("the proxy's host is none")?;
        let port = port.or(protocol.usual_port()).ok_or("an http proxy has to name its port, such as :3128")?;
        let field = |credentials: &Credentials| format!("Proxy-Authorization: {}\r\n", credentials.basic());
        let authorization = credentials.as_ref().map(field).unwrap_or_default();
        Ok(Self { protocol, host, port, credentials, authorization })
    }

    /// Where it is.
    pub(crate) fn host(&self) -> Host<&str> {
        match &self.host {
            Host::Domain(name) => Host::Domain(name),
            Host::Ipv4(address) => Host::Ipv4(*address),
            Host::Ipv6(address) => Host::Ipv6(*address),
        }
    }

    /// Whether it is handed requests for a URL as they are, rather than asked for a tunnel.
    pub(crate) fn forwards(&self, url: &Url) -> bool {
        self.protocol == Protocol::Http && url.scheme() == "http"
    }
}

/// A host and the port behind it, if there is one.
fn split_port(place: &str) -> Result<(&str, Option<u16>), String> {
    match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let number = port.parse().ok().filter(|&number| number > 0 && port.bytes().all(|b| b.is_ascii_digit()));
            number.map(|number| (host, Some(number))).ok_or_else(|| "the proxy's port is none".to_owned())
        }
        _ => Ok((place, None)),
    }
}

impl Protocol {
    fn parse(scheme: &str) -> Result<Self, String> {
        match scheme.to_ascii_lowercase().as_str() {
            "http" => Ok(Self::Http),
            "socks5" | "socks5h" => Ok(Self::Socks5),
            _ => Err("no proxies are known but http://, socks5:// and socks5h://".to_owned()),
        }
    }

    fn usual_port(self) -> Option<u16> {
        match self {
            Self::Http => None,
            Self::Socks5 => Some(SOCKS_PORT),
        }
    }
}

/// The user and password before a proxy's host.
fn login(text: &str) -> Result<Credentials, String> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    Credentials::decode(user, password).ok_or_else(|| "the proxy's user or password is not UTF-8".to_owned())
}

impl fmt::Display for Proxy {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.protocol {
            Protocol::Http => "http",
            Protocol::Socks5 => "socks5h",
        };
        write!(f, "{scheme}://{}:{}", escape(&self.host.to_string()), self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = if self.credentials.is_some() { ", with credentials" } else { "" };
        write!(f, "Proxy({self}{credentials})")
    }
}

/// Which requests go through which proxy. None do unless set.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    http: Option<Arc<Proxy>>,
    https: Option<Arc<Proxy>>,
    bypass: Bypass,
}

impl Proxies {
    /// All requests through one proxy.
    #[must_use]
    pub fn all(proxy: Proxy) -> Self {
        let proxy = Some(Arc::new(proxy));
        Self { http: proxy.clone(), https: proxy, bypass: Bypass::default() }
    }

    /// Requests for http URLs through this proxy.
    #[must_use]
    pub fn http(mut self, proxy: Proxy) -> Self {
        self.http = Some(Arc::new(proxy));
        self
    }

    /// Requests for https URLs through this proxy.
    #[must_use]
    pub fn https(mut self, proxy: Proxy) -> Self {
        self.https = Some(Arc::new(proxy));
        self
    }

    /// Asks these hosts themselves, a list as `no_proxy` has it: names between commas or blanks, each with all names below it
    /// (`example.org` and `.example.org` are the same), addresses, networks such as `10.0.0.0/8`, each with a `:PORT` if it
    /// goes for that one alone; `*` is every host. What is none of these goes for no host.
    #[must_use]
    pub fn except(mut self, hosts: &str) -> Self {
        self.bypass = Bypass::parse(hosts);
        self
    }

    /// Whether there is no proxy at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    /// The proxy for a URL.
    pub(crate) fn of(&self, url: &Url) -> Option<&Arc<Proxy>> {
        let proxy = if url.scheme() == "https" { self.https.as_ref() } else { self.http.as_ref() };
        proxy.filter(|_| !self.bypass.has(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_scheme_a_place_and_perhaps_credentials() {
        for (text, shown) in [
            ("http://p:3128", "http://p:3128"),
            ("p:3128", "http://p:3128"),
            ("HTTP://P.Example:80/", "http://p.example:80"),
            ("http://u:s%40crt@p:1", "http://p:1"),
            ("http://@p:1", "http://p:1"),
            ("socks5://p", "socks5h://p:1080"),
            ("socks5h://u:s@[::1]", "socks5h://[::1]:1080"),
            ("socks5h://127.0.0.1:9050", "socks5h://127.0.0.1:9050"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://b\u{fc}cher.example:1", "http://xn--bcher-kva.example:1"),
        ] {
            assert_eq!(Proxy::parse(text).map(|proxy| proxy.to_string()).as_deref(), Ok(shown), "{text}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_being_repeated() {
        let long = format!("socks5://{}:secret@p", "u".repeat(256));
        for text in [
            "",
            "http://",
            "http://p",
            "http://[::1]",
            "http://p:0",
            "http://p:99999",
            "http://p:+1",
            "http://p:",
            "http://:secret@:1",
            "https://u:secret@p:443",
            "socks4a://u:secret@p",
            "ftp://p:1",
            "http://p:1/secret",
            "http://u:sec/ret@p:1",
            "http://u:sec ret@p:1",
            "http://u:secret%ff@p:1",
            "http://a:1:2",
            "http://::1:80",
            "http://p\\q:1",
            &long,
        ] {
            let why = Proxy::parse(text).expect_err(text);
            assert!(!why.contains("secret") && !why.contains("ret@"), "{why}");
        }
    }

    #[test]
    fn credentials_are_decoded_once_and_never_shown() {
        let proxy = Proxy::parse("http://us%3Aer:p%40%25ss@p:1").unwrap();
        let Credentials { user, password } = proxy.credentials.as_ref().unwrap();
        assert_eq!((user.as_str(), password.as_str()), ("us:er", "p@%ss"));
        // base64 of `us:er:p@%ss`
        assert_eq!(proxy.authorization, "Proxy-Authorization: Basic dXM6ZXI6cEAlc3M=\r\n");
        let shown = format!("{proxy} {proxy:?} {:?}", Proxies::all(proxy.clone()));
        assert!(!shown.contains("us:er") && !shown.contains("p@"), "{shown}");
        assert_eq!(Proxy::parse("http://p:1").unwrap().authorization, "");
    }

    #[test]
    fn each_scheme_has_its_proxy_and_hosts_may_have_none() {
        let proxy = |text: &str| Proxy::parse(text).unwrap();
        let chosen = |proxies: &Proxies, url: &str| proxies.of(&Url::parse(url).unwrap()).map(|proxy| proxy.port);
        let both = Proxies::default().http(proxy("a:1")).https(proxy("b:2")).except("h,g:81");
        assert_eq!(chosen(&both, "http://x/"), Some(1));
        assert_eq!(chosen(&both, "https://x/"), Some(2));
        assert_eq!(chosen(&both, "https://h/"), None);
        assert_eq!((chosen(&both, "http://g:81/"), chosen(&both, "http://g/")), (None, Some(1)));
        assert_eq!(chosen(&Proxies::all(proxy("a:1")), "https://x/"), Some(1));
        assert_eq!(chosen(&Proxies::default().https(proxy("b:2")), "http://x/"), None);
    }
}
