//! Answers to HEAD that have a body all the same: `--head`.

use crate::case::{BODILESS, BODY, Case, PACE, PROTOCOL, block, case};
use crate::reply::Reply;

pub fn cases() -> Vec<Case> {
    let answer = |fields: &str, body: &str| Reply::raw(format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}"));
    let harmless = || (Reply::ok(BODY), BODILESS);
    let forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    vec![
        case("HEAD with a body", (answer("Content-Length: 16\r\n", BODY), BODILESS), harmless()),
        case("HEAD with another answer for a body", (answer("", forged), BODILESS), harmless()),
        case("HEAD with an endless body", (answer("", "junk").then_endless(block("junk"), PACE), BODILESS), harmless()),
        case(
            "HEAD with a length of 2^63",
            (answer("Content-Length: 9223372036854775808\r\n", ""), BODILESS),
            harmless(),
        ),
        case("HEAD with chunks", (answer("Transfer-Encoding: chunked\r\n", "zz\r\n"), BODILESS), harmless()),
        case("HEAD answered by HTTP/0.9", (Reply::raw(BODY).close(), PROTOCOL), harmless()),
    ]
}
