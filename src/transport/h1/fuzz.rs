//! What holds for any response: where its head and its chunks end, and that it doesn't matter how it is cut.

use super::chunked::{Chunked, MAX_LINE, MAX_TRAILER_FIELDS};
use super::driver::{Seen, receive};
use super::head::MAX_FIELDS;
use super::{Decoder, Head, HeadStep, MAX_HEAD, MAX_INTERIM, Span, is_text};
use crate::config::Method;
use crate::error::{Error, ErrorKind};
use crate::fuzzing::{assert_fit_to_show, pieces};
use crate::grammar::is_token;

/// A head ends at the first empty line that is not an interim response's; its fields are fields, the ones that httparse
/// reads, and read the same when they are written again.
pub fn head(input: &[u8]) {
    for method in [Method::Get, Method::Head] {
        let mut decoder = Decoder::new(method);
        match decoder.head(input) {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Protocol);
                assert_fit_to_show(&error);
            }
            Ok(HeadStep::Partial { consumed }) => {
                assert!(blocks(input, consumed).len() <= MAX_INTERIM.into());
                assert_eq!(empty_line(&input[consumed..]), None);
                assert!(input.len() - consumed < MAX_HEAD);
            }
            Ok(HeadStep::Complete { head, consumed }) => {
                let blocks = blocks(input, consumed);
                assert!(blocks.len() <= usize::from(MAX_INTERIM) + 1);
                assert_fields(&head, blocks.last().unwrap());
                assert_same_when_written_again(method, &head, &decoder);
                assert!(matches!(decoder.head(&input[consumed..]), Ok(HeadStep::Partial { consumed: 0 })));
            }
        }
    }
}

/// The heads that make up the first `length` bytes of an input, each found by its empty line.
#[track_caller]
fn blocks(input: &[u8], length: usize) -> Vec<&[u8]> {
    let (mut rest, mut blocks) = (&input[..length], Vec::new());
    while !rest.is_empty() {
        let (block, after) = rest.split_at(empty_line(rest).expect("consumed without an empty line"));
        blocks.push(block);
        rest = after;
    }
    blocks
}

/// The place after the first empty line.
fn empty_line(input: &[u8]) -> Option<usize> {
    let bare = input.windows(2).position(|two| two == b"\n\n").map(|at| at + 2);
    let whole = input.windows(3).position(|three| three == b"\n\r\n").map(|at| at + 3);
    [bare, whole].into_iter().flatten().min()
}

#[track_caller]
fn assert_fields(head: &Head, block: &[u8]) {
    let mut slots = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut slots);
    response.parse(block).unwrap();
    assert!((200..=999).contains(&head.status()) && response.code == Some(head.status()));
    let read = response.headers.iter().map(|field| (field.name.as_bytes(), field.value));
    assert!(head.fields().eq(read));
    for (name, value) in head.fields() {
        assert!(!name.is_empty() && name.iter().copied().all(is_token));
        assert!(value.iter().copied().all(is_text) && value.trim_ascii() == value);
        let name = std::str::from_utf8(name).unwrap();
        assert!(head.value(name) == head.values(name).next() && head.values(name).any(|other| other == value));
    }
}

fn assert_same_when_written_again(method: Method, head: &Head, decoder: &Decoder) {
    let mut written = format!("HTTP/1.1 {}\r\n", head.status()).into_bytes();
    for (name, value) in head.fields() {
        written.extend([name, b": ", value, b"\r\n"].concat());
    }
    written.extend(b"\r\n");
    if written.len() > MAX_HEAD {
        return;
    }
    let mut again = Decoder::new(method);
    let Ok(HeadStep::Complete { head: same, consumed }) = again.head(&written) else { panic!("not read again") };
    assert_eq!(consumed, written.len());
    assert!(same.status() == head.status() && same.fields().eq(head.fields()));
    assert_eq!((again.length(), again.is_done()), (decoder.length(), decoder.is_done()));
}

/// However it comes, and read for `GET` or for `HEAD`, a response is the same: verdict, status, fields, body and end. Without
/// its last byte it is truncated, and what follows it is left alone.
pub fn response(input: &[u8]) {
    for method in [Method::Get, Method::Head] {
        let seen = verdict(receive(method, [input]));
        assert_eq!(verdict(receive(method, pieces(input))), seen);
        assert_eq!(verdict(receive(method, input.chunks(1))), seen);
        let Ok(seen) = seen else { continue };
        assert!(seen.length.is_none_or(|length| length == seen.body.len() as u64));
        assert!(seen.exact || seen.left_over.is_empty() && !seen.may_reuse && method == Method::Get);
        assert!(method == Method::Get || seen.body.is_empty());
        let response = input.strip_suffix(seen.left_over.as_slice()).unwrap();
        let alone = receive(method, [response]).unwrap();
        assert_eq!(alone, Seen { left_over: Vec::new(), ..seen });
        if alone.exact {
            let short = receive(method, [&response[..response.len() - 1]]).unwrap_err();
            assert_eq!(short.kind(), ErrorKind::Truncated);
        }
    }
}

/// What was seen, or what is told of it. Of another protocol is told as much as had come.
fn verdict(seen: Result<Seen, Error>) -> Result<Seen, String> {
    seen.map_err(|error| {
        assert!(matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Truncated));
        assert_fit_to_show(&error);
        let message = error.to_string();
        message.split_once("; it starts with").map_or(message.clone(), |(told, _)| told.to_owned())
    })
}

/// However it comes, a chunked body is what a second, plainer reader finds in the whole of it.
pub fn chunked(input: &[u8]) {
    let read = read([input]);
    assert_eq!(self::read(pieces(input)), read);
    assert_eq!(self::read(input.chunks(1)), read);
    // The plain reader knows none of the limits on lines and extensions.
    if input.len() > MAX_LINE {
        return;
    }
    let (data, end) = read;
    match read_plainly(input) {
        Plainly::Done(plain, left) => assert_eq!((data, end), (plain, Ok(Some(left.len())))),
        Plainly::Refused(plain) => assert!(data == plain && end.is_err(), "{end:?}"),
        // A line that can't be right any more is refused before it ends.
        Plainly::Unfinished(plain) => assert!(data == plain && !matches!(end, Ok(Some(_)))),
    }
}

/// The data, and how much is left after the end, if that has come; or what was wrong after the data.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Result<Option<usize>, String>) {
    let (mut chunked, mut data, mut left) = (Chunked::default(), Vec::new(), 0);
    for piece in pieces {
        let mut rest = piece;
        while !rest.is_empty() && !chunked.is_done() {
            let Span { skip, data: length } = match chunked.span(rest) {
                Ok(span) => span,
                Err(error) => {
                    assert_fit_to_show(&error);
                    return (data, Err(error.to_string()));
                }
            };
            assert!(skip + length > 0);
            data.extend(&rest[skip..skip + length]);
            rest = &rest[skip + length..];
        }
        left += rest.len();
    }
    (data, Ok(chunked.is_done().then_some(left)))
}

/// What the plain reader found: the data, and what follows the end.
enum Plainly<'a> {
    Done(Vec<u8>, &'a [u8]),
    Refused(Vec<u8>),
    Unfinished(Vec<u8>),
}

/// Reads chunks line by line, with all of them at hand.
fn read_plainly(mut input: &[u8]) -> Plainly<'_> {
    let mut data = Vec::new();
    loop {
        let Some(line) = next_line(&mut input) else { return Plainly::Unfinished(data) };
        let size = match line.and_then(size) {
            None => return Plainly::Refused(data),
            Some(0) => break,
            Some(size) => usize::try_from(size).unwrap(),
        };
        let (chunk, rest) = input.split_at(size.min(input.len()));
        data.extend(chunk);
        match rest {
            [b'\r', b'\n', rest @ ..] => input = rest,
            [] | [b'\r'] => return Plainly::Unfinished(data),
            _ => return Plainly::Refused(data),
        }
    }
    for fields in 0.. {
        let Some(line) = next_line(&mut input) else { return Plainly::Unfinished(data) };
        match line {
            Some([]) => return Plainly::Done(data, input),
            Some(line) if fields < MAX_TRAILER_FIELDS && is_field(line) => {}
            _ => return Plainly::Refused(data),
        }
    }
    unreachable!("a list of trailers has an end")
}

/// The next line without its CR LF: `None` if it has no end, and within that if it has not that end alone.
fn next_line<'a>(input: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let end = input.iter().position(|&byte| byte == b'\n')?;
    let line = &input[..end];
    *input = &input[end + 1..];
    Some(line.strip_suffix(b"\r").filter(|line| line.iter().copied().all(is_text)))
}

fn size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let after = line[digits..].trim_ascii_start();
    let ends_well = digits == line.len() || after.starts_with(b";");
    u64::from_str_radix(std::str::from_utf8(&line[..digits]).unwrap(), 16).ok().filter(|_| ends_well)
}

fn is_field(line: &[u8]) -> bool {
    line.iter()
        .position(|&byte| byte == b':')
        .is_some_and(|colon| colon > 0 && line[..colon].iter().copied().all(is_token))
}
