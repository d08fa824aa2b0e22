//! What the registry's operations need to know of a running fleet, besides the registry itself.
//!
//! Must not know how workers tell that they are alive, nor where messages are kept.

use std::ops::ControlFlow;

use async_trait::async_trait;
use chicory_signature::Signature;

use crate::RegistryError;

/// The workers of a fleet.
#[async_trait]
pub trait Fleet: Send + Sync {
    /// The ids of the workers that are alive and serve deployed modules.
    async fn serving(&self) -> Result<Vec<String>, RegistryError>;
}

/// What the registry needs to know of a queued message.
pub trait QueuedMessage {
    /// Its id, which no other message has.
    fn id(&self) -> &str;
    /// The task's name.
    fn name(&self) -> &str;
    /// The digest of the version that it must run on.
    fn pin(&self) -> Option<&str>;
    /// The digest of the version that its arguments were checked against.
    fn checked_against(&self) -> Option<&str>;
    /// Whether it has failed on a canary, and is to run on another version.
    fn no_canary(&self) -> bool;
    /// Whether its arguments fit a task of this signature.
    fn fits(&self, signature: &Signature) -> bool;
}

/// What to do with each message, and whether to continue.
pub type Visit<'a> = dyn FnMut(&dyn QueuedMessage) -> ControlFlow<()> + Send + 'a;

/// The messages of all queues.
#[async_trait]
pub trait QueuedMessages: Send + Sync {
    /// Shows every message to `visit` until it breaks: ready, leased, delayed and dead ones. One that moves
    /// meanwhile is shown all the same; one may be shown twice.
    async fn each(&self, visit: &mut Visit<'_>) -> Result<(), RegistryError>;
}
