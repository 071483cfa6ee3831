//! One request and the head of its response, over one connection.
//!
//! ```text
//!              write fails, or end before the first byte, on a reused connection
//!            ┌───────────────────────────────────────────────────────────▶ Stale: sent once more, on a fresh one
//!  encode ─▶ send ─▶ receive ⇄ decode ─▶ head ─▶ body
//!                       └── silence, reset, end, not HTTP ─▶ Error
//! ```

use std::io;
use std::sync::Arc;

use surf::Url;

use super::body::BodyReader;
use super::buffer::Buffer;
use super::connection::{Connection, Trouble};
use super::h1::{self, Decoder, Fields, Head, HeadStep};
use super::lead::Lead;
use super::pool::Pool;
use crate::config::Method;
use crate::error::{Error, ErrorKind, Phase};
use crate::text::seconds;

/// What a request usually takes: a line, Host, User-Agent and Accept.
const REQUEST_SIZE: usize = 256;

/// Why there is no response.
#[derive(Debug)]
pub(super) enum NoResponse {
    /// A kept connection turned out closed before any byte of the response: the request was not answered, and may be sent again.
    Stale,
    /// The attempt failed.
    Failed(Error),
}

impl From<Error> for NoResponse {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Sends one request and reads the head of its response.
pub(super) async fn exchange(
    mut connection: Box<Connection>,
    pool: &Arc<Pool>,
    method: Method,
    url: &Url,
    fields: &Fields,
) -> Result<(Head, BodyReader), NoResponse> {
    let mut request = Vec::with_capacity(REQUEST_SIZE);
    match connection.lead() {
        Lead::Forward(proxy) => h1::encode_for(proxy, &mut request, method, url, fields)?,
        _ => h1::encode(&mut request, method, url, fields)?,
    }
    if let Err(trouble) = connection.send(&request).await {
        return Err(unanswered(trouble, &connection));
    }
    drop(request);

    let mut buffer = Buffer::default();
    let mut decoder = Decoder::new(method);
    let mut is_answered = false;
    loop {
        match connection.receive(&mut buffer, pool.shelf()).await {
            Ok(0) if connection.is_reused() && !is_answered => return Err(NoResponse::Stale),
            Ok(0) => return Err(ended(decoder.end_of_input())),
            Ok(_) => is_answered = true,
            Err(trouble) if is_answered => return Err(trouble_with(trouble, Phase::Head).into()),
            Err(trouble) => return Err(unanswered(trouble, &connection)),
        }
        match decoder.head(buffer.unread())? {
            HeadStep::Partial { consumed } => buffer.consume(consumed),
            HeadStep::Complete { head, consumed } => {
                buffer.consume(consumed);
                return Ok((head, BodyReader::new(connection, buffer, decoder, Arc::clone(pool))));
            }
        }
    }
}

/// Trouble before the first byte of the response.
fn unanswered(trouble: Trouble, connection: &Connection) -> NoResponse {
    match trouble {
        Trouble::Io(error) if connection.is_reused() && is_reset(&error) => NoResponse::Stale,
        trouble => NoResponse::Failed(trouble_with(trouble, Phase::Head)),
    }
}

/// The end came where a head should be: the decoder says how far it got.
fn ended(verdict: Result<(), Error>) -> NoResponse {
    let nothing = || Error::new(ErrorKind::Truncated, "the connection ended before a response head");
    NoResponse::Failed(verdict.err().unwrap_or_else(nothing))
}

/// What trouble with a connection means for the attempt.
pub(super) fn trouble_with(trouble: Trouble, phase: Phase) -> Error {
    let part = if phase == Phase::Body { "body" } else { "response head" };
    match trouble {
        Trouble::Silence(limit) => {
            let message = format!("no byte of the {part} for {}; raise --timeout to wait longer", seconds(limit));
            Error::new(ErrorKind::Timeout(phase), message)
        }
        Trouble::Full => Error::new(ErrorKind::Protocol, format!("the {part} has a part too large to be read")),
        Trouble::Io(error) => stream_error(error, part),
    }
}

fn stream_error(error: io::Error, part: &str) -> Error {
    #[cfg(feature = "tls")]
    if let Some(error) = super::tls::stream_error(&error) {
        return error;
    }
    Error::new(ErrorKind::Truncated, format!("the connection broke before the {part} was whole: {error}"))
        .with_source(error)
}

/// Whether this is how a connection fails that the other side has closed.
fn is_reset(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// Whether a TLS stream ended without saying so: whoever is on the way could have cut it.
pub(super) fn is_unannounced_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}
