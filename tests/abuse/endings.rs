//! Connections that end where they should not, are never made, or are not read from.

use std::any::Any;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt::set_socket_linger;

use crate::case::{Act, BODY, Case, End, PROTOCOL, SILENT_HEAD, Stage, TRUNCATED, case, chunk, chunked, whole};
use crate::ports::Port;
use crate::reply::Reply;
use crate::server::{Server, Wire};

pub fn cases() -> Vec<Case> {
    resets().into_iter().chain(closes()).chain(doors()).collect()
}

/// The stages of a response, and what is sent up to there.
fn stages() -> [(&'static str, Reply); 8] {
    let start = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunk());
    [
        ("after the request", Reply::raw("")),
        ("in the status line", Reply::raw("HTTP/1.1 2")),
        ("in the fields", Reply::raw("HTTP/1.1 200 OK\r\nContent-Le")),
        ("after an interim response", Reply::raw("HTTP/1.1 100 Continue\r\n\r\n")),
        ("after the head", Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n")),
        ("in the body", Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n").then(BODY)),
        ("between chunks", Reply::raw(&*start)),
        ("before the last CRLF", Reply::raw(start).then("0\r\n")),
    ]
}

/// Long enough for what was sent before to have been read: a reset may overtake it.
const SETTLED: Duration = Duration::from_millis(50);

fn resets() -> Vec<Case> {
    let reset = |reply: Reply| (reply.then_pause(SETTLED).reset(), TRUNCATED);
    let until_close = || Reply::raw("HTTP/1.1 200 OK\r\n\r\n").then(BODY);
    let mut cases =
        Vec::from(stages().map(|(stage, part)| case(format!("reset {stage}"), reset(part), whole().close())));
    cases.push(case("reset of a body that lasts until the end", reset(until_close()), until_close().close()));
    cases
}

fn closes() -> [Case; 8] {
    stages().map(|(stage, part)| case(format!("close {stage}"), (part.close(), TRUNCATED), whole().close()))
}

/// What happens before a request is read, or without one.
fn doors() -> Vec<Case> {
    let (slamming, deaf) = (strange(slam), strange(hear_nothing));
    let ssh = strange(|stream| greet(stream, b"SSH-2.0-OpenSSH_9.2\r\n"));
    let early = strange(|stream| greet(stream, b"HTTP/1.1 100 x\r\n\r\n"));
    let (refusing, full) = (Port::refusing(), Port::full());
    let at = |name: &str, url: String, guard: Box<dyn Any>, end| {
        case(name, Act { stage: Stage::Elsewhere { url, guard }, end }, whole())
    };
    // Whether the connection counts as made depends on which of the two looks first.
    let slammed = End::Failed(&["truncated", "connect"]);
    vec![
        at("reset before the request is read", slamming.url("/"), Box::new(slamming), slammed),
        at("a server that never reads", deaf.url("/"), Box::new(deaf), SILENT_HEAD),
        at("a banner before the request", ssh.url("/"), Box::new(ssh), PROTOCOL),
        at("an interim response before the request", early.url("/"), Box::new(early), SILENT_HEAD),
        at("a port that refuses", refusing.url("/"), Box::new(refusing), End::Failed(&["connect"])),
        at("a port that never accepts", full.url("/"), Box::new(full), End::Failed(&["timeout connect"])),
        case("chunks that end with the connection", (chunked(chunk()).close(), TRUNCATED), whole().until_close()),
    ]
}

/// A server that does this to each connection before anything is read, and never answers.
fn strange(door: fn(TcpStream) -> io::Result<Box<dyn Wire>>) -> Server {
    Server::wrapped("http", Ipv4Addr::LOCALHOST.into(), door, |_| Reply::raw("").hold())
}

/// Resets it.
fn slam(stream: TcpStream) -> io::Result<Box<dyn Wire>> {
    set_socket_linger(&stream, Some(Duration::ZERO))?;
    Err(io::ErrorKind::ConnectionAborted.into())
}

/// Leaves it until the client hangs up.
fn hear_nothing(stream: TcpStream) -> io::Result<Box<dyn Wire>> {
    poll(&mut [PollFd::new(&stream, PollFlags::RDHUP)], None)?;
    Err(io::ErrorKind::ConnectionAborted.into())
}

/// Speaks first.
fn greet(mut stream: TcpStream, greeting: &[u8]) -> io::Result<Box<dyn Wire>> {
    stream.write_all(greeting)?;
    Ok(Box::new(stream))
}
