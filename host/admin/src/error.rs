//! Why an operation had no effect, as variants that a caller can act on.
//!
//! Must not know commands or flags: whoever shows an error adds which of them helps.

use chicory_queue::{BrokerError, DeployRefused, RegistryError, RolloutError, TenantName};

/// An operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// There is no such dead letter.
    #[error("no dead letter {id:?} in queue {queue}")]
    NoDeadLetter {
        /// The queue.
        queue: String,
        /// What was asked for: a dead letter's id, or its task's.
        id: String,
    },
    /// There is no such tenant.
    #[error("there is no tenant {tenant}; {}", there_are(known))]
    NoTenant {
        /// What was asked for.
        tenant: TenantName,
        /// The names of those that there are.
        known: Vec<String>,
    },
    /// A tenant's name is taken.
    #[error("there is a tenant {tenant} already")]
    TenantExists {
        /// The name.
        tenant: TenantName,
    },
    /// The default tenant can't be deleted.
    #[error("the default tenant can't be deleted; purge its queues instead")]
    DefaultTenant,
    /// There is no such module.
    #[error("no module {module:?} is deployed; {}", there_are(known))]
    NoModule {
        /// What was asked for.
        module: String,
        /// The names of those that are deployed.
        known: Vec<String>,
    },
    /// A module's record can be read, so it is not reset.
    #[error("the record of module {module:?} can be read, so there is nothing to reset")]
    Readable {
        /// The module.
        module: String,
    },
    /// The canary that was to be ended has ended already.
    #[error("the canary of {module:?} has just ended by itself")]
    CanaryOver {
        /// The module.
        module: String,
    },
    /// A rollout can't begin or continue.
    #[error(transparent)]
    Refused(DeployRefused),
    /// A rollout was stopped because workers refused the version, or did not answer.
    #[error(transparent)]
    Rollout(RolloutError),
    /// A rollout was stopped by its caller.
    #[error("stopped: the previous version stays")]
    Stopped,
    /// The broker could not do its work.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The registry could not do its work.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

fn there_are(known: &[String]) -> String {
    if known.is_empty() {
        return "there is none".to_owned();
    }
    format!("there are: {}", known.join(", "))
}

impl From<DeployRefused> for AdminError {
    fn from(error: DeployRefused) -> Self {
        Self::Refused(error)
    }
}

impl From<RolloutError> for AdminError {
    fn from(error: RolloutError) -> Self {
        match error {
            RolloutError::Registry(error) => Self::Registry(error),
            RolloutError::Refused(error) => Self::Refused(error),
            other => Self::Rollout(other),
        }
    }
}
