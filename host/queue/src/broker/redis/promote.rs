//! Moving due messages to the ready ones.

use super::RedisBroker;
use super::script::PROMOTE;
use crate::message::MAX_STORED_BYTES;
use crate::{BrokerError, Timestamp};

/// The longest step of the server; a longer one would block all other clients.
const MAX_STEP: usize = 2000;

pub(super) async fn promote(
    broker: &RedisBroker,
    queue: &str,
    limit: usize,
) -> Result<(usize, Option<Timestamp>), BrokerError> {
    let (stream, delayed) = (broker.keys.stream(queue), broker.keys.delayed(queue));
    let now = broker.clock.now();
    let mut moved = 0;
    loop {
        let step = (limit - moved).min(MAX_STEP);
        let mut command = PROMOTE.command(&[&stream, &delayed]);
        command
            .arg(now.as_seconds())
            .arg(step)
            .arg(MAX_STORED_BYTES);
        let (count, next): (usize, String) = broker.connection.call(&PROMOTE, &command).await?;
        moved += count;
        if count < step || moved == limit {
            let next = next.parse().ok().map(Timestamp::from_seconds);
            return Ok((moved, next));
        }
    }
}
