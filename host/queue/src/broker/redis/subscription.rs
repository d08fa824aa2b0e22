//! A subscription to channels that is restored whenever it breaks.
//!
//! Must not know what the messages mean.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use redis::aio::PubSub;
use redis::{Msg, RedisResult};

use super::server::Server;
use crate::BrokerError;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// When a user who may not subscribe tries again.
const LATER: Duration = Duration::from_mins(1);

/// Who listens to a subscription.
#[async_trait]
pub(super) trait Listener: Send + Sync {
    /// A message came.
    fn hear(&self, message: &Msg);

    /// The subscription was restored: messages in between were missed.
    fn missed(&self);

    /// Returns once no more messages are wanted.
    async fn gone(&self);
}

/// Channels, and who listens to them.
pub(super) struct Subscription {
    pub(super) server: Arc<Server>,
    pub(super) channels: Vec<String>,
    pub(super) listener: Box<dyn Listener>,
}

impl Subscription {
    /// Subscribes; fails if the server can't be reached now. After that, it lasts as long as messages are
    /// wanted. A user who may not subscribe hears nothing until the right is granted.
    pub(super) async fn start(self) -> Result<(), BrokerError> {
        let pubsub = match self.open().await {
            Ok(pubsub) => Some(pubsub),
            Err(error) if self.server.hints().refuses(&error) => None,
            Err(error) => return Err(self.server.broker_error(&error)),
        };
        tokio::spawn(self.keep(pubsub));
        Ok(())
    }

    /// Opens it. Also returns how many times the master had been replaced by then.
    async fn open(&self) -> RedisResult<(PubSub, u64)> {
        let (mut pubsub, switches) = self.server.open_pubsub().await?;
        if !self.channels.is_empty() {
            pubsub.subscribe(&self.channels).await?;
        }
        Ok((pubsub, switches))
    }

    async fn keep(self, mut pubsub: Option<(PubSub, u64)>) {
        let mut delay = LATER;
        loop {
            if let Some((pubsub, switches)) = &mut pubsub {
                tokio::select! {
                    () = self.listener.gone() => return,
                    () = self.pass_on(pubsub) => {}
                    () = self.server.switched(*switches) => {}
                }
                tracing::debug!(server = ?self.server, "a subscription broke; subscribing again");
                delay = Duration::ZERO;
            }
            let opened = tokio::select! {
                () = self.listener.gone() => return,
                opened = self.open_again(delay) => opened,
            };
            pubsub = Some(opened);
            self.listener.missed();
        }
    }

    async fn pass_on(&self, pubsub: &mut PubSub) {
        let mut messages = pubsub.on_message();
        while let Some(message) = messages.next().await {
            self.listener.hear(&message);
        }
    }

    /// Tries until it succeeds, the first time after a delay.
    async fn open_again(&self, mut delay: Duration) -> (PubSub, u64) {
        loop {
            tokio::time::sleep(delay).await;
            delay = match self.open().await {
                Ok(opened) => return opened,
                Err(error) if self.server.hints().refuses(&error) => LATER,
                Err(_) => (delay * 2).clamp(FIRST_DELAY, LONGEST_DELAY),
            };
        }
    }
}
