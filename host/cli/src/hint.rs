//! What to do about an error: the flags and commands that help. The libraries' errors say what is wrong.
//!
//! Must not know which command failed.

use std::error::Error;

use chicory_queue::{DeployRefused, EnqueueError, RolloutError};

/// What helps, if anything is known to.
pub(crate) fn of(error: &anyhow::Error, exit_code: u8) -> Option<String> {
    match exit_code {
        3 => Some(UNREACHABLE.into()),
        _ => error.chain().find_map(of_cause),
    }
}

const UNREACHABLE: &str = "is it running, and is --broker (or CHICORY_BROKER) right? `chicory config show` prints what holds; --broker sqlite:FILE needs no server";

fn of_cause(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(RolloutError::Refused(refused)) = error.downcast_ref() {
        return of_refused(refused);
    }
    if let Some(refused) = error.downcast_ref() {
        return of_refused(refused);
    }
    match error.downcast_ref()? {
        EnqueueError::UnknownVersion { .. } => {
            Some("`chicory modules show MODULE` lists the versions that are kept".into())
        }
        EnqueueError::UnknownTask(_) => {
            Some("`chicory modules` lists what is deployed; --validation inputs lets tasks pass that it doesn't know".into())
        }
        _ => None,
    }
}

fn of_refused(refused: &DeployRefused) -> Option<String> {
    Some(match refused {
        DeployRefused::CanaryServes { module, .. } => {
            format!("`chicory rollback {module}` ends the canary")
        }
        DeployRefused::Breaking { .. } => {
            "keep these as they are, or deploy with --allow-breaking: then messages that were checked against the active version still run on it".into()
        }
        DeployRefused::BreakingCanary { .. } | DeployRefused::NothingActive { .. } => {
            "deploy it without --canary".into()
        }
        DeployRefused::NoVersion { module, .. } => {
            format!("`chicory modules show {module}` lists the versions that are kept")
        }
        DeployRefused::Names(_) => "--name gives the module another name".into(),
        _ => return None,
    })
}
