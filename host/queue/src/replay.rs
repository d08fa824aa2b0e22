//! What a dead letter's message becomes when it is replayed: a pure function.
//!
//! Must not know where dead letters are kept.

use bytes::Bytes;

use crate::{BrokerError, ReplayOptions, TaskMessage};

/// The message to put at the end of the queue for a dead letter with these bytes. It is ready at once.
///
/// # Errors
/// [`BrokerError::Invalid`] if the bytes are not a message.
pub(crate) fn replayed(
    queue: &str,
    id: &str,
    data: &Bytes,
    options: ReplayOptions,
) -> Result<TaskMessage, BrokerError> {
    let mut message = TaskMessage::decode(data).map_err(|error| {
        BrokerError::Invalid(format!(
            "dead letter {id} of queue {queue:?} can't be replayed and stays where it is: {error}"
        ))
    })?;
    message.eta = None;
    if options.reset_retries {
        message.retries = 0;
        message.first_failure_at = None;
        message.last_error = None;
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn dead() -> TaskMessage {
        TaskMessage {
            retries: 3,
            eta: Some(Timestamp::from_micros(7)),
            first_failure_at: Some(Timestamp::from_micros(5)),
            last_error: Some("E: no".into()),
            ..TaskMessage::new("m.f")
        }
    }

    fn replay(data: impl Into<Bytes>, reset_retries: bool) -> Result<TaskMessage, BrokerError> {
        replayed("q", "1-0", &data.into(), ReplayOptions { reset_retries })
    }

    #[test]
    fn it_is_ready_at_once_and_keeps_its_failures_unless_they_are_reset() {
        let (dead, data) = (dead(), Bytes::from(dead().encode()));
        let kept = replay(data.clone(), false).unwrap();
        assert_eq!(
            (kept.eta, kept.retries, kept.last_error),
            (None, 3, dead.last_error)
        );
        let reset = replay(data, true).unwrap();
        assert_eq!((reset.eta, reset.retries), (None, 0));
        assert_eq!((reset.first_failure_at, reset.last_error), (None, None));
    }

    #[test]
    fn bytes_that_are_not_a_message_stay() {
        let error = replay(&b"\x80\x05"[..], false).unwrap_err().to_string();
        assert!(error.contains("1-0") && error.contains("pickle"), "{error}");
    }
}
