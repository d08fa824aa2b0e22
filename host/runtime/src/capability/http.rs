//! `wasi:http`: outbound requests to listed hosts, and never to a private address unless the list names it.
//!
//! Must not know how a connection is made.

mod address;
mod counted;
mod gate;
mod ledger;
mod wire;

use std::sync::Arc;

use wasmtime::component::{Component, Linker};
use wasmtime_wasi_http::p2::bindings as web;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView};

pub use self::address::HostGrant;
use self::counted::{Counted, CountedHttp};
use self::gate::Gate;
use self::ledger::Ledger;
use super::contract::{Access, Capability, Setup};
use super::import::Import;
use crate::settings::{GrantError, Grants};
use crate::state::CallState;

/// Requests to hosts.
pub(super) struct Http;

const INTERFACES: [&str; 2] = ["wasi:http/types", "wasi:http/outgoing-handler"];

impl Capability for Http {
    fn offers(&self, import: Import<'_>) -> bool {
        import.is_of(&INTERFACES, "0.2")
    }

    fn access(&self, _: &str, grants: &Grants) -> Access {
        Access::by(
            "[grants] http = [\"host.example\"]",
            !grants.http.is_empty(),
        )
    }

    fn link(
        &self,
        l: &mut Linker<CallState>,
        interface: &str,
        _: &Component,
    ) -> wasmtime::Result<()> {
        match interface {
            "wasi:http/types" => web::http::types::add_to_linker::<_, CountedHttp>(
                l,
                &(&web::LinkOptions::default()).into(),
                view,
            ),
            "wasi:http/outgoing-handler" => {
                web::http::outgoing_handler::add_to_linker::<_, CountedHttp>(l, view)
            }
            _ => Ok(()),
        }
    }

    fn prepare(&self, grants: &Grants) -> Result<Option<Setup>, GrantError> {
        let hosts = grants.http.iter().map(|text| HostGrant::parse(text));
        let hosts: Arc<[HostGrant]> = hosts.collect::<Result<_, _>>()?;
        Ok(Some(Box::new(move |call| {
            let gate = Gate::new(Arc::clone(&hosts), Arc::clone(call.monitor));
            let ctx = WasiHttpCtx::new();
            let ledger = Ledger::new(Arc::clone(call.monitor));
            call.keep(HttpState { ctx, gate, ledger });
            Ok(())
        })))
    }
}

/// The HTTP state of one call.
struct HttpState {
    ctx: WasiHttpCtx,
    gate: Gate,
    ledger: Ledger,
}

fn view(call: &mut CallState) -> Counted<'_> {
    let (http, table) = call.kept_and_table::<HttpState>();
    Counted {
        view: WasiHttpCtxView {
            ctx: &mut http.ctx,
            table,
            hooks: &mut http.gate,
        },
        ledger: &mut http.ledger,
    }
}
