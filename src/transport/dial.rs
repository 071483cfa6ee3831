//! Addresses → one TCP connection, after RFC 8305: the families take turns, an attempt that has not connected within
//! 250 ms gets a rival, the first to connect wins and the others are dropped.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_io::Timer;
use futures_lite::future::poll_fn;

use crate::reactor::Tcp;

/// How long an attempt is alone before the next address is tried beside it (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);
/// How many addresses of a host are tried: a name with a thousand records must not cost a thousand sockets.
const MAX_ADDRESSES: usize = 16;

/// Connects to whichever address answers first.
///
/// # Errors
///
/// The error of the last attempt that failed, when all have.
pub(super) async fn dial(addresses: &[IpAddr], port: u16) -> io::Result<Tcp> {
    match addresses {
        [address] => Tcp::connect(SocketAddr::new(*address, port)).await,
        _ => Race::new(interleave(addresses), port).winner().await,
    }
}

/// The families in turn, the first address's family first (RFC 8305, section 4).
fn interleave(addresses: &[IpAddr]) -> VecDeque<IpAddr> {
    let first_is_v4 = addresses.first().is_some_and(IpAddr::is_ipv4);
    let mut firsts = addresses.iter().filter(|a| a.is_ipv4() == first_is_v4);
    let mut others = addresses.iter().filter(|a| a.is_ipv4() != first_is_v4);
    let mut order = VecDeque::with_capacity(addresses.len().min(MAX_ADDRESSES));
    loop {
        let pair = [firsts.next(), others.next()];
        if pair == [None, None] || order.len() >= MAX_ADDRESSES {
            return order;
        }
        order.extend(pair.into_iter().flatten());
    }
}

/// A connection that is being made.
type Attempt = Pin<Box<dyn Future<Output = io::Result<Tcp>> + Send>>;

/// The attempts at the addresses of one host.
struct Race {
    /// Not tried yet, the next one first.
    waiting: VecDeque<IpAddr>,
    running: Vec<Attempt>,
    port: u16,
    /// Rings when the attempts under way get a rival.
    next_start: Timer,
    /// Of the last attempt that failed.
    failure: io::Error,
}

impl Race {
    fn new(waiting: VecDeque<IpAddr>, port: u16) -> Self {
        let failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        Self { waiting, running: Vec::new(), port, next_start: Timer::never(), failure }
    }

    async fn winner(mut self) -> io::Result<Tcp> {
        self.start();
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Starts the next address, and sets when the one after it may start.
    fn start(&mut self) {
        if let Some(address) = self.waiting.pop_front() {
            self.running.push(Box::pin(Tcp::connect(SocketAddr::new(address, self.port))));
            self.next_start.set_after(STAGGER);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Tcp>> {
        loop {
            let running = self.running.len();
            if let Some(stream) = self.poll_running(cx) {
                return Poll::Ready(Ok(stream));
            }
            // A failed attempt makes room for the next at once.
            let has_room = self.running.len() < running || Pin::new(&mut self.next_start).poll(cx).is_ready();
            if self.waiting.is_empty() || !has_room {
                break;
            }
            self.start();
        }
        if self.running.is_empty() {
            let failure = std::mem::replace(&mut self.failure, io::ErrorKind::Other.into());
            return Poll::Ready(Err(failure));
        }
        Poll::Pending
    }

    /// The attempt that has connected, if one has; those that failed are taken out.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<Tcp> {
        let mut winner = None;
        let failure = &mut self.failure;
        self.running.retain_mut(|attempt| match attempt.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(Ok(stream)) => {
                winner.get_or_insert(stream);
                false
            }
            Poll::Ready(Err(error)) => {
                *failure = error;
                false
            }
        });
        winner
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V4: [IpAddr; 3] =
        [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3)), LOOPBACK];
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    #[test]
    fn the_families_take_turns_and_the_first_goes_first() {
        assert_eq!(interleave(&[V6, V4[0], V4[1]]), [V6, V4[0], V4[1]]);
        assert_eq!(interleave(&[V4[0], V4[1], V6]), [V4[0], V6, V4[1]]);
    }

    #[test]
    fn a_thousand_addresses_are_not_all_tried() {
        assert_eq!(interleave(&[LOOPBACK; 1000]).len(), MAX_ADDRESSES);
    }

    #[test]
    fn an_address_that_refuses_makes_room_for_the_next() {
        let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        // Only 127.0.0.1 is bound, so the first two refuse.
        let stream = crate::reactor::block_on(dial(&V4, port)).unwrap();
        assert_eq!(stream.get_ref().peer_addr().unwrap().ip(), LOOPBACK);
        assert!(stream.get_ref().nodelay().unwrap());
    }

    #[test]
    fn when_all_refuse_the_error_says_so() {
        let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = crate::reactor::block_on(dial(&V4, port)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
