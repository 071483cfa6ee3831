//! The server: sends the bytes of the case that a request's path names, and no other byte.
//!
//! A response whose end its own bytes tell is followed by silence on an open connection: who waits for the connection's
//! end there hangs, and fails. After any other the connection ends. A connection may serve again after a response that
//! came to its end with nothing left over; a request behind left-over bytes is noted and not answered.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a byte goes ahead of the next, so that they are received one by one.
const PAUSE: Duration = Duration::from_millis(1);

/// How a response is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// In one write.
    Whole,
    /// A byte a write; the last one of the response comes with what is left over, so that it is seen to be.
    Bytewise,
}

/// The response to one path.
pub struct Script {
    pub bytes: Vec<u8>,
    /// Where the response ends, if its bytes tell.
    pub end: Option<usize>,
}

/// A server on the loopback. It goes on until the program ends.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    scripts: Vec<Script>,
    pace: Pace,
    /// After these, a connection with bytes left over was used again.
    misused: Mutex<BTreeSet<usize>>,
}

impl Server {
    pub fn start(scripts: Vec<Script>, pace: Pace) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { scripts, pace, misused: Mutex::default() });
        let server = Self { address, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // An error here is a client that went away: its row says why.
                thread::spawn(move || drop(shared.serve(&stream)));
            }
        });
        Ok(server)
    }

    /// The URL of a script.
    pub fn url(&self, number: usize) -> String {
        format!("http://{}/{number}", self.address)
    }

    /// Whether the connection was used again after this script, though bytes were left over.
    pub fn was_misused(&self, number: usize) -> bool {
        self.shared.misused.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }
}

impl Shared {
    fn serve(&self, mut stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut requests = BufReader::new(stream);
        while let Some(number) = next_request(&mut requests)? {
            let Some(script) = self.scripts.get(number) else { break };
            self.send(stream, script)?;
            if script.end == Some(script.bytes.len()) {
                continue;
            }
            if script.end.is_none() {
                stream.shutdown(Shutdown::Write)?;
            }
            // Reading on: closing with unread bytes would be a reset.
            if stream.read(&mut [0])? > 0 {
                self.misused.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
            }
            break;
        }
        Ok(())
    }

    fn send(&self, mut stream: &TcpStream, script: &Script) -> io::Result<()> {
        if self.pace == Pace::Whole {
            return stream.write_all(&script.bytes);
        }
        let single = script.end.unwrap_or(script.bytes.len()).saturating_sub(1);
        let (bytes, rest) = script.bytes.split_at(single);
        for &byte in bytes {
            stream.write_all(&[byte])?;
            thread::sleep(PAUSE);
        }
        stream.write_all(rest)
    }
}

/// The number that is the path of the next request; `None` at the end of the connection.
fn next_request(requests: &mut impl BufRead) -> io::Result<Option<usize>> {
    let mut number = None;
    loop {
        let mut line = String::new();
        if requests.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            return Ok(number);
        }
        number = number.or_else(|| line.split(' ').nth(1)?.strip_prefix('/')?.parse().ok());
    }
}
