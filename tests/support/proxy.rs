//! Proxies on the loopback: one of HTTP, one of SOCKS 5. Each takes any name for the loopback, so that whatever gets through
//! to a test server by a name was looked up by nobody else; and notes what it was asked.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A proxy, listening from its making to its drop.
pub struct Proxy {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// `user:password`, if the proxy wants one.
    login: Option<String>,
    asked: Mutex<Vec<String>>,
    open: Mutex<Vec<TcpStream>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    stopping: std::sync::atomic::AtomicBool,
}

impl Proxy {
    /// One that passes on what it is asked in absolute-form, and opens tunnels.
    pub fn http() -> Self {
        Self::start("http", None, Shared::http)
    }

    /// As [`http`](Self::http), for whoever says `user:password`, base64-encoded.
    pub fn http_for(login: &str) -> Self {
        Self::start("http", Some(login), Shared::http)
    }

    /// One that answers everything with these bytes and hangs up.
    pub fn saying(answer: &'static str) -> Self {
        Self::start("http", None, move |shared, mut client| {
            shared.note(&read_head(&mut BufReader::new(client.try_clone()?))?);
            client.write_all(answer.as_bytes())?;
            client.shutdown(Shutdown::Both)
        })
    }

    /// One of SOCKS 5.
    pub fn socks() -> Self {
        Self::start("socks5h", None, Shared::socks)
    }

    /// As [`socks`](Self::socks), for whoever says `user:password`.
    pub fn socks_for(login: &str) -> Self {
        Self::start("socks5h", Some(login), Shared::socks)
    }

    fn start(
        scheme: &'static str,
        login: Option<&str>,
        serve: impl Fn(&Shared, TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { login: login.map(str::to_owned), ..Shared::default() });
        let (acceptor, serve) = (shared.clone(), Arc::new(serve));
        let acceptor = thread::spawn(move || {
            for client in listener.incoming().map(Result::unwrap) {
                if acceptor.stopping.load(std::sync::atomic::Ordering::SeqCst) {
                    return;
                }
                acceptor.keep(&client);
                let (shared, serve) = (acceptor.clone(), serve.clone());
                // Whoever hangs up ends a connection, not the test.
                let thread = thread::spawn(move || drop(serve(&shared, client)));
                acceptor.threads.lock().unwrap().push(thread);
            }
        });
        Self { address, scheme, shared, acceptor: Some(acceptor) }
    }

    /// The proxy's URL.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The proxy's URL with this in front of its host.
    pub fn url_for(&self, login: &str) -> String {
        format!("{}://{login}@{}", self.scheme, self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it was asked so far: heads of HTTP, or `host:port` of SOCKS.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// How many connections it has had.
    pub fn connections(&self) -> usize {
        self.shared.threads.lock().unwrap().len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, std::sync::atomic::Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let _ = self.acceptor.take().map(JoinHandle::join);
        self.shared.open.lock().unwrap().iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        let threads = std::mem::take(&mut *self.shared.threads.lock().unwrap());
        threads.into_iter().for_each(|thread| drop(thread.join()));
    }
}

impl Shared {
    fn note(&self, asked: &str) {
        self.asked.lock().unwrap().push(asked.to_owned());
    }

    fn keep(&self, stream: &TcpStream) {
        self.open.lock().unwrap().push(stream.try_clone().unwrap());
    }

    fn http(&self, client: TcpStream) -> io::Result<()> {
        let mut requests = BufReader::new(client.try_clone()?);
        loop {
            let head = read_head(&mut requests)?;
            self.note(&head);
            let mut client = client.try_clone()?;
            let wants = self.login.as_ref().map(|login| format!("\r\nProxy-Authorization: Basic {login}\r\n"));
            if wants.is_some_and(|wants| !head.contains(&wants)) {
                return client.write_all(b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno");
            }
            let target = head.split(' ').nth(1).unwrap_or_default();
            if head.starts_with("CONNECT ") {
                let origin = self.connect(target)?;
                client.write_all(b"HTTP/1.1 200 Connected\r\nContent-Length: 9\r\n\r\n")?;
                return pass(client, origin);
            }
            self.forward(&head, target, &mut client)?;
        }
    }

    /// Passes one request on, in origin-form, and the answer back. The origin is told to close, so that its end is the end.
    fn forward(&self, head: &str, target: &str, client: &mut TcpStream) -> io::Result<()> {
        let (place, path) =
            target.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("absolute-form");
        let mut origin = self.connect(place)?;
        let lines = head.lines().skip(1).filter(|line| !line.is_empty() && !line.starts_with("Proxy-Auth"));
        let method = head.split(' ').next().unwrap_or_default();
        let request = lines.fold(format!("{method} /{path} HTTP/1.1\r\n"), |head, line| head + line + "\r\n");
        origin.write_all((request + "\r\n").as_bytes())?;
        let mut answer = BufReader::new(origin);
        let head = read_head(&mut answer)?;
        let length =
            head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; if method == "HEAD" { 0 } else { length }];
        answer.read_exact(&mut body)?;
        client.write_all(head.as_bytes())?;
        client.write_all(&body)
    }

    fn socks(&self, mut client: TcpStream) -> io::Result<()> {
        let [_, count] = read(&mut client)?;
        let mut methods = vec![0; usize::from(count)];
        client.read_exact(&mut methods)?;
        let method = if self.login.is_some() { 2 } else { 0 };
        if !methods.contains(&method) {
            return client.write_all(&[5, 255]);
        }
        client.write_all(&[5, method])?;
        if let Some(login) = &self.login {
            let [_] = read(&mut client)?;
            let said = format!("{}:{}", read_text(&mut client)?, read_text(&mut client)?);
            client.write_all(&[1, u8::from(said != *login)])?;
        }
        let [_, _, _, kind] = read(&mut client)?;
        let host = match kind {
            1 => Ipv4Addr::from(read(&mut client)?).to_string(),
            _ => read_text(&mut client)?,
        };
        let place = format!("{host}:{}", u16::from_be_bytes(read(&mut client)?));
        self.note(&place);
        let Ok(origin) = self.connect(&place) else { return client.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]) };
        client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0])?;
        pass(client, origin)
    }

    fn connect(&self, place: &str) -> io::Result<TcpStream> {
        let port = place.rsplit_once(':').map_or(80, |(_, port)| port.parse().unwrap());
        let origin = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        self.keep(&origin);
        Ok(origin)
    }
}

fn read<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_text(stream: &mut TcpStream) -> io::Result<String> {
    let [length] = read(stream)?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes)?;
    Ok(String::from_utf8(bytes).unwrap())
}

/// A head, with its last, empty line.
fn read_head(from: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

/// Passes bytes on in both directions until both have ended.
fn pass(client: TcpStream, origin: TcpStream) -> io::Result<()> {
    let (mut from, mut to) = (client.try_clone()?, origin.try_clone()?);
    let up = thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        to.shutdown(Shutdown::Write)
    });
    let (mut from, mut to) = (origin, client);
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
    up.join().unwrap()
}
