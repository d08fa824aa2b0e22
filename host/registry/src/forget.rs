//! Forgets a module's old versions, but none that a queued message needs.
//!
//! In this order: old versions are marked, so that no new message names one; the queues are read; what
//! no message needs goes from the record, and then its bytes go, unless another module has the same.
//! A crash in between leaves marks, or bytes without a version; never a version without bytes.

use std::collections::BTreeSet;

use bytes::Bytes;
use chicory_clock::Timestamp;
use chicory_signature::short_digest;

use super::needed::needed;
use super::{AuditEntry, ModuleRecord, QueuedMessages, Registry, RegistryError, RetentionRule};

/// What is to be forgotten, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct ForgetRequest<'a> {
    /// The module.
    pub module: &'a str,
    /// Which of its versions are kept in any case.
    pub rule: RetentionRule,
    /// Who forgets; for the audit log.
    pub by: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// What became of old versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// The digests of those that are gone.
    pub gone: Vec<String>,
    /// The digests of those that messages need.
    pub needed: Vec<String>,
}

/// Forgets the versions of a module that the rule does not keep and no message needs.
///
/// # Errors
/// When the registry or the queues can't be reached; what was not forgotten is there for the next time.
pub async fn forget(
    registry: &dyn Registry,
    messages: &dyn QueuedMessages,
    request: &ForgetRequest<'_>,
) -> Result<Forgotten, RegistryError> {
    let Some((record, retired)) = retire(registry, request).await? else {
        return Ok(Forgotten::default());
    };
    let needed = needed(messages, &record, &retired).await?;
    let gone = drop_versions(registry, request, &retired, &needed).await?;
    delete_unnamed(registry, &gone).await?;
    Ok(Forgotten {
        gone,
        needed: needed.into_iter().collect(),
    })
}

/// Deletes the bytes of those among these digests that no module has among its versions.
///
/// # Errors
/// When the registry can't be reached.
pub async fn delete_unnamed(
    registry: &dyn Registry,
    digests: &[String],
) -> Result<(), RegistryError> {
    let named = named(registry, digests).await?;
    for digest in digests.iter().filter(|digest| !named.contains(*digest)) {
        let bytes = registry.blob(digest).await?;
        registry.delete_blob(digest).await?;
        put_back(registry, digest, bytes).await?;
    }
    Ok(())
}

/// A deploy may have found the bytes there and named them just as they were deleted.
async fn put_back(
    registry: &dyn Registry,
    digest: &String,
    bytes: Option<Bytes>,
) -> Result<(), RegistryError> {
    let is_named = !named(registry, std::slice::from_ref(digest))
        .await?
        .is_empty();
    match bytes {
        Some(bytes) if is_named => registry.put_blob(digest, bytes).await,
        _ => Ok(()),
    }
}

/// Those of the digests that some module has among its versions.
async fn named(
    registry: &dyn Registry,
    digests: &[String],
) -> Result<BTreeSet<String>, RegistryError> {
    let changes = registry.changed(0).await?;
    // A record that can't be read may name any of them.
    if !changes.unreadable.is_empty() {
        return Ok(digests.iter().cloned().collect());
    }
    let versions = changes
        .records
        .into_iter()
        .flat_map(|record| record.versions);
    let named = versions.map(|version| version.digest);
    Ok(named.filter(|digest| digests.contains(digest)).collect())
}

/// Marks what the rule does not keep. None where there is nothing to forget.
async fn retire(
    registry: &dyn Registry,
    request: &ForgetRequest<'_>,
) -> Result<Option<(ModuleRecord, Vec<String>)>, RegistryError> {
    loop {
        let Some(mut record) = registry.module(request.module).await? else {
            return Ok(None);
        };
        let stored = record.clone();
        let retired = record.retire(request.rule, request.now);
        if retired.is_empty() {
            return Ok(None);
        }
        // Marks of a time before that was cut short need no new ones.
        if record == stored {
            return Ok(Some((record, retired)));
        }
        let entry = entry(request, &retired, "about to be forgotten");
        if registry.replace(&record, &entry).await?.is_some() {
            return Ok(Some((record, retired)));
        }
    }
}

/// Removes the versions that no message needs from the record; returns their digests.
async fn drop_versions(
    registry: &dyn Registry,
    request: &ForgetRequest<'_>,
    retired: &[String],
    needed: &BTreeSet<String>,
) -> Result<Vec<String>, RegistryError> {
    loop {
        let Some(mut record) = registry.module(request.module).await? else {
            return Ok(Vec::new());
        };
        // Other versions may have been marked in the meantime; the queues were not read for those.
        let kept = record.versions.iter().map(|version| &version.digest);
        let kept: Vec<_> = kept
            .filter(|digest| needed.contains(*digest) || !retired.contains(digest))
            .cloned()
            .collect();
        let gone = record.forget_retired(&kept);
        let what = match needed.len() {
            0 => "forgotten".to_owned(),
            count => format!("forgotten; queued messages need {count} more"),
        };
        let entry = entry(request, &gone, &what);
        if registry.replace(&record, &entry).await?.is_some() {
            return Ok(gone);
        }
    }
}

fn entry(request: &ForgetRequest<'_>, digests: &[String], what: &str) -> AuditEntry {
    let short = digests.iter().map(|digest| short_digest(digest));
    let short: Vec<_> = short.collect();
    let (digest, detail) = match digests {
        [one] => (one.clone(), what.to_owned()),
        [] => (String::new(), format!("nothing {what}")),
        several => (
            String::new(),
            format!("{} versions {what}: {}", several.len(), short.join(", ")),
        ),
    };
    AuditEntry {
        at: request.now,
        by: request.by.to_owned(),
        action: "forget".into(),
        module: request.module.to_owned(),
        digest,
        detail,
    }
}
