//! Making a dead letter ready again.

use super::RedisBroker;
use super::dead_letters;
use super::enqueue::write_json;
use super::script::REPLAY;
use crate::{BrokerError, ReplayOptions, TaskMessage};

pub(super) async fn replay(
    broker: &RedisBroker,
    queue: &str,
    id: &str,
    options: ReplayOptions,
) -> Result<bool, BrokerError> {
    let Some(found) = dead_letters::find(broker, queue, id).await? else {
        return Ok(false);
    };
    let mut message = TaskMessage::decode(&found.data).map_err(|error| {
        BrokerError::Invalid(format!(
            "dead letter {} can't be replayed, it stays where it is: {error}",
            found.letter.id
        ))
    })?;
    message.eta = None;
    if options.reset_retries {
        message.retries = 0;
        message.first_failure_at = None;
        message.last_error = None;
    }
    let mut command = REPLAY.command(&[&broker.keys.stream(queue), &broker.keys.dlq(queue)]);
    command.arg(&found.letter.id).arg(&*message.id);
    write_json(&mut command, &message);
    let replayed: u64 = broker.connection.call(&REPLAY, &command).await?;
    Ok(replayed == 1)
}
