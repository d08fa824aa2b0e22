//! `wasi:sockets`, closed: language runtimes import sockets whether a task uses them or not.
//!
//! A task's WASI context has TCP, UDP and the lookup of names turned off, so a socket is refused before the
//! operating system is asked for one.

use wasmtime::component::Linker;
use wasmtime_wasi::p2::bindings::sockets;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsCtxView, WasiSocketsView as _};

use super::contract::{Access, Capability, Setup};
use super::import::Import;
use crate::settings::{GrantError, Grants};
use crate::state::CallState;

/// Each use is answered with `access-denied`.
pub(super) struct Sockets;

const INTERFACES: [&str; 7] = [
    "wasi:sockets/network",
    "wasi:sockets/instance-network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
    "wasi:sockets/ip-name-lookup",
];

impl Capability for Sockets {
    fn offers(&self, import: Import<'_>) -> bool {
        import.is_of(&INTERFACES, "0.2")
    }

    fn access(&self, _: &str, _: &Grants) -> Access {
        Access::Closed
    }

    fn link(&self, l: &mut Linker<CallState>, interface: &str) -> wasmtime::Result<()> {
        match interface {
            "wasi:sockets/network" => sockets::network::add_to_linker::<_, WasiSockets>(
                l,
                &sockets::network::LinkOptions::default(),
                view,
            ),
            "wasi:sockets/instance-network" => {
                sockets::instance_network::add_to_linker::<_, WasiSockets>(l, view)
            }
            "wasi:sockets/tcp" => sockets::tcp::add_to_linker::<_, WasiSockets>(l, view),
            "wasi:sockets/tcp-create-socket" => {
                sockets::tcp_create_socket::add_to_linker::<_, WasiSockets>(l, view)
            }
            "wasi:sockets/udp" => sockets::udp::add_to_linker::<_, WasiSockets>(l, view),
            "wasi:sockets/udp-create-socket" => {
                sockets::udp_create_socket::add_to_linker::<_, WasiSockets>(l, view)
            }
            "wasi:sockets/ip-name-lookup" => {
                sockets::ip_name_lookup::add_to_linker::<_, WasiSockets>(l, view)
            }
            _ => Ok(()),
        }
    }

    fn prepare(&self, _: &Grants) -> Result<Option<Setup>, GrantError> {
        Ok(Some(Box::new(|call| {
            call.wasi()
                .allow_tcp(false)
                .allow_udp(false)
                .allow_ip_name_lookup(false);
            Ok(())
        })))
    }
}

fn view(call: &mut CallState) -> WasiSocketsCtxView<'_> {
    call.wasi().sockets()
}
