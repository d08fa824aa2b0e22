//! Imports what nobody granted it; where somebody did, GETs a page. Must not know queues.

use wasi::http::outgoing_handler;
use wasi::http::types::{Fields, IncomingResponse, OutgoingRequest, Scheme};
use wasi::io::streams::StreamError;

wit_bindgen::generate!({ path: "wit", world: "wants-http", generate_all });

/// Bytes asked for at once.
const CHUNK: u64 = 64 << 10;

struct WantsHttp;

export!(WantsHttp);

impl Guest for WantsHttp {
    fn get(authority: String, path: String) -> Result<Answer, String> {
        let response = send(&authority, &path)?;
        let status = response.status();
        let body = read(&response)?;
        Ok(Answer { status, body })
    }
}

fn send(authority: &str, path: &str) -> Result<IncomingResponse, String> {
    let request = OutgoingRequest::new(Fields::new());
    let accepted = request
        .set_scheme(Some(&Scheme::Http))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some(path)));
    accepted.map_err(|()| format!("http://{authority}{path} is no address"))?;
    let response = outgoing_handler::handle(request, None).map_err(|error| error.to_string())?;
    response.subscribe().block();
    match response.get() {
        Some(Ok(answer)) => answer.map_err(|error| error.to_string()),
        _ => Err("no response after the wait for it".into()),
    }
}

fn read(response: &IncomingResponse) -> Result<String, String> {
    let body = response.consume().map_err(|()| "no body")?;
    let stream = body.stream().map_err(|()| "no stream of the body")?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(chunk) => bytes.extend(chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
