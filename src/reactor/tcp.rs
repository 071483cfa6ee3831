//! A TCP connection, registered for as long as it is open.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_lite::future::poll_fn;
use futures_lite::{AsyncRead, AsyncWrite};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use rustix::pipe::{SpliceFlags, splice};

use super::source::{Left, Source};
use super::sources::{Key, Sources};
use super::{Fill, Room, Spliced};

/// A connection.
#[derive(Debug)]
pub(crate) struct Tcp {
    stream: TcpStream,
    source: Arc<Source>,
    sources: &'static Sources,
    key: Key,
}

impl Tcp {
    /// Connects to one address.
    ///
    /// # Errors
    ///
    /// What the system says, but for an interruption.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        loop {
            match Self::attempt(address).await {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                connected => return connected,
            }
        }
    }

    async fn attempt(address: SocketAddr) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
        // A request is one piece; of a TLS handshake no piece should wait for the last one's acknowledgement.
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        match connect(&stream, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let connecting = Self::register(stream)?;
        let room = |cx: &mut Context<'_>| connecting.source.poll_output(cx, || Ok(((), Left::Maybe)));
        poll_fn(room).await?;
        match connecting.stream.take_error()? {
            Some(error) => Err(error),
            None => Ok(connecting),
        }
    }

    fn register(stream: TcpStream) -> io::Result<Self> {
        let (sources, source) = (Sources::global()?, Arc::<Source>::default());
        let key = sources.add(&stream, Arc::clone(&source))?;
        Ok(Self { stream, source, sources, key })
    }

    #[cfg(test)]
    pub fn get_ref(&self) -> &TcpStream {
        &self.stream
    }

    /// Has the next look ask the system, whatever is known.
    pub fn doubt(&self) {
        self.source.doubt();
    }

    /// Whether nothing has come, as far as is known by now, and the connection is open.
    pub fn is_quiet(&self) -> bool {
        !self.source.may_have_input()
            || self.stream.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Moves what has come into a pipe, as much as it has room for, once something has.
    pub fn poll_splice(&self, cx: &mut Context<'_>, pipe: &OwnedFd, room: Room) -> Poll<io::Result<Spliced>> {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let is_nothing =
            |peeked: io::Result<usize>| peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        self.source.poll_input(cx, || match splice(&self.stream, None, pipe, None, room.bytes, flags) {
            Ok(n) => Ok((Spliced::Bytes(n), Left::Maybe)),
            // The stream's end is something, too.
            Err(Errno::AGAIN) if room.fill == Fill::Something && !is_nothing(self.stream.peek(&mut [0])) => {
                Ok((Spliced::Full, Left::Maybe))
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) => {
                Ok((Spliced::Refused, Left::Maybe))
            }
            Err(error) => Err(error.into()),
        })
    }

    /// Pending until a read may have something to give.
    #[cfg(test)]
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.source.poll_input(cx, || Ok(((), Left::Maybe))).map(drop)
    }
}

/// Whether a call that moved `done` bytes of `asked` has left something: epoll(7) promises that fewer means no.
fn left(done: usize, asked: usize) -> Left {
    if done > 0 && done < asked { Left::Nothing } else { Left::Maybe }
}

impl AsyncRead for Tcp {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &*self;
        this.source.poll_input(cx, || (&this.stream).read(buf).map(|n| (n, left(n, buf.len()))))
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &*self;
        this.source.poll_output(cx, || (&this.stream).write(buf).map(|n| (n, left(n, buf.len()))))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.shutdown(std::net::Shutdown::Write))
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        self.sources.remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    use futures_lite::future;
    use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::pulse::Pulse;
    use super::super::{block_on, portable};
    use super::*;

    async fn pair() -> (Tcp, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = Tcp::connect(listener.local_addr().unwrap()).await.unwrap();
        (tcp, listener.accept().unwrap().0)
    }

    /// What comes back of a byte, from a peer that takes its time.
    async fn echo() -> u8 {
        let (mut tcp, mut peer) = pair().await;
        let answering = thread::spawn(move || {
            let mut byte = [0];
            peer.read_exact(&mut byte).unwrap();
            thread::sleep(Duration::from_millis(20));
            peer.write_all(&byte).unwrap();
        });
        tcp.write_all(&[7]).await.unwrap();
        let mut byte = [0];
        tcp.read_exact(&mut byte).await.unwrap();
        answering.join().unwrap();
        byte[0]
    }

    /// As [`echo`], under an executor that knows nothing of the sockets.
    async fn echo_by_pulse() -> u8 {
        let (mut echo, mut pulse) = (std::pin::pin!(echo()), Pulse::default());
        poll_fn(|cx| {
            pulse.poll(cx);
            echo.as_mut().poll(cx)
        })
        .await
    }

    #[test]
    fn more_is_read_than_fits_at_once_and_then_the_end() {
        block_on(async {
            let (mut tcp, mut peer) = pair().await;
            peer.write_all(&[1; 100]).unwrap();
            drop(peer);
            let (mut sizes, mut buffer) = (Vec::new(), [0; 30]);
            while let n @ 1.. = tcp.read(&mut buffer).await.unwrap() {
                sizes.push(n);
            }
            assert_eq!(sizes, [30, 30, 30, 10]);
            assert!(!tcp.is_quiet());
        });
    }

    #[test]
    fn what_comes_is_moved_into_a_pipe_until_that_is_full_and_then_the_end() {
        block_on(async {
            let (tcp, mut peer) = pair().await;
            let (output, input) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap();
            rustix::pipe::fcntl_setpipe_size(&input, 4096).unwrap();
            let writing = thread::spawn(move || peer.write_all(&[7; 200_000]).unwrap());
            let fill = |held| if held == 0 { Fill::Nothing } else { Fill::Something };
            let room = |held: usize| Room { bytes: 1 << 20, fill: fill(held) };
            let (mut buffer, mut moved, mut held) = (vec![0; 200_000], 0, 0);
            loop {
                match poll_fn(|cx| tcp.poll_splice(cx, &input, room(held))).await.unwrap() {
                    Spliced::Bytes(0) => break,
                    Spliced::Bytes(n) => held += n,
                    Spliced::Refused => panic!("a TCP connection is refused"),
                    Spliced::Full => {
                        moved += rustix::io::read(&output, &mut buffer).unwrap();
                        held = 0;
                    }
                }
            }
            writing.join().unwrap();
            assert!(moved > 0, "it was never full");
            assert_eq!(moved + held, 200_000);
        });
    }

    #[test]
    fn it_is_quiet_until_something_comes_that_nobody_has_read() {
        block_on(async {
            let (mut tcp, mut peer) = pair().await;
            assert!(tcp.is_quiet());
            peer.write_all(b"12").unwrap();
            tcp.read_exact(&mut [0]).await.unwrap();
            assert!(!tcp.is_quiet());
            tcp.read_exact(&mut [0]).await.unwrap();
            assert!(tcp.is_quiet());
            peer.shutdown(std::net::Shutdown::Both).unwrap();
            poll_fn(|cx| tcp.poll_readable(cx)).await;
            assert!(!tcp.is_quiet());
        });
    }

    #[test]
    fn what_does_not_fit_into_the_pipe_is_written_when_there_is_room() {
        block_on(async {
            let (mut tcp, mut peer) = pair().await;
            let reading = thread::spawn(move || io::copy(&mut peer, &mut io::sink()).unwrap());
            tcp.write_all(&vec![0; 16 << 20]).await.unwrap();
            tcp.close().await.unwrap();
            assert_eq!(reading.join().unwrap(), 16 << 20);
        });
    }

    #[test]
    fn a_port_where_nobody_listens_refuses() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = block_on(Tcp::connect(address)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn any_executor_will_do_and_many_loops_at_once() {
        let loops: Vec<thread::JoinHandle<u8>> = (0..15)
            .map(|at| {
                thread::spawn(move || match at % 5 {
                    0 => block_on(echo()),
                    1 => future::block_on(echo_by_pulse()),
                    2 => portable::block_on(echo_by_pulse()),
                    // A loop within a loop, and another executor within one.
                    3 => block_on(async { block_on(echo()) + echo().await - 7 }),
                    _ => block_on(async { future::block_on(echo_by_pulse()) }),
                })
            })
            .collect();
        assert!(loops.into_iter().all(|echoed| echoed.join().unwrap() == 7));
    }

    #[test]
    fn a_loop_is_woken_by_another_thread() {
        let (sender, receiver) = async_channel::bounded::<u8>(1);
        let sending = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            sender.send_blocking(7).unwrap();
        });
        assert_eq!(block_on(receiver.recv()), Ok(7));
        sending.join().unwrap();
    }
}
