//! `wasi:random`, granted by default, since language runtimes need random numbers.

use wasmtime::component::{Component, Linker};
use wasmtime_wasi::p2::bindings::random;
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};

use super::contract::{Access, Capability, Setup};
use super::import::Import;
use crate::settings::{GrantError, Grants};
use crate::state::CallState;

/// Random numbers.
pub(super) struct Random;

const INTERFACES: [&str; 3] = [
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
];

/// The most random bytes that a guest may ask for at a time.
const MAX_BYTES: u64 = 4 << 20;

impl Capability for Random {
    fn offers(&self, import: Import<'_>) -> bool {
        import.is_of(&INTERFACES, "0.2")
    }

    fn access(&self, _: &str, grants: &Grants) -> Access {
        Access::by("[grants] random = true", grants.random)
    }

    fn link(
        &self,
        l: &mut Linker<CallState>,
        interface: &str,
        _: &Component,
    ) -> wasmtime::Result<()> {
        match interface {
            "wasi:random/random" => {
                random::random::add_to_linker::<_, WasiRandom>(l, |call| call.wasi().random())
            }
            "wasi:random/insecure" => {
                random::insecure::add_to_linker::<_, WasiRandom>(l, |call| call.wasi().random())
            }
            "wasi:random/insecure-seed" => {
                random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |call| {
                    call.wasi().random()
                })
            }
            _ => Ok(()),
        }
    }

    fn prepare(&self, _: &Grants) -> Result<Option<Setup>, GrantError> {
        Ok(Some(Box::new(|call| {
            call.wasi().max_random_size(MAX_BYTES);
            Ok(())
        })))
    }
}
