//! What the test server answers: a [`Reply`], turned into the [`Step`]s that send it.
//!
//! A reply says exactly which bytes go out, at what pace, and what becomes of the connection after them. Nothing here
//! is corrected: a length that is a lie goes out as one.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What is sent in answer to one request, and what becomes of the connection then.
#[derive(Clone)]
pub struct Reply {
    head: Option<Head>,
    framing: Framing,
    body: Vec<u8>,
    pace: Pace,
    before: Vec<Step>,
    after: Vec<Step>,
}

#[derive(Clone)]
struct Head {
    status: u16,
    fields: Vec<String>,
}

#[derive(Clone)]
enum Framing {
    /// A `Content-Length` that is the body's, or a claim.
    Length(Option<u64>),
    /// Chunks of this many bytes.
    Chunked(usize),
    /// The end of the connection.
    Close,
    /// None at all, for statuses that have no body.
    Bare,
}

#[derive(Clone)]
enum Pace {
    AtOnce,
    ByteByByte(Duration),
}

/// One thing that the server does to a connection.
#[derive(Clone)]
pub enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes one at a time, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// Sends these bytes over and over, with a pause after each time: so many times, or as long as the client takes them.
    Repeat { bytes: Vec<u8>, times: Option<u64>, pause: Duration },
    /// Sends one byte as urgent data, which is no part of the stream.
    Urgent(u8),
    /// Waits.
    Pause(Duration),
    /// Waits until the gate is open.
    Until(Gate),
    /// Opens the gate.
    Open(Gate),
    /// The request counts as answered: what follows is the last byte.
    Answered,
    /// Sends nothing more until the client hangs up.
    Hold,
    /// Ends the connection in order, over TLS too.
    Close,
    /// Ends the connection in TCP alone, as whoever is on the way can.
    Cut,
    /// Ends the connection with a RST.
    Reset,
}

impl Reply {
    /// 200 and this body, with its length.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).body(body)
    }

    /// A status and an empty body.
    pub fn status(status: u16) -> Self {
        let bodiless = status < 200 || status == 204 || status == 304;
        let framing = if bodiless { Framing::Bare } else { Framing::Length(None) };
        Self { head: Some(Head { status, fields: Vec::new() }), framing, ..Self::raw("") }
    }

    /// A redirect with a `Location`.
    pub fn redirect(status: u16, location: impl AsRef<str>) -> Self {
        Self::status(status).field("Location", location)
    }

    /// These bytes as they are, head and all; the connection is then kept.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            head: None,
            framing: Framing::Bare,
            body: bytes.into(),
            pace: Pace::AtOnce,
            before: Vec::new(),
            after: Vec::new(),
        }
    }

    /// A status that may pass, with leave to try again at once.
    pub fn busy(status: u16) -> Self {
        Self::status(status).field("Retry-After", "0")
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn field(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let head = self.head.as_mut().expect("a raw reply has no fields");
        head.fields.push(format!("{name}: {}", value.as_ref()));
        self
    }

    /// Claims this length, whatever the body's is.
    pub fn length(mut self, claimed: u64) -> Self {
        self.framing = Framing::Length(Some(claimed));
        self
    }

    /// Sends the body in chunks of `size` bytes.
    pub fn chunked(mut self, size: usize) -> Self {
        self.framing = Framing::Chunked(size);
        self
    }

    /// Sends no length: the body ends where the connection does.
    pub fn until_close(mut self) -> Self {
        self.framing = Framing::Close;
        self.close()
    }

    /// Sends the body (of a raw reply: everything) a byte at a time, `pause` after each.
    pub fn drip(mut self, pause: Duration) -> Self {
        self.pace = Pace::ByteByByte(pause);
        self
    }

    /// Waits before the first byte.
    pub fn after(mut self, pause: Duration) -> Self {
        self.before.push(Step::Pause(pause));
        self
    }

    /// Waits before the first byte until the gate is open.
    pub fn until(mut self, gate: &Gate) -> Self {
        self.before.push(Step::Until(gate.clone()));
        self
    }

    /// Sends more bytes after the body.
    pub fn then(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.after.push(Step::Send(bytes.into()));
        self
    }

    /// Sends these bytes so many times over; nothing of it is held but one piece.
    pub fn then_repeat(mut self, bytes: impl Into<Vec<u8>>, times: u64) -> Self {
        self.after.push(Step::Repeat { bytes: bytes.into(), times: Some(times), pause: Duration::ZERO });
        self
    }

    /// Sends these bytes for ever, with a pause after each time.
    pub fn then_endless(mut self, bytes: impl Into<Vec<u8>>, pause: Duration) -> Self {
        self.after.push(Step::Repeat { bytes: bytes.into(), times: None, pause });
        self
    }

    /// Sends a byte of urgent data.
    pub fn then_urgent(mut self, byte: u8) -> Self {
        self.after.push(Step::Urgent(byte));
        self
    }

    /// Waits after what was sent so far.
    pub fn then_pause(mut self, pause: Duration) -> Self {
        self.after.push(Step::Pause(pause));
        self
    }

    /// Waits after what was sent so far until the gate is open.
    pub fn then_until(mut self, gate: &Gate) -> Self {
        self.after.push(Step::Until(gate.clone()));
        self
    }

    /// Opens a gate after what was sent so far.
    pub fn then_open(mut self, gate: &Gate) -> Self {
        self.after.push(Step::Open(gate.clone()));
        self
    }

    /// Sends nothing more, and waits for the client to hang up.
    pub fn hold(mut self) -> Self {
        self.after.push(Step::Hold);
        self
    }

    /// Ends the connection in TCP alone: over TLS there is no word of goodbye.
    pub fn cut(mut self) -> Self {
        self.after.push(Step::Cut);
        self
    }

    /// Ends the connection in order.
    pub fn close(mut self) -> Self {
        self.after.push(Step::Close);
        self
    }

    /// Ends the connection with a RST.
    pub fn reset(mut self) -> Self {
        self.after.push(Step::Reset);
        self
    }

    /// The steps that send this reply to a request of that method: HEAD gets no body.
    pub fn steps(self, method: &str) -> Vec<Step> {
        let mut steps = self.before;
        let head = self.head.map(|head| head.encode(&self.framing, self.body.len()));
        let body = match self.framing {
            _ if method == "HEAD" && head.is_some() => Vec::new(),
            Framing::Chunked(size) => chunks(&self.body, size),
            _ => self.body,
        };
        match self.pace {
            Pace::AtOnce => steps.push(Step::Send([head.unwrap_or_default(), body].concat())),
            Pace::ByteByByte(pause) => {
                steps.push(Step::Send(head.unwrap_or_default()));
                steps.push(Step::Drip(body, pause));
            }
        }
        steps.extend(self.after);
        mark_last_byte(steps)
    }
}

impl Head {
    fn encode(&self, framing: &Framing, length: usize) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        match framing {
            Framing::Length(None) => head += &format!("Content-Length: {length}\r\n"),
            Framing::Length(Some(claimed)) => head += &format!("Content-Length: {claimed}\r\n"),
            Framing::Chunked(_) => head += "Transfer-Encoding: chunked\r\n",
            Framing::Close | Framing::Bare => {}
        }
        for field in &self.fields {
            head += &format!("{field}\r\n");
        }
        (head + "\r\n").into_bytes()
    }
}

/// A body as chunks of at most `size` bytes, the last chunk included.
pub fn chunks(body: &[u8], size: usize) -> Vec<u8> {
    let mut coded = Vec::with_capacity(body.len() + 64);
    for chunk in body.chunks(size) {
        coded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        coded.extend_from_slice(chunk);
        coded.extend_from_slice(b"\r\n");
    }
    coded.extend_from_slice(b"0\r\n\r\n");
    coded
}

/// Puts [`Step::Answered`] before the last byte that is sent: the client may ask again as soon as it has that byte, and
/// must not be counted twice then.
fn mark_last_byte(mut steps: Vec<Step>) -> Vec<Step> {
    let sends = |step: &Step| matches!(step, Step::Send(bytes) | Step::Drip(bytes, _) if !bytes.is_empty());
    let Some(last) = steps.iter().rposition(sends) else {
        steps.insert(0, Step::Answered);
        return steps;
    };
    let byte = match &mut steps[last] {
        Step::Send(bytes) | Step::Drip(bytes, _) => bytes.pop(),
        _ => None,
    };
    steps.splice(last + 1..last + 1, [Step::Answered, Step::Send(byte.into_iter().collect())]);
    steps
}

/// Holds replies back until a test opens it.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Waits up to `longest`; whether the gate is open.
    pub fn wait(&self, longest: Duration) -> bool {
        let guard = self.0.0.lock().unwrap();
        *self.0.1.wait_timeout_while(guard, longest, |open| !*open).unwrap().0
    }
}
