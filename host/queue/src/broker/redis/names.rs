//! The names of all queues, in a set of their own, so listing queues never has to read through other keys.
//!
//! Anyone who adds messages to a queue or reads from it notes its name, at most every ten seconds and beside that work.
//! So a lost name comes back, and costs nothing in between. A queue is listed while it has keys. No message may depend
//! on this set.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::try_join_all;
use redis::cmd;
use tokio::time::Instant;

use super::RedisBroker;
use super::script::{FORGET_QUEUES, NOTE_QUEUES};
use crate::BrokerError;

/// How long a noted name is not noted again.
const NOTED_FOR: Duration = Duration::from_secs(10);

/// How long the name of a queue without keys is kept, so it is still there while those who noted it add messages.
const KEPT_FOR: Duration = Duration::from_hours(1);

/// The longest wait for a name to be noted: on a Cluster, the set may be on a node that hangs.
const PATIENCE: Duration = Duration::from_millis(100);

/// Names asked about at a time.
const PAGE: usize = 500;

/// The maximum number of names that are remembered as noted.
const REMEMBERED: usize = 10_000;

/// What this process has noted, and when.
#[derive(Debug, Default)]
pub(super) struct Noted {
    filled: Mutex<HashMap<String, Instant>>,
    served: Mutex<Option<(Vec<Arc<str>>, Instant)>>,
}

impl Noted {
    /// Whether the name of a queue that gets messages must be noted now. The next call returns false.
    pub(super) fn is_due(&self, queue: &str, now: Instant) -> bool {
        let mut filled = self.filled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = filled.get_mut(queue) {
            let due = now.duration_since(*at) >= NOTED_FOR;
            if due {
                *at = now;
            }
            return due;
        }
        if filled.len() >= REMEMBERED {
            filled.clear();
        }
        filled.insert(queue.to_owned(), now);
        true
    }

    /// The same for queues that are read from.
    pub(super) fn are_due(&self, queues: &[Arc<str>], now: Instant) -> bool {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, at)) = served.as_mut()
            && now.duration_since(*at) < NOTED_FOR
            && known == queues
        {
            return false;
        }
        *served = Some((queues.to_vec(), now));
        true
    }
}

/// Notes the names while the queues are worked on. A failure doesn't matter: they are noted again.
pub(super) async fn beside<T>(
    broker: &RedisBroker,
    queues: &[&str],
    doing: Pin<Box<impl Future<Output = T>>>,
) -> T {
    tokio::join!(doing, note(broker, queues)).0
}

async fn note(broker: &RedisBroker, queues: &[&str]) {
    let noting = try_note(broker, queues);
    let _ = tokio::time::timeout(PATIENCE, noting).await;
}

pub(super) async fn try_note(broker: &RedisBroker, queues: &[&str]) -> Result<(), BrokerError> {
    let mut command = NOTE_QUEUES.command(&[&broker.keys.queues()]);
    command.arg(queues);
    broker.connection.call(&NOTE_QUEUES, &command).await
}

/// All names that were noted, also of queues that have nothing now.
pub(super) async fn all(broker: &RedisBroker) -> Result<Vec<String>, BrokerError> {
    let mut command = cmd("ZRANGE");
    command.arg(broker.keys.queues()).arg(0).arg(-1);
    broker.connection.ask(&command).await
}

/// The noted names of queues that have keys. Names of other queues are eventually forgotten.
pub(super) async fn list(broker: &RedisBroker) -> Result<Vec<String>, BrokerError> {
    let mut names = all(broker).await?;
    names.sort_unstable();
    let mut listed = Vec::with_capacity(names.len());
    for page in names.chunks(PAGE) {
        let there = try_join_all(page.iter().map(|name| has_keys(broker, name))).await?;
        let (there, gone): (Vec<_>, Vec<_>) = page.iter().zip(there).partition(|(_, there)| *there);
        listed.extend(there.into_iter().map(|(name, _)| name.clone()));
        if !gone.is_empty() {
            let mut command = FORGET_QUEUES.command(&[&broker.keys.queues()]);
            command.arg(KEPT_FOR.as_secs());
            command.arg(gone.iter().map(|(name, _)| name).collect::<Vec<_>>());
            let _: () = broker.connection.call(&FORGET_QUEUES, &command).await?;
        }
    }
    Ok(listed)
}

async fn has_keys(broker: &RedisBroker, queue: &str) -> Result<bool, BrokerError> {
    let mut command = cmd("EXISTS");
    let keys = if broker.tenant.is_default() {
        broker.keys.of_queue(queue)
    } else {
        broker.keys.of_tenants_queue(queue)
    };
    command.arg(&keys[..]);
    Ok(broker.connection.ask::<u64>(&command).await? > 0)
}

/// Looks for queues among all keys of the server, and notes them.
pub(super) async fn find(broker: &RedisBroker) -> Result<Vec<String>, BrokerError> {
    if !broker.tenant.is_default() {
        // Only this crate adds messages of tenants, and notes their queues before.
        return list(broker).await;
    }
    let mut queues = std::collections::BTreeSet::new();
    for pattern in broker.keys.patterns() {
        let keys = broker.connection.scan(&pattern).await?;
        queues.extend(
            keys.iter()
                .filter_map(|key| broker.keys.queue_of(key))
                .map(str::to_owned),
        );
    }
    let queues: Vec<String> = queues.into_iter().collect();
    for page in queues.chunks(PAGE) {
        let names: Vec<&str> = page.iter().map(String::as_str).collect();
        try_note(broker, &names).await?;
    }
    Ok(queues)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_noted_at_once_and_then_now_and_again() {
        let (noted, now) = (Noted::default(), Instant::now());
        assert!(noted.is_due("a", now));
        assert!(!noted.is_due("a", now));
        assert!(noted.is_due("b", now));
        assert!(noted.is_due("a", now + NOTED_FOR));
        assert!(!noted.is_due("a", now + NOTED_FOR));
    }

    #[test]
    fn other_queues_are_noted_at_once() {
        let (noted, now) = (Noted::default(), Instant::now());
        let (one, two): ([Arc<str>; 1], [Arc<str>; 1]) = (["a".into()], ["b".into()]);
        assert!(noted.are_due(&one, now));
        assert!(!noted.are_due(&one, now));
        assert!(noted.are_due(&two, now));
        assert!(noted.are_due(&two, now + NOTED_FOR));
    }
}
