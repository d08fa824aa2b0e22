//! Tenants: who shares the fleet, and how much of it each gets.
//!
//! A tenant's messages, results and dead letters are kept apart from those of others by where they are stored, not by what
//! they say. Must not know where that is.

use chicory_signature::{Bounded, TenantName, Unit, with_causes};
use serde::{Deserialize, Serialize};

use crate::{BrokerError, Timestamp};

/// The weights that a tenant may have.
pub const WEIGHT: Bounded = Bounded::new("weight", 1.0, 1000.0, Unit::Count);

/// The most bytes of a tenant's stored record.
pub(crate) const MAX_RECORD_BYTES: usize = 16 << 10;

/// What an operator has set for a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantSettings {
    /// Its share of a queue in which several tenants have messages, in proportion to the weights of the others.
    pub weight: u32,
    /// Maximum number of its messages in a queue: waiting, running and delayed ones; none for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_queued: Option<u64>,
    /// Why it is suspended, if it is: its messages are held, and new ones refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<String>,
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            weight: 1,
            max_queued: None,
            suspended: None,
        }
    }
}

/// A tenant as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its name.
    pub name: TenantName,
    /// How often it was changed. A change names the revision that it replaces; a tenant that is not stored has 0.
    pub revision: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// What is set for it.
    #[serde(flatten)]
    pub settings: TenantSettings,
}

impl Tenant {
    /// A tenant that is not stored yet.
    pub fn new(name: TenantName, created_at: Timestamp) -> Self {
        Self {
            name,
            revision: 0,
            created_at,
            settings: TenantSettings::default(),
        }
    }

    /// What was stored, checked.
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    pub(crate) fn read(name: &str, record: &[u8]) -> Result<Self, BrokerError> {
        let what = || format!("the record of tenant {name:?}");
        if record.len() > MAX_RECORD_BYTES {
            return Err(BrokerError::Invalid(format!(
                "{} has {} bytes, where at most {MAX_RECORD_BYTES} are allowed",
                what(),
                record.len()
            )));
        }
        let read: Self =
            serde_json::from_slice(record).map_err(|source| BrokerError::Unreadable {
                what: what(),
                source,
            })?;
        let checked = read.check().and_then(|()| {
            (read.name.as_str() == name)
                .then_some(())
                .ok_or_else(|| format!("it is for {}", read.name))
        });
        checked.map_err(|fault| BrokerError::Invalid(format!("{}: {fault}", what())))?;
        Ok(read)
    }

    /// The same for a list: one that can't be read must not hide the others.
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    pub(crate) fn read_or_warn(name: &str, record: &[u8]) -> Option<Self> {
        let read = Self::read(name, record);
        if let Err(error) = &read {
            tracing::warn!(error = %with_causes(error), "a tenant is left out of the list; create it again, or restore its record");
        }
        read.ok()
    }

    /// The bytes that are stored.
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    pub(crate) fn write(&self) -> Result<String, BrokerError> {
        self.check().map_err(BrokerError::Invalid)?;
        serde_json::to_string(self).map_err(|source| BrokerError::Unreadable {
            what: format!("the record of tenant {}", self.name),
            source,
        })
    }

    #[cfg(any(feature = "redis", feature = "sqlite"))]
    fn check(&self) -> Result<(), String> {
        WEIGHT
            .check_whole(self.settings.weight.into())
            .map_err(|fault| fault.to_string())?;
        let reason = self.settings.suspended.as_deref().unwrap_or_default();
        if reason.len() > MAX_REASON {
            return Err(format!(
                "the reason of a suspension has {} bytes, where at most {MAX_REASON} are allowed",
                reason.len()
            ));
        }
        Ok(())
    }
}

/// The longest reason of a suspension, in bytes.
const MAX_REASON: usize = 1000;
