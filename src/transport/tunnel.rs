//! A fresh connection to a proxy → one to the origin behind it, or why there is none.
//!
//! ```text
//!  HTTP:  CONNECT host:port ─▶ 2xx ─▶ tunnel
//!  SOCKS: methods ─▶ none, or user and password ─▶ CONNECT name ─▶ 0 ─▶ tunnel
//! ```
//!
//! Of the origin the proxy is told host and port and nothing else, and the origin nothing of the proxy. Nothing is looked up
//! here: what a name means, the proxy decides.

use std::{fmt, io};

use futures_lite::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use surf::http::url::Host;

use super::buffer::Buffer;
use super::h1::{Decoder, Head, HeadStep};
use super::socks;
use crate::config::Method;
use crate::error::{Error, ErrorKind};
use crate::proxy::{Protocol, Proxy};
use crate::text::escape;

/// Has the proxy at the other end of `stream` connect it with a port of a host.
///
/// # Errors
///
/// Kind [`Connect`](ErrorKind::Connect) if it refuses, or [`Protocol`](ErrorKind::Protocol) if it answers what is no answer.
pub(super) async fn open<S>(stream: &mut S, proxy: &Proxy, host: Host<&str>, port: u16) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (dialogue, first) = match proxy.protocol {
        Protocol::Http => {
            let place = format!("{host}:{port}");
            let first = request(proxy, &place);
            // A positive answer has no body whatever its fields say, as that to HEAD has none; of another, nothing is wanted.
            (Dialogue::Http { decoder: Decoder::new(Method::Head), proxy, place }, first)
        }
        Protocol::Socks5 => {
            let (client, first) = socks::Client::new(proxy.credentials.as_ref(), host, port);
            (Dialogue::Socks(client), first)
        }
    };
    hold(stream, dialogue, first).await
}

/// A client's side of what is said until there is a tunnel.
pub(super) enum Dialogue<'a> {
    Http { decoder: Decoder, proxy: &'a Proxy, place: String },
    Socks(socks::Client<'a>),
}

/// What a client does next.
pub(super) enum Next {
    /// Waits for more.
    Hear,
    Say(Vec<u8>),
    /// Nothing: there is a tunnel.
    Done,
}

/// Says what is to be said, `first` first, and hears what is answered.
pub(super) async fn hold<S>(stream: &mut S, mut dialogue: Dialogue<'_>, first: Vec<u8>) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = Buffer::default();
    let mut next = Next::Say(first);
    loop {
        match next {
            Next::Hear => {
                let count = stream.read(buffer.room()).await.map_err(broken)?;
                if count == 0 {
                    return Err(Error::new(ErrorKind::Connect, "the proxy hung up before it had answered"));
                }
                buffer.filled(count);
            }
            Next::Say(message) => {
                stream.write_all(&message).await.map_err(broken)?;
                stream.flush().await.map_err(broken)?;
            }
            // Http and TLS begin with the client: what comes before is not from the origin.
            Next::Done if !buffer.is_empty() => {
                return Err(Error::new(ErrorKind::Protocol, "the proxy sent more than its answer"));
            }
            Next::Done => return Ok(()),
        }
        let used;
        (next, used) = dialogue.hear(buffer.unread())?;
        buffer.consume(used);
    }
}

impl Dialogue<'_> {
    fn hear(&mut self, input: &[u8]) -> Result<(Next, usize), Error> {
        match self {
            Self::Socks(client) => client.hear(input),
            Self::Http { decoder, proxy, place } => match decoder.head(input)? {
                HeadStep::Partial { consumed } => Ok((Next::Hear, consumed)),
                HeadStep::Complete { head, consumed } => judge(head, proxy, place).map(|()| (Next::Done, consumed)),
            },
        }
    }
}

fn request(proxy: &Proxy, place: &str) -> Vec<u8> {
    let authorization = &proxy.authorization;
    format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{authorization}\r\n").into()
}

/// The head with which a proxy refuses: it may say for how long.
#[derive(Debug)]
pub(crate) struct Refusal(Head);

impl Refusal {
    /// The head behind an error, if a proxy has refused to connect.
    pub fn behind(error: &Error) -> Option<&Head> {
        let refusal: &Self = std::error::Error::source(error)?.downcast_ref()?;
        Some(&refusal.0)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.0.status())
    }
}

impl std::error::Error for Refusal {}

fn judge(head: Head, proxy: &Proxy, place: &str) -> Result<(), Error> {
    match head.status() {
        200..=299 => Ok(()),
        407 => Err(unauthorised(proxy)),
        status => {
            let message = format!("the proxy does not connect to {}: status {status}", escape(place));
            let error = Error::new(ErrorKind::Connect, message).with_source(Refusal(head));
            Err(if matches!(status, 408 | 425 | 429 | 500..=599) { error } else { error.hopeless() })
        }
    }
}

/// Why a proxy does nothing for whoever asks so.
pub(super) fn unauthorised(proxy: &Proxy) -> Error {
    let message = match proxy.credentials {
        None => "the proxy wants a user and password (407); give them in its URL",
        Some(_) => "the proxy does not take the user and password that its URL holds (407)",
    };
    Error::new(ErrorKind::Connect, message).hopeless()
}

/// The connection to the proxy failed.
fn broken(error: io::Error) -> Error {
    Error::new(ErrorKind::Connect, format!("the connection broke: {error}")).with_source(error)
}

#[cfg(test)]
pub(super) mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures_lite::future::block_on;

    use super::*;
    use crate::error::Recovery;

    /// Answers what it was given, in pieces, whatever it is told; then it hangs up.
    pub struct Script {
        answer: Vec<u8>,
        piece: usize,
        pub told: Vec<u8>,
    }

    impl Script {
        pub fn new(answer: impl AsRef<[u8]>) -> Self {
            Self { answer: answer.as_ref().to_vec(), piece: 1, told: Vec::new() }
        }

        /// All at once.
        pub fn whole(answer: impl AsRef<[u8]>) -> Self {
            Self { piece: usize::MAX, ..Self::new(answer) }
        }

        /// What was not read of the answer.
        pub fn left(&self) -> usize {
            self.answer.len()
        }
    }

    impl AsyncRead for Script {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
            let count = self.answer.len().min(self.piece).min(into.len());
            into[..count].copy_from_slice(&self.answer[..count]);
            self.answer.drain(..count);
            Poll::Ready(Ok(count))
        }
    }

    impl AsyncWrite for Script {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.told.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn ask(proxy: &str, answer: &str) -> (Result<(), Error>, String) {
        let mut script = Script::new(answer);
        let result = block_on(open(&mut script, &Proxy::parse(proxy).unwrap(), Host::Domain("h.test"), 443));
        (result, String::from_utf8(script.told).unwrap())
    }

    #[test]
    fn a_tunnel_is_asked_for_by_host_and_port_and_with_credentials_if_there_are_some() {
        let (opened, told) = ask("p:1", "HTTP/1.1 200 Connection established\r\n\r\n");
        assert!(opened.is_ok());
        assert_eq!(told, "CONNECT h.test:443 HTTP/1.1\r\nHost: h.test:443\r\n\r\n");
        let (opened, told) = ask("u:p@p:1", "HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n");
        assert!(opened.is_ok());
        // base64 of `u:p`
        let expected = "CONNECT h.test:443 HTTP/1.1\r\nHost: h.test:443\r\nProxy-Authorization: Basic dTpw\r\n\r\n";
        assert_eq!(told, expected);
        assert!(ask("p:1", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n").0.is_ok());
    }

    #[test]
    fn what_is_no_tunnel_says_why_and_whether_it_may_pass() {
        let endless = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(70_000));
        for (answer, kind, may_pass, told) in [
            ("HTTP/1.1 407 No\r\n\r\n", ErrorKind::Connect, false, "wants a user and password (407)"),
            ("HTTP/1.1 403 No\r\n\r\n", ErrorKind::Connect, false, "does not connect to h.test:443: status 403"),
            ("HTTP/1.1 302 No\r\nLocation: /\r\n\r\n", ErrorKind::Connect, false, "status 302"),
            ("HTTP/1.1 503 No\r\n\r\nbody", ErrorKind::Connect, true, "status 503"),
            ("", ErrorKind::Connect, true, "hung up"),
            ("HTTP/1.1 200 OK\r\n", ErrorKind::Connect, true, "hung up"),
            ("\u{5}\u{0}", ErrorKind::Protocol, true, "not an HTTP/1 response"),
            (&endless, ErrorKind::Protocol, true, "over 64 KiB"),
        ] {
            let error = ask("p:1", answer).0.unwrap_err();
            assert_eq!((error.kind(), error.recovery() == Recovery::ByKind), (kind, may_pass), "{answer:?}");
            assert!(error.to_string().contains(told), "{error}");
        }
        let error = ask("u:secret@p:1", "HTTP/1.1 407 No\r\n\r\n").0.unwrap_err();
        assert!(error.to_string().contains("does not take") && !error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn bytes_behind_the_answer_are_not_taken_for_the_origin_s() {
        let ask = |proxy: &str, answer: &[u8]| {
            let mut script = Script::whole(answer);
            block_on(open(&mut script, &Proxy::parse(proxy).unwrap(), Host::Domain("h"), 443)).map_err(|e| e.kind())
        };
        assert_eq!(ask("p:1", b"HTTP/1.1 200 OK\r\n\r\n"), Ok(()));
        assert_eq!(ask("p:1", b"HTTP/1.1 200 OK\r\n\r\n\x16"), Err(ErrorKind::Protocol));
        let socks = b"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50\x16";
        assert_eq!(ask("socks5://p", &socks[..12]), Ok(()));
        assert_eq!(ask("socks5://p", socks), Err(ErrorKind::Protocol));
    }
}
