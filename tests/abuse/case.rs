//! What the server does, and how the program has to end it: the words that the tables of cases are written in.

use std::any::Any;
use std::time::Duration;

use crate::reply::{Gate, Reply};
use crate::server::{Request, Server};

/// The body of whatever has to be fetched and says nothing else.
pub const BODY: &str = "the right bytes\n";
/// A block of a size that is sent at once, for what is endless.
pub const BLOCK: usize = 16 * 1024;
/// Between two blocks of an endless body that is saved: 8 MiB a second fill no disk.
pub const PACE: Duration = Duration::from_millis(2);

/// An abuse, and the nearest response that is lawful: its twin, which has to be fetched.
pub struct Case {
    pub name: String,
    pub abuse: Act,
    pub twin: Act,
}

/// What a server does to a URL, and how its job has to end.
pub struct Act {
    pub stage: Stage,
    pub end: End,
}

pub type Script = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

/// Where an act is played.
pub enum Stage {
    /// On the server that all share, bystanders too.
    Shared(Script),
    /// Somewhere else; the guard keeps it there.
    Elsewhere { url: String, guard: Box<dyn Any> },
    /// On a server of its own, asked for `/first` and then, when that has been fetched and the gate is open, for `/second`.
    /// It is the second job that counts.
    InTurn {
        server: Server,
        gate: Option<Gate>,
        /// The how-manieth on their connections the requests for the second were, where that is certain.
        turns: Option<&'static [usize]>,
    },
}

/// How a job has to end.
#[derive(Clone)]
pub enum End {
    /// Saved, with this body.
    Fetched(Vec<u8>),
    /// Saved, with this body, by a second attempt, no earlier than this after the first.
    FetchedAgain { body: Vec<u8>, after: Duration },
    /// Good, with so many bytes of body and no file.
    Counted(u64),
    /// Failed with one of these, as `kind` or `kind phase`.
    Failed(&'static [&'static str]),
}

impl End {
    /// Fetched, with the usual body.
    pub fn right() -> Self {
        Self::Fetched(BODY.into())
    }
}

/// A good end without a body.
pub const BODILESS: End = End::Counted(0);
pub const PROTOCOL: End = End::Failed(&["protocol"]);
pub const TRUNCATED: End = End::Failed(&["truncated"]);
pub const REDIRECT: End = End::Failed(&["redirect"]);
pub const STATUS: End = End::Failed(&["status"]);
pub const TOO_LARGE: End = End::Failed(&["too_large"]);
pub const SILENT_HEAD: End = End::Failed(&["timeout head"]);
pub const SILENT_BODY: End = End::Failed(&["timeout body"]);
pub const TOO_LONG: End = End::Failed(&["timeout total"]);

impl Act {
    pub fn new(script: impl Fn(&Request) -> Reply + Send + Sync + 'static, end: End) -> Self {
        Self { stage: Stage::Shared(Box::new(script)), end }
    }
}

impl From<(Reply, End)> for Act {
    fn from((reply, end): (Reply, End)) -> Self {
        Self::new(move |_| reply.clone(), end)
    }
}

impl From<Reply> for Act {
    /// What has to be fetched, and has the usual body.
    fn from(reply: Reply) -> Self {
        (reply, End::right()).into()
    }
}

/// A case, from an abuse and its twin.
pub fn case(name: impl Into<String>, abuse: impl Into<Act>, twin: impl Into<Act>) -> Case {
    Case { name: name.into(), abuse: abuse.into(), twin: twin.into() }
}

/// The response that has nothing wrong with it.
pub fn whole() -> Reply {
    Reply::ok(BODY)
}

/// A response with these field lines beside its length.
pub fn fields(lines: impl AsRef<[u8]>) -> Reply {
    let length = format!("Content-Length: {}\r\n\r\n{BODY}", BODY.len());
    Reply::raw([b"HTTP/1.1 200 OK\r\n", lines.as_ref(), length.as_bytes()].concat())
}

/// A response with this head, which ends in an empty line here, and the usual body.
pub fn head(lines: &str) -> Reply {
    Reply::raw(format!("{lines}\r\n\r\n{BODY}"))
}

/// A response whose chunked body is sent like this.
pub fn chunked(coded: impl AsRef<[u8]>) -> Reply {
    Reply::raw([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", coded.as_ref()].concat())
}

/// The usual body as one chunk, without an end.
pub fn chunk() -> String {
    format!("{:x}\r\n{BODY}\r\n", BODY.len())
}

/// About a block of this text, over and over.
pub fn block(text: &str) -> String {
    text.repeat(BLOCK.div_ceil(text.len()))
}
