//! Random numbers → responses: most by the rules, some odd, some broken by a few wrong bytes.

use fastrand::Rng;

/// What breaks, or nearly breaks, a head or the lines of chunks.
const WRONG: &[u8] = b"\0\t\n\r\r\n  ,:;+-.01459aFgx\"\x0b\x7f\x80\xff";

const INTERIM: Choice = Choice {
    usual: &["HTTP/1.1 100 Continue\r\n", "HTTP/1.1 103 \r\nLink: <a>\r\n", "HTTP/1.1 199\n"],
    odd: &["HTTP/1.1 100 \r\nA: 1\r\n", "HTTP/1.1 102 \r\nContent-Length: x\r\n", "HTTP/1.1 101\r\nUpgrade: x\r\n"],
};
const VERSIONS: Choice = Choice {
    usual: &["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"],
    odd: &["HTTP/1.2", "HTTP/2", "http/1.1"],
};
const STATUSES: Choice = Choice {
    usual: &["200", "200", "200", "206", "299", "999", "204", "304", "301", "404", "503"],
    odd: &["101", "099", "20", "2000", " 200", "+20"],
};
const REASONS: Choice = Choice { usual: &[" OK", " ", "", " Not  Found\t"], odd: &[" \u{fc}", "OK", " a\u{1}b"] };
const NAMES: Choice =
    Choice { usual: &["A", "a", "X-Long-Name", "Set-Cookie", "1"], odd: &["", "A ", " A", "A\u{e4}", "\tA", "A\u{0}"] };
const COLONS: Choice = Choice { usual: &[":", ": ", ":\t "], odd: &["", " :", "::", ":\r", ":\n "] };
const VALUES: Choice =
    Choice { usual: &["1", "", "a b", "a\t,b", "\u{fc}", ": x", "1 \t"], odd: &["\u{1}", "a\rb", "\u{7f}", "a\n b"] };
const CONNECTIONS: Choice = Choice {
    usual: &["close", "keep-alive", "Keep-Alive, x", "x ,CLOSE", "enclose", ""],
    odd: &["close, keep-alive", "\u{fc}, close", "close;x"],
};
const CODINGS: Choice = Choice {
    usual: &["chunked", "Chunked", "chunked ", "chunked,", " ,chunked"],
    odd: &[
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "gzip",
        "identity",
        "",
        "chunked;x",
        "xchunked",
        "\u{fc}",
    ],
};
const EXTENSIONS: Choice = Choice {
    usual: &["", "", "", ";a", ";a=b", " ;a=\"x\ty\"", "\t;a=b;c", ";"],
    odd: &[";an=extension-of-some-length", " ", ";a\u{1}", "a", ";a\nb", ";\u{fc}", ";a\rb", "\n"],
};
const SIGNS: Choice = Choice {
    usual: &["", "", "0", "00"],
    odd: &["+", "-", " ", "0x", "00000000000000000000", "10000000000000000", "\u{c}"],
};
const TRAILERS: Choice = Choice {
    usual: &["", "", "", "A: 1\r\n", "A:\r\nSet-Cookie: x\ty\r\n"],
    odd: &["A\r\n", " A: 1\r\n", "A : 1\r\n", "A: \u{1}\r\n", "A: 1\n", ": 1\r\n", "A: 1\rB: 2\r\n", "\n"],
};

const LINE_ENDS: Choice = Choice { usual: &["\r\n"], odd: &["\n", "x\n", "\rx", "", "\r\r\n"] };
const BEHIND: Choice = Choice {
    usual: &["", "", "", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
    odd: &["\n", "\r\n", "0"],
};

/// Texts, of which the odd ones are drawn now and then.
struct Choice {
    usual: &'static [&'static str],
    odd: &'static [&'static str],
}

impl Choice {
    fn draw(&self, rng: &mut Rng) -> &'static str {
        let texts = if one_in(rng, 24) { self.odd } else { self.usual };
        texts[rng.usize(..texts.len())]
    }
}

/// A response, what comes before it and what comes after it.
pub fn response(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    let count = if one_in(rng, 60) { 7..11 } else { 0..2 };
    for _ in 0..rng.usize(count) {
        write_interim(rng, &mut bytes);
    }
    if one_in(rng, 60) {
        bytes.extend_from_slice(b"\r\n");
    }
    write_final(rng, &mut bytes);
    write(BEHIND.draw(rng), &mut bytes);
    if one_in(rng, 3) {
        spoil(rng, &mut bytes);
    }
    bytes
}

fn write_interim(rng: &mut Rng, bytes: &mut Vec<u8>) {
    write(INTERIM.draw(rng), bytes);
    bytes.extend_from_slice(b"\r\n");
}

fn write_final(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let body: Vec<u8> = (0..rng.usize(..40)).map(|_| b"ab\r\n0;:\xfc"[rng.usize(..8)]).collect();
    let (has_length, is_chunked) = match rng.u8(..20) {
        0..8 => (true, false),
        8..16 => (false, true),
        16..19 => (false, false),
        _ => (true, true),
    };
    let mut lines = vec![[VERSIONS.draw(rng), " ", STATUSES.draw(rng), REASONS.draw(rng)].concat()];
    lines.extend((0..rng.usize(..4)).map(|_| [NAMES.draw(rng), COLONS.draw(rng), VALUES.draw(rng)].concat()));
    if one_in(rng, 100) {
        lines.extend(vec!["Many: 1".to_owned(); rng.usize(120..260)]);
    }
    if one_in(rng, 3) {
        lines.push(format!("Connection: {}", CONNECTIONS.draw(rng)));
    }
    if is_chunked {
        lines.push(format!("transfer-encoding: {}", CODINGS.draw(rng)));
    }
    if has_length {
        lines.push(format!("Content-Length: {}", length(rng, body.len())));
    }
    write_lines(rng, &lines, bytes);
    if is_chunked { write_chunks(rng, &body, bytes) } else { bytes.extend(body) }
}

/// A value of `Content-Length`.
fn length(rng: &mut Rng, length: usize) -> String {
    if !one_in(rng, 8) {
        return length.to_string();
    }
    match rng.u8(..10) {
        0 => format!("{length}, {length}"),
        1 => format!("{length}\r\nContent-Length: 0{length}"),
        2 => format!("{length},"),
        3 => format!("+{length}"),
        4 => "a".to_owned(),
        5 => format!("{length}, {}", length + 1),
        6 => "18446744073709551616".to_owned(),
        7 => "18446744073709551615".to_owned(),
        8 => (length + 1).to_string(),
        _ => (length / 2).to_string(),
    }
}

/// Writes a head. Its texts stand for bytes: a character is one.
fn write_lines(rng: &mut Rng, lines: &[String], bytes: &mut Vec<u8>) {
    let line_end = if one_in(rng, 6) { "\n" } else { "\r\n" };
    for line in lines.iter().map(String::as_str).chain([""]) {
        write(line, bytes);
        write(line_end, bytes);
    }
}

fn write_chunks(rng: &mut Rng, mut body: &[u8], bytes: &mut Vec<u8>) {
    loop {
        let (data, rest) = body.split_at(rng.usize(..=body.len()).max(body.len().min(1)));
        let size = if rng.bool() { format!("{:x}", data.len()) } else { format!("{:X}", data.len()) };
        write(&[SIGNS.draw(rng), &size, EXTENSIONS.draw(rng), "\r\n"].concat(), bytes);
        if data.is_empty() {
            break;
        }
        bytes.extend_from_slice(data);
        write(LINE_ENDS.draw(rng), bytes);
        body = rest;
    }
    write(&[TRAILERS.draw(rng), LINE_ENDS.draw(rng)].concat(), bytes);
}

fn write(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend(text.chars().map(|character| character as u8));
}

/// Makes a few bytes wrong: replaced, put in, left out, said twice, or all from one place on lost.
fn spoil(rng: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.usize(1..4) {
        let wrong = WRONG[rng.usize(..WRONG.len())];
        let at = rng.usize(..=bytes.len());
        let to = bytes.len().min(at + rng.usize(..12));
        match rng.u8(..8) {
            0..4 if at < bytes.len() => bytes[at] = wrong,
            4 | 5 => bytes.insert(at, wrong),
            6 if rng.bool() => bytes.truncate(at),
            6 => bytes.extend_from_within(at..to),
            _ => drop(bytes.drain(at..to)),
        }
    }
}

fn one_in(rng: &mut Rng, many: u32) -> bool {
    rng.u32(..many) == 0
}
