//! Why a roll-out can't begin or continue, in words for the person who deploys.
//!
//! Must not know when it is found, nor the program's flags: the program adds what to do about it.

use chicory_clock::Timestamp;
use chicory_signature::NameConflict;

/// Why a roll-out can't begin, or continue.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeployRefused {
    /// Another one is under way.
    #[error(
        "{by} has been rolling out {} of module {module:?} since {since}: wait until it ends, or until {until}, when it expires",
        short(digest)
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
        short(digest)
    )]
    CanaryServes {
        /// The module.
        module: String,
        /// The canary.
        digest: String,
    },
    /// It serves already.
    #[error("{} is already the active version of module {module:?}", short(digest))]
    Active {
        /// The module.
        module: String,
        /// The version.
        digest: String,
    },
    /// Messages made for the active version may not fit.
    #[error(
        "the new version of module {module:?} does not take what the active one takes:\n{}",
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
        "a canary of module {module:?} must take what the active version takes, since any message may meet it:\n{}",
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
    /// Another process ended the roll-out.
    #[error("the roll-out of module {module:?} is over: it expired, or another process ended it")]
    Over {
        /// The module.
        module: String,
    },
}

/// The first characters of a digest, enough for people.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

fn listed(changes: &[String]) -> String {
    let lines: Vec<_> = changes
        .iter()
        .map(|change| format!("  - {change}"))
        .collect();
    lines.join("\n")
}
