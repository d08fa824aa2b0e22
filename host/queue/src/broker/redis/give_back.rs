//! Giving back what was read but had no room: anyone may fetch it again at once, and the delivery is not counted.
//!
//! Must not know why there was no room.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chicory_signature::SharedStr;
use redis::Value;

use super::RedisBroker;
use super::keys::Part;
use super::reclaim;
use super::script::GIVE_BACK;
use crate::{BrokerError, Delivery, FetchRequest, ReclaimRequest};

/// The queues with messages that were given back.
#[derive(Debug, Default)]
pub(super) struct GivenBack(Mutex<Vec<Arc<str>>>);

impl GivenBack {
    fn add(&self, queue: &Arc<str>) {
        let mut queues = self.lock();
        if !queues.contains(queue) {
            queues.push(Arc::clone(queue));
        }
    }

    /// Takes one of these queues, if any has messages that were given back, and forgets it.
    fn take(&self, among: &[Arc<str>]) -> Option<Arc<str>> {
        let mut queues = self.lock();
        let place = queues.iter().position(|queue| among.contains(queue))?;
        Some(queues.remove(place))
    }

    /// Nothing panics under this lock.
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives back a queue's entries. If this fails, their leases expire.
pub(super) async fn give_back(
    broker: &RedisBroker,
    queue: &Arc<str>,
    part: Part,
    consumer: &str,
    entries: &[SharedStr],
) {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return;
    };
    let mut command = GIVE_BACK.command(&[&broker.root.ready(part, queue)]);
    // In the order of the stream, so the first is the lowest.
    command.arg(&broker.group).arg(consumer);
    command.arg(first.as_str()).arg(last.as_str());
    command.arg(u64::try_from(broker.lease.as_millis()).unwrap_or(u64::MAX));
    for entry in entries {
        command.arg(entry.as_str());
    }
    let answer = broker.connection.call::<Value>(&GIVE_BACK, &command).await;
    match answer {
        Ok(_) => broker.given_back.add(queue),
        Err(error) => {
            tracing::debug!(%error, "messages that had no room stay leased until their leases expire");
        }
    }
}

/// Fetches again what was given back to one of the queues, as far as there is room now.
pub(super) async fn take_again(
    broker: &RedisBroker,
    request: &FetchRequest<'_>,
) -> Result<Vec<Delivery>, BrokerError> {
    while let Some(queue) = broker.given_back.take(request.queues) {
        let again = ReclaimRequest {
            queue: &queue,
            consumer: request.consumer,
            limit: request.limit,
            bytes: request.bytes,
        };
        let deliveries = reclaim::reclaim(broker, again).await?;
        if !deliveries.is_empty() {
            broker.given_back.add(&queue);
            return Ok(deliveries);
        }
    }
    Ok(Vec::new())
}
