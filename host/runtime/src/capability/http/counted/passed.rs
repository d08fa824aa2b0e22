//! The part of `wasi:http` that keeps next to nothing for a handle: it is passed on.
//!
//! Must not know what is counted.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, DynPollable};
use wasmtime_wasi_http::p2::bindings::http::types;
use wasmtime_wasi_http::p2::{HeaderError, HttpError, HttpResult};

use super::Counted;

/// Functions of one interface, passed on to the engine.
macro_rules! pass {
    ($of:ident: $(fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        impl types::$of for Counted<'_> {
            $(fn $name(&mut self, $($arg: $ty),*) -> $out {
                types::$of::$name(&mut self.view, $($arg),*)
            })*
        }
    };
}

/// What a function answers that a guest may call at the wrong time.
type Answer<T> = wasmtime::Result<Result<T, ()>>;

pass! { Host:
    fn convert_error_code(error: HttpError) -> wasmtime::Result<types::ErrorCode>;
    fn convert_header_error(error: HeaderError) -> wasmtime::Result<types::HeaderError>;
    fn http_error_code(error: Resource<types::IoError>) -> wasmtime::Result<Option<types::ErrorCode>>;
}

pass! { HostIncomingRequest:
    fn method(request: Resource<types::IncomingRequest>) -> wasmtime::Result<types::Method>;
    fn path_with_query(request: Resource<types::IncomingRequest>) -> wasmtime::Result<Option<String>>;
    fn scheme(request: Resource<types::IncomingRequest>) -> wasmtime::Result<Option<types::Scheme>>;
    fn authority(request: Resource<types::IncomingRequest>) -> wasmtime::Result<Option<String>>;
    fn headers(request: Resource<types::IncomingRequest>) -> wasmtime::Result<Resource<types::Fields>>;
    fn consume(request: Resource<types::IncomingRequest>) -> Answer<Resource<types::IncomingBody>>;
    fn drop(request: Resource<types::IncomingRequest>) -> wasmtime::Result<()>;
}

pass! { HostResponseOutparam:
    fn set(param: Resource<types::ResponseOutparam>, response: Result<Resource<types::OutgoingResponse>, types::ErrorCode>) -> wasmtime::Result<()>;
    fn send_informational(param: Resource<types::ResponseOutparam>, status: u16, headers: Resource<types::Fields>) -> HttpResult<()>;
    fn drop(param: Resource<types::ResponseOutparam>) -> wasmtime::Result<()>;
}

pass! { HostFutureTrailers:
    fn drop(trailers: Resource<types::FutureTrailers>) -> wasmtime::Result<()>;
    fn subscribe(trailers: Resource<types::FutureTrailers>) -> wasmtime::Result<Resource<DynPollable>>;
    fn get(trailers: Resource<types::FutureTrailers>) -> wasmtime::Result<Option<Result<Result<Option<Resource<types::Trailers>>, types::ErrorCode>, ()>>>;
}

pass! { HostIncomingBody:
    fn stream(body: Resource<types::IncomingBody>) -> Answer<Resource<DynInputStream>>;
    fn finish(body: Resource<types::IncomingBody>) -> wasmtime::Result<Resource<types::FutureTrailers>>;
    fn drop(body: Resource<types::IncomingBody>) -> wasmtime::Result<()>;
}

pass! { HostRequestOptions:
    fn new() -> wasmtime::Result<Resource<types::RequestOptions>>;
    fn connect_timeout(options: Resource<types::RequestOptions>) -> wasmtime::Result<Option<types::Duration>>;
    fn set_connect_timeout(options: Resource<types::RequestOptions>, time: Option<types::Duration>) -> Answer<()>;
    fn first_byte_timeout(options: Resource<types::RequestOptions>) -> wasmtime::Result<Option<types::Duration>>;
    fn set_first_byte_timeout(options: Resource<types::RequestOptions>, time: Option<types::Duration>) -> Answer<()>;
    fn between_bytes_timeout(options: Resource<types::RequestOptions>) -> wasmtime::Result<Option<types::Duration>>;
    fn set_between_bytes_timeout(options: Resource<types::RequestOptions>, time: Option<types::Duration>) -> Answer<()>;
    fn drop(options: Resource<types::RequestOptions>) -> wasmtime::Result<()>;
}

impl types::HostOutgoingResponse for Counted<'_> {
    fn new(
        &mut self,
        headers: Resource<types::Fields>,
    ) -> wasmtime::Result<Resource<types::OutgoingResponse>> {
        self.ledger.drop(headers.rep());
        let made = types::HostOutgoingResponse::new(&mut self.view, headers)?;
        self.response(made.rep())?;
        Ok(made)
    }

    fn body(
        &mut self,
        response: Resource<types::OutgoingResponse>,
    ) -> Answer<Resource<types::OutgoingBody>> {
        let handle = response.rep();
        let made = types::HostOutgoingResponse::body(&mut self.view, response)?;
        self.response(handle)?;
        Ok(made)
    }

    fn status_code(
        &mut self,
        response: Resource<types::OutgoingResponse>,
    ) -> wasmtime::Result<types::StatusCode> {
        types::HostOutgoingResponse::status_code(&mut self.view, response)
    }

    fn set_status_code(
        &mut self,
        response: Resource<types::OutgoingResponse>,
        status: types::StatusCode,
    ) -> Answer<()> {
        types::HostOutgoingResponse::set_status_code(&mut self.view, response, status)
    }

    fn headers(
        &mut self,
        response: Resource<types::OutgoingResponse>,
    ) -> wasmtime::Result<Resource<types::Fields>> {
        let made = types::HostOutgoingResponse::headers(&mut self.view, response)?;
        self.fields(made.rep())?;
        Ok(made)
    }

    fn drop(&mut self, response: Resource<types::OutgoingResponse>) -> wasmtime::Result<()> {
        self.ledger.drop(response.rep());
        types::HostOutgoingResponse::drop(&mut self.view, response)
    }
}
