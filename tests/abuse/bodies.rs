//! Bodies that never end, that stall, or whose framing lies.

use std::time::Duration;

use crate::case::{
    Act, BLOCK, BODILESS, BODY, Case, End, PACE, PROTOCOL, SILENT_BODY, TOO_LONG, block, case, chunk, chunked, whole,
};
use crate::reply::{Reply, chunks};

const NO_PAUSE: Duration = Duration::ZERO;

pub fn cases() -> Vec<Case> {
    [endless(), chunk_framing(), chunk_floods(), stalls(), too_much()].into_iter().flatten().collect()
}

/// The start of a response with this length.
fn claiming(length: u128) -> Reply {
    Reply::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"))
}

/// Without `--max-size` only `--max-time` ends these.
fn endless() -> Vec<Case> {
    let plain = |start: Reply| (start.then_endless(vec![b'x'; BLOCK], PACE), TOO_LONG);
    let many = |size: usize| chunked("").then_endless(format!("{size:x}\r\n{}\r\n", "x".repeat(size)), PACE);
    let padded = format!("{:0>4000}1\r\nx\r\n", "").repeat(4);
    vec![
        case("endless body, without --max-size", plain(Reply::raw("HTTP/1.1 200 OK\r\n\r\n")), whole().until_close()),
        case("endless body of 2^63 bytes", plain(claiming(1 << 63)), whole()),
        case("endless body of 2^64-1 bytes", plain(claiming((1 << 64) - 1)), whole()),
        case("endless chunks", (many(BLOCK), TOO_LONG), whole().chunked(8)),
        case(
            "a chunk of 2^64-1 bytes",
            plain(chunked("ffffffffffffffff\r\n")),
            chunked(format!("{}0\r\n\r\n", chunk())),
        ),
        case(
            "1-byte chunks for ever",
            (chunked("").then_endless(block("1\r\nx\r\n"), NO_PAUSE), TOO_LONG),
            whole().chunked(1),
        ),
        case(
            "1-byte chunks with 4,000 zeros for ever",
            (chunked("").then_endless(padded, NO_PAUSE), TOO_LONG),
            chunked(format!("{:0>4000}{}0\r\n\r\n", "", chunk())),
        ),
    ]
}

fn chunk_framing() -> Vec<Case> {
    let bad = |name: &str, coded: &str, good: &str| {
        case(name, (chunked(coded.replace("BODY", BODY)), PROTOCOL), chunked(good.replace("BODY", BODY)))
    };
    let size = |size: &str, good: &str| {
        let coded = |size| format!("{size}\r\nBODY\r\n0\r\n\r\n");
        bad(&format!("chunk size `{size}`"), &coded(size), &coded(good))
    };
    vec![
        size("10000000000000000", "000000000000000010"),
        size("ffffffffffffffffff", "10"),
        size("-10", "10"),
        size("+10", "0010"),
        size("0x10", "010"),
        size("10 10", "10 ;10"),
        size("1_0", "10;_0"),
        size("", "10"),
        bad("missing CRLF after a chunk", "10\r\nBODY0\r\n\r\n", "10\r\nBODY\r\n0\r\n\r\n"),
        bad("bare LF after a chunk", "10\r\nBODY\n0\r\n\r\n", "10\r\nBODY\r\n0\r\n\r\n"),
        bad("bare LF after a chunk's size", "10\nBODY\r\n0\r\n\r\n", "10\r\nBODY\r\n0\r\n\r\n"),
        bad("NUL in a chunk extension", "10;a\0\r\nBODY\r\n0\r\n\r\n", "10;a\r\nBODY\r\n0\r\n\r\n"),
        bad("a trailer without a colon", "10\r\nBODY\r\n0\r\nT\r\n\r\n", "10\r\nBODY\r\n0\r\nT:\r\n\r\n"),
        bad("a folded trailer", "10\r\nBODY\r\n0\r\nT: 1\r\n 2\r\n\r\n", "10\r\nBODY\r\n0\r\nT: 1\r\nT: 2\r\n\r\n"),
    ]
}

fn chunk_floods() -> Vec<Case> {
    let flood = |start: &str, text: &str| (chunked(start).then_endless(block(text), NO_PAUSE), PROTOCOL);
    let extended = format!("1;{}\r\nx\r\n", "e".repeat(1000));
    let end = |trailers: &str| chunked(format!("{}0\r\n{trailers}\r\n", chunk()));
    vec![
        case(
            "endless chunk extension",
            flood("10;", "x"),
            chunked(format!("10;{}\r\n{BODY}\r\n0\r\n\r\n", "x".repeat(4000))),
        ),
        case(
            "chunk extension flood",
            flood("", &extended),
            chunked(format!("10;{}\r\n{BODY}\r\n0;{}\r\n\r\n", "x".repeat(4000), "y".repeat(4000))),
        ),
        case("endless zeros for a chunk's size", flood("", "0"), chunked(format!("{:0>4000}{}0\r\n\r\n", "", chunk()))),
        case("trailer flood", flood("0\r\n", "T: x\r\n"), end(&"T: x\r\n".repeat(256))),
        case("endless trailer", flood("0\r\nT: ", "x"), end(&format!("T: {}\r\n", "x".repeat(60_000)))),
        case("endless trailer name", flood("0\r\n", "T"), end(&format!("{}: 1\r\n", "T".repeat(60_000)))),
    ]
}

fn stalls() -> Vec<Case> {
    let pause = Duration::from_millis(250);
    let (quick, half) = (Duration::from_millis(5), BODY.len() / 2);
    let coded = String::from_utf8(chunks(BODY.as_bytes(), 4)).expect("chunks of text are text");
    let stall = |name: &str, start: Reply, rest: &str| {
        case(name, (start.clone().hold(), SILENT_BODY), start.then_pause(pause).then(rest))
    };
    let drip = |reply: Reply, pause| reply.drip(pause);
    vec![
        stall("stall before the body", claiming(16), BODY),
        stall("stall in the middle of the body", claiming(16).then(&BODY[..half]), &BODY[half..]),
        stall("stall in a chunk's size", chunked("1"), &format!("0\r\n{BODY}\r\n0\r\n\r\n")),
        stall("stall in a chunk", chunked(&coded[..5]), &coded[5..]),
        stall("stall between chunks", chunked(&coded[..9]), &coded[9..]),
        stall("stall before the last CRLF", chunked(&coded[..coded.len() - 2]), &coded[coded.len() - 2..]),
        case("a byte of the body every 0.25 s", (drip(whole(), pause), TOO_LONG), drip(whole(), quick)),
        case(
            "a chunk every 0.25 s",
            (chunked("").then_endless("1\r\nx\r\n", pause), TOO_LONG),
            drip(whole().chunked(1), quick),
        ),
        case(
            "a byte of a trailer every 0.25 s",
            (chunked("0\r\nT: ").then_endless("x", pause), TOO_LONG),
            chunked(format!("{}0\r\nT: ", chunk())).then_repeat("x", 20).then("\r\n\r\n"),
        ),
    ]
}

/// More than the framing says: it belongs to nobody. In one piece with the end of the response, since what comes later can't
/// be told from the answer to the next request.
fn too_much() -> Vec<Case> {
    let forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    let junk = "junk".repeat(1000);
    let empty = || End::Fetched(Vec::new());
    let on = |start: String| Reply::raw(start + &junk).then_endless(block("junk"), PACE);
    let length = |length: usize, body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
    let chunked_whole = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk());
    let no_content = "HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\n".to_owned();
    let not_modified = format!("HTTP/1.1 304 x\r\nContent-Length: {}\r\n\r\n", forged.len());
    let nothing = || Act::from((Reply::status(204), empty()));
    vec![
        case("bytes after the response at once", Reply::raw(length(16, BODY) + forged), whole()),
        case("endless bytes after the response", on(length(16, BODY)), whole()),
        case(
            "endless bytes after a response that closes",
            on(length(16, BODY).replace("OK", "OK\r\nConnection: close")),
            whole().close(),
        ),
        case("endless bytes after the last chunk", on(chunked_whole), whole().chunked(5)),
        case("endless bytes after length 0", (on(length(0, "")), empty()), (claiming(0), empty())),
        case("a body after 204", (Reply::raw(no_content.clone() + forged), empty()), nothing()),
        case("an endless body after 204", (on(no_content), empty()), nothing()),
        case("a body after 304", (Reply::raw(not_modified + forged), BODILESS), (Reply::status(304), BODILESS)),
        case("urgent bytes in the body", claiming(16).then(&BODY[..4]).then_urgent(b'!').then(&BODY[4..]), whole()),
        case("urgent bytes, then silence", (claiming(16).then_urgent(b'!').hold(), SILENT_BODY), whole()),
    ]
}
