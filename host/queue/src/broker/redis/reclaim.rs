//! Reclaiming deliveries whose lease has expired.

use redis::Value;

use super::RedisBroker;
use super::entry::{Recipient, delivery};
use super::lease::MAX_STEP;
use super::script::RECLAIM;
use crate::{BrokerError, Delivery, ReclaimRequest};

pub(super) async fn reclaim(
    broker: &RedisBroker,
    request: ReclaimRequest<'_>,
) -> Result<Vec<Delivery>, BrokerError> {
    let stream = broker.keys.stream(request.queue);
    let reclaims = broker.keys.reclaims(request.queue);
    let mut command = RECLAIM.command(&[&stream, &reclaims]);
    command
        .arg(&broker.group)
        .arg(&**request.consumer)
        .arg(u64::try_from(broker.lease.as_millis()).unwrap_or(u64::MAX))
        .arg(request.limit.min(MAX_STEP));
    let entries: Vec<Value> = broker.connection.call(&RECLAIM, &command).await?;
    let recipient = Recipient {
        queue: request.queue,
        consumer: request.consumer,
        reclaims: None,
    };
    Ok(entries
        .into_iter()
        .filter_map(|entry| delivery(entry, recipient))
        .collect())
}
