//! What a capability has to say about itself.
//!
//! Must not know which capabilities there are.

use wasmtime::component::{Component, Linker};

use super::import::Import;
use crate::settings::{GrantError, Grants};
use crate::state::{CallSetup, CallState};

/// Something that guests may import.
pub(super) trait Capability: Send + Sync {
    /// Whether it has this interface, in a version that fits.
    fn offers(&self, import: Import<'_>) -> bool;

    /// What a guest needs before one of its interfaces is linked.
    fn access(&self, interface: &str, grants: &Grants) -> Access;

    /// Links one of its interfaces, for a component that imports it.
    fn link(
        &self,
        linker: &mut Linker<CallState>,
        interface: &str,
        component: &Component,
    ) -> wasmtime::Result<()>;

    /// Checks what the manifest grants of it, and answers with what each call of a module needs that
    /// imports it. The error names the grant and what is allowed.
    fn prepare(&self, _grants: &Grants) -> Result<Option<Setup>, GrantError> {
        Ok(None)
    }
}

/// Gives one call what it needs of a capability. The error says what the host could not do.
pub(crate) type Setup = Box<dyn Fn(&mut CallSetup<'_>) -> Result<(), String> + Send + Sync>;

/// What a guest needs before an interface is linked.
pub(super) enum Access {
    /// Nothing: it gives the guest nothing that was not put there by other grants.
    Free,
    /// A grant, by default or by lines in the manifest.
    Granted {
        /// Whether this module has it.
        granted: bool,
        /// The lines.
        lines: String,
    },
    /// It is linked, since language runtimes import it whether a task uses it or not, but refuses every use.
    Closed,
}

impl Access {
    pub(super) fn by(lines: impl Into<String>, granted: bool) -> Access {
        Access::Granted {
            granted,
            lines: lines.into(),
        }
    }
}
