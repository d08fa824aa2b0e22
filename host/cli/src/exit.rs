//! How the program ends: exit codes for errors, and their text on standard error.
//!
//! Must not know which command failed.

use chicory_admin::{AdminError, UploadError};
use chicory_project::{CasesError, ProjectError};
use chicory_queue::{BrokerError, EnqueueError, RegistryError};
use chicory_signature::with_causes;

use crate::config::ConfigError;
use crate::hint;
use crate::output::{tell, tell_json};

/// What the help text says of exit codes.
pub(crate) const CODES: &str = "\
Exit codes:
  0  success
  1  failure: the task failed, or something was not found
  2  wrong usage or configuration
  3  the broker can't be reached
  4  the task has not ended, or not in time";

/// A failure that a command itself decides on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The task failed, or something was not found.
    #[error("{0}")]
    Failed(String),
    /// Wrong usage.
    #[error("{0}")]
    Usage(String),
    /// The task has not ended, or not in time.
    #[error("{0}")]
    NotEnded(String),
}

/// The exit code of an error.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(code_of).unwrap_or(1)
}

fn code_of(error: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if error.is::<ConfigError>() {
        return Some(2);
    }
    if let Some(error) = error.downcast_ref::<CommandError>() {
        return Some(match error {
            CommandError::Failed(_) => 1,
            CommandError::Usage(_) => 2,
            CommandError::NotEnded(_) => 4,
        });
    }
    if let Some(error) = error.downcast_ref::<ProjectError>() {
        return Some(of_project(error));
    }
    if error.is::<UploadError>() {
        return Some(2);
    }
    if let Some(error) = error.downcast_ref::<AdminError>() {
        return Some(match error {
            AdminError::Broker(error) => of_broker(error),
            AdminError::Registry(error) => of_registry(error),
            _ => 1,
        });
    }
    if let Some(error) = error.downcast_ref::<CasesError>() {
        return Some(of_cases(error));
    }
    if let Some(error) = error.downcast_ref::<RegistryError>() {
        return Some(of_registry(error));
    }
    match error.downcast_ref::<EnqueueError>() {
        Some(EnqueueError::Broker(error)) => Some(of_broker(error)),
        Some(_) => Some(2),
        None => error.downcast_ref::<BrokerError>().map(of_broker),
    }
}

fn of_project(error: &ProjectError) -> u8 {
    match error {
        ProjectError::NotAProject { .. }
        | ProjectError::Name { .. }
        | ProjectError::Occupied { .. }
        | ProjectError::NoSource { .. } => 2,
        _ => 1,
    }
}

fn of_cases(error: &CasesError) -> u8 {
    match error {
        CasesError::Invalid { .. } | CasesError::Case { .. } => 2,
        _ => 1,
    }
}

fn of_broker(error: &BrokerError) -> u8 {
    match error {
        BrokerError::Unavailable { .. } | BrokerError::Closed => 3,
        BrokerError::Invalid(_) | BrokerError::Refused { .. } | BrokerError::Unreadable { .. } => 2,
        _ => 1,
    }
}

fn of_registry(error: &RegistryError) -> u8 {
    match error {
        RegistryError::Unavailable(store) | RegistryError::Store(store) => {
            store.downcast_ref().map_or(2, of_broker)
        }
        RegistryError::Record(_) | RegistryError::RecordTooLarge { .. } => 1,
        _ => 2,
    }
}

/// An error with its causes, and what helps.
pub(crate) fn text(error: &anyhow::Error) -> String {
    let shown = with_causes(error.as_ref());
    match hint::of(error) {
        // What ends in a list gets its hint below.
        Some(hint) if shown.contains('\n') => format!("{shown}\n{hint}"),
        Some(hint) => format!("{shown}; {hint}"),
        None => shown,
    }
}

/// Says what failed on stderr: for people, or as JSON.
pub(crate) fn report(error: &anyhow::Error, json: bool) {
    let code = code(error);
    if json {
        tell_json(&serde_json::json!({ "error": text(error), "exit_code": code }));
        return;
    }
    tell(&format!("error: {}", text(error)));
    if code == 3 {
        tell(
            "hint: is it running, and is --broker (or CHICORY_BROKER) right? `chicory config show` prints the effective settings; --broker sqlite:FILE needs no server",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn the_cause_decides_whatever_was_said_about_it() {
        let unavailable = BrokerError::Unavailable {
            place: "localhost".into(),
            advice: None,
            source: "refused".into(),
        };
        let of = |error: anyhow::Error| code(&error);
        let wrapped = Err::<(), _>(unavailable).context("can't enqueue");
        assert_eq!(of(wrapped.unwrap_err()), 3);
        let closed = EnqueueError::Broker(BrokerError::Closed);
        assert_eq!(of(anyhow::Error::from(closed).context("line 1")), 3);
        let closed = RegistryError::from(BrokerError::Closed);
        assert_eq!(of(closed.into()), 3);
        assert_eq!(
            of(EnqueueError::UnknownTask(chicory_signature::UnknownTask::no_module("", [])).into()),
            2
        );
        assert_eq!(of(ConfigError::Conflict(String::new()).into()), 2);
        assert_eq!(of(CommandError::NotEnded(String::new()).into()), 4);
        assert_eq!(of(CommandError::Failed(String::new()).into()), 1);
        assert_eq!(of(anyhow::anyhow!("anything else")), 1);
    }
}
