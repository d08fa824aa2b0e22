//! What stands before a module that comes from outside: who must have signed it, and what it may get at most.
//!
//! Must not know where a module comes from.

use chicory_runtime::ModuleSettings;

use super::error::ModuleError;
use super::policy::{Allowed, Policy};
use super::trust::Trust;

/// Whose modules a worker runs, and what they get at most.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    /// Who must have signed a module.
    pub trust: Trust,
    /// What a module gets at most.
    pub policy: Policy,
}

impl Admission {
    /// For one's own code: whatever trust asks for, and no ceiling.
    pub fn of_own_code(trust: Trust) -> Self {
        let policy = Policy::open();
        Self { trust, policy }
    }

    /// What a module gets of what its manifest asks for.
    ///
    /// # Errors
    /// When nobody who is trusted has signed it, or it asks for more than it may have.
    pub fn admit(
        &self,
        module: &str,
        bytes: &[u8],
        signature: Option<&str>,
        asked: &ModuleSettings,
    ) -> Result<Allowed, ModuleError> {
        let standing = self.trust.check(module, bytes, signature)?;
        let allowed = self.policy.apply(module, standing, asked)?;
        for cut in &allowed.cuts {
            tracing::debug!(%module, %cut, "the policy cuts what the module has by default");
        }
        Ok(allowed)
    }
}
