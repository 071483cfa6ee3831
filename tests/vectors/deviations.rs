//! Where the program does otherwise than llhttp, and why: each case by name, with the section of the RFC.
//!
//! llhttp serves proxies and servers too, and other protocols; the program reads answers to its own `GET` and `HEAD`, of
//! which none asks for an upgrade or a transfer coding. A case stands here as long as it occurs.

/// A case that does not end as llhttp's verdict has it.
pub struct Deviation {
    /// As [`Case::name`](super::markdown::Case::name).
    pub case: &'static str,
    pub instead: Instead,
    /// Of which RFC, and why.
    pub reason: &'static str,
}

/// What the program does.
#[derive(Clone, Copy)]
pub enum Instead {
    Refuses,
    /// It ends as `ok`, with status 200.
    Takes {
        body: &'static [u8],
    },
}

/// The deviation that is listed for a case.
pub fn of(case: &str) -> Option<&'static Deviation> {
    DEVIATIONS.iter().find(|deviation| deviation.case == case)
}

pub const DEVIATIONS: &[Deviation] = &[
    refuses("connection: HTTP 101 response with Upgrade and Content-Length header", UPGRADE),
    refuses("connection: HTTP 101 response with Upgrade and Transfer-Encoding header", UPGRADE),
    refuses("sample: RTSP response", OTHER_PROTOCOL),
    refuses("sample: ICE response", OTHER_PROTOCOL),
    refuses("sample: HTTP version 0.9", OTHER_PROTOCOL),
    refuses("sample: Response starting with CRLF", EMPTY_LINE),
    refuses("connection: HTTP 100 first, then 400", EMPTY_LINE),
    refuses("transfer-encoding: `chunked` before other transfer-encoding", CODING),
    refuses("transfer-encoding: multiple transfer-encoding where chunked is not the last one", CODING),
    refuses("transfer-encoding: `chunkedchunked` transfer-encoding does not enable chunked enconding", CODING),
    takes("invalid: Only LFs present and no body", b"", BARE_LF),
    takes("invalid: Only LFs present and no body (lenient)", b"", BARE_LF),
    takes("invalid: Only LFs present", b"BODY\n\\", BARE_LF),
    takes("invalid: Only LFs present (lenient)", b"BODY\n\\", BARE_LF),
    takes("sample: No carriage ret", NEWS, BARE_LF),
    takes("sample: No carriage ret (lenient)", NEWS, BARE_LF),
    takes("transfer-encoding: No extension after semicolon", b"aa", EXTENSION),
];

const UPGRADE: &str =
    "RFC 9110, section 7.8: a server may only switch to a protocol that the request offers, and none does";
const OTHER_PROTOCOL: &str = "RFC 9112, section 2.3: a response starts with HTTP/ and the version, of which 1.0 and 1.1 are \
    read here";
const EMPTY_LINE: &str = "RFC 9112, section 2.2: an empty line ahead is to be passed over before a request, not before a \
    response; here it could be left over from another one";
const CODING: &str = "RFC 9112, section 7: none but `chunked` may come that was not asked for; section 6.3 would have the \
    body kept as it came, still coded";
const BARE_LF: &str = "RFC 9112, section 2.2: a recipient may take a single LF as the end of a line of the head";
const EXTENSION: &str = "RFC 9112, section 7.1.1: extensions that are not known are to be passed over; what this one lacks \
    does not move the end of its line";

const NEWS: &[u8] = b"these headers are from http://news.ycombinator.com/";

const fn refuses(case: &'static str, reason: &'static str) -> Deviation {
    Deviation { case, instead: Instead::Refuses, reason }
}

const fn takes(case: &'static str, body: &'static [u8], reason: &'static str) -> Deviation {
    Deviation { case, instead: Instead::Takes { body }, reason }
}
