//! Where one server is and how connections to it are opened: at an address, or at the master that Sentinels name.
//!
//! Must not know what connections are used for, nor when to reopen one.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::PubSub;
use redis::{ConnectionInfo, RedisResult, Value, cmd};

use super::link::Link;
use super::sentinels::Sentinels;
use super::socket::{self, Socket};
use super::tls::Tls;

/// The longest wait for an answer, on connections where no command blocks.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One server.
pub(super) struct Target {
    place: Place,
    tls: Tls,
}

enum Place {
    At(Box<ConnectionInfo>),
    /// The Sentinels are asked again for each connection, so a failover is followed.
    Master(Arc<Sentinels>),
}

impl Target {
    /// The server at this address.
    pub(super) fn at(info: ConnectionInfo, tls: Tls) -> Self {
        Self {
            place: Place::At(Box::new(info)),
            tls,
        }
    }

    /// The master that these name.
    pub(super) fn master(sentinels: Sentinels, tls: Tls) -> Self {
        Self {
            place: Place::Master(Arc::new(sentinels)),
            tls,
        }
    }

    /// How many times the Sentinels have named another master.
    pub(super) fn switches(&self) -> u64 {
        match &self.place {
            Place::At(_) => 0,
            Place::Master(sentinels) => sentinels.switches(),
        }
    }

    /// Returns once they have named another master since then.
    pub(super) async fn switched(&self, since: u64) {
        match &self.place {
            Place::At(_) => std::future::pending().await,
            Place::Master(sentinels) => sentinels.switched(since).await,
        }
    }

    /// Waits while the Sentinels choose another master, at most a few seconds.
    pub(super) async fn decided(&self) {
        if let Place::Master(sentinels) = &self.place {
            sentinels.decided().await;
        }
    }

    /// Whether the master after this number of switches is still the master and no other is being chosen. Asks the Sentinels.
    pub(super) async fn is_still_master(&self, switches: u64) -> bool {
        match &self.place {
            Place::At(_) => true,
            Place::Master(sentinels) => sentinels.still_name(switches, &self.tls).await,
        }
    }

    /// Opens a connection whose answers may take up to `response`; `None` means no limit.
    pub(super) async fn open(&self, response: Option<Duration>) -> RedisResult<Link> {
        in_time(async {
            let info = self.info().await?;
            let mut link = Link::open(&info, &self.tls, response).await?;
            if let Place::Master(_) = self.place {
                expect_master(&mut link).await?;
            }
            Ok(link)
        })
        .await
    }

    /// Opens a socket for blocking reads. Also returns the client number for ending a read on it, if that is wanted and
    /// allowed.
    pub(super) async fn open_socket(&self, numbered: bool) -> RedisResult<(Socket, Option<i64>)> {
        in_time(async { socket::open(&self.info().await?, &self.tls, numbered).await }).await
    }

    /// Opens a connection for subscriptions.
    pub(super) async fn open_pubsub(&self) -> RedisResult<PubSub> {
        in_time(async { open_pubsub(&self.info().await?, &self.tls).await }).await
    }

    async fn info(&self) -> RedisResult<ConnectionInfo> {
        match &self.place {
            Place::At(info) => Ok(ConnectionInfo::clone(info)),
            Place::Master(sentinels) => {
                let master = sentinels.master(&self.tls).await?;
                sentinels.watch(&self.tls);
                Ok(master)
            }
        }
    }
}

/// A former master may not know yet that it is no longer the master.
async fn expect_master(link: &mut Link) -> RedisResult<()> {
    let role: Vec<Value> = match cmd("ROLE").query_async(link).await {
        Ok(role) => role,
        // The user may not ask, so the Sentinels' word has to do.
        Err(error) if error.code().is_some() => return Ok(()),
        Err(error) => return Err(error),
    };
    match role.first() {
        Some(Value::BulkString(role)) if role != b"master" => {
            let text = "the server that the Sentinels name is not the master at the moment";
            Err(std::io::Error::new(std::io::ErrorKind::ConnectionRefused, text).into())
        }
        _ => Ok(()),
    }
}

/// Opens a connection for subscriptions to the server at this address.
pub(super) async fn open_pubsub(info: &ConnectionInfo, tls: &Tls) -> RedisResult<PubSub> {
    let socket = socket::connect(info, tls).await?;
    PubSub::new(info.redis_settings(), socket).await
}

async fn in_time<T>(opening: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
        Ok(result) => result,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}
