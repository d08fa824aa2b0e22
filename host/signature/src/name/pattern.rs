//! Patterns of modules' names, as settings have them: a name, or how names begin and `*`.
//!
//! Must not know what a pattern is for.

use super::{NameError, Named, is_letter, same_bytes};
use crate::{TenantName, owner};

/// The names of some modules: `acme`, `acme.*`, `acme*` or `*`. Compared as names are. A tenant's modules have its name in
/// front: `acme/shop`, `acme/*`. Only `*` means the modules of all tenants, too.
#[derive(Clone, Debug)]
pub struct ModulePattern {
    tenant: TenantName,
    beginning: Box<str>,
    open: bool,
}

impl ModulePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When no module's name could match it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (tenant, name) = owner(text);
        let (beginning, open) = match name.strip_suffix('*') {
            Some(beginning) => (beginning, true),
            None => (name, false),
        };
        let valid = if open {
            let empty_part = beginning.starts_with('.') || beginning.contains("..");
            !empty_part
                && beginning
                    .bytes()
                    .all(|byte| byte == b'.' || is_letter(byte))
        } else {
            super::check_module_name(beginning).is_ok()
        };
        if !valid {
            return Err(NameError::Parts {
                what: Named::Module,
                name: text.to_owned(),
                expected: "a module's name, or how names begin and `*`",
            });
        }
        Ok(Self {
            tenant,
            beginning: beginning.into(),
            open,
        })
    }

    /// Whether the module of this name is one of them; the name of a tenant's has the tenant's in front.
    pub fn matches(&self, module: &str) -> bool {
        if self.open && self.beginning.is_empty() && self.tenant.is_default() {
            return true;
        }
        let (tenant, module) = owner(module);
        if tenant != self.tenant {
            return false;
        }
        let (module, beginning) = (module.as_bytes(), self.beginning.as_bytes());
        match module.get(..beginning.len()) {
            Some(begins) if self.open => same_bytes(begins, beginning),
            _ => same_bytes(module, beginning),
        }
    }
}
