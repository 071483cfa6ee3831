//! Redirects that lead nowhere, in circles, or come with more than they should; and error pages that do.

use std::time::Duration;

use crate::case::{Act, BODY, Case, End, PACE, PROTOCOL, REDIRECT, STATUS, TOO_LONG, block, case, head, whole};
use crate::reply::Reply;
use crate::server::Request;

pub fn cases() -> Vec<Case> {
    circles().into_iter().chain(targets()).chain(bodies()).collect()
}

/// A reply that redirects every target but one that ends in `/end`.
fn leading(reply: Reply) -> Act {
    Act::new(move |request| if request.target.ends_with("/end") { whole() } else { reply.clone() }, End::right())
}

/// Leads to the path below it with the next number, `last` times.
fn steps(request: &Request, last: usize) -> Reply {
    let (path, hop) = request.target.split_once("/hop").unwrap_or((&request.target, "0"));
    match hop.parse::<usize>() {
        Ok(hop) if hop < last => Reply::redirect(302, format!("{path}/hop{}", hop + 1)),
        _ => whole(),
    }
}

fn circles() -> Vec<Case> {
    let itself = |request: &Request| Reply::redirect(301, &request.target);
    let two = |request: &Request| match request.target.strip_suffix("/back") {
        Some(there) => Reply::redirect(302, there),
        None => Reply::redirect(302, format!("{}/back", request.target)),
    };
    let ten = || Act::new(|request| steps(request, 10), End::right());
    vec![
        case("redirect to itself", Act::new(itself, REDIRECT), leading(Reply::redirect(301, "end/end"))),
        case("redirect loop of two", Act::new(two, REDIRECT), ten()),
        case("redirects that go on for ever", Act::new(|request| steps(request, usize::MAX), REDIRECT), ten()),
    ]
}

fn targets() -> Vec<Case> {
    let good = || leading(Reply::redirect(302, "end/end"));
    let to = |location: &str| (Reply::redirect(302, location), REDIRECT);
    let raw = |location: &[u8]| {
        Reply::raw([b"HTTP/1.1 302 x\r\nContent-Length: 0\r\nLocation: ", location, b"\r\n\r\n"].concat())
    };
    let bad = |location: &str| case(format!("redirect to {location}"), to(location), good());
    let long = || leading(Reply::redirect(302, "x/../".repeat(3000) + "end/end"));
    let mut cases = Vec::from(
        ["file:///etc/passwd", "gopher://127.0.0.1/1", "javascript:alert(1)", "data:,x", "ftp://127.0.0.1/"].map(bad),
    );
    cases.extend([
        case("redirect to 100 KB of Location", (Reply::redirect(302, "x".repeat(100_000)), PROTOCOL), long()),
        case("redirect to 20 KB of Location", to(&"x".repeat(20_000)), long()),
        case("redirect to 15 KB of punycode", to(&format!("http://xn--{}/", "a".repeat(15_000))), good()),
        case("redirect to 15 KB of accents", to(&format!("http://{}/", "\u{344}\u{301}\u{323}".repeat(2400))), good()),
        case("redirect without a Location", (Reply::status(302), REDIRECT), good()),
        case(
            "redirect to two places",
            (Reply::redirect(302, "end").field("Location", "other"), REDIRECT),
            leading(Reply::redirect(302, "end/end").field("Location", "end/end")),
        ),
        case("redirect with an escape sequence", (raw(b"/\x1b[2J"), PROTOCOL), good()),
        case("redirect with an 8-bit escape sequence", (raw("/\u{9b}2J".as_bytes()), REDIRECT), good()),
        case("redirect in Latin-1", (raw(b"/\xfc"), REDIRECT), leading(Reply::redirect(302, "\u{fc}/end"))),
    ]);
    cases
}

fn bodies() -> Vec<Case> {
    let start = |status: u16| format!("HTTP/1.1 {status} x\r\nLocation: end/end\r\n");
    let endless = |status: u16| Reply::raw(start(status) + "\r\n").then_endless(block("x"), Duration::ZERO);
    let stalled = |status: u16| Reply::raw(start(status) + "Content-Length: 100\r\n\r\nx").hold();
    let page = || leading(Reply::redirect(302, "end/end").body("x"));
    let lying = |length: u64| Reply::redirect(302, "end/end").length(length);
    let escape = Reply::raw("HTTP/1.1 404 \u{9b}31m\r\nContent-Length: 0\r\n\r\n");
    let stalling = |request: &Request| steps(request, usize::MAX).length(9).hold();
    vec![
        case("3xx with an endless body", leading(endless(302)), page()),
        case("3xx with a body of 2^64-1 bytes", leading(lying(u64::MAX).then_endless(block("x"), PACE)), page()),
        case("3xx with a body that stalls", leading(stalled(307)), page()),
        case("3xx with a body that ends early", leading(lying(9).close()), page()),
        case(
            "redirects for ever, with bodies that stall",
            Act::new(stalling, TOO_LONG),
            Act::new(|request| steps(request, 10).body(BODY), End::right()),
        ),
        case("404 with an endless body", (endless(404), STATUS), whole().until_close()),
        case("404 with a body that stalls", (stalled(404), STATUS), whole()),
        case("404 with an 8-bit escape sequence", (escape, STATUS), head("HTTP/1.1 200 [31m\r\nContent-Length: 16")),
    ]
}
