//! Wake-ups for promoters.
//!
//! Must not know how a subscription is kept.

use std::sync::Arc;

use async_trait::async_trait;
use redis::Msg;
use tokio::sync::mpsc;

use super::RedisBroker;
use super::keys::Keys;
use super::subscription::{Listener, Subscription};
use crate::{BrokerError, Timestamp, Wake};

/// Further wake-ups are dropped: the promoter is already awake.
const CAPACITY: usize = 1024;

struct Promoter {
    keys: Keys,
    queues: Vec<Arc<str>>,
    wakes: mpsc::Sender<Wake>,
}

pub(super) async fn subscribe(
    broker: &RedisBroker,
    queues: &[Arc<str>],
) -> Result<mpsc::Receiver<Wake>, BrokerError> {
    let (wakes, receiver) = mpsc::channel(CAPACITY);
    let channels = queues.iter().map(|queue| broker.keys.wake(queue)).collect();
    let promoter = Promoter {
        keys: broker.keys.clone(),
        queues: queues.to_vec(),
        wakes,
    };
    let subscription = Subscription {
        server: Arc::clone(broker.connection.server()),
        channels,
        listener: Box::new(promoter),
    };
    subscription.start().await?;
    Ok(receiver)
}

#[async_trait]
impl Listener for Promoter {
    fn hear(&self, message: &Msg) {
        if let Some((queue, due)) = self.read(message) {
            self.wake(queue, due);
        }
    }

    fn missed(&self) {
        // Look at once for whatever is due.
        let at_once = Timestamp::default();
        self.queues
            .iter()
            .for_each(|queue| self.wake(queue, at_once));
    }

    async fn gone(&self) {
        self.wakes.closed().await;
    }
}

impl Promoter {
    fn read(&self, message: &Msg) -> Option<(&Arc<str>, Timestamp)> {
        let name = self.keys.queue_of_wake(message.get_channel_name())?;
        let queue = self.queues.iter().find(|queue| &***queue == name)?;
        let seconds = std::str::from_utf8(message.get_payload_bytes())
            .ok()?
            .parse()
            .ok()?;
        Some((queue, Timestamp::from_seconds(seconds)))
    }

    fn wake(&self, queue: &Arc<str>, due: Timestamp) {
        // If the channel is full, the promoter is already awake.
        let _ = self.wakes.try_send(Wake {
            queue: Arc::clone(queue),
            due,
        });
    }
}
