//! Transfers that never have nothing to read, side by side at full speed: the others must get their turn. `--discard`, since a
//! disk would slow them down, and be full.

use std::time::Duration;

use crate::case::{BLOCK, BODY, Case, End, TOO_LONG, block, case, chunked, whole};
use crate::reply::Reply;

pub fn cases() -> Vec<Case> {
    let endless = |start: Reply, bytes: String| (start.then_endless(bytes, Duration::ZERO), TOO_LONG);
    let fetched = |reply: Reply| (reply, End::Counted(BODY.len() as u64));
    let plain = || endless(Reply::raw("HTTP/1.1 200 OK\r\n\r\n"), "x".repeat(8 * BLOCK));
    let chunks = |size: usize| endless(chunked(""), block(&format!("{size:x}\r\n{}\r\n", "x".repeat(size))));
    let padded = || endless(chunked(""), format!("{:0>4000}1\r\nx\r\n", "").repeat(16));
    let steady = || fetched(whole().drip(Duration::from_millis(50)));
    let mut cases: Vec<Case> =
        (1..=4).map(|n| case(format!("endless body at full speed, {n}"), plain(), steady())).collect();
    cases.extend((1..=4).map(|n| case(format!("1-byte chunks at full speed, {n}"), chunks(1), fetched(whole()))));
    cases.extend((1..=2).map(|n| case(format!("16 KiB chunks at full speed, {n}"), chunks(BLOCK), fetched(whole()))));
    cases.extend((1..=2).map(|n| case(format!("padded chunks at full speed, {n}"), padded(), fetched(whole()))));
    cases
}
