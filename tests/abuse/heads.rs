//! Heads that are too long, too many, or none.

use crate::case::{BODY, Case, End, PROTOCOL, SILENT_HEAD, STATUS, TOO_LONG, block, case, chunk, fields, head, whole};
use crate::reply::Reply;
use std::time::Duration;

const NO_PAUSE: Duration = Duration::ZERO;
/// Fits the 64 KiB that a head may have.
const MUCH: usize = 60 << 10;

pub fn cases() -> Vec<Case> {
    [floods(), fields_that_are_none(), lengths(), codings(), statuses(), other_protocols(), slow(), oddities()]
        .into_iter()
        .flatten()
        .collect()
}

fn floods() -> Vec<Case> {
    let endless = |start: &str, text: &str| (Reply::raw(start).then_endless(block(text), NO_PAUSE), PROTOCOL);
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let much = "x".repeat(MUCH);
    let line = format!("X-Filler: {}\r\n", "x".repeat(1012));
    let megabytes = Reply::raw("HTTP/1.1 200 OK\r\n").then_repeat(line.repeat(16), (32 << 20) / (16 << 10));
    let many = |count| fields("A: 1\r\n".repeat(count));
    vec![
        case("endless head line", endless("HTTP/1.1 200 OK\r\nX-A: ", "x"), fields(format!("X-A: {much}\r\n"))),
        case("endless field name", endless("HTTP/1.1 200 OK\r\n", "X"), fields(format!("{much}: 1\r\n"))),
        case(
            "endless reason phrase",
            endless("HTTP/1.1 200 ", "OK"),
            head(&format!("HTTP/1.1 200 {much}\r\nContent-Length: 16")),
        ),
        case("endless white space", endless("HTTP/1.1 200 OK\r\nX-A:", " "), fields(format!("X-A:{:60000}1\r\n", ""))),
        case("32 MiB of headers", (megabytes.then("\r\n"), PROTOCOL), fields(line.repeat(60))),
        case("100,000 fields", (many(100_000), PROTOCOL), many(255)),
        case("257 fields", (many(256), PROTOCOL), many(255)),
        case(
            "1xx flood",
            endless("", early),
            Reply::raw(early.repeat(8)).then(format!("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{BODY}")),
        ),
        case(
            "1xx heads of 60 KiB for ever",
            endless("", &format!("HTTP/1.1 102 x\r\nX: {much}\r\n\r\n")),
            Reply::raw(format!(
                "HTTP/1.1 102 x\r\nX: {much}\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{BODY}"
            )),
        ),
    ]
}

fn fields_that_are_none() -> Vec<Case> {
    let bad = |name: &str, line: &[u8], good: &[u8]| case(name, (fields(line), PROTOCOL), fields(good));
    vec![
        bad("NUL in a field", b"X-A: a\0b\r\n", b"X-A: ab\r\n"),
        bad("bare CR in a field", b"X-A: a\rb\r\n", b"X-A: a\tb\r\n"),
        bad("space before the colon", b"X-A : 1\r\n", b"X-A:  1\r\n"),
        bad("obs-fold", b"X-A: 1\r\n 2\r\n", b"X-A: 1\r\nX-A: 2\r\n"),
        bad("a first line that is folded", b" X-A: 1\r\n", b"X-A: 1\r\n"),
        bad("no colon", b"X-A\r\n", b"X-A:\r\n"),
        bad("no name", b": 1\r\n", b"A: 1\r\n"),
        bad("Latin-1 in a name", b"X-\xfc: 1\r\n", b"X-A: \xfc\r\n"),
        bad("an escape sequence in a field", b"X-A: \x1b[2J\r\n", b"X-A: [2J\r\n"),
    ]
}

fn lengths() -> Vec<Case> {
    let length = |value: &str| head(&format!("HTTP/1.1 200 OK\r\nContent-Length: {value}"));
    let bad =
        |name: &str, value: &str, good: &str| case(format!("length {name}"), (length(value), PROTOCOL), length(good));
    vec![
        bad("+16", "+16", "16"),
        bad("16x", "16x", "016"),
        bad("-1", "-1", "16"),
        bad("2^64+1", "18446744073709551617", "00000000000000000016"),
        bad("with an escape sequence", "16\u{9b}31m", "16"),
        bad("empty", "", " 16 "),
        bad("16, 17", "16, 17", "16, 16"),
        bad("a list of 5,000", &vec!["16"; 5000].join(",").replacen("16", "17", 1), &vec!["16"; 5000].join(",")),
        case("two lengths that differ", (fields("Content-Length: 15\r\n"), PROTOCOL), fields("Content-Length: 16\r\n")),
    ]
}

fn codings() -> Vec<Case> {
    let coded = |lines: &str| Reply::raw(format!("{lines}\r\n\r\n{}0\r\n\r\n", chunk()));
    let coding = |value: &str| coded(&format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {value}"));
    vec![
        case(
            "TE with CL",
            (coded("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 16"), PROTOCOL),
            coding("chunked"),
        ),
        case(
            "CL with TE",
            (coded("HTTP/1.1 200 OK\r\nContent-Length: 16\r\nTransfer-Encoding: chunked"), PROTOCOL),
            coding("chunked"),
        ),
        case("TE in HTTP/1.0", (coded("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked"), PROTOCOL), coding("chunked")),
        case("unknown TE", (coding("xchunked"), PROTOCOL), coding("Chunked")),
        case("gzip, chunked", (coding("gzip, chunked"), PROTOCOL), coding(", chunked")),
        case("chunked twice", (coding("chunked, chunked"), PROTOCOL), coding("chunked,")),
        case(
            "60 KB of commas in TE",
            (coding(&",".repeat(60_000)), PROTOCOL),
            coding(&format!("{}chunked", ",".repeat(60_000))),
        ),
    ]
}

fn statuses() -> Vec<Case> {
    let line = |line: &str| head(&format!("{line}\r\nContent-Length: 16"));
    let bad = |name: &str, end: End, good: &str| case(format!("status line `{name}`"), (line(name), end), line(good));
    vec![
        bad("HTTP/1.1 000 x", PROTOCOL, "HTTP/1.1 200 x"),
        bad("HTTP/1.1 099 x", PROTOCOL, "HTTP/1.1 299 x"),
        bad("HTTP/1.1 1000 x", PROTOCOL, "HTTP/1.1 200"),
        bad("HTTP/1.1 20 x", PROTOCOL, "HTTP/1.1 203 x"),
        bad("HTTP/1.1 -20 x", PROTOCOL, "HTTP/1.1 200 -20"),
        bad("HTTP/1.1 999 x", STATUS, "HTTP/1.1 399 x"),
        bad("HTTP/1.1 101 Switching Protocols", PROTOCOL, "HTTP/1.1 200 Switching Protocols"),
        bad("HTTP/1.2 200 x", PROTOCOL, "HTTP/1.0 200 x"),
        bad("HTTP/2 200", PROTOCOL, "HTTP/1.1 200 HTTP/2"),
        bad("HTTP/1.1  200 x", PROTOCOL, "HTTP/1.1 200  x"),
    ]
}

fn other_protocols() -> Vec<Case> {
    let says = |name: &str, bytes: &[u8]| {
        case(name, (Reply::raw(bytes).hold(), PROTOCOL), Reply::raw(&b"HTTP/1.0 200\r\n\r\n"[..]).then(BODY).close())
    };
    vec![
        says("HTTP/0.9", b"<html>a body and nothing else</html>"),
        says("an SSH banner", b"SSH-2.0-OpenSSH_9.2\r\n"),
        says("an SMTP banner", b"220 mail.example.org ESMTP\r\n"),
        says("an FTP banner", b"220-Welcome\r\n220 ready\r\n"),
        says("a TLS record", b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"),
        says("a TLS alert", b"\x15\x03\x01\x00\x02\x02\x46"),
        says("HTTP/2 settings", b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80"),
        says("an empty line before the head", b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        says("a screen that is cleared", b"\x1b[2J\x1b]0;title\x07HTTP/1.1 200 OK\r\n\r\n"),
    ]
}

fn slow() -> Vec<Case> {
    let pause = Duration::from_millis(250);
    let quick = Duration::from_millis(5);
    vec![
        case("accept and silence", (Reply::raw("").hold(), SILENT_HEAD), whole().after(pause)),
        case(
            "silence in the head",
            (Reply::raw("HTTP/1.1 200 OK\r\nContent-").hold(), SILENT_HEAD),
            Reply::raw("HTTP/1.1 200 OK\r\nContent-").then_pause(pause).then(format!("Length: 16\r\n\r\n{BODY}")),
        ),
        case("a byte of the head every 0.25 s", (fields("").drip(pause), TOO_LONG), fields("").drip(quick)),
        case(
            "an interim response every 0.5 s",
            (Reply::raw("HTTP/1.1 102 x\r\n\r\n").then_endless("HTTP/1.1 102 x\r\n\r\n", 2 * pause), TOO_LONG),
            Reply::raw("HTTP/1.1 102 x\r\n\r\n")
                .then_pause(pause)
                .then(format!("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{BODY}")),
        ),
    ]
}

/// What is odd, and lawful all the same.
fn oddities() -> Vec<Case> {
    let odd = |name: &str, line: &str| case(name, fields(line), whole());
    vec![
        odd("gzip that was not asked for is kept", "Content-Encoding: gzip\r\n"),
        odd("60,000 empty elements of Connection", &format!("Connection: {}\r\n", ",".repeat(60_000))),
        odd("255 cookies", &"Set-Cookie: a=b\r\n".repeat(255)),
    ]
}
