//! Responses over the wire: where a body ends, and what is no HTTP at all.

#![cfg(feature = "cli")]

mod support;

use serde_json::Value;
use support::{Reply, Server, chunks, error, ms, smolget};

/// Fetches one scripted reply; the row, and what was saved.
fn fetch_with(reply: Reply, args: &[&str]) -> (Value, Option<Vec<u8>>) {
    let server = Server::always(reply);
    let args = ["--json", "--retries", "0", "--timeout", "10s"].iter().chain(args);
    let output = smolget().args(args).arg(server.url("/body")).run();
    (output.row(), output.files().remove("body"))
}

fn fetch(reply: Reply) -> (Value, Option<Vec<u8>>) {
    fetch_with(reply, &[])
}

#[track_caller]
fn assert_body(reply: Reply, body: &[u8]) {
    let (row, saved) = fetch(reply);
    assert_eq!((&row["ok"], &row["bytes"]), (&true.into(), &body.len().into()), "{row}");
    assert!(saved.as_deref() == Some(body), "{:?}", saved.map(|saved| String::from_utf8_lossy(&saved).into_owned()));
}

#[track_caller]
fn assert_failure(reply: Reply, kind: &str) {
    let (row, saved) = fetch(reply);
    assert_eq!((error(&row), saved), (kind, None), "{row}");
}

fn chunked(coded: &str) -> Reply {
    Reply::raw(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{coded}"))
}

fn fields(lines: &str) -> Reply {
    Reply::raw(format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 4\r\n\r\nbody"))
}

#[test]
fn bodies_of_every_framing_are_whole() {
    let large: Vec<u8> = (0..=250).cycle().take(3_000_001).collect();
    assert_body(Reply::ok(large.clone()), &large);
    assert_body(Reply::ok(large.clone()).until_close(), &large);
    assert_body(Reply::ok(large.clone()).chunked(100_000), &large);
    assert_body(Reply::ok(large[..5000].to_vec()).chunked(1), &large[..5000]);
    assert_body(Reply::raw("HTTP/1.0 200 OK\r\n\r\nbody").close(), b"body");
}

#[test]
fn it_does_not_matter_how_the_bytes_are_cut() {
    assert_body(fields("").drip(ms(1)), b"body");
    assert_body(chunked("2;x=y\r\nbo\r\n2\r\ndy\r\n0\r\nT: 1\r\n\r\n").drip(ms(1)), b"body");
    assert_body(Reply::raw("HTTP/1.1 200 OK\r\n\r\nbody").drip(ms(1)).close(), b"body");
    assert_body(Reply::raw("HTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody").drip(ms(1)).close(), b"body");
}

#[test]
fn chunks_may_have_extensions_trailers_and_leading_zeros() {
    assert_body(chunked("4;a=b;c=\"d\"\r\nbody\r\n0;e\r\n\r\n"), b"body");
    assert_body(chunked("00004\r\nbody\r\n000\r\nTrailer: x\r\nOther: y\r\n\r\n"), b"body");
    assert_body(chunked("A\r\n0123456789\r\n0\r\n\r\n"), b"0123456789");
}

#[test]
fn a_head_may_be_written_oddly() {
    assert_body(Reply::raw("HTTP/1.1 200\r\ncontent-length: 4\r\n\r\nbody"), b"body");
    assert_body(Reply::raw("HTTP/1.1 200 \r\nCONTENT-LENGTH:4\r\n\r\nbody"), b"body");
    assert_body(Reply::raw("HTTP/1.1 299 Odd Reason\r\nContent-Length:   4  \r\n\r\nbody"), b"body");
    assert_body(fields("X-Empty:\r\nX-Latin: \u{fc}\r\n"), b"body");
    let latin = [&b"HTTP/1.1 200 \xfc\r\nX-Raw: \xff\xfe\r\nContent-Length: 4\r\n\r\nbody"[..]].concat();
    assert_body(Reply::raw(latin), b"body");
}

#[test]
fn interim_responses_are_passed_over_up_to_eight() {
    let interim = |count| "HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n".repeat(count);
    let reply = |count| Reply::raw(interim(count) + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
    assert_body(reply(1), b"body");
    assert_body(reply(8), b"body");
    assert_failure(reply(9), "protocol");
    assert_failure(Reply::raw(interim(1000)), "protocol");
}

#[test]
fn a_head_may_have_64_kib_and_256_fields() {
    assert_body(fields(&"X-A: 1\r\n".repeat(255)), b"body");
    assert_failure(fields(&"X-A: 1\r\n".repeat(256)), "protocol");
    assert_body(fields(&format!("X-A: {}\r\n", "x".repeat(63 << 10))), b"body");
    assert_failure(fields(&format!("X-A: {}\r\n", "x".repeat(64 << 10))), "protocol");
}

#[test]
fn a_head_without_end_is_given_up_long_before_the_timeout() {
    let (row, _) = fetch(Reply::raw("HTTP/1.1 200 OK\r\nX-A: ".to_owned() + &"x".repeat(1 << 20)).hold());
    assert_eq!(error(&row), "protocol");
    assert!(row["ms"].as_u64().unwrap() < 9000, "{row}");
}

#[test]
fn what_is_no_http_is_a_protocol_failure() {
    for bytes in [
        "this is not HTTP\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/0.9 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "<html></html>\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ] {
        assert_failure(Reply::raw(bytes).close(), "protocol");
    }
}

#[test]
fn fields_that_are_none_are_a_protocol_failure() {
    for line in
        ["X A: 1\r\n", "X-A : 1\r\n", ": 1\r\n", "no colon\r\n", "X-A: \0\r\n", "X-A: a\rb\r\n", "X-\u{fc}: 1\r\n"]
    {
        assert_failure(fields(line), "protocol");
    }
    assert_body(fields("X-A: 1\r\n"), b"body");
}

#[test]
fn a_length_that_is_none_is_a_protocol_failure() {
    for value in ["-4", "+4", "4x", "0x4", "four", "", "4.0", "4 4", "4, 5", "99999999999999999999999"] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {value}\r\n\r\nbody");
        assert_failure(Reply::raw(head).close(), "protocol");
    }
    assert_failure(fields("Content-Length: 5\r\n"), "protocol");
}

#[test]
fn a_chunk_that_is_none_is_a_protocol_failure() {
    for coded in [
        "zz\r\nbody\r\n0\r\n\r\n",
        "\r\nbody\r\n0\r\n\r\n",
        "-4\r\nbody\r\n0\r\n\r\n",
        "+4\r\nbody\r\n0\r\n\r\n",
        "0x4\r\nbody\r\n0\r\n\r\n",
        "4 4\r\nbody\r\n0\r\n\r\n",
        "4\r\nbodybody\r\n0\r\n\r\n",
        "4\r\nbody0\r\n\r\n",
        "ffffffffffffffffff\r\nbody\r\n0\r\n\r\n",
    ] {
        assert_failure(chunked(coded).close(), "protocol");
    }
}

#[test]
fn chunk_lines_and_trailers_without_end_are_a_protocol_failure() {
    assert_failure(chunked(&format!("4;{}", "x".repeat(1 << 20))).hold(), "protocol");
    assert_failure(chunked(&format!("{}4\r\nbody\r\n", "0".repeat(1 << 20))).hold(), "protocol");
    assert_failure(chunked(&format!("0\r\n{}", "T: x\r\n".repeat(200_000))).hold(), "protocol");
}

#[test]
fn a_transfer_coding_that_is_not_known_is_a_protocol_failure() {
    for coding in ["gzip", "gzip, chunked", "chunked, gzip", "xchunked", "chunked, chunked"] {
        let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n");
        assert_failure(Reply::raw(head).close(), "protocol");
    }
    assert_body(Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"), b"body");
}

#[test]
fn an_end_before_the_end_is_truncated() {
    let coded = String::from_utf8(chunks(b"a body of some length", 8)).unwrap();
    for cut in [0, 1, 2, 5, 10, coded.len() - 5, coded.len() - 4, coded.len() - 2, coded.len() - 1] {
        assert_failure(chunked(&coded[..cut]).close(), "truncated");
    }
    for cut in ["", "H", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\nX-A: 1\r\n", "HTTP/1.1 100 Continue\r\n\r\n"] {
        assert_failure(Reply::raw(cut).close(), "truncated");
    }
    assert_failure(Reply::ok("part").length(5).close(), "truncated");
    assert_failure(Reply::ok("").length(1).close(), "truncated");
}

#[test]
fn a_reset_is_truncated_too() {
    for reply in [Reply::raw(""), Reply::raw("HTTP/1.1 200 OK\r\n"), Reply::ok("part").length(100)] {
        assert_failure(reply.then_pause(ms(50)).reset(), "truncated");
    }
    // Without a length, only an orderly end is one.
    assert_failure(Reply::raw("HTTP/1.1 200 OK\r\n\r\npart").then_pause(ms(50)).reset(), "truncated");
}

#[test]
fn a_part_of_the_file_is_not_kept_as_the_whole() {
    let partial = |range: &str| Reply::status(206).body("body").field("Content-Range", range);
    for range in ["bytes 0-3/10", "bytes 6-9/10", "bytes 0-3/*", "bytes */10", "bytes 0-4/5", "items 0-3/4", ""] {
        let (row, saved) = fetch(partial(range));
        assert_eq!((error(&row), &row["status"], saved), ("protocol", &206.into(), None), "{range}: {row}");
    }
    assert_failure(partial("bytes 0-3/4").field("Content-Range", "bytes 0-3/4"), "protocol");
    assert_failure(partial("bytes 0-4/5").chunked(2), "protocol");
    assert_failure(partial("bytes 0-4/5").until_close(), "protocol");
    assert_failure(
        Reply::status(206).body("body").field("Content-Type", "multipart/byteranges; boundary=x"),
        "protocol",
    );
}

#[test]
fn a_206_that_is_the_whole_file_is_kept() {
    let whole = || Reply::status(206).body("body").field("Content-Range", "bytes 0-3/4");
    assert_body(whole(), b"body");
    assert_body(whole().chunked(2), b"body");
    assert_body(whole().until_close(), b"body");
    assert_body(Reply::status(206).body("body"), b"body");
    assert_body(Reply::ok("body").field("Content-Range", "bytes 5-9/10"), b"body");
}

#[test]
fn a_status_without_a_body_has_none_whatever_its_length_says() {
    let reply = Reply::raw("HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n").hold();
    let (row, saved) = fetch(reply);
    assert_eq!((&row["status"], &row["bytes"], saved), (&204.into(), &0.into(), Some(Vec::new())));
    let reply = Reply::raw("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n").hold();
    assert_eq!(fetch(reply).0["bytes"], 0);
}

#[test]
fn an_answer_to_head_has_no_body_whatever_its_length_says() {
    for fields in ["Content-Length: 1000000", "Transfer-Encoding: chunked", "X-No-Length: 1"] {
        let reply = Reply::raw(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n")).hold();
        let (row, saved) = fetch_with(reply, &["--head"]);
        assert_eq!((&row["ok"], &row["bytes"], saved), (&true.into(), &0.into(), None), "{fields}");
    }
}

#[test]
fn a_body_over_the_size_limit_fails_before_it_is_read() {
    let (row, saved) = fetch_with(Reply::ok("").length(1001).hold(), &["--max-size", "1000"]);
    assert_eq!((error(&row), &row["status"], saved), ("too_large", &200.into(), None));
    let (row, _) = fetch_with(Reply::ok("").length(u64::MAX).hold(), &["--max-size", "1000"]);
    assert_eq!(error(&row), "too_large");
    assert_eq!(fetch_with(Reply::ok(vec![b'x'; 1000]), &["--max-size", "1000"]).0["ok"], true);
}

#[test]
fn a_body_over_the_size_limit_fails_while_it_is_read() {
    for reply in [Reply::ok(vec![b'x'; 1001]).chunked(100), Reply::ok(vec![b'x'; 1001]).until_close()] {
        let (row, saved) = fetch_with(reply, &["--max-size", "1000"]);
        assert_eq!((error(&row), saved), ("too_large", None));
    }
    for reply in [Reply::ok(vec![b'x'; 1000]).chunked(100), Reply::ok(vec![b'x'; 1000]).until_close()] {
        assert_eq!(fetch_with(reply, &["--max-size", "1000"]).0["ok"], true);
    }
}

#[test]
fn a_body_that_never_ends_fails_at_the_size_limit() {
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(65536));
    let (row, _) = fetch_with(chunked(&chunk.repeat(20)).hold(), &["--max-size", "1M"]);
    assert_eq!(error(&row), "too_large");
}

#[test]
fn a_coding_that_was_not_asked_for_is_kept_as_it_came() {
    let server = Server::always(Reply::ok("\u{1f}not really gzip").field("Content-Encoding", "gzip"));
    let output = smolget().arg("--json").arg(server.url("/body")).run().exits(0);
    assert_eq!(output.file("body"), "\u{1f}not really gzip".as_bytes());
    let request = server.request("/body");
    assert!(matches!(request.field("Accept-Encoding"), None | Some("identity")), "{request:?}");
}
