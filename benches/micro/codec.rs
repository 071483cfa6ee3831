//! Response heads, bodies and requests.

use std::io::Write as _;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use smolget::benching::{Request, response};

/// As a common server sends them.
const FIELDS: &str = "Server: nginx/1.22.1\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/plain\r\n\
    Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nConnection: keep-alive\r\nETag: \"6592008e-400\"\r\n\
    Accept-Ranges: bytes\r\n";

/// As smolget sends them.
const SENT: [(&str, &str); 2] = [("User-Agent", smolget::USER_AGENT), ("Accept", "*/*")];

const URL: &str = "http://127.0.0.1:8080/some/folder/file-12345.bin?version=3";

const BODY: usize = 1024;

fn by_length(body: usize) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\n{FIELDS}Content-Length: {body}\r\n\r\n").as_bytes(), &vec![b'x'; body]].concat()
}

fn by_chunks(body: usize, size: usize) -> Vec<u8> {
    let mut coded = format!("HTTP/1.1 200 OK\r\n{FIELDS}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in vec![b'x'; body].chunks(size) {
        coded.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    coded.extend(b"0\r\n\r\n");
    coded
}

fn read(bencher: Bencher, input: &[u8], body: usize) {
    assert_eq!(response(input), (200, body));
    bencher.counter(BytesCount::of_slice(input)).bench(|| response(black_box(input)));
}

/// A head of 8 fields and a body of 1 KiB, by its length.
#[divan::bench]
fn response_of_1_kib(bencher: Bencher) {
    read(bencher, &by_length(BODY), BODY);
}

/// The same head, read by httparse alone.
#[divan::bench]
fn baseline_head_by_httparse(bencher: Bencher) {
    let input = by_length(0);
    bencher.counter(BytesCount::of_slice(&input)).bench(|| {
        let mut fields = [httparse::EMPTY_HEADER; 16];
        let mut response = httparse::Response::new(&mut fields);
        response.parse(black_box(&input)).map(|status| status.is_complete() && response.code == Some(200))
    });
}

/// The same head, and 64 KiB in chunks of so many bytes.
#[divan::bench(args = [64, 1024, 16384])]
fn response_of_64_kib_in_chunks(bencher: Bencher, size: usize) {
    read(bencher, &by_chunks(64 << 10, size), 64 << 10);
}

/// 64 KiB copied: what taking the chunks out of the buffer costs at least.
#[divan::bench]
fn baseline_copy_of_64_kib(bencher: Bencher) {
    let (input, mut out) = (vec![b'x'; 64 << 10], vec![0; 64 << 10]);
    bencher.counter(BytesCount::of_slice(&input)).bench_local(|| out.copy_from_slice(black_box(&input)));
}

/// A request, as a run writes it: into a buffer of its own.
#[divan::bench]
fn request(bencher: Bencher) {
    let request = Request::new(URL, &SENT);
    bencher.bench(|| {
        let mut out = Vec::with_capacity(256);
        black_box(&request).encode(&mut out);
        out
    });
}

/// The same bytes by `write!`, of a URL that was taken apart before.
#[divan::bench]
fn baseline_request_by_write(bencher: Bencher) {
    let url = smolget::parse_url(URL).unwrap();
    let (path, query) = (url.path(), url.query().unwrap());
    let (host, port) = (url.host_str().unwrap(), url.port().unwrap());
    let [(a, b), (c, d)] = SENT;
    bencher.bench(|| {
        let mut out = Vec::with_capacity(256);
        let line = black_box((path, query));
        write!(out, "GET {}?{} HTTP/1.1\r\nHost: {host}:{port}\r\n{a}: {b}\r\n{c}: {d}\r\n\r\n", line.0, line.1)
            .map(|()| out)
    });
}
