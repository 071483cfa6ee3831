//! `--compressed`: what is asked for, what is kept, and what fails as not being what it says.

#![cfg(all(feature = "cli", feature = "compressed"))]

mod support;

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use support::{Output, Reply, Server, error, ms, smolget};

macro_rules! coded {
    ($encoder:ident, $bytes:expr) => {{
        let mut encoder = $encoder::new(Vec::new(), Compression::default());
        encoder.write_all($bytes).unwrap();
        encoder.finish().unwrap()
    }};
}

/// 300,000 bytes that compress, but not too well.
fn body() -> Vec<u8> {
    (0..60_000_u32).flat_map(|n| format!("{:04x}\n", n.wrapping_mul(40_503) % 65_536).into_bytes()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    coded!(GzEncoder, bytes)
}

fn fetch(reply: Reply, args: &[&str]) -> (Output, Server) {
    let server = Server::always(reply);
    let run = smolget().args(["--json", "--compressed", "-d", "out", "--retries", "0"]).args(args);
    (run.arg(server.url("/a.txt")).run(), server)
}

fn coding(name: &str, body: impl Into<Vec<u8>>) -> Reply {
    Reply::ok(body).field("Content-Encoding", name)
}

#[test]
fn bodies_are_decoded_however_they_are_coded_and_cut() {
    let whole = body();
    let (first, second) = whole.split_at(100_000);
    let zlib = coded!(ZlibEncoder, &whole);
    for reply in [
        coding("gzip", gzip(&whole)),
        coding("x-gzip", gzip(&whole)).chunked(1000),
        coding("GZIP, identity", gzip(&whole)).until_close(),
        coding("gzip", [gzip(first), gzip(b""), gzip(second)].concat()),
        coding("deflate", zlib.clone()),
        coding("deflate", zlib).chunked(1),
        coding("deflate", coded!(DeflateEncoder, &whole)),
        coding("identity", whole.clone()),
        coding("", whole.clone()),
        Reply::ok(whole.clone()),
    ] {
        let (output, server) = fetch(reply, &[]);
        let output = output.exits(0);
        assert_eq!(output.row()["bytes"], whole.len());
        assert!(output.file("out/a.txt") == whole);
        assert_eq!(server.request("/a.txt").field("Accept-Encoding"), Some("gzip, deflate"));
    }
}

#[test]
fn a_coded_body_may_come_a_byte_at_a_time_and_its_connection_serves_again() {
    let server = Server::start(|_| coding("gzip", gzip(b"some words")).drip(ms(1)));
    let run = smolget().args(["--stdout", "-q", "--compressed", "-j", "1"]);
    let output = run.args([server.url("/1"), server.url("/2")]).run().exits(0);
    assert_eq!((output.stdout.as_slice(), server.connections()), (&b"some wordssome words"[..], 1));
}

#[test]
fn an_empty_body_is_empty_whatever_its_head_says() {
    for reply in [coding("gzip", ""), coding("deflate", "").chunked(1), coding("gzip", gzip(b""))] {
        let output = fetch(reply, &[]).0.exits(0);
        assert_eq!((&output.row()["bytes"], output.file("out/a.txt").len()), (&0.into(), 0));
    }
}

#[test]
fn what_is_not_what_it_says_fails_and_leaves_nothing() {
    let good = gzip(&body());
    let with = |at: usize| {
        let mut bad = good.clone();
        let at = if at < good.len() { at } else { good.len() - (usize::MAX - at) };
        bad[at] ^= 0x55;
        bad
    };
    let zlib = coded!(ZlibEncoder, b"some words");
    let short = |bytes: &[u8]| bytes[..bytes.len() - 1].to_vec();
    for (reply, told) in [
        (coding("gzip", "no gzip"), "not gzip"),
        (coding("gzip", with(1)), "not gzip"),
        (coding("gzip", with(good.len() / 2)), "not gzip"),
        // The checksum, and the length.
        (coding("gzip", with(usize::MAX - 8)), "not gzip"),
        (coding("gzip", with(usize::MAX - 1)), "not gzip"),
        (coding("gzip", short(&good)), "ends within gzip"),
        (coding("gzip", &good[..5]), "ends within gzip"),
        (coding("gzip", [&good[..], b"more"].concat()), "not gzip"),
        (coding("gzip", [&good[..], b"\0"].concat()), "gzip"),
        (coding("deflate", short(&zlib)), "ends within deflate"),
        (coding("deflate", [&zlib[..], b"x"].concat()), "more behind deflate"),
        (coding("deflate", short(&coded!(DeflateEncoder, b"some words"))), "ends within deflate"),
        (coding("deflate", "\u{7}nonsense"), "not deflate"),
        (coding("br", "x"), "coded as `br`"),
        (coding("gzip, gzip", gzip(&good)), "more than once"),
        (coding("gzip", good.clone()).field("Content-Encoding", "gzip"), "more than once"),
    ] {
        let output = fetch(reply, &[]).0.exits(1);
        let row = output.row();
        assert_eq!((error(&row), &row["status"], &row["attempts"]), ("encoding", &200.into(), &1.into()), "{row}");
        assert!(row["message"].as_str().unwrap().contains(told), "{told}: {row}");
        assert!(output.files().is_empty());
    }
}

#[test]
fn a_connection_that_ends_early_is_truncated_as_ever() {
    let good = gzip(&body());
    // Within the head of gzip, its data and its checksum, however a body's end is told.
    for at in [1, 5, 5000, good.len() - 8, good.len() - 1] {
        let start = || coding("gzip", &good[..at]);
        let (length, chunks) = (start().length(good.len() as u64).close(), format!("{:x}\r\n", good.len()));
        let head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunked = Reply::raw([head, chunks.as_bytes(), &good[..at]].concat()).close();
        for cut in [length, chunked, start().until_close()] {
            let row = fetch(cut, &[]).0.exits(1).row();
            assert_eq!((error(&row), at), ("truncated", at), "{row}");
        }
        // The twin: all of the message has come, and says what is not so.
        for whole in [start(), start().chunked(1000)] {
            assert_eq!(error(&fetch(whole, &[]).0.exits(1).row()), "encoding");
        }
    }
}

#[test]
fn a_coded_body_that_was_cut_is_tried_again() {
    let good = gzip(&body());
    let server = Server::start(move |request| match request.visit {
        1 => coding("gzip", &good[..5000]).until_close(),
        _ => coding("gzip", good.clone()).until_close(),
    });
    let output = smolget().args(["--json", "--compressed"]).arg(server.url("/a.txt")).run().exits(0);
    assert_eq!(output.row()["attempts"], 2);
    assert!(output.file("a.txt") == body());
}

#[test]
fn limits_and_digests_are_of_what_is_kept() {
    let whole = body();
    let bomb = coded!(GzEncoder, &vec![0; 10_000_000]);
    assert!(bomb.len() < 20_000);
    assert_eq!(error(&fetch(coding("gzip", bomb), &["--max-size", "1M"]).0.exits(1).row()), "too_large");
    // The coded body is longer than what it holds.
    let noise: Vec<u8> = (0..1000_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_be_bytes()).collect();
    let coded = gzip(&noise);
    assert!(coded.len() > noise.len());
    fetch(coding("gzip", coded.clone()), &["--max-size", &noise.len().to_string()]).0.exits(0);
    let less = (noise.len() - 1).to_string();
    assert_eq!(error(&fetch(coding("gzip", coded), &["--max-size", &less]).0.exits(1).row()), "too_large");
    let server = Server::always(coding("gzip", gzip(b"x")));
    let digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    let list = format!("{}\n  checksum=sha-256={digest}\n", server.url("/a"));
    smolget().arg("--compressed").input(list).run().exits(0);
    assert!(gzip(&whole).len() < whole.len());
}

#[test]
fn a_rate_is_that_of_what_is_sent_and_not_of_what_it_is_decoded_to() {
    let noise = |length: usize| (0..length).map(|n| (n as u32).wrapping_mul(0x9e37_79b9).rotate_left(9) as u8);
    // Nearly all of it is zeros, or nothing.
    let sparse: Vec<u8> = noise(20_000).flat_map(|byte| [byte; 1].into_iter().chain([0; 20])).collect();
    for body in [sparse, noise(30_000).collect()] {
        let coded = gzip(&body);
        let rate = coded.len().to_string();
        let output = fetch(coding("gzip", coded), &["--limit-rate", &rate]).0.exits(0);
        assert!((ms(850)..ms(5000)).contains(&output.took), "{} bytes at {rate}: {:?}", body.len(), output.took);
    }
}

#[test]
fn a_body_that_never_decodes_to_anything_does_not_hold_up_the_others() {
    // Stored blocks without a byte, one after the other, without end.
    let start = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let blocks = [0, 0, 0, 0xff, 0xff].repeat(10_000);
    let server = Server::start(move |request| match request.target.as_str() {
        "/bad" => coding("gzip", start).length(u64::MAX).then_endless(blocks.clone(), ms(0)),
        _ => Reply::ok("x"),
    });
    let urls = (0..20).map(|n| server.url(&format!("/{n}")));
    let run = smolget().args(["--json", "--discard", "--compressed", "-j", "2", "--retries", "0", "--max-time", "2"]);
    let output = run.arg(server.url("/bad")).args(urls).run().exits(1);
    let row = output.row_of(&server.url("/bad"));
    assert_eq!((error(&row), row["phase"].as_str()), ("timeout", Some("total")), "{row}");
    assert_eq!(output.rows().iter().filter(|row| row["ok"] == true).count(), 20);
}

#[test]
fn without_the_option_nothing_is_asked_for_and_all_is_kept_as_it_came() {
    let coded = gzip(b"some words");
    let server = Server::always(coding("gzip", coded.clone()));
    let output = smolget().args(["--json", "-d", "out"]).arg(server.url("/a.gz")).run().exits(0);
    assert!(output.file("out/a.gz") == coded);
    assert_eq!(server.request("/a.gz").field("Accept-Encoding"), None);
}

#[test]
fn a_header_of_the_user_s_own_says_what_is_asked_for() {
    let (output, server) = fetch(coding("gzip", gzip(b"x")), &["-H", "Accept-Encoding: gzip;q=1"]);
    output.exits(0);
    assert_eq!(server.request("/a.txt").field("Accept-Encoding"), Some("gzip;q=1"));
}
