//! One open connection that many callers use at once.
//!
//! Must not know where it leads.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionInfo, Pipeline, RedisFuture, RedisResult, Value,
};
use tokio_util::task::AbortOnDropHandle;

use super::socket;
use super::tls::Tls;

/// A connection to one server; clones share it.
#[derive(Clone)]
pub(super) struct Link {
    connection: MultiplexedConnection,
    /// Sends and receives for all clones. It has ended once the connection has.
    driver: Arc<AbortOnDropHandle<()>>,
}

impl Link {
    /// Opens a connection whose answers may take up to `response`; `None` means no limit.
    pub(super) async fn open(
        info: &ConnectionInfo,
        tls: &Tls,
        response: Option<Duration>,
    ) -> RedisResult<Self> {
        let socket = socket::connect(info, tls).await?;
        let config = AsyncConnectionConfig::new().set_response_timeout(response);
        let settings = info.redis_settings();
        let (connection, driver) =
            MultiplexedConnection::new_with_config(settings, socket, config).await?;
        Ok(Self {
            connection,
            driver: Arc::new(AbortOnDropHandle::new(tokio::spawn(driver))),
        })
    }

    /// Whether it is known to have ended, for example because the server closes idle connections. Nothing more can be sent on
    /// it.
    pub(super) fn has_ended(&self) -> bool {
        self.driver.is_finished()
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        self.connection.req_packed_command(cmd)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.connection.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}
