//! Another codec as oracle: ureq-proto reads what ours reads, and the two have to agree.
//!
//! Responses are [generated](generate), regular ones, odd ones and broken ones. Where both take one, it has to be the same
//! in status, fields, body, end, and in whether its connection may be kept. Where they differ, the difference has to be
//! one that is [known], with the reason why ours is right; each of those has to occur, and what ours is to refuse it may not
//! take because the other does.
//!
//! Both have httparse read the lines of a head, so about those they can't but agree; not so about where a head ends, what
//! its fields mean, and the body.

mod generate;
mod known;
mod parts;
mod theirs;

use std::collections::BTreeMap;
use std::fmt;

use fastrand::Rng;

use known::Known;

use super::driver::{Seen, receive};
use crate::config::Method;
use crate::error::ErrorKind;

/// How many responses are generated: what a debug build reads twice in less than a second.
const RESPONSES: usize = 10_000;
/// Any number will do, so long as every run has the same.
const SEED: u64 = 9112;

/// A response, how it was asked for, and what each codec makes of it.
struct Case {
    method: Method,
    input: Vec<u8>,
    ours: Result<Seen, String>,
    theirs: Result<Seen, String>,
}

impl Case {
    /// Reads a response with both; ours gets it in pieces of `size`.
    fn read(method: Method, input: Vec<u8>, size: usize) -> Self {
        let ours = receive(method, input.chunks(size)).map(normal).map_err(|error| {
            assert!(matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Truncated), "{error:?}");
            error.to_string()
        });
        let theirs = theirs::read(method, &input).map(normal);
        Self { method, input, ours, theirs }
    }

    fn agrees(&self) -> bool {
        match (&self.ours, &self.theirs) {
            (Ok(ours), Ok(theirs)) => ours == theirs,
            (ours, theirs) => ours.is_err() && theirs.is_err(),
        }
    }
}

/// Without what the other codec does not keep: the case of names, the order of fields of other names, a length of 0.
fn normal(mut seen: Seen) -> Seen {
    seen.length = seen.length.filter(|&length| length > 0);
    seen.fields.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
    seen.fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    seen
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, input, ours, theirs } = self;
        write!(f, "{method:?}: {}\nours:   {ours:?}\ntheirs: {theirs:?}", input.escape_ascii())
    }
}

#[test]
fn another_codec_reads_the_same_but_for_known_differences() {
    let mut rng = Rng::with_seed(SEED);
    let (mut taken, mut refused, mut occurred) = (0, 0, BTreeMap::new());
    for number in 0..RESPONSES {
        let method = if rng.u8(..6) == 0 { Method::Head } else { Method::Get };
        let input = generate::response(&mut rng);
        let size = rng.usize(1..=input.len().max(1));
        let case = Case::read(method, input, size);
        if let Some(known) = known::breach(&case) {
            panic!("response {number}, {case}\ntaken against: {} ({})", known.name, known.reason);
        }
        match case.agrees() {
            true if case.ours.is_ok() => taken += 1,
            true => refused += 1,
            false => {
                let known = known::difference(&case).unwrap_or_else(|| panic!("response {number}, {case}"));
                *occurred.entry(known.name).or_insert(0) += 1;
            }
        }
    }
    for Known { name, reason, .. } in known::all() {
        assert!(occurred.contains_key(name), "did not occur: {name} ({reason})");
    }
    // Else the generator makes too much of one kind to say anything.
    let enough = RESPONSES / 4;
    assert!(taken > enough && refused > enough, "both took {taken} and refused {refused}; {occurred:?}");
}
