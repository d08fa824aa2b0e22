//! Waiting until replicas have what was written, where the settings say so.
//!
//! A replica's confirmation is not enough: during a failover, the replica that isn't promoted still confirms what the old master
//! accepts, and discards it when it follows the new one. So the Sentinels are asked afterwards whether the master is still the
//! master. They mark a failover as begun before they promote a replica. Must not know what was written.

use std::time::Duration;

use redis::{Cmd, FromRedisValue, Pipeline, RedisError, Value, cmd, from_redis_value};

use super::connection::Connection;
use super::script::Script;
use super::server::Server;
use crate::{BrokerError, RedisConfig};

/// How many replicas must confirm each write, and how long they may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replicas {
    wanted: u32,
    timeout: Duration,
}

/// What is known of a write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    /// Number of replicas that have confirmed it, if any were asked.
    confirmed: u32,
    /// How many times the Sentinels had named another master before.
    switches: u64,
}

impl Written {
    /// `wait` is what WAIT answered.
    fn new(wait: &Value, switches: u64) -> Self {
        let confirmed = match wait {
            Value::Int(count) => u32::try_from(*count).unwrap_or_default(),
            _ => 0,
        };
        Self {
            confirmed,
            switches,
        }
    }
}

impl Replicas {
    pub(super) fn new(config: &RedisConfig) -> Self {
        Self {
            wanted: config.wait_replicas,
            timeout: config.wait_timeout,
        }
    }

    /// No replica is asked.
    pub(super) fn none() -> Self {
        Self {
            wanted: 0,
            timeout: Duration::ZERO,
        }
    }

    /// Whether any replica is asked.
    pub(super) fn are_wanted(self) -> bool {
        self.wanted > 0
    }

    /// Adds the command that waits for them, if any are wanted.
    pub(super) fn add_wait(self, commands: &mut Pipeline) {
        if self.wanted > 0 {
            let mut wait = cmd("WAIT");
            // 0 would wait forever.
            wait.arg(self.wanted)
                .arg(self.timeout.as_millis().max(1).to_string());
            commands.add_command(wait);
        }
    }

    /// Sends a transaction that was written out with what [`Replicas::add_wait`] adds.
    pub(super) async fn write(
        self,
        connection: &Connection,
        transaction: &Pipeline,
    ) -> Result<Written, BrokerError> {
        let sent = connection.send_all(transaction).await;
        let (answers, switches) = sent.map_err(|error| connection.server().broker_error(&error))?;
        Ok(Written::new(
            answers.last().unwrap_or(&Value::Nil),
            switches,
        ))
    }

    /// Runs a script and waits.
    pub(super) async fn call<T: FromRedisValue>(
        self,
        connection: &Connection,
        script: &Script,
        command: &Cmd,
    ) -> Result<(T, Written), BrokerError> {
        if self.wanted == 0 {
            let answer = connection.call(script, command).await?;
            return Ok((answer, Written::new(&Value::Nil, 0)));
        }
        let steps = |command: Cmd| {
            let mut steps = Pipeline::with_capacity(2);
            steps.add_command(command);
            self.add_wait(&mut steps);
            steps
        };
        let lost = |error: &RedisError| error.code() == Some("NOSCRIPT");
        let mut answers = connection.send_all(&steps(command.clone())).await;
        if answers.as_ref().is_err_and(lost) {
            answers = connection.send_all(&steps(script.with_code(command))).await;
        }
        let said = |error: &_| connection.server().broker_error(error);
        let (mut answers, switches) = answers.map_err(|error| said(&error))?;
        let written = Written::new(&answers.pop().unwrap_or(Value::Nil), switches);
        let answer = answers.pop().unwrap_or(Value::Nil);
        let answer = from_redis_value(answer).map_err(|error| said(&error.into()))?;
        Ok((answer, written))
    }

    /// Fails if a failover could lose a write: too few replicas have confirmed it, or the server may no longer be the master.
    pub(super) async fn check(self, server: &Server, written: &Written) -> Result<(), BrokerError> {
        if let Some(confirmed) = self.missing(written) {
            return Err(server.not_replicated(self.wanted, confirmed));
        }
        if self.outlasts(server, written).await {
            Ok(())
        } else {
            Err(server.replaced())
        }
    }

    /// Whether the server that accepted a write is still the master. Not asked if no replicas are wanted.
    pub(super) async fn outlasts(self, server: &Server, written: &Written) -> bool {
        self.wanted == 0 || server.is_still_master(written.switches).await
    }

    /// How many have confirmed a write, if these are too few.
    pub(super) fn missing(self, written: &Written) -> Option<u32> {
        (written.confirmed < self.wanted).then_some(written.confirmed)
    }
}
