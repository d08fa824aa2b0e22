//! The checks on a module that comes from outside: who must have signed it, and the most that it may be given.
//!
//! Must not know where a module comes from.

use chicory_runtime::ModuleSettings;

use super::error::ModuleError;
use super::policy::{Allowed, Policy};
use super::trust::Trust;

/// Whose modules a worker runs, and the most that they may be given.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    /// Who must have signed a module.
    pub trust: Trust,
    /// The most that a module may be given.
    pub policy: Policy,
}

impl Admission {
    /// For one's own code: the given trust policy, and no ceiling.
    pub fn of_own_code(trust: Trust) -> Self {
        let policy = Policy::open();
        Self { trust, policy }
    }

    /// What a module is given of what its manifest asks for.
    ///
    /// # Errors
    /// If no trusted key has signed it although one must, or it asks for more than it may have.
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
