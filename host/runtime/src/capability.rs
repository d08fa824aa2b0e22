//! What a guest may import: one file per capability, with its grant, its interfaces, their linking and what
//! a call needs for them.
//!
//! What is not granted is not linked: there is no code behind it that could be wrong. A new capability is
//! one file and one line in [`BUILT_IN`]. Must not know what a guest does with an interface.

mod clocks;
mod contract;
mod dirs;
mod environment;
mod host_interface;
mod http;
mod import;
mod io;
pub(crate) mod preview1;
mod random;
mod sockets;
mod stdio;
mod task;

use std::fmt;

use wasmtime::component::{Component, InstancePre, Linker};

pub(crate) use self::contract::Setup;
use self::contract::{Access, Capability};
pub use self::host_interface::{HostInterface, InterfaceError};
pub use self::http::HostGrant;
use self::import::Import;
use crate::settings::{GrantError, Grants};
use crate::state::CallState;

/// The capabilities of every sandbox.
const BUILT_IN: [&dyn Capability; 9] = [
    &task::Task,
    &io::Io,
    &clocks::Clocks,
    &random::Random,
    &stdio::Stdio,
    &environment::Environment,
    &dirs::Dirs,
    &http::Http,
    &sockets::Sockets,
];

/// An import that needs a grant, and the manifest's lines that give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The interface, such as `wasi:http/outgoing-handler`.
    pub interface: String,
    /// Lines for the manifest.
    pub lines: String,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not granted; add to the manifest: {}",
            self.interface, self.lines
        )
    }
}

/// What a component's imports mean for its sandbox.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    /// What must be granted: by default, or by the manifest.
    pub(crate) needs: Vec<Need>,
    /// The part of `needs` that the manifest doesn't grant.
    pub(crate) missing: Vec<Need>,
    /// Interfaces that are linked and refuse every use.
    pub(crate) closed: Vec<String>,
    /// Imports that this host doesn't have.
    pub(crate) unknown: Vec<String>,
}

/// All that guests of one sandbox may import.
pub(crate) struct Capabilities {
    own: Vec<HostInterface>,
}

impl Capabilities {
    /// The built-in ones and the embedder's.
    pub(crate) fn new(own: Vec<HostInterface>) -> Result<Capabilities, InterfaceError> {
        for (index, interface) in own.iter().enumerate() {
            let name = interface.name();
            let import = Import::parse(name);
            let taken = BUILT_IN.iter().any(|its| its.offers(import))
                || own[..index].iter().any(|other| other.offers(import));
            if !import.is_interface() {
                return Err(InterfaceError::Name(name.to_owned()));
            }
            if taken {
                return Err(InterfaceError::Taken(name.to_owned()));
            }
        }
        Ok(Capabilities { own })
    }

    /// The names of the embedder's interfaces.
    pub(crate) fn own_names(&self) -> Vec<String> {
        let own = self.own.iter();
        own.map(|interface| interface.name().to_owned()).collect()
    }

    /// Sorts a component's imports by what they need.
    pub(crate) fn sort(&self, imports: &[String], grants: &Grants) -> Imports {
        let mut sorted = Imports::default();
        for name in imports {
            let import = Import::parse(name);
            let interface = import.interface;
            let Some(capability) = self.find(import) else {
                sorted.unknown.push(name.clone());
                continue;
            };
            match capability.access(interface, grants) {
                Access::Free => {}
                Access::Closed => sorted.closed.push(interface.to_owned()),
                Access::Granted { granted, lines } => {
                    let interface = interface.to_owned();
                    let need = Need { interface, lines };
                    if !granted {
                        sorted.missing.push(need.clone());
                    }
                    sorted.needs.push(need);
                }
            }
        }
        sorted
    }

    /// Checks all grants, and answers with what each call needs of the capabilities that are imported.
    pub(crate) fn prepare(
        &self,
        imports: &[String],
        grants: &Grants,
    ) -> Result<Box<[Setup]>, GrantError> {
        let mut setups = Vec::new();
        for capability in self.all() {
            let setup = capability.prepare(grants)?;
            if imports
                .iter()
                .any(|name| capability.offers(Import::parse(name)))
            {
                setups.extend(setup);
            }
        }
        Ok(setups.into())
    }

    /// Links a component's imports, which must have been found granted.
    pub(crate) fn link(
        &self,
        component: &Component,
        imports: &[String],
    ) -> wasmtime::Result<InstancePre<CallState>> {
        let mut linker = Linker::new(component.engine());
        let mut done: Vec<Import<'_>> = Vec::new();
        for import in imports.iter().map(|name| Import::parse(name)) {
            // Compatible versions of an interface are linked once.
            if let Some(capability) = self.find(import)
                && !done.iter().any(|other| other.fits(import))
            {
                capability.link(&mut linker, import.interface, component)?;
                done.push(import);
            }
        }
        linker.instantiate_pre(component)
    }

    fn find(&self, import: Import<'_>) -> Option<&dyn Capability> {
        self.all().find(|capability| capability.offers(import))
    }

    fn all(&self) -> impl Iterator<Item = &dyn Capability> {
        let own = self.own.iter().map(|own| own as &dyn Capability);
        BUILT_IN.into_iter().chain(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(own: &[&str]) -> String {
        let own = own.iter().map(|name| HostInterface::new(*name, |_| Ok(())));
        let error = Capabilities::new(own.collect()).err().unwrap();
        error.to_string()
    }

    #[test]
    fn an_embedders_interface_needs_a_name_of_its_own() {
        for name in ["", "store", "acme:store", "acme/api@1.0.0", "acme:store/"] {
            assert!(refused(&[name]).contains("is not the name of"), "{name}");
        }
        assert!(refused(&["wasi:cli/stdout@0.2.0"]).contains("is taken"));
        let twice = ["acme:store/api@1.0.0", "acme:store/api@1.2.0"];
        assert!(refused(&twice).contains("`acme:store/api@1.2.0` is taken"));
        let versions = ["acme:store/api@1.0.0", "acme:store/api@2.0.0"];
        let own = versions.map(|name| HostInterface::new(name, |_| Ok(())));
        assert_eq!(Capabilities::new(own.into()).unwrap().own_names(), versions);
    }
}
