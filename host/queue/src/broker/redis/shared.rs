//! The shared connection to one server: reopened, with backoff, after it breaks.
//!
//! What is sent on a broken connection fails. It is never sent twice, since it may have been carried out. Must not
//! know commands.

use std::sync::Arc;
use std::time::Duration;

use redis::{RedisError, RedisResult, Value, cmd};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::fault::spoils_connection;
use super::link::Link;
use super::request::Request;
use super::target::{RESPONSE_TIMEOUT, Target};

const FIRST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// A server, and the connection that all commands except blocking reads share.
pub(super) struct Shared {
    target: Arc<Target>,
    state: Mutex<State>,
}

/// A request that failed.
pub(super) struct Unsent {
    pub(super) error: RedisError,
    /// Whether it was sent, and so may have been carried out.
    pub(super) sent: bool,
}

/// A connection that is open.
pub(super) struct Opened {
    link: Link,
    number: u64,
    /// The target's count of switches when it was opened.
    switches: u64,
}

#[derive(Default)]
struct State {
    link: Option<Link>,
    /// The target's count of switches when it was opened.
    switches: u64,
    /// Counts the connections opened, so a late failure of an old one doesn't close the new one.
    opened: u64,
    outage: Option<Outage>,
}

/// The last attempt to open a connection failed.
struct Outage {
    error: RedisError,
    at: Instant,
    delay: Duration,
}

impl Shared {
    pub(super) fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            state: Mutex::default(),
        }
    }

    /// The server.
    pub(super) fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Closes the connection; the next command opens another.
    pub(super) async fn close(&self) {
        self.state.lock().await.link = None;
    }

    /// Sends a request.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Value, Unsent> {
        Ok(self.send_to_master(request).await?.0)
    }

    /// Sends a request. Returns the answer, and how many times the Sentinels had named another master by
    /// the time the connection was opened.
    pub(super) async fn send_to_master(
        &self,
        request: Request<'_>,
    ) -> Result<(Value, u64), Unsent> {
        let opened = self.link().await;
        let mut opened = opened.map_err(|error| Unsent { error, sent: false })?;
        match request.send(&mut opened.link).await {
            Ok(answer) => Ok((answer, opened.switches)),
            Err(error) => {
                self.note(&error, opened.number).await;
                Err(Unsent { error, sent: true })
            }
        }
    }

    /// The connection. Waits for the end of a failover, and after a failed attempt to open one until the next is due.
    pub(super) async fn link(&self) -> RedisResult<Opened> {
        self.target.decided().await;
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        let switches = self.target.switches();
        // A connection that ended while idle is replaced: nothing has been sent on it. So is one to a former master.
        let usable = |link: &&Link| !link.has_ended() && state.switches == switches;
        if let Some(link) = state.link.as_ref().filter(usable) {
            return Ok(Opened {
                link: link.clone(),
                number: state.opened,
                switches,
            });
        }
        let mut delay = FIRST_DELAY;
        if let Some(outage) = &state.outage {
            // All callers that waited for one attempt share its failure.
            if outage.at >= asked {
                return Err(outage.error.clone());
            }
            delay = (outage.delay * 2).min(LONGEST_DELAY);
            tokio::select! {
                () = tokio::time::sleep_until(outage.at + outage.delay) => {}
                () = self.target.switched(switches) => {}
            }
        }
        let switches = self.target.switches();
        match self.open().await {
            Ok(link) => {
                state.outage = None;
                state.opened += 1;
                state.switches = switches;
                state.link = Some(link.clone());
                Ok(Opened {
                    link,
                    number: state.opened,
                    switches,
                })
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

    /// Opens a connection and checks that it is accepted: a server that requires a password only says so when asked.
    async fn open(&self) -> RedisResult<Link> {
        let mut link = self.target.open(Some(RESPONSE_TIMEOUT)).await?;
        cmd("PING").exec_async(&mut link).await?;
        Ok(link)
    }

    /// Drops the connection after a failure that it won't recover from.
    async fn note(&self, error: &RedisError, opened: u64) {
        if spoils_connection(error) {
            let mut state = self.state.lock().await;
            if state.opened == opened {
                state.link = None;
            }
        }
    }
}
