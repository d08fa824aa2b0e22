//! `wasi:http` as the engine has it, with everything counted that it keeps for a guest's handles.
//!
//! The engine limits one set of headers, and the number of handles, but not their product. Must not know what may be
//! requested.

mod passed;

use http::HeaderMap;
use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::p2::DynOutputStream;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};
use wasmtime_wasi_http::p2::body::HostOutgoingBody;
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse,
};
use wasmtime_wasi_http::p2::{HeaderError, HeaderResult, HttpError, HttpResult};
use wasmtime_wasi_http::{FieldMap, RequestOptions, WasiHttpCtxView};

use super::ledger::Ledger;

/// The most bytes that a guest may write to a body at a time.
pub(super) const BODY_CHUNK: usize = 64 << 10;

/// What a body to send counts, in bytes: a chunk that waits, and one that is being sent.
const BODY: u64 = 2 * BODY_CHUNK as u64;

/// What one header counts besides its texts, in bytes: its place in the map.
const HEADER: u64 = 128;

/// The engine's HTTP, counted.
pub(super) struct CountedHttp;

impl HasData for CountedHttp {
    type Data<'a> = Counted<'a>;
}

/// The engine's HTTP of one call, and the ledger of its handles.
pub(super) struct Counted<'a> {
    pub(super) view: WasiHttpCtxView<'a>,
    pub(super) ledger: &'a mut Ledger,
}

fn size(headers: &HeaderMap) -> u64 {
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.as_str().len() + value.len()) as u64 + HEADER
    };
    headers.iter().map(header).sum()
}

fn length(text: Option<&String>) -> u64 {
    text.map_or(0, |text| text.len() as u64)
}

impl Counted<'_> {
    fn fields(&mut self, handle: u32) -> wasmtime::Result<()> {
        let fields = self
            .view
            .table
            .get(&Resource::<FieldMap>::new_borrow(handle))?;
        Ok(self.ledger.set(handle, size(fields))?)
    }

    fn request(&mut self, handle: u32) -> wasmtime::Result<()> {
        let request = Resource::<HostOutgoingRequest>::new_borrow(handle);
        let request = self.view.table.get(&request)?;
        let scheme = match &request.scheme {
            Some(types::Scheme::Other(text)) => Some(text),
            _ => None,
        };
        let method = match &request.method {
            types::Method::Other(text) => Some(text),
            _ => None,
        };
        let texts = [
            scheme,
            method,
            request.authority.as_ref(),
            request.path_with_query.as_ref(),
        ];
        let texts: u64 = texts.map(length).iter().sum();
        let body = if request.body.is_some() { BODY } else { 0 };
        Ok(self
            .ledger
            .set(handle, size(&request.headers) + texts + body)?)
    }

    fn response(&mut self, handle: u32) -> wasmtime::Result<()> {
        let response = Resource::<HostOutgoingResponse>::new_borrow(handle);
        let response = self.view.table.get(&response)?;
        let body = if response.body.is_some() { BODY } else { 0 };
        Ok(self.ledger.set(handle, size(&response.headers) + body)?)
    }
}

impl types::HostFields for Counted<'_> {
    fn new(&mut self) -> wasmtime::Result<Resource<FieldMap>> {
        let made = types::HostFields::new(&mut self.view)?;
        self.fields(made.rep())?;
        Ok(made)
    }

    fn from_list(&mut self, entries: Vec<(String, Vec<u8>)>) -> HeaderResult<Resource<FieldMap>> {
        let made = types::HostFields::from_list(&mut self.view, entries)?;
        self.fields(made.rep()).map_err(HeaderError::trap)?;
        Ok(made)
    }

    fn drop(&mut self, fields: Resource<FieldMap>) -> wasmtime::Result<()> {
        self.ledger.drop(fields.rep());
        types::HostFields::drop(&mut self.view, fields)
    }

    fn get(&mut self, fields: Resource<FieldMap>, name: String) -> wasmtime::Result<Vec<Vec<u8>>> {
        types::HostFields::get(&mut self.view, fields, name)
    }

    fn has(&mut self, fields: Resource<FieldMap>, name: String) -> wasmtime::Result<bool> {
        types::HostFields::has(&mut self.view, fields, name)
    }

    fn set(
        &mut self,
        fields: Resource<FieldMap>,
        name: String,
        values: Vec<Vec<u8>>,
    ) -> HeaderResult<()> {
        let handle = fields.rep();
        types::HostFields::set(&mut self.view, fields, name, values)?;
        self.fields(handle).map_err(HeaderError::trap)
    }

    fn delete(&mut self, fields: Resource<FieldMap>, name: String) -> HeaderResult<()> {
        let handle = fields.rep();
        types::HostFields::delete(&mut self.view, fields, name)?;
        self.fields(handle).map_err(HeaderError::trap)
    }

    fn append(
        &mut self,
        fields: Resource<FieldMap>,
        name: String,
        value: Vec<u8>,
    ) -> HeaderResult<()> {
        let handle = fields.rep();
        types::HostFields::append(&mut self.view, fields, name, value)?;
        self.fields(handle).map_err(HeaderError::trap)
    }

    fn entries(&mut self, fields: Resource<FieldMap>) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
        types::HostFields::entries(&mut self.view, fields)
    }

    fn clone(&mut self, fields: Resource<FieldMap>) -> wasmtime::Result<Resource<FieldMap>> {
        let made = types::HostFields::clone(&mut self.view, fields)?;
        self.fields(made.rep())?;
        Ok(made)
    }
}

impl types::HostOutgoingRequest for Counted<'_> {
    fn new(
        &mut self,
        headers: Resource<FieldMap>,
    ) -> wasmtime::Result<Resource<HostOutgoingRequest>> {
        self.ledger.drop(headers.rep());
        let made = types::HostOutgoingRequest::new(&mut self.view, headers)?;
        self.request(made.rep())?;
        Ok(made)
    }

    fn body(
        &mut self,
        request: Resource<HostOutgoingRequest>,
    ) -> wasmtime::Result<Result<Resource<HostOutgoingBody>, ()>> {
        let handle = request.rep();
        let made = types::HostOutgoingRequest::body(&mut self.view, request)?;
        self.request(handle)?;
        if let Ok(body) = &made {
            self.ledger.set(body.rep(), 0)?;
        }
        Ok(made)
    }

    fn drop(&mut self, request: Resource<HostOutgoingRequest>) -> wasmtime::Result<()> {
        self.ledger.drop(request.rep());
        types::HostOutgoingRequest::drop(&mut self.view, request)
    }

    fn method(
        &mut self,
        request: Resource<HostOutgoingRequest>,
    ) -> wasmtime::Result<types::Method> {
        types::HostOutgoingRequest::method(&mut self.view, request)
    }

    fn set_method(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        method: types::Method,
    ) -> wasmtime::Result<Result<(), ()>> {
        let handle = request.rep();
        let done = types::HostOutgoingRequest::set_method(&mut self.view, request, method)?;
        self.request(handle)?;
        Ok(done)
    }

    fn path_with_query(
        &mut self,
        request: Resource<HostOutgoingRequest>,
    ) -> wasmtime::Result<Option<String>> {
        types::HostOutgoingRequest::path_with_query(&mut self.view, request)
    }

    fn set_path_with_query(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        path: Option<String>,
    ) -> wasmtime::Result<Result<(), ()>> {
        let handle = request.rep();
        let done = types::HostOutgoingRequest::set_path_with_query(&mut self.view, request, path)?;
        self.request(handle)?;
        Ok(done)
    }

    fn scheme(
        &mut self,
        request: Resource<HostOutgoingRequest>,
    ) -> wasmtime::Result<Option<types::Scheme>> {
        types::HostOutgoingRequest::scheme(&mut self.view, request)
    }

    fn set_scheme(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        scheme: Option<types::Scheme>,
    ) -> wasmtime::Result<Result<(), ()>> {
        let handle = request.rep();
        let done = types::HostOutgoingRequest::set_scheme(&mut self.view, request, scheme)?;
        self.request(handle)?;
        Ok(done)
    }

    fn authority(
        &mut self,
        request: Resource<HostOutgoingRequest>,
    ) -> wasmtime::Result<Option<String>> {
        types::HostOutgoingRequest::authority(&mut self.view, request)
    }

    fn set_authority(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        authority: Option<String>,
    ) -> wasmtime::Result<Result<(), ()>> {
        let handle = request.rep();
        let done = types::HostOutgoingRequest::set_authority(&mut self.view, request, authority)?;
        self.request(handle)?;
        Ok(done)
    }

    fn headers(
        &mut self,
        request: Resource<HostOutgoingRequest>,
    ) -> wasmtime::Result<Resource<FieldMap>> {
        let made = types::HostOutgoingRequest::headers(&mut self.view, request)?;
        self.fields(made.rep())?;
        Ok(made)
    }
}

impl types::HostOutgoingBody for Counted<'_> {
    fn write(
        &mut self,
        body: Resource<HostOutgoingBody>,
    ) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        types::HostOutgoingBody::write(&mut self.view, body)
    }

    fn finish(
        &mut self,
        body: Resource<HostOutgoingBody>,
        trailers: Option<Resource<FieldMap>>,
    ) -> HttpResult<()> {
        self.ledger.drop(body.rep());
        if let Some(trailers) = &trailers {
            self.ledger.forget(trailers.rep());
        }
        types::HostOutgoingBody::finish(&mut self.view, body, trailers)
    }

    fn drop(&mut self, body: Resource<HostOutgoingBody>) -> wasmtime::Result<()> {
        self.ledger.drop(body.rep());
        types::HostOutgoingBody::drop(&mut self.view, body)
    }
}

impl types::HostIncomingResponse for Counted<'_> {
    fn drop(&mut self, response: Resource<HostIncomingResponse>) -> wasmtime::Result<()> {
        self.ledger.drop(response.rep());
        types::HostIncomingResponse::drop(&mut self.view, response)
    }

    fn status(
        &mut self,
        response: Resource<HostIncomingResponse>,
    ) -> wasmtime::Result<types::StatusCode> {
        types::HostIncomingResponse::status(&mut self.view, response)
    }

    fn headers(
        &mut self,
        response: Resource<HostIncomingResponse>,
    ) -> wasmtime::Result<Resource<FieldMap>> {
        let made = types::HostIncomingResponse::headers(&mut self.view, response)?;
        self.fields(made.rep())?;
        Ok(made)
    }

    fn consume(
        &mut self,
        response: Resource<HostIncomingResponse>,
    ) -> wasmtime::Result<Result<Resource<types::IncomingBody>, ()>> {
        types::HostIncomingResponse::consume(&mut self.view, response)
    }
}

type Got = Option<Result<Result<Resource<HostIncomingResponse>, types::ErrorCode>, ()>>;

impl types::HostFutureIncomingResponse for Counted<'_> {
    fn drop(&mut self, future: Resource<HostFutureIncomingResponse>) -> wasmtime::Result<()> {
        self.ledger.drop(future.rep());
        types::HostFutureIncomingResponse::drop(&mut self.view, future)
    }

    fn get(&mut self, future: Resource<HostFutureIncomingResponse>) -> wasmtime::Result<Got> {
        let got = types::HostFutureIncomingResponse::get(&mut self.view, future)?;
        if let Some(Ok(Ok(response))) = &got {
            let headers = size(&self.view.table.get(response)?.headers);
            self.ledger.set(response.rep(), headers)?;
        }
        Ok(got)
    }

    fn subscribe(
        &mut self,
        future: Resource<HostFutureIncomingResponse>,
    ) -> wasmtime::Result<Resource<wasmtime_wasi::p2::DynPollable>> {
        types::HostFutureIncomingResponse::subscribe(&mut self.view, future)
    }
}

impl outgoing_handler::Host for Counted<'_> {
    fn handle(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        options: Option<Resource<RequestOptions>>,
    ) -> HttpResult<Resource<HostFutureIncomingResponse>> {
        // The request becomes a connection's, which counts by itself.
        self.ledger.drop(request.rep());
        let future = outgoing_handler::Host::handle(&mut self.view, request, options)?;
        self.ledger
            .set(future.rep(), BODY)
            .map_err(HttpError::trap)?;
        Ok(future)
    }
}
