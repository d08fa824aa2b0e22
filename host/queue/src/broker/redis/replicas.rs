//! Waiting until replicas have what was written, where the settings say so.
//!
//! Must not know what was written.

use std::time::Duration;

use redis::{Cmd, FromRedisValue, Pipeline, Value, cmd, from_redis_value};

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

    /// Runs a script and waits. Returns the script's answer and WAIT's.
    pub(super) async fn call<T: FromRedisValue>(
        self,
        connection: &Connection,
        script: &Script,
        command: &Cmd,
    ) -> Result<(T, Value), BrokerError> {
        if self.wanted == 0 {
            return Ok((connection.call(script, command).await?, Value::Nil));
        }
        let steps = |command: Cmd| {
            let mut steps = Pipeline::with_capacity(2);
            steps.add_command(command);
            self.add_wait(&mut steps);
            steps
        };
        let mut answers = connection.send_all(&steps(command.clone())).await;
        if answers
            .as_ref()
            .is_err_and(|error| error.code() == Some("NOSCRIPT"))
        {
            answers = connection.send_all(&steps(script.with_code(command))).await;
        }
        let said = |error: &_| connection.server().broker_error(error);
        let mut answers = answers.map_err(|error| said(&error))?;
        let confirmed = answers.pop().unwrap_or(Value::Nil);
        let answer = answers.pop().unwrap_or(Value::Nil);
        let answer = from_redis_value(answer).map_err(|error| said(&error.into()))?;
        Ok((answer, confirmed))
    }

    /// Fails if too few replicas have confirmed a write.
    pub(super) fn check(self, server: &Server, confirmed: &Value) -> Result<(), BrokerError> {
        match self.missing(confirmed) {
            None => Ok(()),
            Some(confirmed) => Err(server.not_replicated(self.wanted, confirmed)),
        }
    }

    /// How many have confirmed a write, if these are too few.
    pub(super) fn missing(self, confirmed: &Value) -> Option<u32> {
        let Value::Int(count) = confirmed else {
            return (self.wanted > 0).then_some(0);
        };
        u32::try_from(*count)
            .ok()
            .filter(|count| *count < self.wanted)
    }
}
