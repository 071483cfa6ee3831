//! Method, URL and fields → the bytes of a request without a body.
//!
//! This is the last place before the wire, so nothing that could end a line early passes, wherever it came from: the
//! types above have their own checks, but `HeaderValue`, for one, takes CR and LF.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;

use surf::Url;

use crate::config::Method;
use crate::error::{Error, ErrorKind};
use crate::grammar::{has_control_but_tab, is_same_word, is_token};
use crate::proxy::Proxy;
use crate::text;

/// Fields that announce a body: there is none, and a server that waits for one takes the next request for it.
const BODY_FIELDS: [&str; 2] = ["content-length", "transfer-encoding"];

/// A block of request fields, checked and encoded, cheap to clone and shared by many requests.
#[derive(Clone, Default)]
pub(crate) struct Fields {
    block: Arc<[u8]>,
    has_host: bool,
    has_proxy_authorization: bool,
}

impl Fields {
    /// Checks and encodes fields, in their order.
    ///
    /// # Errors
    ///
    /// Kind [`Url`](ErrorKind::Url) for a name that is no token, a control character but HTAB in a value, a second
    /// `Host` (RFC 9112, section 3.2) and a field that announces a body.
    pub fn new<'a>(fields: &mut dyn Iterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let mut block = Vec::new();
        let (mut has_host, mut has_proxy_authorization) = (false, false);
        for (name, value) in fields {
            check_field(name, value)?;
            let is_host = is_same_word(name, "host");
            if is_host && has_host {
                return Err(refused("a request can't have two `Host` headers; give one"));
            }
            has_host |= is_host;
            has_proxy_authorization |= is_same_word(name, "proxy-authorization");
            for part in [name, ": ", value, "\r\n"] {
                block.extend_from_slice(part.as_bytes());
            }
        }
        Ok(Self { block: block.into(), has_host, has_proxy_authorization })
    }

    /// Whether there is a `Host` among them, which stands in for the URL's own.
    pub fn has_host(&self) -> bool {
        self.has_host
    }

    /// These, and one more.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with(&self, name: &str, value: &str) -> Result<Self, Error> {
        check_field(name, value)?;
        let one = [name, ": ", value, "\r\n"].concat();
        Ok(Self { block: [&self.block, one.as_bytes()].concat().into(), ..*self })
    }

    /// The encoded block.
    pub fn as_bytes(&self) -> &[u8] {
        &self.block
    }
}

impl fmt::Debug for Fields {
    /// Without the values: they may be credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").field("bytes", &self.block.len()).field("has_host", &self.has_host).finish()
    }
}

/// Appends the request to `out`: request line in origin-form (RFC 9112, section 3.2.1), `Host`, then `fields`. Of the
/// URL neither the fragment nor user and password are sent.
///
/// # Errors
///
/// Kind [`Url`](ErrorKind::Url) if path, query or host hold a space, a control character or what isn't ASCII, or
/// there is no host; `out` is left as it was.
pub(crate) fn encode(out: &mut Vec<u8>, method: Method, url: &Url, fields: &Fields) -> Result<(), Error> {
    let target = Target::of(url)?;
    target.begin(out, method);
    target.finish(out, fields);
    Ok(())
}

/// As [`encode`], for a proxy that passes requests on: the request line is in absolute-form (RFC 9112, section 3.2.2), and the
/// proxy's credentials go along, unless there are such among `fields`.
///
/// # Errors
///
/// As those of [`encode`].
pub(crate) fn encode_for(
    proxy: &Proxy,
    out: &mut Vec<u8>,
    method: Method,
    url: &Url,
    fields: &Fields,
) -> Result<(), Error> {
    let mut target = Target::of(url)?;
    target.is_absolute = true;
    target.begin(out, method);
    if !fields.has_proxy_authorization {
        out.extend_from_slice(proxy.authorization.as_bytes());
    }
    target.finish(out, fields);
    Ok(())
}

/// What a request asks for, checked.
struct Target<'a> {
    path: &'a [u8],
    query: Option<&'a [u8]>,
    host: &'a [u8],
    // `Url` has no port where it is the scheme's default one.
    port: Option<u16>,
    /// Whether scheme and host stand in the request line, too.
    is_absolute: bool,
}

impl<'a> Target<'a> {
    fn of(url: &'a Url) -> Result<Self, Error> {
        Ok(Self {
            path: visible(url.path(), "path")?,
            query: url.query().map(|query| visible(query, "query")).transpose()?,
            host: visible(url.host_str().ok_or_else(|| refused("the URL names no host"))?, "host")?,
            port: url.port(),
            is_absolute: false,
        })
    }

    /// The request line.
    fn begin(&self, out: &mut Vec<u8>, method: Method) {
        out.extend_from_slice(match method {
            Method::Get => b"GET ",
            Method::Head => b"HEAD ",
        });
        if self.is_absolute {
            out.extend_from_slice(b"http://");
            self.place(out);
        }
        out.extend_from_slice(self.path);
        if let Some(query) = self.query {
            out.push(b'?');
            out.extend_from_slice(query);
        }
        out.extend_from_slice(b" HTTP/1.1\r\n");
    }

    /// The fields.
    fn finish(&self, out: &mut Vec<u8>, fields: &Fields) {
        if !fields.has_host() {
            out.extend_from_slice(b"Host: ");
            self.place(out);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(&fields.block);
        out.extend_from_slice(b"\r\n");
    }

    fn place(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.host);
        if let Some(port) = self.port {
            // A `Vec` takes all that is written to it.
            let _ = write!(out, ":{port}");
        }
    }
}

fn check_field(name: &str, value: &str) -> Result<(), Error> {
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(refused(format!("`{}` is not a header name", text::escape(name))));
    }
    if has_control_but_tab(value) {
        return Err(refused(format!("the value of the header `{name}` holds a control character")));
    }
    if BODY_FIELDS.iter().any(|field| is_same_word(name, field)) {
        return Err(refused(format!("a request without a body can't have the header `{name}`")));
    }
    Ok(())
}

/// The bytes of a part of the URL. `Url` percent-encodes what must not stand there; this holds if it ever does not.
fn visible<'a>(part: &'a str, name: &str) -> Result<&'a [u8], Error> {
    if !part.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused(format!("the {name} of the URL holds a space or a control character")));
    }
    Ok(part.as_bytes())
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Url, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(method: Method, url: &str, fields: &[(&str, &str)]) -> String {
        let mut out = Vec::new();
        let fields = Fields::new(&mut fields.iter().copied()).unwrap();
        encode(&mut out, method, &Url::parse(url).unwrap(), &fields).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_request_has_its_target_in_origin_form_then_host_then_fields() {
        let fields = [("Accept", "*/*"), ("X-A", "1\t2")];
        let request = encoded(Method::Get, "http://u:p@h.example:8080/a%20b?q=1&r#part", &fields);
        assert_eq!(request, "GET /a%20b?q=1&r HTTP/1.1\r\nHost: h.example:8080\r\nAccept: */*\r\nX-A: 1\t2\r\n\r\n");
        assert_eq!(encoded(Method::Head, "http://h", &[]), "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    }

    #[test]
    fn for_a_proxy_the_target_is_absolute_and_its_credentials_go_along() {
        let encoded = |proxy: &str, url: &str, fields: &[(&str, &str)]| {
            let mut out = Vec::new();
            let (proxy, fields) = (Proxy::parse(proxy).unwrap(), Fields::new(&mut fields.iter().copied()).unwrap());
            encode_for(&proxy, &mut out, Method::Get, &Url::parse(url).unwrap(), &fields).unwrap();
            String::from_utf8(out).unwrap()
        };
        let plain = "GET http://h:81/a?b HTTP/1.1\r\nHost: h:81\r\nAccept: */*\r\n\r\n";
        assert_eq!(encoded("p:1", "http://u:p@h:81/a?b#c", &[("Accept", "*/*")]), plain);
        let known = "GET http://[::1]/ HTTP/1.1\r\nProxy-Authorization: Basic dTpw\r\nHost: [::1]\r\n\r\n";
        assert_eq!(encoded("u:p@p:1", "http://[::1]:80", &[]), known);
        let own = "GET http://h/ HTTP/1.1\r\nHost: h\r\nproxy-authorization: x\r\n\r\n";
        assert_eq!(encoded("u:p@p:1", "http://h", &[("proxy-authorization", "x")]), own);
    }

    #[test]
    fn host_is_that_of_the_url_without_a_default_port() {
        for (url, host) in [
            ("http://h:80/", "h"),
            ("https://h:443/", "h"),
            ("http://h:443/", "h:443"),
            ("http://[2001:DB8::1]/", "[2001:db8::1]"),
            ("https://[::1]:8443/", "[::1]:8443"),
            ("http://B\u{fc}cher.example/", "xn--bcher-kva.example"),
        ] {
            assert_eq!(encoded(Method::Get, url, &[]), format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        }
    }

    #[test]
    fn a_host_among_the_fields_replaces_ours() {
        let request = encoded(Method::Get, "http://h/", &[("A", "1"), ("hOst", "other")]);
        assert_eq!(request, "GET / HTTP/1.1\r\nA: 1\r\nhOst: other\r\n\r\n");
    }

    #[test]
    fn what_the_url_can_hold_never_ends_the_request_line() {
        let url = "http://h/a b\r\nX: 1?q r\r\n\u{0}\u{fc}";
        let request = encoded(Method::Get, url, &[]);
        assert_eq!(request, "GET /a%20bX:%201?q%20r%00%C3%BC HTTP/1.1\r\nHost: h\r\n\r\n");
        for part in ["/a b", "/a\r\nX:", "/\u{0}", "/\u{7f}", "/\u{fc}", "/\t"] {
            assert_eq!(visible(part, "path").unwrap_err().kind(), ErrorKind::Url, "{part:?}");
        }
        assert_eq!(visible("/a%20b", "path").unwrap(), b"/a%20b");
    }

    #[test]
    fn a_url_without_a_host_is_refused_and_nothing_written() {
        let mut out = b"before".to_vec();
        let url = Url::parse("data:x").unwrap();
        let error = encode(&mut out, Method::Get, &url, &Fields::default()).unwrap_err();
        assert_eq!((error.kind(), out.as_slice()), (ErrorKind::Url, b"before".as_slice()));
    }

    #[test]
    fn fields_that_could_smuggle_are_refused() {
        for (name, value) in [
            ("X-A", "1\r\nX-B: 2"),
            ("X-A", "1\nX-B: 2"),
            ("X-A", "1\rX-B: 2"),
            ("X-A", "\0"),
            ("X-A", "\u{7f}"),
            ("X-A", "\u{85}"),
            ("X-A\r\nX-B", "1"),
            ("X-A ", "1"),
            ("X-A:", "1"),
            ("", "1"),
            ("X-\u{fc}", "1"),
            ("Content-Length", "5"),
            ("transfer-encoding", "chunked"),
        ] {
            let error = Fields::new(&mut [("Accept", "*/*"), (name, value)].into_iter()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Url, "{name:?}: {value:?}");
        }
        assert!(Fields::new(&mut [("Host", "a"), ("host", "b")].into_iter()).is_err());
        for field in [("X-A", ""), ("X-A", "\t\u{fc} ~"), ("!#$%&'*+-.^_`|~", "1"), ("Host", "a")] {
            assert!(Fields::new(&mut [field].into_iter()).is_ok(), "{field:?}");
        }
    }

    #[test]
    fn values_stay_out_of_debug_output_and_of_messages() {
        let fields = Fields::new(&mut [("Authorization", "Basic c2VjcmV0")].into_iter()).unwrap();
        assert!(!format!("{fields:?}").contains("c2VjcmV0"));
        let error = Fields::new(&mut [("Authorization", "Basic c2VjcmV0\n")].into_iter()).unwrap_err();
        assert!(!error.to_string().contains("c2VjcmV0") && error.to_string().contains("Authorization"));
    }
}
