//! Where our codec and the other differ, and why ours is right.
//!
//! What excuses a difference is looked for in the response itself; what an error says excuses nothing.

use super::parts::Parts;
use super::{Case, Seen};

/// A difference that is known.
pub struct Known {
    /// What ours does.
    pub name: &'static str,
    /// The section of the RFC, and why.
    pub reason: &'static str,
    /// Whether a response that one takes has what they differ in.
    occurs: fn(&Parts) -> bool,
}

/// The known difference that a case shows.
pub fn difference(case: &Case) -> Option<&'static Known> {
    match (&case.ours, &case.theirs) {
        (Ok(ours), Err(_)) => OURS_ALONE.iter().find(|known| (known.occurs)(&Parts::of(case, ours))),
        (Err(_), Ok(theirs)) => THEIRS_ALONE.iter().find(|known| (known.occurs)(&Parts::of(case, theirs))),
        (Ok(ours), Ok(theirs)) if Seen { may_reuse: theirs.may_reuse, ..ours.clone() } == *theirs => {
            REUSE_ALONE.iter().find(|known| (known.occurs)(&Parts::of(case, ours)))
        }
        _ => None,
    }
}

/// What ours should have refused in a case that it takes.
pub fn breach(case: &Case) -> Option<&'static Known> {
    let ours = case.ours.as_ref().ok()?;
    THEIRS_ALONE.iter().find(|known| (known.occurs)(&Parts::of(case, ours)))
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Known> {
    OURS_ALONE.iter().chain(THEIRS_ALONE).chain(REUSE_ALONE)
}

/// What ours takes and the other refuses.
const OURS_ALONE: &[Known] = &[
    Known {
        name: "a chunk's line may be over 20 bytes",
        reason: "RFC 9112, section 7.1.1: extensions are to be passed over, and the limit is ours to set: 4 KiB",
        occurs: |parts| parts.chunks().lines.iter().any(|line| line.len() > 20),
    },
    Known {
        name: "a 100 may have fields",
        reason: "RFC 9110, section 15.2: a client parses interim responses, and no rule denies one fields",
        occurs: |parts| parts.interim.iter().any(|head| head.status() == b"100" && head.fields().count() > 0),
    },
    Known {
        name: "a length that frames nothing may be no number",
        reason: "RFC 9112, section 6.3: whatever the fields say, the response ends with its head",
        occurs: |parts| parts.has_idle_length(),
    },
    Known {
        name: "a head may have over 128 fields",
        reason: "RFC 9110, section 5.4: no limit is laid down; ours is 256",
        occurs: |parts| parts.head.fields().count() > 128,
    },
];

/// What the other takes and ours refuses.
const THEIRS_ALONE: &[Known] = &[
    Known {
        name: "no empty line may precede a response",
        reason: "RFC 9112, section 2.2: it is to be passed over before a request; before a response it is left over",
        occurs: |parts| parts.interim.iter().chain([&parts.head]).any(|head| matches!(head.0, [b'\r' | b'\n', ..])),
    },
    Known {
        name: "a server may not switch protocols",
        reason: "RFC 9110, section 7.8: it may only when the request offers to",
        occurs: |parts| parts.taken.status == 101,
    },
    Known {
        name: "there may be eight interim responses at most",
        reason: "RFC 9110, section 15.2: one or more; without a limit they could go on for ever",
        occurs: |parts| parts.interim.len() > 8,
    },
    Known {
        name: "no coding but chunked may come, and that once",
        reason: "RFC 9112, sections 6.1 and 7: nothing else was asked for; passed over, the body would be kept coded",
        occurs: |parts| parts.codings().is_some_and(|codings| codings != [b"chunked".as_slice()]),
    },
    Known {
        name: "chunks may not go with a length",
        reason: "RFC 9112, section 6.3: it may be an attempt at smuggling, and ought to be handled as an error",
        occurs: |parts| parts.codings().is_some() && parts.values("content-length").next().is_some(),
    },
    Known {
        name: "chunks may not go with HTTP/1.0",
        reason: "RFC 9112, section 6.1: the framing is to be treated as faulty",
        occurs: |parts| parts.codings().is_some() && parts.head.0.starts_with(b"HTTP/1.0"),
    },
    Known {
        name: "a chunk's size is digits alone",
        reason: "RFC 9112, section 7.1: 1*HEXDIG; white space only before an extension (section 7.1.1)",
        occurs: |parts| !parts.chunks().lines.into_iter().all(is_size),
    },
    Known {
        name: "an extension has no control characters",
        reason: "RFC 9112, section 7.1.1: tokens and quoted strings have none; a bare LF there is a way to smuggle",
        occurs: |parts| !parts.chunks().lines.into_iter().all(is_text),
    },
    Known {
        name: "a trailer is a field line",
        reason: "RFC 9112, section 7.1.2",
        occurs: |parts| !parts.chunks().trailers.into_iter().all(is_field),
    },
];

/// What both take, and differ in whether the connection may be kept.
const REUSE_ALONE: &[Known] = &[Known {
    name: "bytes beyond ASCII hide nothing else in Connection",
    reason: "RFC 9110, section 5.5: they are opaque data; the other elements of the list mean what they mean",
    occurs: |parts| parts.values("connection").any(|value| !value.is_ascii()),
}];

/// Whether a chunk's line is a size, alone or with an extension.
fn is_size(line: &[u8]) -> bool {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let behind = &line[digits..];
    digits > 0 && (behind.is_empty() || behind.trim_ascii_start().starts_with(b";"))
}

/// Not by our codec's own rules: a wrong one would excuse itself.
fn is_text(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..))
}

fn is_field(line: &[u8]) -> bool {
    let is_token = |byte: &u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte);
    let (name, value) = line.split_at(line.iter().position(|&byte| byte == b':').unwrap_or_default());
    !name.is_empty() && name.iter().all(is_token) && is_text(value)
}
