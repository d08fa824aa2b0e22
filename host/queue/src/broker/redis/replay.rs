//! Making a dead letter ready again.

use super::RedisBroker;
use super::dead_letters;
use super::enqueue::write_json;
use super::script::{REPLAY, REPLAY_WAITING};
use super::tenants;
use crate::replay::replayed;
use crate::{BrokerError, ReplayOptions, Results as _};

pub(super) async fn replay(
    broker: &RedisBroker,
    queue: &str,
    id: &str,
    options: ReplayOptions,
) -> Result<bool, BrokerError> {
    let Some(found) = dead_letters::find(broker, queue, id).await? else {
        return Ok(false);
    };
    let message = replayed(queue, &found.letter.id, &found.data, options)?;
    let (script, ready) = if broker.tenant.is_default() {
        (&*REPLAY, broker.keys.stream(queue))
    } else {
        (&*REPLAY_WAITING, broker.keys.waiting(queue))
    };
    let mut command = script.command(&[
        &ready,
        &broker.keys.dlq(queue),
        &broker.keys.dead_index(queue),
        &broker.keys.ids(queue),
    ]);
    command.arg(&found.letter.id).arg(&*message.id);
    write_json(&mut command, &message);
    command.arg(u8::from(message.noted));
    tenants::add_place(&mut command, broker, queue);
    // Before the message is ready, so clients that wait for its result from now on get the new one.
    broker.results.delete(&message.id).await?;
    let replayed: u64 = broker.connection.call(script, &command).await?;
    Ok(replayed == 1)
}
