//! One open connection, whatever kind of server it leads to.
//!
//! Must not know how it was opened.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionInfo, Pipeline, RedisFuture, RedisResult, Value,
};
use tokio_util::task::AbortOnDropHandle;

use super::socket;

/// A connection that many callers may use at once; clones share it.
#[derive(Clone)]
pub(super) enum Link {
    Single(Shared),
    Cluster(ClusterConnection),
}

/// A connection to one server.
#[derive(Clone)]
pub(super) struct Shared {
    connection: MultiplexedConnection,
    /// Sends and receives for all; ended when the connection has.
    driver: Arc<AbortOnDropHandle<()>>,
}

impl Shared {
    /// Opens one whose answers may take as long as `response`; none for any time.
    pub(super) async fn open(
        info: &ConnectionInfo,
        response: Option<Duration>,
    ) -> RedisResult<Self> {
        let socket = socket::connect(info).await?;
        let config = AsyncConnectionConfig::new().set_response_timeout(response);
        let settings = info.redis_settings();
        let (connection, driver) =
            MultiplexedConnection::new_with_config(settings, socket, config).await?;
        Ok(Self {
            connection,
            driver: Arc::new(AbortOnDropHandle::new(tokio::spawn(driver))),
        })
    }
}

impl Link {
    /// Whether it is known to have ended, for example because the server closes idle connections. Nothing more can be sent on
    /// it.
    pub(super) fn has_ended(&self) -> bool {
        match self {
            Self::Single(shared) => shared.driver.is_finished(),
            // It looks after its connections itself.
            Self::Cluster(_) => false,
        }
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(shared) => shared.connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(shared) => {
                (shared.connection).req_packed_commands(pipeline, offset, count)
            }
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(shared) => shared.connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
