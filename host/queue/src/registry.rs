//! What the registry's operations need from a broker: who serves, and which messages are queued.
//!
//! Must not know what is done with it.

#[cfg(all(test, feature = "sqlite"))]
mod tests;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chicory_registry::{
    Deployer, Fleet, ForgetRequest, Forgotten, QueuedMessage, QueuedMessages, Registry,
    RegistryError, Visit,
};
use chicory_signature::Signature;

use crate::{BrokerError, Clock, Connected, Inspect, Results, ScanCursor, TaskMessage};

impl Connected {
    /// Rolls out versions to the workers whose heartbeats are found here.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use chicory_queue::{Client, RolloutRequest, RolloutTarget, SystemClock, Timestamp, Version};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let url = format!("sqlite:{}", folder.path().join("queue.db").display());
    /// # let wasm = b"\0asm";
    /// let client = Client::open(&url).await?;
    /// let connected = client.connected();
    /// // The SHA-256 of the module's bytes.
    /// let digest = "cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f";
    /// connected.registry.put_blob(digest, wasm.as_slice().into()).await?;
    ///
    /// let now = Timestamp::now();
    /// let version = Version {
    ///     digest: digest.into(),
    ///     size: wasm.len() as u64,
    ///     version: Some("1.2.0".into()),
    ///     tasks: Default::default(),
    ///     manifest: Default::default(),
    ///     deployed_by: "ada@laptop".into(),
    ///     deployed_at: now,
    ///     signature: None,
    ///     source: None,
    ///     retiring: false,
    /// };
    /// let request = RolloutRequest {
    ///     id: "rollout-7".into(),
    ///     by: version.deployed_by.clone(),
    ///     now,
    ///     expires_at: now.after(Duration::from_secs(60)),
    ///     canary: None,
    ///     allow_breaking: false,
    /// };
    /// let changes = |_: &_| Vec::new();
    /// let done = connected
    ///     .deployer(Arc::new(SystemClock))
    ///     .roll_out("images", &RolloutTarget::Deploy(Box::new(version)), changes, &request, |stage| println!("{stage:?}"))
    ///     .await?;
    /// // No worker runs here.
    /// assert_eq!((done.workers, done.record.active.as_deref()), (0, Some(digest)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn deployer(&self, clock: Arc<dyn Clock>) -> Deployer {
        let workers = Arc::new(Workers {
            results: Arc::clone(&self.results),
            registry: Arc::clone(&self.registry),
            missed: Mutex::default(),
        });
        Deployer::new(Arc::clone(&self.registry), workers, clock)
    }

    /// Forgets the versions of a module that neither the request's rule keeps nor any queued message needs.
    ///
    /// # Errors
    /// If the broker can't be reached; what was not forgotten is left for the next time.
    pub async fn forget(&self, request: &ForgetRequest<'_>) -> Result<Forgotten, RegistryError> {
        let messages = Queues(self.inspect.as_ref());
        chicory_registry::forget(self.registry.as_ref(), &messages, request).await
    }
}

/// The workers known from heartbeats, except those that are known to be gone although their heartbeats last.
struct Workers {
    results: Arc<dyn Results>,
    registry: Arc<dyn Registry>,
    /// Since when a worker has been missed that was there when it wrote its heartbeat.
    missed: Mutex<HashMap<String, Instant>>,
}

/// A worker that has been missed for this long is gone. One whose connection broke has opened another by then.
const GONE_AFTER: Duration = Duration::from_secs(2);

#[async_trait]
impl Fleet for Workers {
    async fn serving(&self) -> Result<Vec<String>, RegistryError> {
        let workers = self.results.workers().await?;
        let listening = workers.iter().filter(|worker| worker.listens());
        let listening: Vec<_> = listening.map(|worker| worker.worker_id.clone()).collect();
        let gone = self.gone(&listening).await?;
        let serving = workers.into_iter().filter(|worker| {
            worker.is_running && worker.versions().is_some() && !gone.contains(&worker.worker_id)
        });
        Ok(serving.map(|worker| worker.worker_id).collect())
    }
}

impl Workers {
    /// Those of these workers that have been missed for that long.
    async fn gone(&self, listening: &[String]) -> Result<HashSet<String>, RegistryError> {
        if listening.is_empty() {
            return Ok(HashSet::new());
        }
        let Some(present) = self.registry.present(listening).await? else {
            return Ok(HashSet::new());
        };
        let now = Instant::now();
        // Nothing panics under this lock.
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = HashSet::new();
        for (worker, is_present) in listening.iter().zip(present) {
            if is_present {
                missed.remove(worker);
            } else if now.duration_since(*missed.entry(worker.clone()).or_insert(now)) >= GONE_AFTER
            {
                gone.insert(worker.clone());
            }
        }
        Ok(gone)
    }
}

/// The messages of all queues of a broker.
struct Queues<'a>(&'a dyn Inspect);

#[async_trait]
impl QueuedMessages for Queues<'_> {
    async fn each(&self, visit: &mut Visit<'_>) -> Result<(), RegistryError> {
        // If a message were missed here, a version that it names might be dropped.
        for queue in self.0.find_queues().await? {
            let mut cursor = Some(ScanCursor::default());
            while let Some(from) = cursor {
                let page = self.0.scan(&queue, from).await?;
                for message in &page.messages {
                    if let ControlFlow::Break(()) = visit(message) {
                        return Ok(());
                    }
                }
                cursor = page.next;
            }
        }
        Ok(())
    }
}

impl QueuedMessage for TaskMessage {
    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn pin(&self) -> Option<&str> {
        self.pin.as_deref()
    }

    fn checked_against(&self) -> Option<&str> {
        self.checked_against.as_deref()
    }

    fn no_canary(&self) -> bool {
        self.no_canary
    }

    fn fits(&self, signature: &Signature) -> bool {
        signature.check(&self.arguments).is_ok()
    }
}

impl From<BrokerError> for RegistryError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Unavailable { .. } => Self::Unavailable(error.into()),
            other => Self::Store(other.into()),
        }
    }
}

impl From<RegistryError> for BrokerError {
    fn from(error: RegistryError) -> Self {
        let store = match error {
            RegistryError::Unavailable(store) | RegistryError::Store(store) => store,
            other => return Self::Invalid(other.to_string()),
        };
        match store.downcast::<Self>() {
            Ok(error) => *error,
            Err(other) => Self::Invalid(other.to_string()),
        }
    }
}
