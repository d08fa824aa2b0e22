//! Fetching from queues that tenants share: what each may have of a fetch is decided by a script, and then read as ever.
//!
//! Most queues have no messages of tenants. Which ones do is known from what was read: the admitted stream always has an entry
//! while there is more, see `fair.lua`. Must not know how shares are computed.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::RedisResult;

use super::RedisBroker;
use super::keys::Part;
use super::lease::MAX_STEP;
use super::read::Read;
use super::script::ADMIT;
use crate::fairness::share;
use crate::{BrokerError, Delivery, FetchRequest};

/// The queues in which tenants have messages, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct SharedQueues {
    queues: Mutex<HashSet<Arc<str>>>,
    /// Whether there are any: the usual answer takes no lock.
    any: AtomicBool,
}

impl SharedQueues {
    /// Those of these queues.
    pub(super) fn among(&self, queues: &[Arc<str>]) -> Vec<Arc<str>> {
        if !self.any.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let known = self.lock();
        queues
            .iter()
            .filter(|queue| known.contains(*queue))
            .cloned()
            .collect()
    }

    fn add(&self, queue: &Arc<str>) {
        let mut known = self.lock();
        known.insert(Arc::clone(queue));
        self.any.store(true, Ordering::Relaxed);
    }

    fn remove(&self, queue: &Arc<str>) {
        let mut known = self.lock();
        known.remove(queue);
        self.any.store(!known.is_empty(), Ordering::Relaxed);
    }

    /// Nothing panics under this lock.
    fn lock(&self) -> MutexGuard<'_, HashSet<Arc<str>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a fetch may read of a queue.
struct Plan {
    /// Of the admitted stream.
    admitted: usize,
    /// Of the default tenant's.
    own: usize,
    /// How many tenants have more.
    active: usize,
}

/// Reads from the queues that tenants share, each up to its share of the request.
pub(super) async fn fetch(
    broker: &RedisBroker,
    request: &FetchRequest<'_>,
    queues: &[Arc<str>],
) -> Result<Vec<Delivery>, BrokerError> {
    let mut deliveries: Vec<Delivery> = Vec::new();
    let share = share(request.limit, request.queues.len());
    for queue in queues {
        let taken: usize = deliveries.iter().map(|delivery| delivery.raw.len()).sum();
        let rest = FetchRequest {
            limit: share.min(request.limit - deliveries.len()),
            bytes: request.bytes.saturating_sub(taken),
            ..*request
        };
        if rest.limit == 0 || rest.bytes == 0 {
            break;
        }
        match fetch_one(broker, &rest, queue).await {
            Ok(more) => deliveries.extend(more),
            // What has been delivered must not be lost; the next read meets the failure again.
            Err(_) if !deliveries.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(deliveries)
}

async fn fetch_one(
    broker: &RedisBroker,
    request: &FetchRequest<'_>,
    queue: &Arc<str>,
) -> Result<Vec<Delivery>, BrokerError> {
    let Some(plan) = plan(broker, queue, request.limit).await? else {
        return Ok(Vec::new());
    };
    if plan.active == 0 && plan.admitted < request.limit.min(MAX_STEP) {
        broker.shared_queues.remove(queue);
    }
    let mut deliveries = Vec::new();
    for (part, count) in [(Part::Admitted, plan.admitted), (Part::Own, plan.own)] {
        if count > 0 {
            match read(broker, request, queue, part, count, &deliveries).await {
                Ok(more) => deliveries.extend(more),
                Err(_) if !deliveries.is_empty() => break,
                Err(error) => return Err(broker.connection.server().broker_error(&error)),
            }
        }
    }
    Ok(deliveries)
}

async fn read(
    broker: &RedisBroker,
    request: &FetchRequest<'_>,
    queue: &Arc<str>,
    part: Part,
    count: usize,
    before: &[Delivery],
) -> RedisResult<Vec<Delivery>> {
    let queues = [queue];
    let read = Read::of(request, &queues, count, before).only(part);
    if read.bytes == 0 {
        return Ok(Vec::new());
    }
    Ok(read.once(broker, Duration::ZERO).await?.deliveries)
}

/// What a fetch of up to `wanted` messages may read of a queue; with 0, sees to it that other workers hear of what there is.
/// None where the node of a Cluster that has the queue does not answer.
async fn plan(
    broker: &RedisBroker,
    queue: &str,
    wanted: usize,
) -> Result<Option<Plan>, BrokerError> {
    let stream = broker.root.stream(queue);
    let mut command = ADMIT.command(&[&stream]);
    let (prefix, tag) = broker.root.parts(queue);
    command.arg(prefix).arg(tag).arg(&broker.group);
    command.arg(wanted.min(MAX_STEP));
    let call = broker.connection.call(&ADMIT, &command);
    let Some(answer) = broker.connection.unless_troubled(&stream, call).await else {
        return Ok(None);
    };
    let (admitted, own, active) = answer?;
    Ok(Some(Plan {
        admitted,
        own,
        active,
    }))
}

/// Notes which queues tenants share, from what was read without a plan, and makes more of these tenants' messages known to
/// other workers. A failure delays those until this worker's next fetch.
pub(super) async fn note(broker: &RedisBroker, deliveries: &[Delivery]) {
    let mut noted: Vec<&Arc<str>> = Vec::new();
    for delivery in deliveries {
        let lease = &delivery.lease;
        if !lease.tenant.is_default() && !noted.contains(&&lease.queue) {
            noted.push(&lease.queue);
        }
    }
    for queue in noted {
        broker.shared_queues.add(queue);
        if let Err(error) = plan(broker, queue, 0).await {
            tracing::debug!(%error, "other workers hear later of tenants' messages");
        }
    }
}
