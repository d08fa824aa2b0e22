//! Whether the store can be relied on: what it says about itself, and what this user may do.
//!
//! Must not know how findings are shown.

use chicory_queue::{BrokerError, StoreFacts, new_id};
use chicory_signature::with_causes;
use serde::Serialize;

use crate::{Admin, AdminError};

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Works, but not as well as it could.
    Warning,
    /// Messages or results may be lost, or it does not work at all.
    Error,
}

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How serious it is.
    pub severity: Severity,
    /// What was looked at, in a word.
    pub subject: String,
    /// What was found.
    pub text: String,
    /// What to do about it; empty where it is as it should be.
    pub advice: String,
}

impl Finding {
    /// Something that is as it should be.
    pub fn ok(subject: &str, text: impl Into<String>) -> Self {
        Self::new(Severity::Ok, subject, text, "")
    }

    /// Something that works, but could be better.
    pub fn warning(subject: &str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Severity::Warning, subject, text, advice)
    }

    /// Something that has to change.
    pub fn error(subject: &str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Severity::Error, subject, text, advice)
    }

    fn new(
        severity: Severity,
        subject: &str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            subject: subject.to_owned(),
            text: text.into(),
            advice: advice.into(),
        }
    }
}

impl Admin {
    /// What is wrong with the store so that messages may be lost: in one round trip, before anything is done with it. A
    /// store that can't be asked gives nothing.
    pub async fn dangers(&self) -> Vec<Finding> {
        let facts = self.connected.inspect.facts().await.unwrap_or_default();
        let mut findings: Vec<Finding> = facts.iter().flat_map(judge).collect();
        findings.retain(|finding| finding.severity == Severity::Error);
        findings
    }

    /// Everything that can be known about the store. Writes a result under a new id, and deletes it.
    pub async fn checkup(&self) -> Vec<Finding> {
        let mut findings = match self.connected.inspect.facts().await {
            Ok(facts) => facts.iter().flat_map(judge).collect(),
            Err(error) => vec![Finding::warning(
                "server",
                format!("does not say how it is: {}", with_causes(&error)),
                "allow the user the command INFO",
            )],
        };
        findings.push(match self.try_rights().await {
            Ok(()) => Finding::ok("rights", "queues, results and modules can be used"),
            Err(error) => Finding::error(
                "rights",
                with_causes(&error),
                "allow the user what docs/redis.md lists for workers and producers",
            ),
        });
        findings
    }

    async fn try_rights(&self) -> Result<(), AdminError> {
        let id = format!("doctor-{}", new_id());
        let tried = async {
            self.connected.inspect.stats("default").await?;
            let state = chicory_queue::ResultRecord {
                tenant: chicory_queue::TenantName::default(),
                task_id: id.as_str().into(),
                state: chicory_queue::TaskState::Started,
                body: None,
                reply_to: None,
            };
            self.connected.results.store(&[state]).await?;
            self.connected.results.delete(&id).await?;
            Ok::<(), BrokerError>(())
        };
        tried.await?;
        self.connected.registry.changed(0).await?;
        Ok(())
    }
}

/// Clocks that differ by more start tasks too early or too late.
const CLOCK_TOLERANCE_MS: u64 = 1000;

/// What the facts of a server mean.
fn judge(facts: &StoreFacts) -> Vec<Finding> {
    let mut findings = vec![server(facts)];
    findings.extend(eviction(facts));
    findings.extend(memory(facts));
    findings.extend(persistence(facts));
    findings.extend(replication(facts));
    findings.extend(clock(facts));
    if !facts.node.is_empty() {
        for finding in &mut findings {
            finding.text = format!("{}: {}", facts.node, finding.text);
        }
    }
    findings
}

fn server(facts: &StoreFacts) -> Finding {
    match facts.version {
        Some(version) if version < (6, 2) => Finding::error(
            "server",
            &facts.product,
            "use Redis 6.2 or later, or a Valkey",
        ),
        _ => Finding::ok("server", &facts.product),
    }
}

fn eviction(facts: &StoreFacts) -> Option<Finding> {
    let policy = facts.eviction.as_deref()?;
    if policy == "noeviction" {
        return Some(Finding::ok("eviction", "noeviction"));
    }
    Some(Finding::error(
        "eviction",
        format!(
            "maxmemory-policy is {policy}: when its memory is full, the server drops messages without a word"
        ),
        "set `maxmemory-policy noeviction` in its configuration, or use a server of its own",
    ))
}

fn memory(facts: &StoreFacts) -> Option<Finding> {
    let used = facts.memory_used?;
    let most = facts.memory_limit.or(facts.memory_of_machine)?;
    let text = format!(
        "{} MiB of {} MiB{}",
        used >> 20,
        most >> 20,
        if facts.memory_limit.is_some() {
            ""
        } else {
            " that its machine has; no maxmemory"
        }
    );
    if used > most / 10 * 9 {
        return Some(Finding::warning(
            "memory",
            text,
            "drain or purge queues, or raise maxmemory: without room, nothing more is enqueued",
        ));
    }
    Some(Finding::ok("memory", text))
}

fn persistence(facts: &StoreFacts) -> Option<Finding> {
    if let Some(failure) = &facts.write_failed {
        return Some(Finding::error(
            "persistence",
            failure,
            "look at the server's log and at the room on its disk: it refuses writes until this is mended",
        ));
    }
    let advice = "set `appendonly yes`, if queued messages must survive the server's restart";
    Some(match (facts.appends?, facts.snapshots) {
        (true, _) => Finding::ok("persistence", "appends each change to a file"),
        (false, Some(true)) => Finding::warning(
            "persistence",
            "snapshots only: a crash of the server loses what came after the last one",
            advice,
        ),
        (false, Some(false)) => Finding::warning(
            "persistence",
            "none: a restart of the server loses all messages",
            advice,
        ),
        (false, None) => Finding::warning("persistence", "appends to no file", advice),
    })
}

fn replication(facts: &StoreFacts) -> Option<Finding> {
    if facts.is_replica? {
        return Some(Finding::error(
            "replication",
            "it is a replica, which refuses writes",
            "give the master's address, or a redis-sentinel:// or redis-cluster:// URL",
        ));
    }
    Some(Finding::ok(
        "replication",
        match facts.replicas {
            Some(1) => "a master with 1 replica".to_owned(),
            replicas => format!("a master with {} replicas", replicas.unwrap_or_default()),
        },
    ))
}

fn clock(facts: &StoreFacts) -> Option<Finding> {
    let ahead = facts.clock_ahead_ms?;
    if ahead.unsigned_abs() <= CLOCK_TOLERANCE_MS {
        return Some(Finding::ok(
            "clock",
            "the server's and this machine's agree",
        ));
    }
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    Some(Finding::warning(
        "clock",
        format!(
            "the server's is {} s {side} this machine's",
            ahead.unsigned_abs() / 1000
        ),
        "let both follow a time server (NTP)",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn severity(change: impl FnOnce(&mut StoreFacts), subject: &str) -> Severity {
        let mut facts = StoreFacts::default();
        facts.version = Some((7, 0));
        facts.eviction = Some("noeviction".into());
        facts.memory_used = Some(1 << 30);
        facts.memory_of_machine = Some(16 << 30);
        facts.appends = Some(true);
        facts.is_replica = Some(false);
        facts.clock_ahead_ms = Some(-20);
        assert!(
            judge(&facts)
                .iter()
                .all(|found| found.severity == Severity::Ok)
        );
        change(&mut facts);
        let found = judge(&facts);
        let found = found.iter().find(|found| found.subject == subject);
        found.expect("it is looked at").severity
    }

    /// Case Q5, and what else loses messages.
    #[test]
    fn what_loses_messages_is_an_error() {
        let error = Severity::Error;
        assert_eq!(
            severity(
                |facts| facts.eviction = Some("volatile-ttl".into()),
                "eviction"
            ),
            error
        );
        assert_eq!(
            severity(|facts| facts.version = Some((6, 0)), "server"),
            error
        );
        assert_eq!(
            severity(|facts| facts.write_failed = Some("x".into()), "persistence"),
            error
        );
        assert_eq!(
            severity(|facts| facts.is_replica = Some(true), "replication"),
            error
        );
    }

    #[test]
    fn what_could_be_better_is_a_warning() {
        let warning = Severity::Warning;
        assert_eq!(
            severity(|facts| facts.memory_limit = Some(1 << 30), "memory"),
            warning
        );
        assert_eq!(
            severity(|facts| facts.appends = Some(false), "persistence"),
            warning
        );
        assert_eq!(
            severity(|facts| facts.clock_ahead_ms = Some(3_600_000), "clock"),
            warning
        );
    }
}
