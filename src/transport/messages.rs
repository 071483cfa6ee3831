//! surf's requests and responses, which cost more to make than to use (three channels and two maps each time): what is
//! done with is used again.
//!
//! What http-types can't carry travels in their extensions, where it has a place of its own for good: the encoded
//! [`Fields`] of a request; of a response the [`Received`] head, with the status as it was sent and the field lines as
//! bytes, and the body; and why there is none, where there is none: an error of http-types looks for a backtrace whenever it
//! is made, and brings 25 KB into the program with which it could be printed. The status, the header maps and the bodies
//! of http-types stay empty: they know few statuses, lose bytes, end short bodies cleanly and invent a content type, and
//! nobody here would read them.

use std::sync::Mutex;

use surf::http::{self, StatusCode};
use surf::{Request, Response, Url};

use super::body::BodyReader;
use super::h1::{Fields, Head};
use crate::config::Method;
use crate::error::{Error, ErrorKind};
use crate::sync::lock;

/// How many of each are kept for later: as many requests are under way at a time as there are workers, which may be many,
/// but few responses wait to be looked at.
const MAX_SPARE: usize = 64;

/// What came of a request.
#[derive(Debug)]
pub(crate) struct Received {
    /// The head as it was sent.
    pub head: Head,
    /// The body, to be read.
    pub body: BodyReader,
}

/// The same, or why nothing did.
type Answer = Result<Received, Error>;

/// Requests and responses that nobody uses any more.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    requests: Mutex<Vec<http::Request>>,
    responses: Mutex<Vec<http::Response>>,
}

impl Messages {
    /// A request for surf to send through a [`Transport`](super::Transport).
    pub fn request(&self, method: Method, url: Url, fields: Fields) -> Request {
        let method = match method {
            Method::Get => http::Method::Get,
            Method::Head => http::Method::Head,
        };
        let spare = lock(&self.requests).pop();
        let mut request = match spare {
            Some(mut spare) => {
                spare.set_method(method);
                *spare.url_mut() = url;
                spare
            }
            None => http::Request::new(method, url),
        };
        put(request.ext_mut(), fields);
        request.into()
    }

    /// Takes a request back that was sent.
    pub(super) fn give_back(&self, request: http::Request) {
        keep(&self.requests, request);
    }

    /// A response for surf to hand on, whatever came of the request.
    pub(super) fn response(&self, answer: Answer) -> http::Response {
        let spare = lock(&self.responses).pop();
        let mut response = spare.unwrap_or_else(|| http::Response::new(StatusCode::Ok));
        put(response.ext_mut(), answer);
        response
    }

    /// What a [`Transport`](super::Transport) received, from what surf makes of it.
    ///
    /// # Errors
    ///
    /// What the request failed with; kind [`Protocol`](ErrorKind::Protocol) if what surf has came from elsewhere.
    pub fn received(&self, sent: surf::Result<Response>) -> Result<Received, Error> {
        let mut response: http::Response =
            sent.map_err(|error| Error::new(ErrorKind::Protocol, error.to_string()))?.into();
        let answer = response.ext_mut().get_mut::<Option<Answer>>().and_then(Option::take);
        keep(&self.responses, response);
        answer.unwrap_or_else(|| Err(Error::new(ErrorKind::Protocol, "the response has no head")))
    }
}

/// Puts a value where the last of its type was.
fn put<T: Send + Sync + 'static>(extensions: &mut http::Extensions, value: T) {
    match extensions.get_mut::<Option<T>>() {
        Some(place) => *place = Some(value),
        None => drop(extensions.insert(Some(value))),
    }
}

fn keep<T>(spare: &Mutex<Vec<T>>, message: T) {
    let mut spare = lock(spare);
    if spare.len() < MAX_SPARE {
        spare.push(message);
    }
}
