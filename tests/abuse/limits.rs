//! What only shows with a limit on size or with a second attempt allowed: `--max-size 1M --retries 1`.

use std::time::Duration;

use crate::case::{Act, BLOCK, BODY, Case, End, STATUS, TOO_LARGE, block, case, whole};
use crate::reply::Reply;

/// What `--max-size` says.
const MOST: usize = 1 << 20;

pub fn cases() -> Vec<Case> {
    sizes().into_iter().chain(pauses()).collect()
}

fn sizes() -> Vec<Case> {
    let endless = |start: &str, text: &str| {
        (Reply::raw(format!("HTTP/1.1 200 OK\r\n{start}\r\n")).then_endless(block(text), Duration::ZERO), TOO_LARGE)
    };
    let chunk = format!("{BLOCK:x}\r\n{}\r\n", "x".repeat(BLOCK));
    let most =
        |shape: fn(Reply) -> Reply| Act::from((shape(Reply::ok(vec![b'x'; MOST])), End::Fetched(vec![b'x'; MOST])));
    vec![
        case("endless body, with --max-size", endless("", "x"), most(Reply::until_close)),
        case(
            "endless body of 2^63 bytes, with --max-size",
            endless("Content-Length: 9223372036854775808\r\n", "x"),
            most(|reply| reply),
        ),
        case(
            "endless chunks, with --max-size",
            endless("Transfer-Encoding: chunked\r\n", &chunk),
            most(|reply| reply.chunked(10_000)),
        ),
        case(
            "1-byte chunks for ever, with --max-size",
            endless("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n"),
            most(|reply| reply.chunked(100)),
        ),
        case(
            "a length of one byte too many",
            (Reply::ok("").length(MOST as u64 + 1).hold(), TOO_LARGE),
            most(|reply| reply),
        ),
    ]
}

fn pauses() -> Vec<Case> {
    let again = |ms| End::FetchedAgain { body: BODY.into(), after: Duration::from_millis(ms) };
    // A busy answer with this Retry-After, then a good one.
    let busy = |value: &[u8], end: End| {
        let reply = Reply::raw([b"HTTP/1.1 503 x\r\nContent-Length: 0\r\nRetry-After: ", value, b"\r\n\r\n"].concat());
        Act::new(move |request| if request.visit == 1 { reply.clone() } else { whole() }, end)
    };
    let at_once = || busy(b"0", again(0));
    let gibberish = |name: &str, value: &[u8]| case(format!("Retry-After: {name}"), busy(value, again(500)), at_once());
    let never =
        |name: &str, value: &str| case(format!("Retry-After: {name}"), busy(value.as_bytes(), STATUS), at_once());
    vec![
        gibberish("soon", b"soon"),
        gibberish("-1", b"-1"),
        gibberish("1e9", b"1e9"),
        gibberish("99 November", b"Sun, 99 Nov 1994 08:49:37 GMT"),
        gibberish("bytes that are no text", b"\xff\xfe\xfd"),
        gibberish("60 KB of nonsense", &[b'x'; 60_000]),
        never("10^9", "1000000000"),
        never("the year 9999", "Fri, 31 Dec 9999 23:59:59 GMT"),
        never("60,000 digits", &"9".repeat(60_000)),
    ]
}
