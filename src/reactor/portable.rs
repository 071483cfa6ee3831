//! Where there is no epoll: async-io has the sockets, too.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};

use async_io::Async;
use futures_lite::{AsyncRead, AsyncWrite};

/// A TCP connection.
#[derive(Debug)]
pub(crate) struct Tcp(Async<TcpStream>);

impl Tcp {
    /// Connects to one address.
    ///
    /// # Errors
    ///
    /// What the system says, but for an interruption.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        loop {
            match Async::<TcpStream>::connect(address).await {
                Err(error) if is_interruption(&error) => {}
                Err(error) => return Err(error),
                Ok(stream) => {
                    stream.get_ref().set_nodelay(true)?;
                    return Ok(Self(stream));
                }
            }
        }
    }

    /// Nothing to do: the system is always asked.
    pub fn doubt(&self) {}

    /// Whether nothing has come, and the connection is open.
    pub fn is_quiet(&self) -> bool {
        self.0.get_ref().peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// There is no such thing.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub fn poll_splice(
        &self,
        _cx: &mut Context<'_>,
        _pipe: &std::os::fd::OwnedFd,
        _room: super::Room,
    ) -> Poll<io::Result<super::Spliced>> {
        Poll::Ready(Ok(super::Spliced::Refused))
    }

    /// Pending until a read may have something to give.
    #[cfg(test)]
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_readable(cx).map(drop)
    }
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        persist(|| Pin::new(&mut self.0).poll_read(cx, buf))
    }
}

impl AsyncWrite for Tcp {
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

/// Calls once more what a signal has interrupted.
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

/// Nothing to do: async-io wakes whoever waits.
#[derive(Debug, Default)]
pub(crate) struct Pulse;

impl Pulse {
    pub fn poll(&mut self, _cx: &mut Context<'_>) {}
}

/// Runs a future to its end on this thread, as [`async_io::block_on`] does.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    async_io::block_on(future)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn a_connection_carries_bytes_both_ways_and_tells_when_it_is_quiet() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        block_on(async {
            let mut tcp = Tcp::connect(address).await.unwrap();
            let (mut peer, _) = listener.accept().unwrap();
            tcp.doubt();
            assert!(tcp.is_quiet());
            tcp.write_all(b"ask").await.unwrap();
            peer.read_exact(&mut [0; 3]).unwrap();
            peer.write_all(b"tell").unwrap();
            futures_lite::future::poll_fn(|cx| tcp.poll_readable(cx)).await;
            assert!(!tcp.is_quiet());
            tcp.read_exact(&mut [0; 4]).await.unwrap();
            assert!(tcp.is_quiet());
            Pulse.poll(&mut Context::from_waker(std::task::Waker::noop()));
        });
    }

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
