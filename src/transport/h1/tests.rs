//! The decoder as a connection drives it: input in pieces, a buffer, an end. Whatever the pieces, the verdict is one.

use super::driver::{Seen, receive};
use super::*;

fn whole(method: Method, input: impl AsRef<[u8]>) -> Result<Seen, Error> {
    receive(method, [input.as_ref()])
}

fn byte_by_byte(method: Method, input: &[u8]) -> Result<Seen, Error> {
    receive(method, input.chunks(1))
}

#[track_caller]
fn refused(input: impl AsRef<[u8]>, reason: &str) {
    let error = whole(Method::Get, input).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    assert!(error.to_string().contains(reason), "{error:?} for {reason:?}");
}

#[track_caller]
fn reads(input: impl AsRef<[u8]>) -> Seen {
    whole(Method::Get, input).unwrap_or_else(|e| panic!("{e}"))
}

/// A response, how it was asked for, and what it is: its status, its body, and whether its connection may be kept.
struct Example {
    method: Method,
    input: &'static [u8],
    status: u16,
    body: &'static [u8],
    may_reuse: bool,
}

const fn get(input: &'static [u8], status: u16, body: &'static [u8], may_reuse: bool) -> Example {
    Example { method: Method::Get, input, status, body, may_reuse }
}

const fn head(input: &'static [u8], status: u16, may_reuse: bool) -> Example {
    Example { method: Method::Head, input, status, body: b"", may_reuse }
}

/// Responses whose end the bytes themselves tell.
const EXACT: [Example; 14] = [
    get(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: \xfc\xff\r\n\r\nhello", 200, b"hello", true),
    get(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", 200, b"hello", false),
    get(b"HTTP/1.1 999\nContent-Length: 5, 5\n\nhello", 999, b"hello", true),
    get(b"HTTP/1.1 520 \r\nContent-Length: 0\r\n\r\n", 520, b"", true),
    get(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", false),
    get(b"HTTP/1.0 299 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", 299, b"ok", true),
    get(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n02\r\nde\r\n0\r\n\r\n", 200, b"abcde", true),
    get(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n\
          B ;a=b;c=\"d e\"\r\nhello\r\nworl\r\n1\r\nd\r\n000;x\r\nDigest: \xfc\r\nB:\r\n\r\n",
        200,
        b"hello\r\nworld",
        true,
    ),
    get(b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", 204, b"", true),
    get(b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304, b"", true),
    get(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\nContent-Length: 7\r\n\r\n\
          HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        200,
        b"x",
        true,
    ),
    head(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", 200, true),
    head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, true),
    head(b"HTTP/1.0 404 Not Found\r\n\r\n", 404, false),
];

/// Responses that end with the connection.
const UNTIL_CLOSE: [Example; 3] = [
    get(b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nall of it", 200, b"all of it", false),
    get(b"HTTP/1.0 200 OK\r\n\r\nHTTP/1.0 200", 200, b"HTTP/1.0 200", false),
    get(b"HTTP/1.1 200 OK\n\n", 200, b"", false),
];

#[test]
fn every_response_is_read_as_what_it_is() {
    for example in EXACT.iter().chain(&UNTIL_CLOSE) {
        let seen = whole(example.method, example.input).unwrap();
        let Seen { status, body, may_reuse, .. } = &seen;
        let expected = (example.status, example.body, example.may_reuse);
        assert_eq!((*status, body.as_slice(), *may_reuse), expected, "{}", example.input.escape_ascii());
        assert!(seen.left_over.is_empty());
    }
    assert!(EXACT.iter().all(|example| whole(example.method, example.input).unwrap().exact));
    assert!(UNTIL_CLOSE.iter().all(|example| !whole(example.method, example.input).unwrap().exact));
}

#[test]
fn a_response_in_pieces_is_the_response() {
    for Example { method, input, .. } in EXACT.iter().chain(&UNTIL_CLOSE) {
        let expected = whole(*method, input).unwrap();
        for cut in 0..=input.len() {
            let (start, rest) = input.split_at(cut);
            assert_eq!(receive(*method, [start, rest]).unwrap(), expected, "{cut} of {}", input.escape_ascii());
        }
        assert_eq!(byte_by_byte(*method, input).unwrap(), expected, "{}", input.escape_ascii());
    }
}

#[test]
fn a_response_that_ends_early_is_truncated_wherever_it_ends() {
    for Example { method, input, .. } in &EXACT {
        for cut in 0..input.len() {
            let error = whole(*method, &input[..cut]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated, "{cut} of {}: {error}", input.escape_ascii());
        }
    }
    for Example { method, input, body, .. } in &UNTIL_CLOSE {
        for cut in 0..input.len() {
            let seen = whole(*method, &input[..cut]).map(|seen| seen.body).map_err(|error| error.kind());
            let expected = cut.checked_sub(input.len() - body.len()).map(|length| body[..length].to_vec());
            assert_eq!(seen, expected.ok_or(ErrorKind::Truncated), "{cut} of {}", input.escape_ascii());
        }
    }
}

#[test]
fn what_follows_a_response_is_left_alone() {
    for Example { method, input, body, .. } in &EXACT {
        let mut longer = input.to_vec();
        longer.extend_from_slice(b"\r\nHTTP/1.1 200 OK");
        for seen in [whole(*method, &longer).unwrap(), byte_by_byte(*method, &longer).unwrap()] {
            assert_eq!((seen.body.as_slice(), seen.left_over.as_slice()), (*body, &b"\r\nHTTP/1.1 200 OK"[..]));
        }
    }
}

#[test]
fn one_wrong_byte_gets_one_verdict_however_the_input_is_split() {
    for Example { method, input, .. } in EXACT.iter().chain(&UNTIL_CLOSE) {
        for at in 0..input.len() {
            for &wrong in b"\0\t\n\r ,:;09fx\x7f\xff" {
                let mut spoiled = input.to_vec();
                spoiled[at] = wrong;
                let verdict = |seen: Result<Seen, Error>| seen.map_err(|error| error.kind());
                let expected = verdict(whole(*method, &spoiled));
                assert_eq!(verdict(byte_by_byte(*method, &spoiled)), expected, "{}", spoiled.escape_ascii());
            }
        }
    }
}

#[test]
fn a_body_is_done_at_its_last_byte_without_another_look_at_the_connection() {
    let mut decoder = Decoder::new(Method::Get);
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(matches!(decoder.head(head), Ok(HeadStep::Complete { consumed, .. }) if consumed == head.len()));
    assert_eq!(decoder.body(b"2\r\nab\r\n0\r\n\r\n").unwrap(), Span { skip: 3, data: 2 });
    assert!(!decoder.is_done() && !decoder.may_reuse());
    assert_eq!(decoder.body(b"\r\n0\r\n\r\n").unwrap(), Span { skip: 7, data: 0 });
    assert!(decoder.is_done() && decoder.may_reuse());

    let mut decoder = Decoder::new(Method::Get);
    decoder.head(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").unwrap();
    assert_eq!((decoder.length(), decoder.is_done()), (Some(2), false));
    assert_eq!(decoder.body(b"abc").unwrap(), Span { skip: 0, data: 2 });
    assert!(decoder.is_done());
}

#[test]
fn truncation_says_how_much_is_missing() {
    for (input, message) in [
        (&b""[..], "empty reply"),
        (b"HTTP/1.1 200", "head"),
        (b"HTTP/1.1 100\r\n\r\n", "head"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nabc", "18446744073709551612 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nabc", "at least 7 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "last chunk"),
    ] {
        let error = whole(Method::Get, input).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated);
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn a_length_is_known_only_where_it_frames_the_body() {
    assert_eq!(reads("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").length, Some(0));
    assert_eq!(reads("HTTP/1.1 304 OK\r\nContent-Length: 7\r\n\r\n").length, None);
    assert_eq!(whole(Method::Head, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n").unwrap().length, None);
}

#[test]
fn another_protocol_is_refused_at_its_first_wrong_byte() {
    for (banner, wrong) in [("SSH-2.0-x", 0), ("220 ftp", 0), ("\r\nHTTP/1.1 200", 0), ("HTTP/2", 5), ("HTTP/1 2", 6)] {
        let mut decoder = Decoder::new(Method::Get);
        assert!(decoder.head(&banner.as_bytes()[..wrong]).is_ok(), "{banner:?}");
        assert_eq!(decoder.head(&banner.as_bytes()[..=wrong]).unwrap_err().kind(), ErrorKind::Protocol, "{banner:?}");
    }
    refused("\u{1b}[2J", "starts with `\\u{1b}[2J`");
}

#[test]
fn a_head_that_is_not_http_is_refused_and_its_twin_is_read() {
    let length = "Content-Length: 0";
    for (bad, good, reason) in [
        ("HTTP/1.2 200 OK", "HTTP/1.1 200 OK", "version"),
        ("HTTP/1.10 200 OK", "HTTP/1.0 200 OK", "version"),
        ("HTTP/1.1  200 OK", "HTTP/1.1 200  OK", "three digits"),
        ("HTTP/1.1 20 OK", "HTTP/1.1 200 OK", "three digits"),
        ("HTTP/1.1 2000 OK", "HTTP/1.1 200 0 OK", "three digits"),
        ("HTTP/1.1 +20 OK", "HTTP/1.1 220 OK", "three digits"),
        ("HTTP/1.1 200 O\0K", "HTTP/1.1 200 O\tK", "control character"),
        ("HTTP/1.1 200 O\rK", "HTTP/1.1 200 O K", "control character"),
        ("HTTP/1.1 099 OK", "HTTP/1.1 999 OK", "the status 099 is below 100"),
        ("HTTP/1.1 101 OK", "HTTP/1.1 201 OK", "switches protocols"),
        ("HTTP/1.1 200 OK\r\nA : 1", "HTTP/1.1 200 OK\r\nA:  1", "field name"),
        ("HTTP/1.1 200 OK\r\nA: 1\r\n B: 2", "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2", "field name"),
        ("HTTP/1.1 200 OK\r\n A: 1", "HTTP/1.1 200 OK\r\nA: 1 ", "field name"),
        ("HTTP/1.1 200 OK\r\n: 1", "HTTP/1.1 200 OK\r\n1:", "field name"),
        ("HTTP/1.1 200 OK\r\nA", "HTTP/1.1 200 OK\r\nA:", "field name"),
        ("HTTP/1.1 200 OK\r\nÄ: 1", "HTTP/1.1 200 OK\r\nA: Ä", "field name"),
        ("HTTP/1.1 200 OK\r\nA: \0", "HTTP/1.1 200 OK\r\nA: 0", "control character"),
        ("HTTP/1.1 200 OK\r\nA: 1\rB: 2", "HTTP/1.1 200 OK\r\nA: 1\nB: 2", "control character"),
        ("HTTP/1.1 200 OK\r\nA: \u{7f}", "HTTP/1.1 200 OK\r\nA: \t", "control character"),
        ("HTTP/1.1 200 OK\r\n\rA: 1", "HTTP/1.1 200 OK\nA: 1", "bare CR"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1", "HTTP/1.1 200 OK\r\nContent-Length: 00", "differ"),
    ] {
        refused(format!("{bad}\r\n{length}\r\n\r\n"), reason);
        assert!(reads(format!("{good}\r\n{length}\r\n\r\n")).exact, "{good:?}");
    }
}

#[test]
fn messages_show_what_a_server_sent_escaped_and_cut() {
    let value = format!("\u{202e}{}", "9".repeat(1000));
    let error = whole(Method::Get, format!("HTTP/1.1 200 OK\r\nContent-Length: {value}\r\n\r\n")).unwrap_err();
    assert!(error.to_string().contains("\\u{202e}999") && error.to_string().len() < 300, "{error}");
}

#[test]
fn a_head_has_a_limit_in_bytes_also_when_no_line_ends() {
    let head = |size: usize| {
        let (start, end) = ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: ", "\r\n\r\n");
        format!("{start}{}{end}", "a".repeat(size - start.len() - end.len()))
    };
    assert!(reads(head(64 * 1024)).exact);
    refused(head(64 * 1024 + 1), "over 64 KiB");
    let endless = format!("HTTP/1.1 {}", "0".repeat(64 * 1024));
    assert!(Decoder::new(Method::Get).head(&endless.as_bytes()[..64 * 1024 - 1]).is_ok());
    assert!(Decoder::new(Method::Get).head(&endless.as_bytes()[..64 * 1024]).is_err());
}

#[test]
fn a_head_has_a_limit_in_fields() {
    let head = |fields| format!("HTTP/1.1 204 OK\r\n{}\r\n", "A: 1\r\n".repeat(fields));
    assert_eq!(reads(head(256)).fields.len(), 256);
    refused(head(257), "over 256 fields");
}

#[test]
fn interim_responses_have_a_limit() {
    let responses = |interim| format!("{}HTTP/1.1 204 OK\r\n\r\n", "HTTP/1.1 102 \r\nA: 1\r\n\r\n".repeat(interim));
    assert_eq!(reads(responses(8)).status, 204);
    refused(responses(9), "over 8 interim");
    assert_eq!(byte_by_byte(Method::Get, responses(9).as_bytes()).unwrap_err().kind(), ErrorKind::Protocol);
}
