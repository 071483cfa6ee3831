//! A scripted HTTP server on the loopback: requests → the [`Reply`]s that a test has written for them.
//!
//! It counts what it saw, reads requests more strictly than any real server (what smolget must never send is a panic
//! here, and a panic here fails the test), and stops, threads and all, when it is dropped.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::net::{SendFlags, send};

use super::reply::{Gate, Reply, Step};

/// The longest that a test waits for something to arrive at the server.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a waiting server thread looks whether it should stop.
const GLANCE: Duration = Duration::from_millis(10);

/// A server, listening from its making to its drop.
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub target: String,
    /// The header lines, raw, without their ends.
    pub lines: Vec<String>,
    /// Which connection it came on, counted from 1.
    pub connection: usize,
    /// The how-manieth it is on its connection, counted from 1.
    pub turn: usize,
    /// The how-manieth it is for its target, counted from 1.
    pub visit: usize,
}

impl Request {
    /// The value of the one field of that name, letter case aside; two of them are a panic.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields(name);
        assert!(values.len() <= 1, "{name} was sent more than once: {:?}", self.lines);
        values.pop()
    }

    /// The values of every field of that name, letter case aside.
    pub fn fields(&self, name: &str) -> Vec<&str> {
        let fields = self.lines.iter().filter_map(|line| line.split_once(": "));
        fields.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

/// What a connection is spoken over.
pub trait Wire: Read + Write + Send {
    /// Says goodbye where the protocol has a word for it.
    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire for TcpStream {}

type Handler = Box<dyn Fn(&Request) -> Reply + Send + Sync>;
type Wrap = Box<dyn Fn(TcpStream) -> io::Result<Box<dyn Wire>> + Send + Sync>;

struct Shared {
    handler: Handler,
    wrap: Wrap,
    stopping: AtomicBool,
    seen: Mutex<Seen>,
    changed: Condvar,
}

/// What the server saw; made by counting, never reset.
#[derive(Default)]
struct Seen {
    connections: usize,
    requests: Vec<Request>,
    visits: HashMap<String, usize>,
    answering: usize,
    busiest: usize,
    bytes: usize,
    open: HashMap<usize, TcpStream>,
    threads: Vec<JoinHandle<()>>,
    /// Whether one of the threads has panicked that are not kept any more.
    panicked: bool,
}

impl Server {
    /// A server that answers each request with what `handler` makes of it.
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::wrapped("http", Ipv4Addr::LOCALHOST.into(), |stream| Ok(Box::new(stream)), handler)
    }

    /// As [`start`](Self::start), on another loopback address.
    pub fn start_at(address: std::net::IpAddr, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::wrapped("http", address, |stream| Ok(Box::new(stream)), handler)
    }

    /// A server that gives the same reply to everything.
    pub fn always(reply: Reply) -> Self {
        Self::start(move |_| reply.clone())
    }

    /// A server that takes connections and says nothing on them, ever.
    pub fn silent() -> Self {
        let silence = |mut stream: TcpStream| {
            io::copy(&mut stream, &mut io::sink())?;
            Err(io::ErrorKind::ConnectionAborted.into())
        };
        Self::wrapped("http", Ipv4Addr::LOCALHOST.into(), silence, |_| unreachable!("nothing was read"))
    }

    /// A server that speaks over what `wrap` makes of each TCP stream.
    pub fn wrapped(
        scheme: &'static str,
        address: std::net::IpAddr,
        wrap: impl Fn(TcpStream) -> io::Result<Box<dyn Wire>> + Send + Sync + 'static,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("the loopback takes listeners");
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            wrap: Box::new(wrap),
            stopping: AtomicBool::new(false),
            seen: Mutex::default(),
            changed: Condvar::new(),
        });
        let acceptor = thread::spawn({
            let shared = shared.clone();
            move || shared.accept(&listener)
        });
        Self { address, scheme, shared, acceptor: Some(acceptor) }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The URL of a path here, by address.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The URL of a path here, by another name for it.
    pub fn url_as(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.scheme, self.port())
    }

    /// The value of `--resolve` that makes `host` this server.
    pub fn resolve(&self, host: &str) -> String {
        format!("{host}:{}:{}", self.port(), self.address.ip())
    }

    pub fn connections(&self) -> usize {
        self.seen().connections
    }

    /// Every request so far, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.seen().requests.clone()
    }

    /// How many requests were made for this target.
    pub fn visits(&self, target: &str) -> usize {
        self.seen().visits.get(target).copied().unwrap_or(0)
    }

    /// The one request for this target; none or several are a panic.
    pub fn request(&self, target: &str) -> Request {
        let mut requests = self.requests();
        requests.retain(|request| request.target == target);
        assert_eq!(requests.len(), 1, "requests for {target}");
        requests.remove(0)
    }

    /// The most requests that were being answered at one time.
    pub fn busiest(&self) -> usize {
        self.seen().busiest
    }

    /// How many bytes came in, after decryption.
    pub fn bytes(&self) -> usize {
        self.seen().bytes
    }

    /// Waits until this many requests have been made.
    pub fn wait_for_requests(&self, count: usize) {
        self.wait_until(&format!("{count} requests"), |seen| seen.requests.len() >= count);
    }

    /// Waits until this many connections have been made.
    pub fn wait_for_connections(&self, count: usize) {
        self.wait_until(&format!("{count} connections"), |seen| seen.connections >= count);
    }

    /// Waits until no connection is open.
    pub fn wait_for_hang_up(&self) {
        self.wait_until("the end of every connection", |seen| seen.open.is_empty());
    }

    /// Stops the server and waits for its threads; a panic of one of them is one here.
    pub fn finish(self) {
        drop(self);
    }

    fn wait_until(&self, what: &str, done: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.seen();
        while !done(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}; {} requests so far", seen.requests.len());
            seen = self.shared.changed.wait_timeout(seen, left).unwrap().0;
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared.seen()
    }

    /// Ends every connection and thread; the panic of one of them, if there was one.
    fn stop(&mut self) -> thread::Result<()> {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // The acceptor blocks in accept: one more connection wakes it.
        let _ = TcpStream::connect(self.address);
        let accepted = self.acceptor.take().map_or(Ok(()), JoinHandle::join);
        let threads = {
            let mut seen = self.seen();
            seen.open.values().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
            std::mem::take(&mut seen.threads)
        };
        let ended = threads.into_iter().map(JoinHandle::join).fold(accepted, Result::and);
        if self.seen().panicked { ended.and(Err(Box::new("a connection's thread panicked"))) } else { ended }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match self.stop() {
            Err(panic) if !thread::panicking() => resume_unwind(panic),
            _ => {}
        }
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            let (stream, _) = listener.accept().expect("the loopback gives connections");
            if self.stopping() {
                return;
            }
            // A scripted pause between two writes is to be one on the wire, too.
            stream.set_nodelay(true).unwrap();
            let mut seen = self.seen();
            seen.connections += 1;
            let number = seen.connections;
            seen.open.insert(number, stream.try_clone().unwrap());
            // A thread that is not joined keeps its stack: that is much after some thousand connections.
            seen.threads.retain(|thread| !thread.is_finished());
            let shared = self.clone();
            seen.threads.push(thread::spawn(move || {
                let open = Open { shared: &shared, number };
                // The client may hang up at any time: that ends the connection, not the test.
                let _ = shared.converse(stream, open.number);
            }));
            self.changed.notify_all();
        }
    }

    fn converse(&self, stream: TcpStream, number: usize) -> io::Result<()> {
        let raw = stream.try_clone()?;
        let mut connection = Connection { wire: (self.wrap)(stream)?, raw, unread: Vec::new() };
        for turn in 1.. {
            let Some(head) = connection.head(self)? else { break };
            let request = self.note(&head, number, turn);
            assert!(connection.unread.is_empty(), "a request has a body, or was sent before its turn");
            let steps = (self.handler)(&request).steps(&request.method);
            if !self.play(&mut connection, steps)? {
                break;
            }
        }
        Ok(())
    }

    fn note(&self, head: &str, connection: usize, turn: usize) -> Request {
        let mut request = parse(head);
        let mut seen = self.seen();
        let visits = seen.visits.entry(request.target.clone()).or_default();
        *visits += 1;
        (request.connection, request.turn, request.visit) = (connection, turn, *visits);
        seen.requests.push(request.clone());
        seen.answering += 1;
        seen.busiest = seen.busiest.max(seen.answering);
        self.changed.notify_all();
        request
    }

    /// Does one step after the other; whether the connection can have another request then.
    fn play(&self, connection: &mut Connection, steps: Vec<Step>) -> io::Result<bool> {
        let mut answering = Answering { shared: self, done: false };
        for step in steps {
            match step {
                Step::Send(bytes) => connection.wire.write_all(&bytes)?,
                Step::Drip(bytes, pause) => self.drip(connection, &bytes, pause)?,
                Step::Repeat { bytes, times, pause } => self.repeat(connection, &bytes, times, pause)?,
                Step::Urgent(byte) => drop(send(&connection.raw, &[byte], SendFlags::OOB)?),
                Step::Pause(pause) => self.pause(pause),
                Step::Until(gate) => self.wait_for(&gate),
                Step::Open(gate) => gate.open(),
                Step::Answered => answering.end(),
                Step::Hold => return connection.drain().map(|()| false),
                Step::Close => return connection.wire.end().map(|()| false),
                Step::Cut => return Ok(false),
                Step::Reset => return connection.reset().map(|()| false),
            }
            connection.wire.flush()?;
        }
        Ok(true)
    }

    fn drip(&self, connection: &mut Connection, bytes: &[u8], pause: Duration) -> io::Result<()> {
        for byte in bytes {
            connection.wire.write_all(&[*byte])?;
            connection.wire.flush()?;
            self.pause(pause);
        }
        Ok(())
    }

    fn repeat(&self, to: &mut Connection, bytes: &[u8], times: Option<u64>, pause: Duration) -> io::Result<()> {
        let mut left = times.unwrap_or(u64::MAX);
        while left > 0 && !self.stopping() {
            to.wire.write_all(bytes)?;
            self.pause(pause);
            left -= 1;
        }
        Ok(())
    }

    fn pause(&self, pause: Duration) {
        let end = Instant::now() + pause;
        while !self.stopping() {
            match end.checked_duration_since(Instant::now()) {
                Some(left) => thread::sleep(left.min(GLANCE)),
                None => return,
            }
        }
    }

    fn wait_for(&self, gate: &Gate) {
        while !self.stopping() && !gate.wait(GLANCE) {}
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Counts a request as being answered until it is not, however its reply ends.
struct Answering<'a> {
    shared: &'a Shared,
    done: bool,
}

impl Answering<'_> {
    fn end(&mut self) {
        if !std::mem::replace(&mut self.done, true) {
            self.shared.seen().answering -= 1;
        }
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Forgets a connection at its end, however that comes.
struct Open<'a> {
    shared: &'a Shared,
    number: usize,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut seen = self.shared.seen();
        seen.panicked |= thread::panicking();
        // The last of the socket's clones: this closes it.
        drop(seen.open.remove(&self.number));
        drop(seen);
        self.shared.changed.notify_all();
    }
}

struct Connection {
    wire: Box<dyn Wire>,
    raw: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    /// The next request's head without its empty line; `None` where the client hung up instead.
    fn head(&mut self, shared: &Shared) -> io::Result<Option<String>> {
        let mut block = [0; 4096];
        loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = self.unread.drain(..end + 4).take(end).collect();
                return Ok(Some(String::from_utf8(head).expect("a request head is text")));
            }
            let count = self.wire.read(&mut block)?;
            if count == 0 {
                return Ok(None);
            }
            shared.seen().bytes += count;
            self.unread.extend_from_slice(&block[..count]);
        }
    }

    fn drain(&mut self) -> io::Result<()> {
        io::copy(&mut self.wire, &mut io::sink()).map(drop)
    }

    /// Makes the end of this connection a RST: that is what closing with a linger time of zero does.
    fn reset(&mut self) -> io::Result<()> {
        rustix::net::sockopt::set_socket_linger(&self.raw, Some(Duration::ZERO))?;
        Ok(())
    }
}

/// Reads a request head; whatever smolget should not send is a panic.
fn parse(head: &str) -> Request {
    let mut lines = head.split("\r\n");
    let start: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, "HTTP/1.1"] = start[..] else { panic!("not a request line: {start:?}") };
    assert!(target.starts_with('/') && target.bytes().all(|b| b.is_ascii_graphic()), "a bad target: {target}");
    assert!(!target.contains('#'), "a fragment was sent: {target}");
    let request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        lines: lines.map(str::to_owned).collect(),
        connection: 0,
        turn: 0,
        visit: 0,
    };
    for line in &request.lines {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("not a field: {line:?}"));
        assert!(
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
            "{line:?}"
        );
        assert!(!value.contains(['\r', '\n', '\0']), "{line:?}");
    }
    assert_eq!(request.fields("host").len(), 1, "one Host in {:?}", request.lines);
    assert!(request.fields("content-length").is_empty() && request.fields("transfer-encoding").is_empty());
    request
}
