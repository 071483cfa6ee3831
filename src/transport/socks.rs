//! SOCKS 5 (RFC 1928, RFC 1929) without I/O, as far as a client needs it: no method but none, and user and password; CONNECT
//! alone.
//!
//! Written here since the crates for it are bound to a runtime of their own, or bring more than these few messages.
//!
//! ```text
//!  methods ─▶ Method ─┬─ none wanted ──────────────▶ place ─▶ Place ─▶ tunnel
//!                     └─ user, password ─▶ Login ─┘
//! ```

use surf::http::url::Host;

use super::tunnel::Next;
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::text::escape;

const VERSION: u8 = 5;
/// The version of the exchange of user and password.
const LOGIN_VERSION: u8 = 1;
const NO_LOGIN: u8 = 0;
const LOGIN: u8 = 2;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// A client's side, which has said something and waits for the answer.
pub(super) struct Client<'a> {
    credentials: Option<&'a Credentials>,
    place: (Host<&'a str>, u16),
    state: State,
}

/// What the answer is awaited to.
enum State {
    Method,
    Login,
    Place,
}

impl<'a> Client<'a> {
    /// One that wants a port of a host, and what it says first.
    pub fn new(credentials: Option<&'a Credentials>, host: Host<&'a str>, port: u16) -> (Self, Vec<u8>) {
        let methods =
            if credentials.is_some() { vec![VERSION, 2, NO_LOGIN, LOGIN] } else { vec![VERSION, 1, NO_LOGIN] };
        (Self { credentials, place: (host, port), state: State::Method }, methods)
    }

    /// Hears what has come and was not used yet: what to do next, and how much was used for that.
    ///
    /// # Errors
    ///
    /// As those of [`tunnel::open`](super::tunnel::open).
    pub fn hear(&mut self, input: &[u8]) -> Result<(Next, usize), Error> {
        match (&self.state, input) {
            (State::Method, [VERSION, method, ..]) => Ok((Next::Say(self.method(*method)?), 2)),
            (State::Login, [LOGIN_VERSION, 0, ..]) => Ok((Next::Say(self.ask()?), 2)),
            (State::Login, [LOGIN_VERSION, _, ..]) => {
                Err(hopeless("the proxy does not take the user and password that its URL holds"))
            }
            (State::Place, [VERSION, 0, _, IPV4, ..]) => Ok(opened(input, 4 + 4 + 2)),
            (State::Place, [VERSION, 0, _, IPV6, ..]) => Ok(opened(input, 4 + 16 + 2)),
            (State::Place, [VERSION, 0, _, NAME, length, ..]) => Ok(opened(input, 5 + usize::from(*length) + 2)),
            (State::Place, [VERSION] | [VERSION, 0] | [VERSION, 0, _] | [VERSION, 0, _, NAME]) => Ok((Next::Hear, 0)),
            (State::Place, [VERSION, 0, ..]) => Err(no_answer()),
            (State::Place, [VERSION, reply, ..]) => Err(refusal(*reply, &self.place.0, self.place.1)),
            (State::Method, [] | [VERSION]) | (State::Login, [] | [LOGIN_VERSION]) | (State::Place, []) => {
                Ok((Next::Hear, 0))
            }
            _ => Err(no_answer()),
        }
    }

    /// What to say to the method that the proxy has chosen.
    fn method(&mut self, method: u8) -> Result<Vec<u8>, Error> {
        match (method, self.credentials) {
            (NO_LOGIN, _) => self.ask(),
            (LOGIN, Some(credentials)) => {
                self.state = State::Login;
                Ok(login(credentials))
            }
            (NO_METHOD, None) => Err(hopeless("the proxy wants a user and password; give them in its URL")),
            (NO_METHOD, Some(_)) => Err(hopeless("the proxy takes no user and password")),
            _ => Err(no_answer()),
        }
    }

    fn ask(&mut self) -> Result<Vec<u8>, Error> {
        self.state = State::Place;
        request(&self.place.0, self.place.1)
    }
}

/// The answer has this length, with the address that the proxy connects from, which nobody wants to know.
fn opened(input: &[u8], length: usize) -> (Next, usize) {
    if input.len() < length { (Next::Hear, 0) } else { (Next::Done, length) }
}

fn login(Credentials { user, password }: &Credentials) -> Vec<u8> {
    let mut message = vec![LOGIN_VERSION];
    push(&mut message, user);
    push(&mut message, password);
    message
}

fn request(host: &Host<&str>, port: u16) -> Result<Vec<u8>, Error> {
    let mut message = vec![VERSION, CONNECT, 0];
    match host {
        Host::Ipv4(address) => {
            message.push(IPV4);
            message.extend(address.octets());
        }
        Host::Ipv6(address) => {
            message.push(IPV6);
            message.extend(address.octets());
        }
        Host::Domain(name) if name.len() > usize::from(u8::MAX) => {
            return Err(hopeless("the host's name is longer than SOCKS has room for"));
        }
        Host::Domain(name) => {
            message.push(NAME);
            push(&mut message, name);
        }
    }
    message.extend(port.to_be_bytes());
    Ok(message)
}

/// Text behind its length. What has no room was refused before.
fn push(message: &mut Vec<u8>, text: &str) {
    message.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    message.extend_from_slice(text.as_bytes());
}

fn no_answer() -> Error {
    Error::new(ErrorKind::Protocol, "the proxy does not answer as SOCKS 5 has it")
}

fn hopeless(message: &str) -> Error {
    Error::new(ErrorKind::Connect, message).hopeless()
}

/// What a reply other than 0 means (RFC 1928, section 6).
fn refusal(reply: u8, host: &Host<&str>, port: u16) -> Error {
    let (why, may_pass) = match reply {
        1 => ("general failure", true),
        2 => ("its rules forbid it", false),
        3 => ("network unreachable", true),
        4 => ("host unreachable", true),
        5 => ("connection refused", true),
        6 => ("too far away", true),
        7 => ("it can't connect", false),
        8 => ("it does not know this kind of address", false),
        _ => ("it does not say why", true),
    };
    let host = host.to_string();
    let message = format!("the proxy does not connect to {}:{port}: {why} ({reply})", escape(&host));
    let error = Error::new(ErrorKind::Connect, message);
    if may_pass { error } else { error.hopeless() }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::super::tunnel::{Dialogue, hold, tests::Script};
    use super::*;
    use crate::error::Recovery;

    fn credentials() -> Credentials {
        Credentials { user: "us".to_owned(), password: "pass".to_owned() }
    }

    fn ask(credentials: Option<&Credentials>, host: Host<&str>, answer: &[u8]) -> (Result<(), Error>, Script) {
        let mut script = Script::new(answer);
        let (client, first) = Client::new(credentials, host, 0x1234);
        let result = block_on(hold(&mut script, Dialogue::Socks(client), first));
        (result, script)
    }

    #[test]
    fn a_name_goes_to_the_proxy_as_it_is_and_nothing_is_read_beyond_its_answer() {
        let answer = b"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50and more";
        let (opened, script) = ask(None, Host::Domain("h.test"), answer);
        assert!(opened.is_ok());
        assert_eq!(
            (script.told.as_slice(), script.left()),
            (&b"\x05\x01\x00\x05\x01\x00\x03\x06h.test\x12\x34"[..], 8)
        );
    }

    #[test]
    fn addresses_are_sent_as_such_and_each_kind_is_passed_over() {
        let answer = b"\x05\x00\x05\x00\x00\x03\x02ab\x00\x50";
        let (opened, script) = ask(None, Host::Ipv4([1, 2, 3, 4].into()), answer);
        assert!(opened.is_ok() && script.left() == 0);
        assert_eq!(script.told, b"\x05\x01\x00\x05\x01\x00\x01\x01\x02\x03\x04\x12\x34");
        let mut answer = b"\x05\x00\x05\x00\x00\x04".to_vec();
        answer.extend([0; 18]);
        let (opened, script) = ask(None, Host::Ipv6(1.into()), &answer);
        assert!(opened.is_ok() && script.left() == 0);
        assert_eq!(script.told[6..], *b"\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x34");
    }

    #[test]
    fn user_and_password_are_sent_only_where_the_proxy_wants_them() {
        let end = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";
        let wants = [b"\x05\x02\x01\x00".as_slice(), end].concat();
        let (opened, script) = ask(Some(&credentials()), Host::Domain("h"), &wants);
        assert!(opened.is_ok());
        assert_eq!(script.told, b"\x05\x02\x00\x02\x01\x02us\x04pass\x05\x01\x00\x03\x01h\x12\x34");
        let does_not = [b"\x05\x00".as_slice(), end].concat();
        let (opened, script) = ask(Some(&credentials()), Host::Domain("h"), &does_not);
        assert!(opened.is_ok() && !script.told.windows(4).any(|part| part == b"pass"));
    }

    #[test]
    fn what_is_no_tunnel_says_why_and_whether_it_may_pass() {
        let known = credentials();
        let long = "x".repeat(256);
        for (credentials, host, answer, kind, may_pass, told) in [
            (None, "h", b"\x05\xff".as_slice(), ErrorKind::Connect, false, "wants a user and password"),
            (Some(&known), "h", b"\x05\xff", ErrorKind::Connect, false, "takes no user"),
            (Some(&known), "h", b"\x05\x02\x01\x01", ErrorKind::Connect, false, "does not take"),
            (None, "h", b"\x05\x00\x05\x00\x00\x03\x02", ErrorKind::Connect, true, "hung up"),
            (None, "h", b"\x05\x00\x05\x05\x00\x01", ErrorKind::Connect, true, "h:4660: connection refused (5)"),
            (None, "h", b"\x05\x00\x05\x02\x00\x01", ErrorKind::Connect, false, "rules forbid it"),
            (None, "h", b"\x05\x00\x05\x63\x00\x01", ErrorKind::Connect, true, "does not say why (99)"),
            (None, &long, b"\x05\x00", ErrorKind::Connect, false, "longer than"),
            (None, "h", b"\x05\x02", ErrorKind::Protocol, true, "as SOCKS 5 has it"),
            (None, "h", b"HTTP/1.1 400 Bad", ErrorKind::Protocol, true, "as SOCKS 5 has it"),
            (None, "h", b"\x05\x00\x05\x00\x00\x09", ErrorKind::Protocol, true, "as SOCKS 5 has it"),
            (None, "h", b"", ErrorKind::Connect, true, "hung up"),
        ] {
            let error = ask(credentials, Host::Domain(host), answer).0.unwrap_err();
            assert_eq!((error.kind(), error.recovery() == Recovery::ByKind), (kind, may_pass), "{answer:?}");
            assert!(error.to_string().contains(told), "{error}");
            assert!(!error.to_string().contains("pass\u{0}"), "{error}");
        }
    }
}
