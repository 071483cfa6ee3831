//! The bytes of a chunked body → where its data is (RFC 9112, section 7.1).
//!
//! It goes through the framing a byte at a time and keeps none, so input may be split anywhere and nothing is looked at
//! twice; data is passed over whole. Extensions and trailers are checked and dropped. Refused is whatever a laxer and a
//! stricter reader could take in two ways: a bare CR or LF, a missing or padded size, data of another length than it says.

use super::{Span, is_text, protocol, take};
use crate::error::Error;
use crate::grammar::is_token;

/// The longest line with a chunk's size and extensions, its line end included, in bytes.
pub(super) const MAX_LINE: usize = 4 * 1024;
/// The most that all extensions of a body may take, in bytes: they carry nothing that is used here.
const MAX_EXTENSIONS: usize = 16 * 1024;
/// The most that all trailers may take, line ends included, in bytes; as for a head.
const MAX_TRAILERS: usize = 64 * 1024;
/// The most trailer fields; as for a head.
pub(super) const MAX_TRAILER_FIELDS: usize = 256;

/// How far a chunked body was read.
///
/// ```text
/// Start ─▶ Size ─┬───────────▶ LineEnd ─┬─ size > 0 ─▶ Data ─▶ DataCr ─▶ DataLf ─▶ Start
///                ├▶ Padding ─┐     ▲    └─ size = 0 ─▶ TrailerStart ─▶ EndLf ─▶ Done
///                └───────────┴▶ Extension                 │    ▲
///                                                         ▼    └──────────────┐
///                                                    TrailerName ─▶ TrailerValue ─▶ TrailerLf
/// ```
#[derive(Debug, Default)]
pub(super) struct Chunked {
    place: Place,
    /// What the current line has said so far; then what is left of the chunk's data.
    size: u64,
    line: usize,
    extensions: usize,
    trailers: usize,
    trailer_fields: usize,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    Start,
    Size,
    /// White space after the size: only an extension may follow.
    Padding,
    Extension,
    LineEnd,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
}

impl Chunked {
    /// The next run of data in `input`, and the framing before it; both count as read then.
    pub fn span(&mut self, input: &[u8]) -> Result<Span, Error> {
        let mut skip = 0;
        for &byte in input {
            self.place = match self.place {
                Place::Data | Place::Done => break,
                Place::Start | Place::Size | Place::Padding | Place::Extension | Place::LineEnd => {
                    self.in_line(byte)?
                }
                Place::DataCr | Place::DataLf => self.after_data(byte)?,
                _ => self.in_trailers(byte)?,
            };
            skip += 1;
        }
        Ok(Span { skip, data: self.data(input.len() - skip) })
    }

    /// Whether the last chunk and the trailers were read to their end.
    pub fn is_done(&self) -> bool {
        self.place == Place::Done
    }

    /// How many bytes of the current chunk are still to come, if it is under way.
    pub fn missing(&self) -> Option<u64> {
        (self.place == Place::Data).then_some(self.size)
    }

    fn data(&mut self, at_hand: usize) -> usize {
        if self.place != Place::Data {
            return 0;
        }
        let taken = take(&mut self.size, at_hand);
        if self.size == 0 {
            self.place = Place::DataCr;
        }
        taken
    }

    fn in_line(&mut self, byte: u8) -> Result<Place, Error> {
        count(&mut self.line, MAX_LINE, "the line of a chunk's size is over 4 KiB")?;
        match (self.place, byte) {
            (Place::Start | Place::Size, digit) if digit.is_ascii_hexdigit() => self.in_size(digit),
            (Place::Size | Place::Padding, b' ' | b'\t') => self.in_extension(Place::Padding),
            (Place::Size | Place::Padding, b';') => self.in_extension(Place::Extension),
            (Place::Size | Place::Extension, b'\r') => Ok(Place::LineEnd),
            (Place::Extension, byte) if is_text(byte) => self.in_extension(Place::Extension),
            (Place::LineEnd, b'\n') => Ok(self.end_line()),
            (Place::LineEnd, _) => Err(protocol("the line of a chunk's size has a bare CR")),
            (Place::Start, _) => Err(protocol("a chunk does not start with its size in hexadecimal digits")),
            (_, b'\n') => Err(protocol("the line of a chunk's size ends in a bare LF")),
            (Place::Extension, _) => Err(protocol("a chunk's extension holds a control character")),
            _ => Err(protocol("a chunk's size is followed by neither an extension nor a line end")),
        }
    }

    fn in_size(&mut self, digit: u8) -> Result<Place, Error> {
        let digit = char::from(digit).to_digit(16).map(u64::from);
        let grown = self.size.checked_mul(16).zip(digit).and_then(|(size, digit)| size.checked_add(digit));
        self.size = grown.ok_or_else(|| protocol("a chunk's size is over 64 bits"))?;
        Ok(Place::Size)
    }

    fn in_extension(&mut self, place: Place) -> Result<Place, Error> {
        count(&mut self.extensions, MAX_EXTENSIONS, "the extensions of the chunks are over 16 KiB")?;
        Ok(place)
    }

    fn end_line(&mut self) -> Place {
        self.line = 0;
        if self.size == 0 { Place::TrailerStart } else { Place::Data }
    }

    fn after_data(&self, byte: u8) -> Result<Place, Error> {
        match (self.place, byte) {
            (Place::DataCr, b'\r') => Ok(Place::DataLf),
            (Place::DataLf, b'\n') => Ok(Place::Start),
            _ => Err(protocol("a chunk's data does not end where its size says")),
        }
    }

    fn in_trailers(&mut self, byte: u8) -> Result<Place, Error> {
        count(&mut self.trailers, MAX_TRAILERS, "the trailers are over 64 KiB")?;
        match (self.place, byte) {
            (Place::TrailerStart, b'\r') => Ok(Place::EndLf),
            (Place::EndLf, b'\n') => Ok(Place::Done),
            (Place::TrailerStart, byte) if is_token(byte) => {
                count(&mut self.trailer_fields, MAX_TRAILER_FIELDS, "there are over 256 trailers")?;
                Ok(Place::TrailerName)
            }
            (Place::TrailerName, byte) if is_token(byte) => Ok(Place::TrailerName),
            (Place::TrailerName, b':') => Ok(Place::TrailerValue),
            (Place::TrailerValue, b'\r') => Ok(Place::TrailerLf),
            (Place::TrailerValue, byte) if is_text(byte) => Ok(Place::TrailerValue),
            (Place::TrailerLf, b'\n') => Ok(Place::TrailerStart),
            (Place::EndLf | Place::TrailerLf, _) => Err(protocol("a trailer line has a bare CR")),
            (Place::TrailerValue, _) => Err(protocol("a trailer's value holds a control character")),
            _ => Err(protocol("a trailer line does not start with a field name and a colon")),
        }
    }
}

fn count(counter: &mut usize, limit: usize, message: &str) -> Result<(), Error> {
    *counter += 1;
    if *counter > limit { Err(protocol(message)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data, and whether it came to its end, with what is left of the input.
    fn read(mut input: &[u8]) -> Result<(Vec<u8>, Option<&[u8]>), String> {
        let (mut chunked, mut data) = (Chunked::default(), Vec::new());
        loop {
            let span = chunked.span(input).map_err(|error| error.to_string())?;
            data.extend_from_slice(&input[span.skip..span.skip + span.data]);
            input = &input[span.skip + span.data..];
            if span == (Span { skip: 0, data: 0 }) {
                return Ok((data, chunked.is_done().then_some(input)));
            }
        }
    }

    #[track_caller]
    fn refused(input: impl AsRef<[u8]>, reason: &str) {
        let message = read(input.as_ref()).unwrap_err();
        assert!(message.contains(reason), "{message:?} for {:?}", input.as_ref().escape_ascii().to_string());
    }

    #[track_caller]
    fn reads(input: impl AsRef<[u8]>) {
        let seen = read(input.as_ref()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(seen.1, Some(&b""[..]), "{:?}", input.as_ref().escape_ascii().to_string());
    }

    #[test]
    fn data_is_what_the_sizes_say_whatever_it_holds() {
        let input = b"5\r\n\r\n0\r\n\r\n00A;x\r\n0123456789\r\n0\r\n\r\nrest";
        assert_eq!(read(input).unwrap(), (b"\r\n0\r\n0123456789".to_vec(), Some(&b"rest"[..])));
    }

    #[test]
    fn a_size_is_hexadecimal_digits_and_nothing_else() {
        for (bad, good, reason) in [
            ("\r\nx", "1\r\nx", "start with its size"),
            (";a\r\nx", "1;a\r\nx", "start with its size"),
            (" 1\r\nx", "1 ;a\r\nx", "start with its size"),
            ("+1\r\nx", "01\r\nx", "start with its size"),
            ("-1\r\nx", "0001\r\nx", "start with its size"),
            ("0x1\r\nx", "00001\r\nx", "followed by neither"),
            ("1g\r\nx", "1;g\r\nx", "followed by neither"),
            ("1 \r\nx", "1\t ;\r\nx", "followed by neither"),
            ("1_0\r\nx", "1;_0\r\nx", "followed by neither"),
            ("1 1\r\nx", "1 ;1\r\nx", "followed by neither"),
        ] {
            refused(format!("{bad}\r\n0\r\n\r\n"), reason);
            reads(format!("{good}\r\n0\r\n\r\n"));
        }
    }

    #[test]
    fn a_size_has_sixty_four_bits() {
        let mut chunked = Chunked::default();
        assert_eq!(chunked.span(b"000ffffFFFFffffFFFF\r\nab").unwrap(), Span { skip: 21, data: 2 });
        assert_eq!(chunked.missing(), Some(u64::MAX - 2));
        refused("10000000000000000\r\n", "over 64 bits");
    }

    #[test]
    fn a_line_ends_in_cr_and_lf() {
        refused("1\nx\r\n0\r\n\r\n", "bare LF");
        refused("1;a\nx\r\n0\r\n\r\n", "bare LF");
        refused("1\rx\r\n0\r\n\r\n", "bare CR");
        refused("1;a\rb\r\nx\r\n0\r\n\r\n", "bare CR");
        refused("1\r\r\nx\r\n0\r\n\r\n", "bare CR");
        refused("0\n\n", "bare LF");
        reads("1;a\r\nx\r\n0\r\n\r\n");
    }

    #[test]
    fn an_extension_may_hold_anything_but_control_characters() {
        reads(b"1 ; a=\"\t;\\\" \xff\" ;b\r\nx\r\n0;c\r\n\r\n");
        for control in ["\0", "\u{b}", "\u{1b}", "\u{7f}"] {
            refused(format!("1;a{control}\r\nx\r\n0\r\n\r\n"), "control character");
        }
    }

    #[test]
    fn data_ends_in_cr_and_lf_where_its_size_says() {
        for bad in ["2\r\nabc\r\n0\r\n\r\n", "2\r\na\r\n0\r\n\r\n", "2\r\nab\n0\r\n\r\n", "2\r\nab\rx0\r\n\r\n"] {
            refused(bad, "does not end where");
        }
        reads("2\r\nab\r\n0\r\n\r\n");
    }

    #[test]
    fn a_trailer_is_a_field_line() {
        for (bad, good, reason) in [
            ("a\r\n", "a:\r\n", "field name and a colon"),
            (": b\r\n", "a: b\r\n", "field name and a colon"),
            ("a : b\r\n", "a:  b\r\n", "field name and a colon"),
            (" a: b\r\n", "a: b\r\nc: d\r\n", "field name and a colon"),
            ("a: b\r\n c\r\n", "a: b\tc\r\n", "field name and a colon"),
            ("\n", "a:b\r\n", "field name and a colon"),
            ("a: b\n", "a: b:\r\n", "control character"),
            ("a: \0\r\n", "a: \u{fc}\r\n", "control character"),
            ("a: b\rc\r\n", "a: bc\r\n", "bare CR"),
            ("\rx", "", "bare CR"),
        ] {
            refused(format!("0\r\n{bad}\r\n"), reason);
            reads(format!("0\r\n{good}\r\n"));
        }
    }

    #[test]
    fn a_chunk_line_has_a_limit() {
        let line = |zeros: usize| format!("{}1\r\nx\r\n0\r\n\r\n", "0".repeat(zeros));
        reads(line(MAX_LINE - 3));
        refused(line(MAX_LINE - 2), "over 4 KiB");
        refused("0".repeat(MAX_LINE + 1), "over 4 KiB");
    }

    #[test]
    fn extensions_have_a_limit_over_all_chunks() {
        let body = |last: usize| {
            let chunk = format!("1;{}\r\nx\r\n", "e".repeat(1023));
            format!("{}0;{}\r\n\r\n", chunk.repeat(15), "e".repeat(last))
        };
        reads(body(1023));
        refused(body(1024), "over 16 KiB");
    }

    #[test]
    fn trailers_have_a_limit_in_bytes_and_in_fields() {
        reads(format!("0\r\n{}\r\n", "a:\r\n".repeat(MAX_TRAILER_FIELDS)));
        refused(format!("0\r\n{}\r\n", "a:\r\n".repeat(MAX_TRAILER_FIELDS + 1)), "over 256 trailers");
        let long = |length: usize| format!("0\r\na:{}\r\n\r\n", "v".repeat(length));
        reads(long(MAX_TRAILERS - 6));
        refused(long(MAX_TRAILERS - 5), "over 64 KiB");
        refused(format!("0\r\na{}", "a".repeat(MAX_TRAILERS)), "over 64 KiB");
    }
}
