//! `wasi:sockets`, closed: language runtimes import sockets whether a task uses them or not.
//!
//! There is no network code behind them. Whatever could give a guest a socket answers with an error, so
//! nothing can be done with one.

use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType, Val};
use wasmtime::{Error, StoreContextMut};

use super::contract::{Access, Capability};
use super::import::Import;
use crate::settings::Grants;
use crate::state::CallState;

/// Each use is answered with an error.
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

/// The resources that these interfaces define. Others that they use belong to `wasi:io`.
const RESOURCES: [&str; 6] = [
    "network",
    "tcp-socket",
    "udp-socket",
    "incoming-datagram-stream",
    "outgoing-datagram-stream",
    "resolve-address-stream",
];

/// What a guest holds that asks for the network: nothing.
struct Nothing;

impl Capability for Sockets {
    fn offers(&self, import: Import<'_>) -> bool {
        import.is_of(&INTERFACES, "0.2")
    }

    fn access(&self, _: &str, _: &Grants) -> Access {
        Access::Closed
    }

    fn link(
        &self,
        linker: &mut Linker<CallState>,
        interface: &str,
        component: &Component,
    ) -> wasmtime::Result<()> {
        let engine = component.engine();
        for (name, import) in component.component_type().imports(engine) {
            let ComponentItem::ComponentInstance(instance) = import.ty else {
                continue;
            };
            if Import::parse(name).is_of(&[interface], "0.2") {
                let exports = instance.exports(engine);
                let exports = exports.map(|(name, export)| (name, export.ty));
                close(&mut linker.instance(name)?, exports)?;
            }
        }
        Ok(())
    }
}

/// Defines what a guest imports of an interface.
fn close<'a>(
    instance: &mut LinkerInstance<'_, CallState>,
    exports: impl Iterator<Item = (&'a str, ComponentItem)>,
) -> wasmtime::Result<()> {
    for (name, export) in exports {
        match export {
            ComponentItem::Resource(_) if RESOURCES.contains(&name) => {
                instance.resource(name, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
            }
            ComponentItem::ComponentFunc(_) => {
                let error = match name {
                    "resolve-addresses" => "permanent-resolver-failure",
                    _ => "access-denied",
                };
                instance.func_new(name, move |mut store, ty, params, results| {
                    release(&mut store, params)?;
                    refuse(store, &ty, results, error)
                })?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Ends the borrows of a call: what it was lent must be returned.
fn release(store: &mut StoreContextMut<'_, CallState>, params: &[Val]) -> wasmtime::Result<()> {
    for param in params {
        if let Val::Resource(lent) = param {
            lent.try_into_resource::<Nothing>(&mut *store)?;
        }
    }
    Ok(())
}

/// Answers a call. A method of a socket traps: there is no socket to call it on.
fn refuse(
    store: StoreContextMut<'_, CallState>,
    ty: &ComponentFunc,
    results: &mut [Val],
    error: &str,
) -> wasmtime::Result<()> {
    let answer = match ty.results().next() {
        Some(Type::Result(_)) => Val::Result(Err(Some(Box::new(Val::Enum(error.to_owned()))))),
        Some(Type::Option(_)) => Val::Option(None),
        Some(Type::Own(_)) => {
            let network = Resource::<Nothing>::new_own(0);
            Val::Resource(network.try_into_resource_any(store)?)
        }
        _ => return Err(Error::msg("sockets are closed")),
    };
    if let Some(result) = results.first_mut() {
        *result = answer;
    }
    Ok(())
}
