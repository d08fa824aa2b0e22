//! Why a rollout can't begin or continue, for the person who deploys.
//!
//! Must not know commands or flags: the program adds which of them helps.

use chicory_clock::Timestamp;
use chicory_signature::{NameConflict, short_digest};

/// Why a rollout can't begin or continue.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeployRefused {
    /// Another one is under way.
    #[error(
        "{by} has been rolling out {} of module {module:?} since {since}: wait until that ends, or expires at {until}",
        short_digest(digest)
    )]
    Busy {
        /// The module.
        module: String,
        /// Whose it is.
        by: String,
        /// The version that it rolls out.
        digest: String,
        /// When it began.
        since: Timestamp,
        /// When it expires.
        until: Timestamp,
    },
    /// A canary serves.
    #[error(
        "{} is a canary of module {module:?}: wait until it is promoted, or roll it back",
        short_digest(digest)
    )]
    CanaryServes {
        /// The module.
        module: String,
        /// The canary.
        digest: String,
    },
    /// It serves already.
    #[error(
        "{} is already the active version of module {module:?}",
        short_digest(digest)
    )]
    Active {
        /// The module.
        module: String,
        /// The version.
        digest: String,
    },
    /// Messages made for the active version may not fit.
    #[error(
        "the new version of module {module:?} does not accept what the active version accepts:\n{}",
        listed(changes)
    )]
    Breaking {
        /// The module.
        module: String,
        /// What changed, one sentence each.
        changes: Vec<String>,
    },
    /// A canary shares messages with the active version.
    #[error(
        "a canary of module {module:?} must accept what the active version accepts, since it may get any message:\n{}",
        listed(changes)
    )]
    BreakingCanary {
        /// The module.
        module: String,
        /// What changed, one sentence each.
        changes: Vec<String>,
    },
    /// There is nothing that a canary could be compared with.
    #[error("module {module:?} has no active version to compare a canary with")]
    NothingActive {
        /// The module.
        module: String,
    },
    /// No such version.
    #[error("module {module:?} has no version {digest}")]
    NoVersion {
        /// The module.
        module: String,
        /// What was asked for.
        digest: String,
    },
    /// Nothing came before.
    #[error("module {module:?} has no version before the active one")]
    NothingBefore {
        /// The module.
        module: String,
    },
    /// A name would be ambiguous beside a module that is deployed.
    #[error(transparent)]
    Names(#[from] NameConflict),
    /// Another process ended the rollout.
    #[error("the rollout of module {module:?} is over: it expired, or another process ended it")]
    Over {
        /// The module.
        module: String,
    },
}

fn listed(changes: &[String]) -> String {
    let lines: Vec<_> = changes
        .iter()
        .map(|change| format!("  - {change}"))
        .collect();
    lines.join("\n")
}
