//! The embedded broker: the same guarantees as on a server, in one file that several processes share.
//!
//! One connection writes and one reads, each on a thread of its own. A wait is woken at once by
//! changes made in its own process, and within milliseconds by changes that another process makes to the file.
//! Must not know how the file is laid out: each verb's own module does.

mod changes;
mod dead;
mod enqueue;
mod extend;
mod fault;
mod fetch;
mod file;
mod file_watch;
mod ids;
mod inspect;
mod lease_clock;
mod messages;
mod place;
mod promote;
mod purge;
mod reclaim;
mod registry;
mod results;
mod settle;
mod tenants;
#[cfg(test)]
mod tests;
mod thread;
mod turns;
mod wakes;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chicory_signature::TenantName;
use tokio::sync::mpsc;

use self::enqueue::Encoded;
use self::fetch::Claim;
use self::file_watch::FileWatch;
use self::place::Target;
use self::thread::Thread;
use self::wakes::Wakes;
use crate::fairness::Rotation;
use crate::{
    Broker, BrokerError, Clock, Connected, Delivery, Enqueued, FetchRequest, Lease, OnDuplicate,
    Promoted, ReclaimRequest, SettleRequest, Settled, SqliteConfig, TaskMessage, Wake, modules_of,
};

/// Opens the file, and creates it if it is missing.
pub(super) async fn connect(
    config: &SqliteConfig,
    clock: Arc<dyn Clock>,
) -> Result<Connected, BrokerError> {
    let sqlite = Sqlite::open(config, clock, file::PATIENCE).await?;
    Ok(Arc::new(sqlite).connected())
}

/// All sides of the broker, on one file.
#[derive(Debug)]
struct Sqlite {
    /// Whose messages these are: the default tenant has the whole file, others have a view of it.
    tenant: TenantName,
    writer: Arc<Thread>,
    reader: Arc<Thread>,
    wakes: Arc<Wakes>,
    clock: Arc<dyn Clock>,
    config: SqliteConfig,
    rotation: Rotation,
}

impl Sqlite {
    async fn open(
        config: &SqliteConfig,
        clock: Arc<dyn Clock>,
        patience: Duration,
    ) -> Result<Self, BrokerError> {
        let path = config.path.clone();
        let place: Arc<str> = path.display().to_string().into();
        let opened = tokio::task::spawn_blocking(move || {
            let writer = file::open_writer(&path, patience)?;
            Ok((writer, file::open_reader(&path, patience)?))
        });
        let (writer, reader) = opened
            .await
            .map_err(|_| BrokerError::Closed)?
            .map_err(|fault: fault::Fault| fault.at(&place))?;
        let wakes = Arc::new(Wakes::default());
        let mut watch = FileWatch::new(wakes.clone());
        let writer = Thread::start(writer, place.clone(), move |file| watch.look(file))?;
        Ok(Self {
            tenant: TenantName::default(),
            writer: Arc::new(writer),
            reader: Arc::new(Thread::start(reader, place, |_| None)?),
            wakes,
            clock,
            config: config.clone(),
            rotation: Rotation::default(),
        })
    }

    fn connected(self: Arc<Self>) -> Connected {
        Connected {
            tenant: self.tenant.clone(),
            broker: self.clone(),
            inspect: self.clone(),
            results: self.clone(),
            registry: modules_of(&self.tenant, self.clone()),
            tenants: self,
        }
    }

    /// The same file as a tenant sees it.
    fn of(&self, tenant: &TenantName) -> Self {
        Self {
            tenant: tenant.clone(),
            writer: Arc::clone(&self.writer),
            reader: Arc::clone(&self.reader),
            wakes: Arc::clone(&self.wakes),
            clock: Arc::clone(&self.clock),
            config: self.config.clone(),
            rotation: Rotation::default(),
        }
    }

    /// The tenant's part of a queue.
    fn part(&self, queue: &str) -> Result<String, BrokerError> {
        Ok(place::of_queue(&self.tenant, queue)?.into_owned())
    }

    /// Where messages for a queue are added.
    fn target(&self, queue: &str) -> Result<Target, BrokerError> {
        Ok(Target {
            part: self.part(queue)?.into(),
            queue: queue.into(),
            tenant: self.tenant.clone(),
            limit: self.config.max_queue_length,
        })
    }

    async fn lease(&self, request: &FetchRequest<'_>) -> Result<Vec<Delivery>, BrokerError> {
        let claim = Claim {
            queues: self
                .rotation
                .next(request.queues)
                .into_iter()
                .cloned()
                .collect(),
            consumer: request.consumer.clone(),
            limit: request.limit,
            bytes: request.bytes,
            lease: self.config.lease,
        };
        let leased = self
            .writer
            .write(&self.wakes, move |file, _| Ok(fetch::lease(file, &claim)?))
            .await?;
        Ok(deliver(leased, request.consumer))
    }

    fn encoded(&self, messages: &[TaskMessage]) -> Result<Vec<Encoded>, BrokerError> {
        messages.iter().try_for_each(TaskMessage::check_size)?;
        let now = self.clock.now();
        let encoded = messages.iter().map(|message| Encoded::new(message, now));
        Ok(encoded.collect())
    }

    async fn any_ready(&self, queues: &[Arc<str>]) -> Result<bool, BrokerError> {
        let queues = queues.to_vec();
        self.writer
            .run(move |file| Ok(fetch::any_ready(file, &queues)?))
            .await
    }
}

fn deliver(leased: Vec<fetch::Leased>, consumer: &Arc<str>) -> Vec<Delivery> {
    leased
        .into_iter()
        .map(|message| message.deliver(consumer))
        .collect()
}

#[async_trait]
impl Broker for Sqlite {
    fn lease_duration(&self) -> Duration {
        self.config.lease
    }

    async fn enqueue(&self, queue: &str, messages: &[TaskMessage]) -> Result<(), BrokerError> {
        if messages.is_empty() {
            return Ok(());
        }
        let (target, encoded) = (self.target(queue)?, self.encoded(messages)?);
        self.writer
            .write(&self.wakes, move |file, changes| {
                enqueue::enqueue(file, &target, &encoded, changes)
            })
            .await
    }

    async fn enqueue_noted(
        &self,
        queue: &str,
        messages: &[TaskMessage],
        on_duplicate: OnDuplicate,
    ) -> Result<Vec<Enqueued>, BrokerError> {
        let (target, encoded) = (self.target(queue)?, self.encoded(messages)?);
        self.writer
            .write(&self.wakes, move |file, changes| {
                enqueue::enqueue_noted(file, &target, encoded, on_duplicate, changes)
            })
            .await
    }

    async fn fetch(&self, request: FetchRequest<'_>) -> Result<Vec<Delivery>, BrokerError> {
        if request.interrupt.is_cancelled() || request.queues.is_empty() || request.limit == 0 {
            return Ok(Vec::new());
        }
        let _waiting = (!request.block.is_zero()).then(|| self.wakes.waiting());
        let over = tokio::time::sleep(request.block);
        tokio::pin!(over);
        // Registered before the first look, so nothing is missed in between.
        let mut changed = self.wakes.ready();
        let mut deliveries = self.lease(&request).await?;
        while deliveries.is_empty() && !request.block.is_zero() {
            tokio::select! {
                () = request.interrupt.cancelled() => break,
                () = &mut over => break,
                // The sender lives as long as this broker.
                _ = changed.changed() => {}
            }
            // The lock is worth taking only if there is something to lease.
            if self.any_ready(request.queues).await? {
                deliveries = self.lease(&request).await?;
            }
        }
        Ok(deliveries)
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Settled>, BrokerError> {
        let (leases, time) = (leases.to_vec(), self.config.lease);
        self.writer
            .write(&self.wakes, move |file, _| {
                Ok(extend::extend(file, &leases, time)?)
            })
            .await
    }

    async fn settle(&self, batch: &[SettleRequest<'_>]) -> Result<Vec<Settled>, BrokerError> {
        let config = self.config.clone();
        let batch = batch.iter().cloned().map(SettleRequest::into_owned);
        let batch: Vec<_> = batch.collect();
        self.writer
            .write(&self.wakes, move |file, changes| {
                settle::settle(file, &batch, &config, changes)
            })
            .await
    }

    async fn acknowledge(&self, leases: &[Lease]) -> Result<Vec<Settled>, BrokerError> {
        let (leases, ttl) = (leases.to_vec(), self.config.result_ttl);
        self.writer
            .write(&self.wakes, move |file, _| {
                Ok(extend::acknowledge(file, &leases, ttl)?)
            })
            .await
    }

    async fn promote(&self, queues: &[Arc<str>], limit: usize) -> Result<Promoted, BrokerError> {
        let (all, now) = (queues.to_vec(), self.clock.now());
        let next = self
            .reader
            .run(move |file| Ok(promote::next_of(file, &all)?))
            .await?;
        // The lock is worth taking only if there is something to move.
        if next.is_none_or(|next| next > now) {
            let moved = 0;
            return Ok(Promoted { moved, next, now });
        }
        let queues = queues.to_vec();
        self.writer
            .write(&self.wakes, move |file, changes| {
                let mut moved = 0;
                for queue in &queues {
                    moved += promote::promote(file, queue, limit - moved, now)?;
                }
                moved += promote::promote_of_tenants(file, &queues, limit - moved, now)?;
                changes.ready = moved > 0;
                let next = promote::next_of(file, &queues)?;
                Ok(Promoted { moved, next, now })
            })
            .await
    }

    async fn reclaim(&self, request: ReclaimRequest<'_>) -> Result<Vec<Delivery>, BrokerError> {
        let (queue, consumer) = (request.queue.clone(), request.consumer.clone());
        let (room, lease) = ((request.limit, request.bytes), self.config.lease);
        let leased = self
            .writer
            .write(&self.wakes, move |file, _| {
                Ok(reclaim::reclaim(file, &queue, &consumer, room, lease)?)
            })
            .await?;
        Ok(deliver(leased, request.consumer))
    }

    async fn subscribe(&self, queues: &[Arc<str>]) -> Result<mpsc::Receiver<Wake>, BrokerError> {
        let wakes = self.wakes.promoter(queues);
        self.writer.poke();
        Ok(wakes)
    }
}
