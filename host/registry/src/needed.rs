//! Which versions of a module the messages of all queues still need.
//!
//! Must not change anything.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::{ModuleRecord, QueuedMessage, QueuedMessages, RegistryError, Version};

/// Those of the candidates (digests) that a message needs: one that names it, as its `pin` or as what it
/// was checked against; or one that names none, and whose arguments fit no version that stays.
pub(super) async fn needed(
    messages: &dyn QueuedMessages,
    record: &ModuleRecord,
    candidates: &[String],
) -> Result<BTreeSet<String>, RegistryError> {
    let mut needed = BTreeSet::new();
    let mut visit = |message: &dyn QueuedMessage| {
        needed.extend(needed_by(message, record, candidates));
        if needed.len() == candidates.len() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    messages.each(&mut visit).await?;
    Ok(needed)
}

/// The candidates that one message needs.
fn needed_by(
    message: &dyn QueuedMessage,
    record: &ModuleRecord,
    candidates: &[String],
) -> Vec<String> {
    let named_by = [message.pin(), message.checked_against()];
    if named_by.iter().any(Option::is_some) {
        return candidates
            .iter()
            .filter(|digest| named_by.contains(&Some(digest.as_str())))
            .cloned()
            .collect();
    }
    // As workers choose: the active version, or else the newest that served.
    let served = |version: &&Version| {
        record.active.as_deref() == Some(&version.digest) || record.has_served(&version.digest)
    };
    let fitting = record.versions.iter().rev().filter(served);
    let mut fitting = fitting.filter(|version| takes(version, &record.name, message));
    match fitting.next() {
        Some(newest) => fitting
            .chain([newest])
            .all(|version| candidates.contains(&version.digest))
            .then(|| newest.digest.clone())
            .into_iter()
            .collect(),
        None => Vec::new(),
    }
}

/// Whether the version has the message's task, and takes its arguments.
fn takes(version: &Version, module: &str, message: &dyn QueuedMessage) -> bool {
    let Some(task) = (message.name().strip_prefix(module)).and_then(|rest| rest.strip_prefix('.'))
    else {
        return false;
    };
    let spelled = task.replace('_', "-");
    let signature = (version.tasks.get(task)).or_else(|| version.tasks.get(&spelled));
    signature.is_some_and(|signature| message.fits(signature))
}
