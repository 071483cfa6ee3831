//! What has to hold for any input, as functions that take one and panic where it doesn't.
//!
//! Each room has its own, beside the code that it is about. The fuzzers of `tests/fuzz` feed them; so do the tests here,
//! with the inputs that are kept in `tests/fuzz/seeds`. Not part of the library: built for the two of them alone.

pub use crate::engine::fuzz::{content_range, redirect, retry_after};
pub use crate::input::fuzz::list;
pub use crate::output::fuzz::{name, record};
pub use crate::transport::fuzz::{chunked, head, response};

use crate::error::Error;
use crate::text;

/// Cuts an input into pieces of at least a byte, at places that depend on nothing but the input: short ones, long ones or
/// both.
pub(crate) fn pieces(input: &[u8]) -> Vec<&[u8]> {
    // FNV-1a: an input that failed once is cut in the same places when it is tried again.
    let seed = input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut random = fastrand::Rng::with_seed(seed);
    let longest = random.u32(0..12);
    let (mut rest, mut pieces) = (input, Vec::new());
    while !rest.is_empty() {
        let scale = random.u32(0..=longest);
        let length = random.usize(1..=1 << scale);
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// The first line of an input, and all that follows it.
pub(crate) fn two_parts(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

/// An error's message says something, and can be shown as it is.
#[track_caller]
pub(crate) fn assert_fit_to_show(error: &Error) {
    let message = error.to_string();
    assert!(!message.is_empty() && !message.contains(text::is_unsafe), "{message:?}");
}

/// A URL as it is shown leads where the URL does, and has no password but `***`. Where there are URLs within it, theirs are
/// hidden too, so only the way to the server is the same.
#[track_caller]
pub(crate) fn assert_masked(shown: &str, url: &surf::Url) {
    let read = surf::Url::parse(shown).unwrap_or_else(|e| panic!("{shown:?} for {url}: {e}"));
    assert!(matches!(read.password(), None | Some("***")), "{shown:?} for {url}");
    assert_eq!(read.origin(), url.origin(), "{shown:?}");
    if shown.matches("://").count() == 1 {
        assert_eq!((read.path(), read.query()), (url.path(), url.query()), "{shown:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::panic::catch_unwind;
    use std::path::Path;

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 9] = [
        ("chunked", chunked),
        ("content_range", content_range),
        ("head", head),
        ("list", list),
        ("name", name),
        ("record", record),
        ("redirect", redirect),
        ("response", response),
        ("retry_after", retry_after),
    ];

    /// Bytes that mean something to one format or another.
    const TELLING: &[u8] = b"\0\t\n\r %-./0:;@\\a\x7f\xc3\xff";

    fn folder(part: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(part)
    }

    fn names(part: &str) -> Vec<String> {
        let entries = fs::read_dir(folder(part)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn hold((name, target): Target, input: &[u8]) {
        assert!(catch_unwind(|| target(input)).is_ok(), "{name} does not take {}", input.escape_ascii());
    }

    #[test]
    fn what_has_to_hold_holds_for_what_is_kept_and_for_all_that_is_nearly_that() {
        for target in TARGETS {
            for seed in names(&format!("seeds/{}", target.0)) {
                let seed = fs::read(folder("seeds").join(target.0).join(seed)).unwrap();
                hold(target, &seed);
                for at in 0..seed.len() {
                    hold(target, &seed[..at]);
                    let mut spoiled = seed.clone();
                    spoiled[at] = TELLING[at % TELLING.len()];
                    hold(target, &spoiled);
                }
            }
        }
    }

    #[test]
    fn every_target_has_seeds_and_a_fuzzer() {
        let targets = TARGETS.map(|(name, _)| name.to_owned());
        assert_eq!(names("seeds"), targets);
        assert!(targets.iter().all(|name| !names(&format!("seeds/{name}")).is_empty()));
        // A package has no fuzzers: they are one of their own.
        if folder("targets").exists() {
            assert_eq!(names("targets/src/bin"), targets.map(|name| name + ".rs"));
        }
    }

    #[test]
    fn pieces_are_the_whole_in_order_and_not_always_the_same() {
        let inputs: Vec<_> = (0..200u8).map(|n| vec![n; usize::from(n)]).collect();
        assert!(inputs.iter().all(|input| pieces(input).concat() == *input));
        assert!(inputs.iter().any(|input| input.len() > 9 && pieces(input).len() == 1));
        assert!(inputs.iter().any(|input| input.len() > 9 && pieces(input).len() == input.len()));
    }

    #[test]
    #[should_panic(expected = "\\u{1b}")]
    fn a_message_that_steers_a_terminal_is_not_let_pass() {
        assert_fit_to_show(&Error::new(crate::ErrorKind::Url, "\u{1b}[2J"));
    }

    #[test]
    #[should_panic(expected = "secret")]
    fn a_password_is_not_let_pass() {
        let url = "http://u:secret@h/";
        assert_masked(&text::mask(url), &crate::parse_url(url).unwrap());
        assert_masked(url, &crate::parse_url(url).unwrap());
    }
}
