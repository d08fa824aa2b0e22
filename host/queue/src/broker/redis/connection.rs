//! The shared connection: opened again, with backoff, after it broke.
//!
//! A command on a broken connection fails. It is never sent twice, since it may have been carried out. Must not
//! know commands.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, cmd};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::fault::spoils_connection;
use super::link::Link;
use super::script::Script;
use super::server::{RESPONSE_TIMEOUT, Server};
use crate::BrokerError;

const FIRST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// A server and the connection that all commands but blocking reads share.
pub(super) struct Connection {
    server: Arc<Server>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    link: Option<Link>,
    /// Counts the connections opened, so that a late failure of an old one doesn't close the new one.
    opened: u64,
    outage: Option<Outage>,
}

/// The last attempt to open a connection failed.
struct Outage {
    error: RedisError,
    at: Instant,
    delay: Duration,
}

impl Connection {
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self {
            server,
            state: Mutex::default(),
        }
    }

    /// The server.
    pub(super) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Makes sure that there is a connection, opening one where it is missing. An attempt after a
    /// failed one waits for its time first.
    pub(super) async fn ready(&self) -> Result<(), BrokerError> {
        match self.link().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.server.broker_error(&error)),
        }
    }

    /// Gives the connection up; the next command opens another.
    pub(super) async fn close(&self) {
        self.state.lock().await.link = None;
    }

    /// Sends a command.
    pub(super) async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> RedisResult<T> {
        let (mut link, opened) = self.link().await?;
        let answer = cmd.query_async(&mut link).await;
        if let Err(error) = &answer {
            self.note(error, opened).await;
        }
        answer
    }

    /// Sends a command and gives its failure in the broker's words.
    pub(super) async fn ask<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, BrokerError> {
        self.query(cmd)
            .await
            .map_err(|error| self.server.broker_error(&error))
    }

    /// Sends several commands at once and ignores their answers.
    pub(super) async fn commit(&self, commands: &Pipeline) -> Result<(), BrokerError> {
        let sent = async {
            let (mut link, opened) = self.link().await?;
            let answer = commands.exec_async(&mut link).await;
            if let Err(error) = &answer {
                self.note(error, opened).await;
            }
            answer
        };
        sent.await
            .map_err(|error: RedisError| self.server.broker_error(&error))
    }

    /// Runs a script by a command of [`Script::command`]; loads it first where the server has lost it.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        cmd: &Cmd,
    ) -> RedisResult<T> {
        match self.query(cmd).await {
            Err(error) if error.code() == Some("NOSCRIPT") => {
                self.query::<redis::Value>(&script.load()).await?;
                self.query(cmd).await
            }
            answer => answer,
        }
    }

    /// Runs a script and gives its failure in the broker's words.
    pub(super) async fn call<T: FromRedisValue>(
        &self,
        script: &Script,
        cmd: &Cmd,
    ) -> Result<T, BrokerError> {
        self.run(script, cmd)
            .await
            .map_err(|error| self.server.broker_error(&error))
    }

    /// The connection, and its number.
    pub(super) async fn link(&self) -> RedisResult<(Link, u64)> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        // One that ended while it was idle is replaced: nothing has been sent on it.
        if let Some(link) = state.link.as_ref().filter(|link| !link.has_ended()) {
            return Ok((link.clone(), state.opened));
        }
        let mut delay = FIRST_DELAY;
        if let Some(outage) = &state.outage {
            // All callers that waited for one attempt share its failure.
            if outage.at >= asked {
                return Err(outage.error.clone());
            }
            delay = (outage.delay * 2).min(LONGEST_DELAY);
            tokio::time::sleep_until(outage.at + outage.delay).await;
        }
        match self.open().await {
            Ok(link) => {
                state.outage = None;
                state.opened += 1;
                state.link = Some(link.clone());
                Ok((link, state.opened))
            }
            Err(error) => {
                state.outage = Some(Outage {
                    error: error.clone(),
                    at: Instant::now(),
                    delay,
                });
                Err(error)
            }
        }
    }

    /// Opens a connection and checks that it is accepted: a server that wants a password only says so when asked.
    async fn open(&self) -> RedisResult<Link> {
        let mut link = self.server.open(Some(RESPONSE_TIMEOUT)).await?;
        cmd("PING").exec_async(&mut link).await?;
        Ok(link)
    }

    /// Drops the connection after a failure that it will not recover from.
    async fn note(&self, error: &RedisError, opened: u64) {
        if spoils_connection(error) {
            let mut state = self.state.lock().await;
            if state.opened == opened {
                state.link = None;
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.server).finish()
    }
}
