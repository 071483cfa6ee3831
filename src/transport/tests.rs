//! Which connections serve another request, against a server of scripted bytes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use futures_lite::AsyncReadExt;

use super::*;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What the server does on one connection: an answer to each request, and then this.
type Talk = (&'static [&'static [u8]], Then);

enum Then {
    Close,
    /// Waits until the other side closes.
    Wait,
}

/// A server that takes so many connections, one after the other, and no more. It panics if one is closed before its talk is over.
fn serve(talks: Vec<Talk>) -> (Url, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let server = thread::spawn(move || {
        for (answers, then) in talks {
            let (mut socket, _) = listener.accept().unwrap();
            for answer in answers {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    socket.read_exact(&mut byte).unwrap();
                    request.extend(byte);
                }
                socket.write_all(answer).unwrap();
            }
            if let Then::Wait = then {
                assert_eq!(socket.read(&mut [0]).unwrap_or(0), 0);
            }
        }
    });
    (url, server)
}

fn transport() -> Transport {
    Transport::new(&Network::default(), Limits::default(), 8).unwrap()
}

async fn get(transport: &Transport, url: &Url) -> Result<Vec<u8>, Error> {
    let (_, mut body) = transport.request(Method::Get, url, &Fields::default()).await?;
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).await.map_err(body_error)?;
    Ok(bytes)
}

/// What two requests come to, one after the other, if the server talks so.
fn two(talks: Vec<Talk>) -> (Result<Vec<u8>, ErrorKind>, Result<Vec<u8>, ErrorKind>) {
    let (url, server) = serve(talks);
    let transport = transport();
    let results = crate::reactor::block_on(async {
        let get = async || get(&transport, &url).await.map_err(|error| error.kind());
        (get().await, get().await)
    });
    drop(transport);
    server.join().unwrap();
    results
}

fn ok() -> Result<Vec<u8>, ErrorKind> {
    Ok(b"ok".to_vec())
}

#[test]
fn a_connection_serves_again_once_its_response_is_read_to_the_end() {
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    assert_eq!(two(vec![(&[OK, OK], Then::Wait)]), (ok(), ok()));
    assert_eq!(two(vec![(&[CHUNKED, CHUNKED], Then::Wait)]), (ok(), ok()));
}

#[test]
fn a_connection_that_the_server_will_close_or_that_has_bytes_left_over_is_not_kept() {
    for first in [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".as_slice(),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let first: &'static [&'static [u8]] = Box::leak(Box::new([first]));
        assert_eq!(two(vec![(first, Then::Wait), (&[OK], Then::Wait)]), (ok(), ok()));
    }
}

#[test]
fn a_body_that_is_dropped_half_way_closes_its_connection() {
    let (url, server) = serve(vec![(&[OK], Then::Wait), (&[OK], Then::Wait)]);
    let transport = transport();
    crate::reactor::block_on(async {
        let (_, mut body) = transport.request(Method::Get, &url, &Fields::default()).await.unwrap();
        assert_eq!(body.read(&mut [0]).await.unwrap(), 1);
        drop(body);
        assert_eq!(get(&transport, &url).await.unwrap(), b"ok");
    });
    drop(transport);
    server.join().unwrap();
}

#[test]
fn a_connection_goes_back_at_the_last_byte_of_its_body() {
    let (url, server) = serve(vec![(&[OK], Then::Wait)]);
    let transport = transport();
    crate::reactor::block_on(async {
        let (_, mut body) = transport.request(Method::Get, &url, &Fields::default()).await.unwrap();
        body.read_exact(&mut [0]).await.unwrap();
        assert!(transport.pool.take(&url, None).is_none());
        body.read_exact(&mut [0]).await.unwrap();
        assert!(transport.pool.take(&url, None).is_some());
    });
    server.join().unwrap();
}

#[test]
fn a_kept_connection_that_closes_without_an_answer_is_replaced() {
    assert_eq!(two(vec![(&[OK, b""], Then::Close), (&[OK], Then::Wait)]), (ok(), ok()));
    assert_eq!(two(vec![(&[OK], Then::Close), (&[OK], Then::Wait)]), (ok(), ok()));
}

#[test]
fn a_kept_connection_that_closes_after_a_byte_of_an_answer_is_not() {
    assert_eq!(two(vec![(&[OK, b"H"], Then::Close)]), (ok(), Err(ErrorKind::Truncated)));
}

#[test]
fn a_fresh_connection_that_closes_without_an_answer_is_not_replaced() {
    let talks: Vec<Talk> = vec![(&[b""], Then::Close), (&[OK], Then::Wait)];
    assert_eq!(two(talks), (Err(ErrorKind::Truncated), ok()));
}

#[test]
fn a_body_that_ends_early_is_an_error_and_one_that_lasts_until_the_end_is_whole() {
    const SHORT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok";
    const UNTIL_CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nok";
    let talks: Vec<Talk> = vec![(&[SHORT], Then::Close), (&[UNTIL_CLOSE], Then::Close)];
    assert_eq!(two(talks), (Err(ErrorKind::Truncated), ok()));
}
