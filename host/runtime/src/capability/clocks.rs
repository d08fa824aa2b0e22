//! `wasi:clocks`, granted by default, since language runtimes need clocks.

use wasmtime::component::{Component, Linker};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksCtxView, WasiClocksView as _};
use wasmtime_wasi::p2::bindings::clocks;

use super::contract::{Access, Capability, Setup};
use super::import::Import;
use crate::settings::{GrantError, Grants};
use crate::state::CallState;

/// The time, and waiting for a time.
pub(super) struct Clocks;

const INTERFACES: [&str; 2] = ["wasi:clocks/wall-clock", "wasi:clocks/monotonic-clock"];

impl Capability for Clocks {
    fn offers(&self, import: Import<'_>) -> bool {
        import.is_of(&INTERFACES, "0.2")
    }

    fn access(&self, _: &str, grants: &Grants) -> Access {
        Access::by("[grants] clocks = true", grants.clocks)
    }

    fn link(
        &self,
        l: &mut Linker<CallState>,
        interface: &str,
        _: &Component,
    ) -> wasmtime::Result<()> {
        match interface {
            "wasi:clocks/wall-clock" => clocks::wall_clock::add_to_linker::<_, WasiClocks>(l, view),
            "wasi:clocks/monotonic-clock" => {
                clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, view)
            }
            _ => Ok(()),
        }
    }

    fn prepare(&self, _: &Grants) -> Result<Option<Setup>, GrantError> {
        Ok(Some(Box::new(|call| {
            call.wasi();
            Ok(())
        })))
    }
}

fn view(call: &mut CallState) -> WasiClocksCtxView<'_> {
    call.wasi().clocks()
}
