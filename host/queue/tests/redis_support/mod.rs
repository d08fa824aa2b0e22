//! The shortest ways to ask a broker for things, for the tests of the Redis broker.
#![allow(
    dead_code,
    reason = "each test program that includes this uses its own part of it"
)]

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use chicory_queue::{
    BrokerConfig, BrokerError, Connected, Delivery, FetchRequest, QueueStats, ReclaimRequest,
    ResultRecord, SettleRequest, Settled, Settlement, SystemClock, TaskMessage, TaskState, connect,
};
use tokio_util::sync::CancellationToken;

use crate::redis_server::RedisServer;

/// A broker, one queue and one consumer.
pub(crate) struct Queue {
    pub(crate) connected: Connected,
    pub(crate) name: Arc<str>,
    pub(crate) consumer: Arc<str>,
}

pub(crate) async fn open(config: &BrokerConfig) -> Result<Connected, BrokerError> {
    connect(config, Arc::new(SystemClock)).await
}

impl Queue {
    pub(crate) async fn open(config: &BrokerConfig) -> Self {
        Self {
            connected: open(config).await.expect("the server is there"),
            name: "default".into(),
            consumer: "one".into(),
        }
    }

    pub(crate) async fn enqueue(&self, messages: &[TaskMessage]) {
        self.try_enqueue(messages).await.expect("enqueue");
    }

    pub(crate) async fn try_enqueue(&self, messages: &[TaskMessage]) -> Result<(), BrokerError> {
        self.connected.broker.enqueue(&self.name, messages).await
    }

    pub(crate) async fn fetch(&self, limit: usize) -> Vec<Delivery> {
        self.try_fetch(limit, Duration::ZERO).await.expect("fetch")
    }

    pub(crate) async fn try_fetch(
        &self,
        limit: usize,
        block: Duration,
    ) -> Result<Vec<Delivery>, BrokerError> {
        let request = FetchRequest {
            queues: &[Arc::clone(&self.name)],
            consumer: &self.consumer,
            limit,
            block,
            interrupt: &CancellationToken::new(),
        };
        self.connected.broker.fetch(request).await
    }

    pub(crate) async fn reclaim(&self, limit: usize) -> Vec<Delivery> {
        let request = ReclaimRequest {
            queue: &self.name,
            consumer: &self.consumer,
            limit,
        };
        self.connected
            .broker
            .reclaim(request)
            .await
            .expect("reclaim")
    }

    pub(crate) async fn settle(&self, deliveries: &[Delivery], what: &Settlement) -> Vec<Settled> {
        let batch: Vec<SettleRequest<'_>> =
            deliveries.iter().map(|one| settle(one, what)).collect();
        self.connected.broker.settle(&batch).await.expect("settle")
    }

    pub(crate) async fn stats(&self) -> QueueStats {
        self.connected
            .inspect
            .stats(&self.name)
            .await
            .expect("stats")
    }

    /// Returns once the server has a blocked client.
    pub(crate) async fn blocked(&self, server: &RedisServer) {
        let mut connection = server.connection();
        loop {
            let info: String = redis::cmd("INFO")
                .arg("clients")
                .query(&mut connection)
                .expect("info");
            if info.contains("blocked_clients:1") {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) fn message(id: &str) -> TaskMessage {
    let mut message = TaskMessage::new("suite.task");
    id.clone_into(&mut message.id);
    message
}

pub(crate) fn messages(prefix: &str, count: usize) -> Vec<TaskMessage> {
    (0..count)
        .map(|number| message(&format!("{prefix}{number}")))
        .collect()
}

pub(crate) fn settle(delivery: &Delivery, what: &Settlement) -> SettleRequest<'static> {
    SettleRequest {
        lease: Cow::Owned(delivery.lease.clone()),
        raw: Cow::Owned(delivery.raw.to_vec()),
        task_id: delivery.task_id.clone().into(),
        task_name: "suite.task".into(),
        retries: 2,
        settlement: Cow::Owned(what.clone()),
        record: None,
    }
}

pub(crate) fn success(task_id: &str) -> ResultRecord<'static> {
    ResultRecord {
        task_id: task_id.to_owned().into(),
        state: TaskState::Success,
        body: Some(format!(
            r#"{{"task_id":"{task_id}","state":"SUCCESS","result":1,"error":null,"traceback":null}}"#
        ).into()),
        reply_to: None,
    }
}
