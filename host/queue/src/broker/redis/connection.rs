//! Sends commands and scripts, to the only server or to the Cluster node that has the key, and returns the answers.
//!
//! Must not know what commands are for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Pipeline, RedisResult, Value, from_redis_value};

use super::cluster::Cluster;
use super::request::Request;
use super::script::Script;
use super::server::{Endpoint, Server};
use super::shared::Shared;
use crate::BrokerError;

/// A server, and how commands get there.
pub(super) struct Connection {
    server: Arc<Server>,
    way: Way,
}

/// How commands get there.
pub(super) enum Way {
    One(Arc<Shared>),
    Cluster(Cluster),
}

impl Connection {
    pub(super) fn new(server: Arc<Server>) -> Self {
        let way = match server.endpoint() {
            Endpoint::One(target) => Way::One(Arc::new(Shared::new(Arc::clone(target)))),
            Endpoint::Cluster { seeds, tls } => {
                Way::Cluster(Cluster::new(seeds.clone(), tls.clone()))
            }
        };
        Self { server, way }
    }

    /// The server.
    pub(super) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// How commands get there.
    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    /// Opens a connection unless there is one. After a failed attempt, waits until the next one is due.
    pub(super) async fn ready(&self) -> Result<(), BrokerError> {
        let ready = match &self.way {
            Way::One(shared) => shared.link().await.map(|_| ()),
            Way::Cluster(cluster) => cluster.ready().await,
        };
        ready.map_err(|error| self.server.broker_error(&error))
    }

    async fn send(&self, request: Request<'_>) -> RedisResult<Value> {
        Ok(self.send_to_master(request).await?.0)
    }

    /// Sends a request. Returns the answer, and how many times the Sentinels had named another master by
    /// the time the connection was opened.
    async fn send_to_master(&self, request: Request<'_>) -> RedisResult<(Value, u64)> {
        match &self.way {
            Way::One(shared) => {
                let answer = shared.send_to_master(request).await;
                answer.map_err(|failure| failure.error)
            }
            Way::Cluster(cluster) => Ok((cluster.send(request).await?, 0)),
        }
    }

    /// Sends a command.
    pub(super) async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> RedisResult<T> {
        Ok(from_redis_value(self.send(Request::One(cmd)).await?)?)
    }

    /// Sends a command; a failure becomes the broker's error.
    pub(super) async fn ask<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, BrokerError> {
        self.query(cmd)
            .await
            .map_err(|error| self.server.broker_error(&error))
    }

    /// Sends several commands at once. Returns all answers or the first error, and how many times the Sentinels had named
    /// another master by the time the connection was opened.
    pub(super) async fn send_all(&self, commands: &Pipeline) -> RedisResult<(Vec<Value>, u64)> {
        let (answer, switches) = self.send_to_master(Request::Several(commands)).await?;
        let answers = match answer {
            Value::Array(answers) => answers,
            other => vec![other],
        };
        Ok((answers, switches))
    }

    /// Runs a script by a command from [`Script::command`], and sends the script's code if the server has lost it.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        cmd: &Cmd,
    ) -> RedisResult<T> {
        match self.query(cmd).await {
            Err(error) if error.code() == Some("NOSCRIPT") => {
                self.query(&script.with_code(cmd)).await
            }
            answer => answer,
        }
    }

    /// Runs a script; a failure becomes the broker's error.
    pub(super) async fn call<T: FromRedisValue>(
        &self,
        script: &Script,
        cmd: &Cmd,
    ) -> Result<T, BrokerError> {
        self.run(script, cmd)
            .await
            .map_err(|error| self.server.broker_error(&error))
    }

    /// Whether the node that has this key is not answering while others may be.
    pub(super) fn is_troubled(&self, key: &str) -> bool {
        match &self.way {
            Way::One(_) => false,
            Way::Cluster(cluster) => cluster.is_troubled(key),
        }
    }

    /// Waits until the node that has this key answers again, for at most this time.
    pub(super) async fn until_well(&self, key: &str, most: Duration) {
        if let Way::Cluster(cluster) = &self.way {
            let _ = tokio::time::timeout(most, cluster.until_troubled(key, false)).await;
        }
    }

    /// The result of `answer`, or `None` if the node that has the key is in trouble while others may be well.
    pub(super) async fn unless_troubled<T>(
        &self,
        key: &str,
        answer: impl Future<Output = T>,
    ) -> Option<T> {
        match &self.way {
            Way::One(_) => Some(answer.await),
            Way::Cluster(cluster) => tokio::select! {
                biased;
                answer = answer => Some(answer),
                () = cluster.until_troubled(key, true) => None,
            },
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.server).finish()
    }
}
