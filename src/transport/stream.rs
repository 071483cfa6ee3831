//! A connection's byte stream: TCP, or TLS over it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::{AsyncRead, AsyncWrite};

use crate::reactor::Tcp;

/// What bytes go over.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(Tcp),
    #[cfg(feature = "tls")]
    Tls(Box<super::tls::TlsStream>),
}

impl Stream {
    /// Has the next look at what has come ask the system, rather than go by what it has told so far.
    pub fn doubt(&self) {
        match self {
            Self::Plain(socket) => socket.doubt(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref().0.get_ref().doubt(),
        }
    }

    /// Whether an idle connection may be used again: it is open, and nothing has come that nobody asked for.
    ///
    /// It goes by what the system has told, and asks, without waiting, only where that is in doubt. A TLS server may have sent session tickets; reading them is part of the asking.
    pub fn is_quiet(&mut self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_quiet(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => {
                stream.get_mut().0.begin_turn();
                let mut cx = Context::from_waker(std::task::Waker::noop());
                Pin::new(stream).poll_read(&mut cx, &mut [0]).is_pending()
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => {
                stream.get_mut().0.begin_turn();
                Pin::new(stream).poll_read(cx, buf)
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_close(cx),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}
