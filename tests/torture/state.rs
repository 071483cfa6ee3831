//! The state file of `--sync` → whether it says of any file what is not so.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

pub const NAME: &str = ".smolget-state";

/// Each name that a state file remembers, with the digest of its file: of the lines whose check is right, the last.
pub fn remembered(state: &[u8]) -> BTreeMap<String, String> {
    let lines = state.split(|&byte| byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let whole = lines.filter_map(|line| line.split_once('\t').filter(|(told, rest)| *told == check(rest)));
    let fields = whole.map(|(_, rest)| rest.split('\t').collect::<Vec<_>>());
    fields.map(|fields| (fields[0].to_owned(), fields[3].to_owned())).collect()
}

/// What is remembered may be of fewer files than there are, and never of another one than is there.
pub fn is_not_ahead(files: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
    let Some(state) = files.get(NAME) else { return Ok(()) };
    let is_wrong = |(name, digest): &(&String, &String)| {
        let found = files.get(*name).map(|content| hex(&Sha256::digest(content)));
        found.as_ref() != Some(*digest)
    };
    let wrong = remembered(state).iter().find(is_wrong).map(|(name, _)| name.clone());
    wrong.map_or(Ok(()), |name| Err(format!("{name} is remembered as another than it is")))
}

/// FNV-1a.
fn check(text: &str) -> String {
    let sum = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{sum:016x}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
