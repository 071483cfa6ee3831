//! A TCP connection: one call is as good as another, so what a signal interrupts is called once more.
//!
//! Layers above can't do that for themselves: TLS may have taken the bytes of a write that it says has failed.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};

use async_io::Async;
use futures_lite::{AsyncRead, AsyncWrite};

/// A connection.
#[derive(Debug)]
pub(super) struct Socket(Async<TcpStream>);

impl Socket {
    /// Connects to one address.
    ///
    /// # Errors
    ///
    /// What the system says, but for an interruption.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        loop {
            match attempt(address).await {
                Err(error) if is_interruption(&error) => {}
                connected => return connected.map(Self),
            }
        }
    }

    pub fn get_ref(&self) -> &TcpStream {
        self.0.get_ref()
    }

    /// Pending until a read may have something to give.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_readable(cx).map(drop)
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        persist(|| Pin::new(&mut self.0).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        persist(|| Pin::new(&mut self.0).poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        persist(|| Pin::new(&mut self.0).poll_flush(cx))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        persist(|| Pin::new(&mut self.0).poll_close(cx))
    }
}

async fn attempt(address: SocketAddr) -> io::Result<Async<TcpStream>> {
    let socket = Async::<TcpStream>::connect(address).await?;
    socket.get_ref().set_nodelay(true)?;
    Ok(socket)
}

fn persist<T>(mut call: impl FnMut() -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
    loop {
        match call() {
            Poll::Ready(Err(error)) if is_interruption(&error) => {}
            done => return done,
        }
    }
}

fn is_interruption(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_interrupted_is_called_again_and_what_fails_is_not() {
        for (kind, calls) in [(io::ErrorKind::Interrupted, 3), (io::ErrorKind::ConnectionReset, 1)] {
            let mut made = 0;
            let done = persist(|| {
                made += 1;
                Poll::Ready(if made < 3 { Err(kind.into()) } else { Ok(made) })
            });
            let Poll::Ready(result) = done else { panic!("nothing was waited for") };
            assert_eq!(
                (made, result.map_err(|error| error.kind())),
                (calls, if calls == 3 { Ok(3) } else { Err(kind) })
            );
        }
    }
}
