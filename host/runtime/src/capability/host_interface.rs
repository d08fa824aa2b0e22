//! An interface of the embedder's own: a name in WIT, and functions that implement it.
//!
//! Must not know what the functions do.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use wasmtime::component::{Component, Linker, LinkerInstance};

use super::contract::{Access, Capability, Setup};
use super::import::Import;
use crate::context::TaskContext;
use crate::settings::{GrantError, Grants};
use crate::state::{CallSetup, CallState};

type Link = dyn Fn(&mut Linker<CallState>) -> wasmtime::Result<()> + Send + Sync;
type Keep = dyn Fn(&mut CallSetup<'_>) + Send + Sync;

/// A WIT interface that the embedder implements, for guests to import.
///
/// It is registered in [`SandboxConfig::host_interfaces`](crate::SandboxConfig::host_interfaces). A module
/// that imports it loads only where it is registered, and only if its manifest grants it:
///
/// ```toml
/// [grants]
/// interfaces = ["acme:store/api"]
/// ```
///
/// Its functions run on the sandbox's thread, so one that waits must be async
/// ([`LinkerInstance::func_wrap_async`]); a call's deadline then stops it. They are given the
/// [`CallState`] of the call.
///
/// ```
/// use chicory_runtime::wasmtime::StoreContextMut;
/// use chicory_runtime::{CallState, HostInterface, Sandbox, SandboxConfig};
///
/// // package acme:store@1.0.0;
/// // interface api { get: func(key: string) -> option<string>; }
/// let store = HostInterface::new("acme:store/api@1.0.0", |api| {
///     api.func_wrap("get", |call: StoreContextMut<'_, CallState>, (key,): (String,)| {
///         let tenant = call.data().task().tenant.as_deref().unwrap_or("nobody");
///         Ok((Some(format!("{tenant}'s {key}")),))
///     })
/// });
/// let sandbox = Sandbox::new(SandboxConfig {
///     concurrency: 1,
///     host_interfaces: vec![store],
///     ..SandboxConfig::default()
/// })?;
/// # Ok::<(), chicory_runtime::SandboxError>(())
/// ```
#[derive(Clone)]
pub struct HostInterface {
    name: Arc<str>,
    link: Arc<Link>,
    keep: Option<Arc<Keep>>,
    granted_to_all: bool,
}

/// An interface that can't be registered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterfaceError {
    /// It is not called as WIT calls interfaces.
    #[error("`{0}` is not the name of an interface; write it like `acme:store/api@1.0.0`")]
    Name(String),
    /// It is built in, or registered twice.
    #[error("`{0}` is taken: another interface has this name, in a version that is compatible")]
    Taken(String),
}

impl HostInterface {
    /// The interface of this name, such as `acme:store/api@1.0.0`, whose functions and resources `define`
    /// adds. It is called each time that a module is loaded that imports the interface in a compatible
    /// version; an error, and a function that is missing or has another type, refuse the module.
    pub fn new(
        name: impl Into<Arc<str>>,
        define: impl Fn(&mut LinkerInstance<'_, CallState>) -> wasmtime::Result<()>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let name = name.into();
        let instance = Arc::clone(&name);
        Self::with_linker(name, move |linker| define(&mut linker.instance(&instance)?))
    }

    /// The same with the whole linker, for the `add_to_linker` functions that [`wasmtime::component::bindgen`]
    /// makes. It should define this interface and no other: whatever it adds is granted along with it.
    pub fn with_linker(
        name: impl Into<Arc<str>>,
        link: impl Fn(&mut Linker<CallState>) -> wasmtime::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            link: Arc::new(link),
            keep: None,
            granted_to_all: false,
        }
    }

    /// Makes a value for each call of a module that imports the interface. Its functions find it by its type
    /// with [`CallState::get_mut`], and it is dropped with the call.
    #[must_use]
    pub fn with_state<T: Any + Send>(
        mut self,
        make: impl Fn(&TaskContext) -> T + Send + Sync + 'static,
    ) -> Self {
        self.keep = Some(Arc::new(move |call| call.keep(make(call.context))));
        self
    }

    /// Lets every module import it, whatever its manifest grants.
    #[must_use]
    pub fn granted_to_all(mut self) -> Self {
        self.granted_to_all = true;
        self
    }

    /// Its name, with the version.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for HostInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostInterface")
            .field("name", &self.name)
            .field("granted_to_all", &self.granted_to_all)
            .finish_non_exhaustive()
    }
}

impl Capability for HostInterface {
    fn offers(&self, import: Import<'_>) -> bool {
        import.fits(Import::parse(&self.name))
    }

    fn access(&self, interface: &str, grants: &Grants) -> Access {
        if self.granted_to_all {
            return Access::Free;
        }
        let own = Import::parse(&self.name);
        let mut granted = grants.interfaces.iter().map(|name| Import::parse(name));
        let granted = granted.any(|grant| grant.covers(own));
        Access::by(format!("[grants] interfaces = [\"{interface}\"]"), granted)
    }

    fn link(&self, linker: &mut Linker<CallState>, _: &str, _: &Component) -> wasmtime::Result<()> {
        (self.link)(linker)
    }

    fn prepare(&self, _: &Grants) -> Result<Option<Setup>, GrantError> {
        let Some(keep) = self.keep.clone() else {
            return Ok(None);
        };
        Ok(Some(Box::new(move |call| {
            keep(call);
            Ok(())
        })))
    }
}
