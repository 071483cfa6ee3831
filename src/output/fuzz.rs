//! What holds for the name of any file, and for any line of the state file.

use percent_encoding::percent_decode_str;

use super::name::Name;
use super::record::{self, Record};
use crate::fuzzing::{assert_fit_to_show, two_parts};
use crate::parse_url;

/// The least and the most that a name's limit can be.
const LIMITS: [usize; 2] = [64, 255];

/// What a URL's path or `out=` makes of a text is a name that stays where it should, can be shown and made, and can be told
/// apart as often as need be.
pub fn name(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for limit in LIMITS {
        for url in [text.as_ref(), &format!("http://h/{text}")] {
            match Name::of_url(url, limit) {
                Ok(name) => assert_name_of_url(&name, url, limit),
                Err(error) => assert_fit_to_show(&error),
            }
        }
        match Name::of_option(&text, limit) {
            Ok(name) => {
                let (folder, file) = text.rsplit_once('/').unwrap_or(("", &text));
                assert_eq!(name.folder(), folder);
                assert_cut(name.file(), file, limit);
                assert_usable(&name, limit);
            }
            Err(error) => assert_fit_to_show(&error),
        }
    }
}

/// A line of the state file that is taken for a record is, to the byte, how that record is written.
pub fn record(input: &[u8]) {
    let (line, _) = two_parts(input);
    // What is tried by chance never has the right check, so it is given one, too.
    let sealed = std::str::from_utf8(line).map(record::sealed).unwrap_or_default();
    for line in [line, sealed.trim_end_matches('\n').as_bytes()] {
        let Some((name, record)) = Record::decode(line) else { continue };
        assert_eq!(record::name(line), Some(name));
        let mut again = String::new();
        record.encode(name, &mut again);
        assert_eq!(again.strip_suffix('\n').map(str::as_bytes), Some(line), "{again:?}");
    }
}

/// It is in no folder, and names what is fetched: the last part of the path as the URL's parser has it.
#[track_caller]
fn assert_name_of_url(name: &Name, url: &str, limit: usize) {
    assert_usable(name, limit);
    assert_eq!(name.folder(), "");
    let Ok(url) = parse_url(url) else { return };
    let segment = url.path().rsplit('/').next().unwrap_or_default();
    let decoded = percent_decode_str(segment).decode_utf8().unwrap();
    assert_cut(name.file(), if decoded.is_empty() { "index.html" } else { &decoded }, limit);
}

/// The name is the whole of it, or cut and with the same extension.
#[track_caller]
fn assert_cut(name: &str, whole: &str, limit: usize) {
    if whole.len() <= limit {
        assert_eq!(name, whole);
        return;
    }
    // A character has up to four bytes, so up to three may be left.
    assert!(name.len() + 3 >= limit, "{name:?} of {whole:?}");
    let extension = whole.rfind('.').map_or("", |dot| &whole[dot..]);
    let stem = if extension.len() <= 32 { name.strip_suffix(extension) } else { Some(name) };
    assert!(whole.starts_with(stem.unwrap()), "{name:?} of {whole:?}");
}

/// Every part can be made, and so can those of the names with a number, which all differ. A long name that looks like one
/// with a number may be one of them: whoever gives numbers out looks whether a name is used.
#[track_caller]
fn assert_usable(name: &Name, limit: usize) {
    let numbered = [1, 2, 10, 11, 999_999, u64::MAX].map(|number| name.numbered(number, limit));
    for (at, other) in numbered.iter().enumerate() {
        assert!(!numbered[..at].contains(other), "{numbered:?}");
    }
    for name in numbered.iter().chain([name]) {
        assert_eq!(name.folder(), numbered[0].folder());
        for part in name.as_str().split('/') {
            assert!((1..=limit).contains(&part.len()), "{name:?}");
            assert!(!part.starts_with('.') && !part.contains('\\') && !part.contains(char::is_control), "{name:?}");
        }
    }
}
