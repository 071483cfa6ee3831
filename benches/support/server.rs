//! A small HTTP/1.1 server in a process of its own: whatever is asked for, the same kilobyte.
//!
//! The bench starts itself again as the server, so what serving costs is charged to nobody who is measured. The server
//! prints its port, then the number of answers since the last time for each line that it reads, and ends with its
//! standard input: so also when the bench is killed.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, thread};

/// The size of every body.
pub const BODY: usize = 1024;

/// The argument that makes the bench a server.
pub const SERVE: &str = "serve";

/// More than any of the programs sends as a request head.
const LARGEST_HEAD: usize = 16 * 1024;

/// A server, up until it is dropped.
pub struct Server {
    child: Child,
    // Held open: the server ends with it.
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    port: usize,
}

impl Server {
    pub fn start() -> io::Result<Self> {
        let mut child =
            Command::new(env::current_exe()?).arg(SERVE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?);
        let mut server = Self { child, questions, answers, port: 0 };
        server.port = server.number()?;
        Ok(server)
    }

    /// The URL of a path here.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// How many requests were answered since the last call.
    pub fn answered(&mut self) -> io::Result<usize> {
        if let Some(questions) = &mut self.questions {
            questions.write_all(b"\n")?;
        }
        self.number()
    }

    fn number(&mut self) -> io::Result<usize> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        line.trim().parse().map_err(io::Error::other)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.child.wait();
    }
}

/// Is the server until standard input ends.
pub fn serve() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?.port());
    let answered = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&answered);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let counter = Arc::clone(&counter);
            // A client that goes away in the middle is its own affair: what it did not get is seen in the count.
            thread::spawn(move || answer(stream, &counter));
        }
    });
    for _ in io::stdin().lock().lines() {
        println!("{}", answered.swap(0, Ordering::Relaxed));
    }
    Ok(())
}

/// Answers the requests of one connection.
fn answer(mut stream: TcpStream, answered: &AtomicUsize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut response =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {BODY}\r\n\r\n").into_bytes();
    response.extend([b'x'; BODY]);
    let mut buffer = vec![0; LARGEST_HEAD];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..])?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        // One request at a time: none of the programs sends the next before it has the answer.
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            answered.fetch_add(1, Ordering::Relaxed);
            stream.write_all(&response)?;
            filled = 0;
        }
    }
}
