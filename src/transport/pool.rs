//! Connections that wait for another request, and the memory that those in use share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use surf::Url;

use super::connection::Connection;
use super::shelf::Shelf;
use crate::proxy::Proxy;
use crate::sync::lock;

/// How long a connection may wait. Most servers close one after 5 to 75 s; past a minute it only costs memory.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// Idle connections, the longest idle first.
#[derive(Debug)]
pub(super) struct Pool {
    most: usize,
    state: Mutex<State>,
    shelf: Shelf,
}

#[derive(Debug, Default)]
struct State {
    idle: VecDeque<Idle>,
}

impl State {
    /// Closes what has waited too long.
    fn close_old(&mut self) {
        while self.idle.front().is_some_and(|idle| idle.since.elapsed() >= MAX_IDLE) {
            self.idle.pop_front();
        }
    }
}

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

impl Pool {
    /// A pool of at most `most` idle connections.
    pub fn new(most: usize) -> Self {
        Self { most, state: Mutex::default(), shelf: Shelf::default() }
    }

    /// A connection to a URL's origin, by way of that proxy if there is one, that is open and quiet. Those found to be neither
    /// are closed.
    pub fn take(&self, url: &Url, proxy: Option<&Arc<Proxy>>) -> Option<Box<Connection>> {
        let mut state = self.state();
        state.close_old();
        // The most recent first: the server is least likely to have given it up.
        while let Some(at) = state.idle.iter().rposition(|idle| idle.connection.lead().is_to(url, proxy)) {
            let Idle { mut connection, since } = state.idle.remove(at)?;
            if connection.is_quiet(since.elapsed()) {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection for another request; the one that has waited longest makes room.
    pub fn put(&self, connection: Box<Connection>) {
        let mut state = self.state();
        state.close_old();
        if state.idle.len() >= self.most {
            state.idle.pop_front();
        }
        state.idle.push_back(Idle { connection, since: Instant::now() });
    }

    /// Closes the connection that has waited longest, so that another can be made; false if none waits.
    pub fn evict(&self) -> bool {
        self.state().idle.pop_front().is_some()
    }

    /// The memory that connections receive into.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Shutdown, TcpListener, TcpStream};

    use futures_lite::future::poll_fn;

    use super::super::lead::Lead;
    use super::super::stream::Stream;
    use super::*;
    use crate::reactor::Tcp;

    fn url(origin: &str) -> Url {
        Url::parse(&format!("http://{origin}/")).unwrap()
    }

    /// A connection said to lead to `host`, and its other end. If `meddle` does something with that, it has arrived here.
    fn connection(host: &str, meddle: Option<fn(&mut TcpStream)>) -> (Box<Connection>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = crate::reactor::block_on(Tcp::connect(listener.local_addr().unwrap())).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        if let Some(meddle) = meddle {
            meddle(&mut peer);
            crate::reactor::block_on(poll_fn(|cx| socket.poll_readable(cx)));
        }
        let stream = Stream::Plain(socket);
        let lead = Lead::to(&url(host), None).unwrap();
        (Box::new(Connection::new(stream, lead, Duration::from_secs(30))), peer)
    }

    #[test]
    fn a_connection_is_given_once_and_to_its_own_origin_alone() {
        let pool = Pool::new(8);
        let (connection, _peer) = connection("a", None);
        pool.put(connection);
        for other in ["http://b/", "http://a:81/", "https://a/", "https://a:80/"] {
            assert!(pool.take(&Url::parse(other).unwrap(), None).is_none(), "{other}");
        }
        assert!(pool.take(&url("a"), None).is_some_and(|connection| connection.is_reused()));
        assert!(pool.take(&url("a"), None).is_none());
    }

    #[test]
    fn the_one_that_waits_longest_makes_room() {
        let pool = Pool::new(2);
        let peers = ["a", "b", "c"].map(|host| {
            let (connection, peer) = connection(host, None);
            pool.put(connection);
            peer
        });
        assert!(pool.take(&url("a"), None).is_none());
        assert!(pool.evict());
        assert!(pool.take(&url("b"), None).is_none());
        assert!(pool.take(&url("c"), None).is_some());
        assert!(!pool.evict());
        drop(peers);
    }

    #[test]
    fn one_that_was_closed_or_got_bytes_that_nobody_asked_for_is_not_given() {
        let meddlers: [fn(&mut TcpStream); 2] = [
            |peer| peer.shutdown(Shutdown::Both).unwrap(),
            |peer| peer.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").unwrap(),
        ];
        for meddle in meddlers {
            let pool = Pool::new(8);
            let (quiet, _peer) = connection("a", None);
            let (meddled_with, _other_peer) = connection("a", Some(meddle));
            pool.put(quiet);
            pool.put(meddled_with);
            // The most recent is asked first, and passed over.
            assert!(pool.take(&url("a"), None).is_some());
            assert!(pool.take(&url("a"), None).is_none());
        }
    }
}
