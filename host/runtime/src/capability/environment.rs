//! `wasi:cli/environment` and `wasi:cli/exit`: arguments, the variables that a manifest grants, and the end
//! of a program.

use wasmtime::component::{Component, Linker};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::p2::bindings::cli;

use super::contract::{Access, Capability, Setup};
use super::import::Import;
use crate::settings::{GrantError, Grants};
use crate::state::CallState;

/// Harmless: there are no variables without `env`, and the host's are never there.
pub(super) struct Environment;

const INTERFACES: [&str; 2] = ["wasi:cli/environment", "wasi:cli/exit"];

impl Capability for Environment {
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
            "wasi:cli/environment" => {
                cli::environment::add_to_linker::<_, WasiCli>(l, |call| call.wasi().cli())
            }
            "wasi:cli/exit" => cli::exit::add_to_linker::<_, WasiCli>(l, |call| call.wasi().cli()),
            _ => Ok(()),
        }
    }

    fn prepare(&self, grants: &Grants) -> Result<Option<Setup>, GrantError> {
        let variables = grants.env.clone();
        Ok(Some(Box::new(move |call| {
            let args = std::mem::take(&mut call.program.argv);
            let wasi = call.wasi();
            wasi.args(&args);
            for (name, value) in &variables {
                wasi.env(name, value);
            }
            Ok(())
        })))
    }
}
