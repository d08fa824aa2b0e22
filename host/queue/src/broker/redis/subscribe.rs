//! Wake-ups for promoters, by a subscription that is made again whenever it breaks.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use redis::aio::PubSub;
use redis::{Msg, RedisResult};
use tokio::sync::mpsc;

use super::RedisBroker;
use super::keys::Keys;
use super::server::Server;
use crate::{BrokerError, Clock, Timestamp, Wake};

/// Wake-ups beyond these are dropped: the promoter is awake already.
const CAPACITY: usize = 1024;
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

struct Subscription {
    server: Arc<Server>,
    keys: Keys,
    queues: Vec<Arc<str>>,
    clock: Arc<dyn Clock>,
    wakes: mpsc::Sender<Wake>,
}

pub(super) async fn subscribe(
    broker: &RedisBroker,
    queues: &[Arc<str>],
) -> Result<mpsc::Receiver<Wake>, BrokerError> {
    let (wakes, receiver) = mpsc::channel(CAPACITY);
    let subscription = Subscription {
        server: Arc::clone(broker.connection.server()),
        keys: broker.keys.clone(),
        queues: queues.to_vec(),
        clock: Arc::clone(&broker.clock),
        wakes,
    };
    let pubsub = subscription
        .open()
        .await
        .map_err(|error| subscription.server.broker_error(&error))?;
    tokio::spawn(subscription.keep(pubsub));
    Ok(receiver)
}

impl Subscription {
    async fn open(&self) -> RedisResult<PubSub> {
        let channels: Vec<String> = self
            .queues
            .iter()
            .map(|queue| self.keys.wake(queue))
            .collect();
        let mut pubsub = self.server.open_pubsub().await?;
        if !channels.is_empty() {
            pubsub.subscribe(channels).await?;
        }
        Ok(pubsub)
    }

    /// Passes wake-ups on until nobody wants them any more.
    async fn keep(self, mut pubsub: PubSub) {
        loop {
            tokio::select! {
                () = self.wakes.closed() => return,
                () = self.pass_on(&mut pubsub) => {}
            }
            tracing::debug!(server = ?self.server, "the subscription to wake-ups broke; subscribing again");
            pubsub = tokio::select! {
                () = self.wakes.closed() => return,
                pubsub = self.open_again() => pubsub,
            };
            // What became due in between went unheard.
            let now = self.clock.now();
            self.queues.iter().for_each(|queue| self.wake(queue, now));
        }
    }

    async fn pass_on(&self, pubsub: &mut PubSub) {
        let mut messages = pubsub.on_message();
        while let Some(message) = messages.next().await {
            if let Some((queue, due)) = self.read(&message) {
                self.wake(queue, due);
            }
        }
    }

    async fn open_again(&self) -> PubSub {
        let mut delay = FIRST_DELAY;
        loop {
            if let Ok(pubsub) = self.open().await {
                return pubsub;
            }
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(LONGEST_DELAY);
        }
    }

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
        // A full channel has woken the promoter already.
        let _ = self.wakes.try_send(Wake {
            queue: Arc::clone(queue),
            due,
        });
    }
}
