//! ureq-proto, driven as a connection would, and what it made of a response in the terms of ours.

use ureq_proto::BodyMode;
use ureq_proto::client::state::{RecvBody, RecvResponse};
use ureq_proto::client::{Call, RecvBodyResult, RecvResponseResult, SendRequestResult};
use ureq_proto::http::{Request, Response};

use super::Seen;
use crate::config::Method;

/// Reads the response to a request with this method from a connection that gives `input` and ends.
pub fn read(method: Method, input: &[u8]) -> Result<Seen, String> {
    let mut call = awaiting_response(method);
    let (response, mut rest) = read_head(&mut call, input)?;
    let mut seen = Seen {
        status: response.status().as_u16(),
        fields: response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_bytes().into()))
            .collect(),
        length: None,
        body: Vec::new(),
        left_over: Vec::new(),
        exact: true,
        may_reuse: false,
    };
    seen.may_reuse = !match call.proceed().ok_or("no response")? {
        RecvResponseResult::RecvBody(call) => read_body(call, &mut rest, &mut seen)?,
        RecvResponseResult::Redirect(call) => call.must_close_connection(),
        RecvResponseResult::Cleanup(call) => call.must_close_connection(),
    };
    seen.left_over = rest.to_vec();
    Ok(seen)
}

/// A call whose request is sent.
fn awaiting_response(method: Method) -> Call<RecvResponse> {
    let method = if method == Method::Head { "HEAD" } else { "GET" };
    let request = Request::builder().method(method).uri("http://h/").body(()).expect("it is a request");
    let mut call = Call::new(request).expect("it may be sent").proceed();
    call.write(&mut [0; 1024]).expect("there is room");
    match call.proceed() {
        Ok(Some(SendRequestResult::RecvResponse(call))) => call,
        _ => panic!("a request without a body is followed by its response"),
    }
}

fn read_head<'a>(call: &mut Call<RecvResponse>, input: &'a [u8]) -> Result<(Response<()>, &'a [u8]), String> {
    let mut rest = input;
    loop {
        let (used, response) = call.try_response(rest, false).map_err(|error| error.to_string())?;
        rest = &rest[used..];
        match response {
            Some(response) => return Ok((response, rest)),
            None if used == 0 => return Err("the head is cut".to_owned()),
            None => {}
        }
    }
}

/// Reads a body from `rest`; whether the connection has to be closed then.
fn read_body(mut call: Call<RecvBody>, rest: &mut &[u8], seen: &mut Seen) -> Result<bool, String> {
    seen.exact = call.body_mode() != BodyMode::CloseDelimited;
    if let BodyMode::LengthDelimited(length) = call.body_mode() {
        seen.length = Some(length);
    }
    let mut output = vec![0; rest.len()];
    loop {
        let (used, written) = call.read(rest, &mut output).map_err(|error| error.to_string())?;
        *rest = &rest[used..];
        seen.body.extend_from_slice(&output[..written]);
        if used == 0 {
            break;
        }
    }
    match call.proceed() {
        Some(RecvBodyResult::Redirect(call)) => Ok(call.must_close_connection()),
        Some(RecvBodyResult::Cleanup(call)) => Ok(call.must_close_connection()),
        None => Err("the body is cut".to_owned()),
    }
}
