//! What holds for any list.

use super::lines::MAX_LINE;
use super::parser::{MAX_HEADERS, Parser};
use crate::fuzzing::{assert_fit_to_show, assert_masked, pieces};
use crate::job::{Entry, Job, Rejected};

/// However a list comes, it gives the same entries, one for each line that wants one; none is longer than it may be, and none
/// shows a password.
pub fn list(input: &[u8]) {
    let entries = read([input]);
    let told: Vec<_> = entries.iter().map(tell).collect();
    assert_eq!(read(pieces(input)).iter().map(tell).collect::<Vec<_>>(), told);
    assert_eq!(read(input.chunks(1)).iter().map(tell).collect::<Vec<_>>(), told);
    let expected = wanted(input);
    assert_eq!(entries.len(), expected.len(), "{told:?}");
    for (entry, lines) in entries.iter().zip(&expected) {
        let line = match entry {
            Entry::Job(job) => assert_job(job),
            Entry::Rejected(rejected) => assert_rejected(rejected),
        };
        assert!(lines.contains(&line), "line {line} of {lines:?}");
    }
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Entry> {
    let mut parser = Parser::default();
    let mut entries = Vec::new();
    for mut piece in pieces {
        entries.extend(std::iter::from_fn(|| parser.next(&mut piece)));
        assert!(piece.is_empty());
    }
    entries.extend(std::iter::from_fn(|| parser.finish()));
    assert!(parser.abandon().is_none() && parser.break_off().is_none());
    entries
}

/// All that an entry is, short.
fn tell(entry: &Entry) -> String {
    match entry {
        Entry::Job(Job { url, text, mirrors, out, headers, checksum, gates, line }) => {
            let urls: Vec<_> = mirrors.iter().chain([url]).map(surf::Url::as_str).collect();
            let headers: Vec<_> = headers.iter().map(|header| (header.name(), header.value())).collect();
            format!("{line:?} {text:?} {urls:?} {out:?} {headers:?} {checksum:?} {gates:?}")
        }
        Entry::Rejected(Rejected { text, line, error }) => format!("{line:?} {text:?} {error}"),
    }
}

/// The lines that each entry may be of: a URL's line and those of its options, or a line without a URL above it. Read from
/// the whole list at once, by the first byte of each line.
fn wanted(input: &[u8]) -> Vec<Vec<u64>> {
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let (mut wanted, mut is_open) = (Vec::new(), false);
    for (number, line) in (1..).zip(input.split(|&byte| byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.first() {
            Some(b'#') => {}
            _ if line.iter().all(|byte| b" \t".contains(byte)) && line.len() <= MAX_LINE => is_open = false,
            Some(b' ' | b'\t') if is_open => wanted.last_mut().unwrap_or(&mut Vec::new()).push(number),
            Some(first) => {
                wanted.push(vec![number]);
                is_open = !b" \t".contains(first);
            }
            None => {}
        }
    }
    wanted
}

fn assert_job(job: &Job) -> u64 {
    let texts = job.out.iter().map(String::as_str).chain([job.text.as_str()]);
    let headers = job.headers.iter().map(|header| header.value());
    assert!(texts.chain(headers).all(|text| text.len() <= MAX_LINE && !text.contains(is_control)), "{job:?}");
    assert!(job.headers.iter().map(|header| header.name().len() + header.value().len()).sum::<usize>() <= MAX_HEADERS);
    assert!(job.mirrors.len() <= MAX_LINE);
    for url in job.mirrors.iter().chain([&job.url]) {
        assert!(matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty()));
    }
    // Whatever stood in the lines before.
    assert_eq!(crate::parse_url(&job.text).as_ref().ok(), Some(&job.url), "{job:?}");
    assert_masked(&job.shown(), &job.url);
    job.line.unwrap()
}

fn is_control(c: char) -> bool {
    c.is_control() && c != '\t'
}

fn assert_rejected(rejected: &Rejected) -> u64 {
    assert_fit_to_show(&rejected.error);
    assert!(rejected.text.len() <= MAX_LINE + "***".len());
    assert!(!rejected.to_string().contains(crate::text::is_unsafe), "{rejected}");
    for url in rejected.text.split('\t').flat_map(surf::Url::parse) {
        assert!(matches!(url.password(), None | Some("***")), "{rejected}");
    }
    rejected.line.unwrap()
}
