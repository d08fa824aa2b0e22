//! `wasi:io`: streams and waiting, which other interfaces use.

use wasmtime::component::{Component, HasData, Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::io;

use super::contract::{Access, Capability};
use super::import::Import;
use crate::settings::Grants;
use crate::state::CallState;

/// Harmless: other grants say where a stream leads.
pub(super) struct Io;

const INTERFACES: [&str; 3] = ["wasi:io/error", "wasi:io/poll", "wasi:io/streams"];

struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

impl Capability for Io {
    fn offers(&self, import: Import<'_>) -> bool {
        import.is_of(&INTERFACES, "0.2")
    }

    fn access(&self, _: &str, _: &Grants) -> Access {
        Access::Free
    }

    fn link(
        &self,
        l: &mut Linker<CallState>,
        interface: &str,
        _: &Component,
    ) -> wasmtime::Result<()> {
        match interface {
            "wasi:io/error" => io::error::add_to_linker::<_, Table>(l, CallState::table),
            "wasi:io/poll" => io::poll::add_to_linker::<_, Table>(l, CallState::table),
            "wasi:io/streams" => io::streams::add_to_linker::<_, Table>(l, CallState::table),
            _ => Ok(()),
        }
    }
}
