//! Which versions of a module the messages of all queues still need.
//!
//! Must not change anything.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use chicory_signature::TaskName;

use super::{ModuleRecord, QueuedMessage, QueuedMessages, RegistryError, TaskVersions};

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
    let Some(task) = task_in(record, message) else {
        return Vec::new();
    };
    let fitting = |versions: &TaskVersions| {
        let version = versions.choose(message).ok()?;
        message
            .fits(&version.signature)
            .then(|| version.digest.clone())
    };
    if fitting(&TaskVersions::without(record, task, candidates)).is_some() {
        return Vec::new();
    }
    let chosen = fitting(&TaskVersions::of(record, task));
    let needed = chosen.filter(|digest| candidates.contains(digest));
    needed.into_iter().collect()
}

/// The name of the message's task inside the module, if it can be one of the module's.
fn task_in<'a>(record: &ModuleRecord, message: &'a dyn QueuedMessage) -> Option<&'a str> {
    let name = TaskName::parse(message.name()).ok()?;
    Some(name.inside(&record.name)?.as_str())
}
