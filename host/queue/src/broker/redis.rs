//! The Redis broker: a stream and a consumer group for each queue, a sorted set for delayed messages,
//! a stream for dead letters.
//!
//! Each verb is a file of its own; each state change is one Lua script, atomic on the server. Must not
//! decide what happens to a message: it only carries out settlements.

mod address;
mod admit;
mod cluster;
mod connection;
mod dead_letters;
mod enqueue;
mod entry;
mod facts;
mod fault;
mod fetch;
mod give_back;
mod hints;
mod inspect;
mod keys;
mod lease;
mod link;
mod messages;
mod names;
mod node;
mod plain_results;
mod promote;
mod purge;
mod read;
mod read_reply;
mod readers;
mod reclaim;
mod reclaims;
mod registry;
mod remedy;
mod replay;
mod replicas;
mod request;
mod resp;
mod results;
mod scan;
mod script;
#[cfg(test)]
mod secrets;
mod sentinel;
mod sentinels;
mod server;
mod settle;
mod shared;
mod slots;
mod socket;
mod subscribe;
mod subscription;
mod target;
mod tenants;
mod tls;
mod topology;
mod usual_size;
mod wait;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chicory_signature::TenantName;
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::admit::SharedQueues;
use self::connection::Connection;
use self::fetch::Turns;
use self::give_back::GivenBack;
use self::keys::{Keys, RegistryKeys};
use self::names::Noted;
use self::readers::Readers;
use self::reclaims::Reclaims;
use self::registry::RedisRegistry;
use self::replicas::{Replicas, Written};
use self::results::RedisResults;
use self::server::Server;
use self::usual_size::UsualSize;
use crate::{
    Broker, BrokerError, Clock, Connected, Delivery, Enqueued, FetchRequest, Inspect, Lasting,
    Lease, OnDuplicate, Promoted, ReclaimRequest, RedisConfig, Registry, Results, ResultsConfig,
    SettleRequest, Settled, TaskMessage, Tenants, Wake, modules_of,
};

/// The name of a state that is logged while it lasts.
const FEW_REPLICAS: &str = "few replicas";

/// The broker as a tenant sees it, and what operators can ask it.
#[derive(Debug)]
struct RedisBroker {
    /// Whose messages these are. The default tenant's are in the streams of the queues, others' wait to be admitted.
    tenant: TenantName,
    /// The names of what the tenant has of its own.
    keys: Keys,
    noted: Noted,
    results: Arc<RedisResults>,
    store: Arc<Store>,
}

/// What all views share.
#[derive(Debug)]
struct Store {
    connection: Arc<Connection>,
    /// For large values, so nothing else waits behind them.
    bulk: Arc<Connection>,
    readers: Readers,
    turns: Turns,
    usual_size: UsualSize,
    /// Of messages in listings, ready and dead ones.
    listed_size: UsualSize,
    given_back: GivenBack,
    shared_queues: SharedQueues,
    /// The names of what all tenants share.
    root: Keys,
    reclaims: Reclaims,
    /// Whether results are written in the same step as settlements: same server, no Cluster.
    results_in_step: bool,
    clock: Arc<dyn Clock>,
    group: String,
    block: Duration,
    lease: Duration,
    max_stream_length: Option<u64>,
    dlq_max_length: Option<u64>,
    replicas: Replicas,
    lasting: Lasting,
    registry: Arc<RedisRegistry>,
}

impl Deref for RedisBroker {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

/// Connects to the server, and to the one for results.
pub(super) async fn connect(
    config: &RedisConfig,
    results: &ResultsConfig,
    clock: Arc<dyn Clock>,
) -> Result<Connected, BrokerError> {
    let shared = results
        .server
        .as_ref()
        .is_none_or(|server| *server == config.server);
    let mut prefixes = vec![config.key_prefix.as_str()];
    if shared && results.key_prefix != config.key_prefix {
        prefixes.push(&results.key_prefix);
    }
    let server = Server::new(&config.server, &prefixes)?;
    let connection = Arc::new(Connection::new(Arc::new(server)));
    connection.ready().await?;
    let bulk = bulk(&connection);
    let (results_connection, results_bulk) = if shared {
        (Arc::clone(&connection), Arc::clone(&bulk))
    } else {
        results_connections(config, results).await?
    };
    let topology = connection.server().topology();
    let results = Arc::new(RedisResults::new(results_connection, results_bulk, results));
    let registry = Arc::new(RedisRegistry::new(
        Arc::clone(&connection),
        RegistryKeys::new(&config.key_prefix, topology),
    ));
    let store = Store {
        root: Keys::new(&config.key_prefix, topology),
        shared_queues: SharedQueues::default(),
        readers: Readers::default(),
        turns: Turns::default(),
        usual_size: UsualSize::default(),
        listed_size: UsualSize::default(),
        given_back: GivenBack::default(),
        reclaims: Reclaims::default(),
        results_in_step: shared && topology.keys_are_together(),
        connection,
        bulk,
        clock,
        group: config.consumer_group.clone(),
        block: config.block,
        lease: config.claim_min_idle,
        max_stream_length: config.max_stream_length,
        dlq_max_length: config.dlq_max_length,
        replicas: Replicas::new(config),
        lasting: Lasting::default(),
        registry,
    };
    let broker = RedisBroker {
        tenant: TenantName::default(),
        keys: store.root.clone(),
        noted: Noted::default(),
        results,
        store: Arc::new(store),
    };
    Ok(broker.connected())
}

/// The connections to the results' own server.
async fn results_connections(
    config: &RedisConfig,
    results: &ResultsConfig,
) -> Result<(Arc<Connection>, Arc<Connection>), BrokerError> {
    let server = results.server.as_ref().unwrap_or(&config.server);
    let server = Server::new(server, &[&results.key_prefix])?;
    let own = Arc::new(Connection::new(Arc::new(server)));
    own.ready().await?;
    let bulk = bulk(&own);
    Ok((own, bulk))
}

/// A connection to the same server, opened once it is needed. On a Cluster the nodes have one for everything.
fn bulk(connection: &Arc<Connection>) -> Arc<Connection> {
    if connection.server().topology().keys_are_together() {
        Arc::new(Connection::new(Arc::clone(connection.server())))
    } else {
        Arc::clone(connection)
    }
}

impl RedisBroker {
    fn connected(self) -> Connected {
        let broker = Arc::new(self);
        Connected {
            tenant: broker.tenant.clone(),
            broker: Arc::clone(&broker) as Arc<dyn Broker>,
            inspect: Arc::clone(&broker) as Arc<dyn Inspect>,
            results: Arc::clone(&broker.results) as Arc<dyn Results>,
            registry: modules_of(
                &broker.tenant,
                Arc::clone(&broker.registry) as Arc<dyn Registry>,
            ),
            tenants: broker as Arc<dyn Tenants>,
        }
    }

    /// The same store as a tenant sees it.
    fn of(&self, tenant: &TenantName) -> Self {
        Self {
            tenant: tenant.clone(),
            keys: self.root.of(tenant),
            noted: Noted::default(),
            results: Arc::new(self.results.of(tenant)),
            store: Arc::clone(&self.store),
        }
    }

    /// Logs that a settlement has reached too few replicas. It stands: at worst, its task runs again after a failover.
    fn note_replicas(&self, written: &Written) {
        match self.replicas.missing(written) {
            None => self.lasting.over(FEW_REPLICAS, || {
                tracing::info!("enough replicas for wait_replicas confirm settlements again");
            }),
            Some(confirmed) => self.lasting.on(FEW_REPLICAS, || {
                tracing::warn!(
                    confirmed,
                    "fewer replicas than wait_replicas asks for confirm settlements in time: after a failover, tasks that have ended may run again"
                );
            }),
        }
    }

    /// Whether a failure concerns one node of a Cluster only, and not everything that was asked for.
    fn is_partial(&self, error: &BrokerError) -> bool {
        error.is_transient() && !self.connection.server().topology().keys_are_together()
    }
}

#[async_trait]
impl Broker for RedisBroker {
    fn lease_duration(&self) -> Duration {
        self.lease
    }

    async fn enqueue(&self, queue: &str, messages: &[TaskMessage]) -> Result<(), BrokerError> {
        if !self.noted.is_due(queue, Instant::now()) {
            return enqueue::enqueue(self, queue, messages).await;
        }
        let adding = Box::pin(enqueue::enqueue(self, queue, messages));
        names::beside(self, &[queue], adding).await
    }

    async fn enqueue_noted(
        &self,
        queue: &str,
        messages: &[TaskMessage],
        on_duplicate: OnDuplicate,
    ) -> Result<Vec<Enqueued>, BrokerError> {
        let adding = Box::pin(enqueue::enqueue_noted(self, queue, messages, on_duplicate));
        if !self.noted.is_due(queue, Instant::now()) {
            return adding.await;
        }
        names::beside(self, &[queue], adding).await
    }

    async fn fetch(&self, request: FetchRequest<'_>) -> Result<Vec<Delivery>, BrokerError> {
        if !self.noted.are_due(request.queues, Instant::now()) {
            return fetch::fetch(self, request).await;
        }
        let names: Vec<&str> = request.queues.iter().map(|queue| &**queue).collect();
        names::beside(self, &names, Box::pin(fetch::fetch(self, request))).await
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Settled>, BrokerError> {
        lease::extend(self, leases).await
    }

    async fn settle(&self, batch: &[SettleRequest<'_>]) -> Result<Vec<Settled>, BrokerError> {
        settle::settle(self, batch).await
    }

    async fn acknowledge(&self, leases: &[Lease]) -> Result<Vec<Settled>, BrokerError> {
        lease::acknowledge(self, leases).await
    }

    async fn promote(&self, queues: &[Arc<str>], limit: usize) -> Result<Promoted, BrokerError> {
        promote::promote(self, queues, limit).await
    }

    fn groups<'a>(&self, queues: &'a [Arc<str>]) -> Vec<&'a [Arc<str>]> {
        let together = self.connection.server().topology().keys_are_together();
        let width = if together { queues.len() } else { 1 };
        queues.chunks(width.max(1)).collect()
    }

    async fn reclaim(&self, request: ReclaimRequest<'_>) -> Result<Vec<Delivery>, BrokerError> {
        reclaim::reclaim(self, request).await
    }

    async fn subscribe(&self, queues: &[Arc<str>]) -> Result<mpsc::Receiver<Wake>, BrokerError> {
        subscribe::subscribe(self, queues).await
    }
}
