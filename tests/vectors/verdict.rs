//! llhttp's log of a case → its verdict on the first final response in it.
//!
//! The program reads one response for a request, so what llhttp logs of others behind it is no part of the verdict.
//! The log does not say what the connection's end means where a response is still going on; that follows from the
//! flags of its head.

/// The flags that llhttp logs for a head with chunks and for one with a length.
const CHUNKED: u16 = 1 << 3;
const LENGTH: u16 = 1 << 5;

/// What llhttp makes of a response.
pub struct Verdict {
    /// There is one if the head was read.
    pub status: Option<u16>,
    pub body: Vec<u8>,
    pub end: End,
}

/// Where a response ends.
pub enum End {
    /// Before this place in the input.
    At(usize),
    /// Where the connection does.
    Close,
    /// Nowhere: it is refused, or the input ends too early.
    Never(String),
}

impl Verdict {
    /// The verdict on `input` that a log holds.
    pub fn of(log: &str, input: &[u8]) -> Result<Self, String> {
        let (mut head, mut body) = (None, Vec::new());
        let reached = |head: Option<Head>, body, end| Ok(Self { status: head.map(|head| head.status), body, end });
        for line in log.lines() {
            match Event::of(line).ok_or_else(|| format!("not a line of a log: {line}"))? {
                Event::Head(read) => head = Some(read),
                Event::Body { start, length } => body.extend_from_slice(part(input, start, length)?),
                Event::Complete { .. } if head.is_some_and(Head::is_interim) => (head, body) = (None, Vec::new()),
                Event::Complete { end } => return reached(head, body, End::At(end)),
                Event::Error(why) => return reached(head, body, End::Never(why)),
                Event::Other => {}
            }
        }
        let end = match head {
            Some(Head { flags, .. }) if flags & (CHUNKED | LENGTH) == 0 => End::Close,
            Some(_) => End::Never("it ends inside its body".to_owned()),
            None => End::Never("it ends inside its head".to_owned()),
        };
        reached(head, body, end)
    }

    /// In words, of which llhttp is the subject.
    pub fn describe(&self) -> String {
        let status = self.status.map_or("no status".to_owned(), |status| status.to_string());
        match &self.end {
            End::Never(why) => format!("refuses it: {why}"),
            End::At(end) => format!("takes it: {status}, {} bytes, ends at {end}", self.body.len()),
            End::Close => format!("takes it: {status}, {} bytes, ends with the connection", self.body.len()),
        }
    }
}

#[derive(Clone, Copy)]
struct Head {
    status: u16,
    flags: u16,
}

impl Head {
    /// Whether another response follows. 101 is a final one: what follows is another protocol.
    fn is_interim(self) -> bool {
        self.status < 200 && self.status != 101
    }
}

enum Event {
    Head(Head),
    Body { start: usize, length: usize },
    Complete { end: usize },
    Error(String),
    Other,
}

impl Event {
    /// `off=PLACE`, then what happened there. `None` for what is no such line.
    fn of(line: &str) -> Option<Self> {
        let (place, what) = line.strip_prefix("off=")?.split_once(' ')?;
        if place == "NULL" {
            return Some(Self::Other);
        }
        let place = place.parse().ok()?;
        if let Some(head) = what.strip_prefix("headers complete ") {
            let number = |name: &str, radix| {
                let value = head.split(' ').find_map(|word| word.strip_prefix(name))?;
                u16::from_str_radix(value, radix).ok()
            };
            return Some(Self::Head(Head { status: number("status=", 10)?, flags: number("flags=", 16)? }));
        }
        if let Some((length, "span[body]")) = what.strip_prefix("len=").and_then(span) {
            return Some(Self::Body { start: place, length });
        }
        Some(match what.split_once("reason=") {
            Some((_, reason)) if what.starts_with("error ") => Self::Error(reason.trim_matches('"').to_owned()),
            _ if what == "message complete" => Self::Complete { end: place },
            _ => Self::Other,
        })
    }
}

/// The length and the name of `LENGTH NAME=…`.
fn span(text: &str) -> Option<(usize, &str)> {
    let (length, rest) = text.split_once(' ')?;
    Some((length.parse().ok()?, rest.split_once('=')?.0))
}

fn part(input: &[u8], start: usize, length: usize) -> Result<&[u8], String> {
    input.get(start..start + length).ok_or_else(|| format!("the log goes beyond the input: {length} bytes at {start}"))
}
