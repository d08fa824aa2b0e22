//! Which versions of a module the messages of all queues still need.
//!
//! Must not change anything.

use std::collections::BTreeSet;

use super::{ModuleRecord, Version};
use crate::{BrokerError, Inspect, ScanCursor, TaskMessage};

/// Those of the candidates (digests) that a message needs: one that names it, as its `pin` or as what it
/// was checked against; or one that names none, and whose arguments fit no version that stays.
pub(super) async fn needed(
    inspect: &dyn Inspect,
    record: &ModuleRecord,
    candidates: &[String],
) -> Result<BTreeSet<String>, BrokerError> {
    let mut needed = BTreeSet::new();
    for queue in inspect.queues().await? {
        let mut cursor = Some(ScanCursor::default());
        while let Some(from) = cursor {
            if needed.len() == candidates.len() {
                return Ok(needed);
            }
            let page = inspect.scan(&queue, from).await?;
            for message in &page.messages {
                needed.extend(needed_by(message, record, candidates));
            }
            cursor = page.next;
        }
    }
    Ok(needed)
}

/// The candidates that one message needs.
fn needed_by(message: &TaskMessage, record: &ModuleRecord, candidates: &[String]) -> Vec<String> {
    let named = [&message.pin, &message.checked_against];
    if named.iter().any(|digest| digest.is_some()) {
        let named = named.into_iter().flatten();
        return named
            .filter(|digest| candidates.contains(digest))
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
fn takes(version: &Version, module: &str, message: &TaskMessage) -> bool {
    let Some(task) = (message.name.strip_prefix(module)).and_then(|rest| rest.strip_prefix('.'))
    else {
        return false;
    };
    let spelled = task.replace('_', "-");
    let signature = (version.tasks.get(task)).or_else(|| version.tasks.get(&spelled));
    signature.is_some_and(|signature| signature.check(&message.arguments).is_ok())
}
