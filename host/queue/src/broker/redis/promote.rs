//! Moving due messages to the ready ones, by the server's clock.

use std::sync::Arc;

use super::RedisBroker;
use super::enqueue::write_now;
use super::script::PROMOTE;
use crate::{BrokerError, LARGE_BYTES, Promoted, Timestamp};

/// The maximum number of messages in one step of the server; a longer step would block all other clients.
const MAX_STEP: usize = 2000;

/// A step ends once it has moved this many bytes. One message may have more.
const MAX_STEP_BYTES: usize = 1 << 20;

/// Queues checked in one step.
const MAX_QUEUES: usize = 500;

pub(super) async fn promote(
    broker: &RedisBroker,
    queues: &[Arc<str>],
    limit: usize,
) -> Result<Promoted, BrokerError> {
    let together = broker.connection.server().topology().keys_are_together();
    let width = if together { MAX_QUEUES } else { 1 };
    let mut all = Promoted::default();
    for queues in queues.chunks(width) {
        let promoted = promote_some(broker, queues, limit - all.moved).await?;
        all = Promoted {
            moved: all.moved + promoted.moved,
            next: all.next.into_iter().chain(promoted.next).min(),
            now: promoted.now,
        };
    }
    Ok(all)
}

async fn promote_some(
    broker: &RedisBroker,
    queues: &[Arc<str>],
    limit: usize,
) -> Result<Promoted, BrokerError> {
    let mut moved = 0;
    loop {
        let step = (limit - moved).min(MAX_STEP);
        let mut command = PROMOTE.command_on(3 * queues.len());
        for queue in queues {
            command
                .arg(broker.root.stream(queue))
                .arg(broker.root.delayed(queue))
                .arg(broker.root.due(queue));
        }
        write_now(&mut command, broker);
        let (prefix, _) = broker.root.parts(&queues[0]);
        command
            .arg(step)
            .arg(LARGE_BYTES)
            .arg(MAX_STEP_BYTES)
            .arg(prefix)
            .arg(&broker.group);
        for queue in queues {
            command.arg(broker.root.parts(queue).1);
        }
        let call = broker.connection.call(&PROMOTE, &command);
        let stream = broker.root.stream(&queues[0]);
        // A node of a Cluster that does not answer must not hold up the promotion of other queues.
        let Some(answer) = broker.connection.unless_troubled(&stream, call).await else {
            return Ok(Promoted {
                moved,
                next: None,
                now: broker.clock.now(),
            });
        };
        let (count, next, now, is_full): (usize, String, f64, bool) = answer?;
        moved += count;
        if (count < step && !is_full) || moved == limit {
            return Ok(Promoted {
                moved,
                next: next.parse().ok().map(Timestamp::from_seconds),
                now: Timestamp::from_seconds(now),
            });
        }
    }
}
