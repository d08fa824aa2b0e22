//! Reclaiming deliveries whose lease has expired.

use super::RedisBroker;
use super::entry::{Entry, Recipient};
use super::keys::Part;
use super::lease::MAX_STEP;
use super::script::RECLAIM;
use crate::message::{KEPT_BYTES, MAX_ID_BYTES, MAX_STORED_BYTES};
use crate::{BrokerError, Delivery, ReclaimRequest};

pub(super) async fn reclaim(
    broker: &RedisBroker,
    request: ReclaimRequest<'_>,
) -> Result<Vec<Delivery>, BrokerError> {
    let stream = broker.root.stream(request.queue);
    let reclaims = broker.root.reclaims(request.queue);
    let admitted = broker.root.admitted(request.queue);
    let mut command = RECLAIM.command(&[&stream, &admitted, &reclaims]);
    command
        .arg(&broker.group)
        .arg(&**request.consumer)
        .arg(u64::try_from(broker.lease.as_millis()).unwrap_or(u64::MAX))
        .arg(request.limit.min(MAX_STEP))
        .arg(request.bytes)
        .arg(MAX_STORED_BYTES)
        .arg(KEPT_BYTES)
        .arg(MAX_ID_BYTES);
    let call = broker.connection.call(&RECLAIM, &command);
    // A node of a Cluster that does not answer must not hold up what is fetched from others.
    let Some(answer) = broker.connection.unless_troubled(&stream, call).await else {
        return Ok(Vec::new());
    };
    let entries: Vec<Entry> = answer?;
    let recipient = Recipient {
        queue: request.queue,
        // The script names no tenant but for entries of this part.
        part: Part::Admitted,
        consumer: request.consumer,
        reclaims: None,
    };
    let deliver = |entry: Entry| entry.deliver(recipient);
    Ok(entries.into_iter().map(deliver).collect())
}
