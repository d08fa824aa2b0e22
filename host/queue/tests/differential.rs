//! Drives both brokers with the same random operations, and compares everything that can be observed.
//!
//! Must not know what is right, only that the two agree. It ignores what may differ: the ids that a broker assigns, and
//! the moment when a lease expires, which is real time.

mod operations;

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chicory_queue::conformance::{Open, Settings};
use chicory_queue::{
    BrokerError, Clock, Connected, DeadLetter, DeadLetterRange, Delivery, FetchRequest, Lease,
    ManualClock, Payload, RawJson, ReplayOptions, ResultRecord, SettleRequest, Settlement,
    TaskMessage, TaskState, Timestamp,
};
use chicory_testing::{RedisServer, SqliteFile};
use operations::{CONSUMERS, Kind, QUEUES, Step, step};
use proptest::test_runner::{Config, TestRunner};
use tokio_util::sync::CancellationToken;

/// Both brokers, and what the test remembers of them.
struct Pair {
    sides: [Connected; 2],
    clock: Arc<ManualClock>,
    /// Deliveries as both brokers returned them.
    delivered: Vec<[Delivery; 2]>,
    /// Ids of all messages sent.
    sent: Vec<String>,
    /// All times given are different: the order of two messages that are due in the same microsecond is not defined.
    moments: i64,
}

impl Pair {
    async fn open(opens: [Open; 2]) -> Self {
        let start = Timestamp::from_micros(1_900_000_000_000_000);
        let clock = Arc::new(ManualClock::new(start));
        let settings = Settings {
            lease: Duration::from_hours(1),
            max_length: Some(8),
            dlq_max_length: Some(2),
            ..Settings::default()
        };
        let [one, other] = opens.map(|open| open(settings.clone(), clock.clone()));
        Self {
            sides: [one.await.expect("opens"), other.await.expect("opens")],
            clock,
            delivered: Vec::new(),
            sent: Vec::new(),
            moments: 0,
        }
    }

    fn moment(&mut self, seconds: u64) -> Timestamp {
        self.moments += 1;
        let time = self.clock.now().after(Duration::from_secs(seconds));
        Timestamp::from_micros(time.as_micros() + self.moments)
    }

    fn message(&mut self) -> TaskMessage {
        let mut message = TaskMessage::new("suite.task");
        message.id = format!("m{:04}", self.sent.len()).into();
        message.arguments = vec![self.sent.len().into()].into();
        self.sent.push(message.id.to_string());
        message
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Enqueue(queue, delays) => {
                let mut batch = Vec::new();
                for delay in delays {
                    let eta = delay.map(|seconds| self.moment(seconds));
                    let message = self.message();
                    batch.push(TaskMessage { eta, ..message });
                }
                self.enqueue(*queue, &batch).await;
            }
            Step::EnqueueUnreadable(queue) => {
                let mut message = self.message();
                message
                    .extra
                    .push(("format".into(), RawJson::from(&9.into())));
                self.enqueue(*queue, &[message]).await;
            }
            Step::Fetch(queue, consumer, limit) => self.fetch(*queue, *consumer, *limit).await,
            Step::Settle(items) => self.settle(items).await,
            Step::Acknowledge(index) => self.acknowledge(*index).await,
            Step::Extend(index) => {
                let Some(leases) = self.leases(*index) else {
                    return;
                };
                agree(self, async |side, number| {
                    let lease = std::slice::from_ref(&leases[number]);
                    seen(side.broker.extend(lease).await)
                })
                .await;
            }
            Step::Promote(queue, limit) => {
                agree(self, async |side, _| {
                    seen(side.broker.promote(&[QUEUES[*queue].into()], *limit).await)
                })
                .await;
            }
            Step::Advance(seconds) => self.clock.advance(Duration::from_secs(*seconds)),
            Step::DeleteResult(index) => {
                let id = pick(&self.sent, *index).cloned().unwrap_or_default();
                agree(self, async |side, _| seen(side.results.delete(&id).await)).await;
            }
            _ => self.operate(step).await,
        }
    }

    /// Does what an operator does.
    async fn operate(&self, step: &Step) {
        let ids = &self.sent;
        agree(self, async |side, _| match step {
            Step::Replay(queue, index, reset_retries) => {
                let options = ReplayOptions {
                    reset_retries: *reset_retries,
                };
                let id = dead(side, *queue, *index, ids).await;
                seen(side.inspect.replay(QUEUES[*queue], &id, options).await)
            }
            Step::DeleteDead(queue, index) => {
                let id = dead(side, *queue, *index, ids).await;
                seen(side.inspect.delete_dead_letter(QUEUES[*queue], &id).await)
            }
            Step::PurgeDead(queue) => seen(side.inspect.purge_dead_letters(QUEUES[*queue]).await),
            Step::Purge(queue) => seen(side.inspect.purge(QUEUES[*queue]).await),
            other => unreachable!("{other:?} is not an operator's"),
        })
        .await;
    }

    async fn enqueue(&self, queue: usize, batch: &[TaskMessage]) {
        agree(self, async |side, _| {
            seen(side.broker.enqueue(QUEUES[queue], batch).await)
        })
        .await;
    }

    async fn fetch(&mut self, queue: usize, consumer: usize, limit: usize) {
        let [one, other] = agree(self, async |side, _| {
            let request = FetchRequest {
                queues: &[QUEUES[queue].into()],
                consumer: &CONSUMERS[consumer].into(),
                limit,
                bytes: usize::MAX,
                block: Duration::ZERO,
                interrupt: &CancellationToken::new(),
            };
            let got = side.broker.fetch(request).await.expect("fetch");
            let all = got.iter();
            let shown = all.map(|one| (one.task_id.clone(), one.raw.clone(), one.deliveries));
            (format!("{:?}", shown.collect::<Vec<_>>()), got)
        })
        .await;
        let pairs = one.into_iter().zip(other);
        self.delivered
            .extend(pairs.map(|(one, other)| [one, other]));
    }

    fn leases(&self, index: usize) -> Option<[Lease; 2]> {
        let pair = pick(&self.delivered, index)?;
        Some([pair[0].lease.clone(), pair[1].lease.clone()])
    }

    async fn settle(&mut self, items: &[(usize, Kind)]) {
        let mut batches = [Vec::new(), Vec::new()];
        for (index, kind) in items {
            let Some(pair) = pick(&self.delivered, *index).cloned() else {
                return;
            };
            let settlement = self.settlement(&pair[0], *kind);
            for (batch, delivery) in batches.iter_mut().zip(&pair) {
                // One settlement per entry: a batch has different deliveries, all of one consumer and one queue, since
                // the order among several is not defined.
                if batch.iter().all(|item: &SettleRequest<'_>| {
                    *item.lease != delivery.lease
                        && item.lease.consumer == delivery.lease.consumer
                        && item.lease.queue == delivery.lease.queue
                }) {
                    batch.push(settle(delivery, settlement.clone()));
                }
            }
        }
        agree(self, async |side, number| {
            seen(side.broker.settle(&batches[number]).await)
        })
        .await;
    }

    fn settlement(&mut self, delivery: &Delivery, kind: Kind) -> Settlement {
        match (kind, &delivery.payload) {
            (Kind::Retry(seconds), Payload::Message(message)) => {
                let at = self.moment(seconds);
                let mut message = Box::new(message.clone());
                message.retries += 1;
                message.eta = Some(at);
                message.last_error = Some("Broken: it is".into());
                Settlement::Retry { at, message }
            }
            (Kind::Complete, _) => Settlement::Complete,
            (Kind::Release, _) => Settlement::Release,
            (Kind::DeadLetter | Kind::Retry(_), _) => Settlement::DeadLetter {
                error: "Broken: it is".into(),
                failed_at: self.clock.now(),
            },
        }
    }

    async fn acknowledge(&mut self, index: usize) {
        let Some(leases) = self.leases(index) else {
            return;
        };
        agree(self, async |side, number| {
            let lease = std::slice::from_ref(&leases[number]);
            seen(side.broker.acknowledge(lease).await)
        })
        .await;
        for pair in &mut self.delivered {
            for (delivery, lease) in pair.iter_mut().zip(&leases) {
                delivery.lease.acknowledged |= delivery.lease.entry == lease.entry;
            }
        }
    }

    /// Everything about a broker that can be observed without changing it.
    async fn compare(&self) {
        agree(self, async |side, _| {
            let mut view = Vec::new();
            for queue in QUEUES {
                let mut stats = side.inspect.stats(queue).await.expect("stats");
                // Server versions differ in when a consumer first becomes known.
                stats.consumers = 0;
                stats.oldest_ready_ms = stats.oldest_ready_ms.map(|_| 0);
                let delayed = side.inspect.delayed(queue, 100).await.expect("delayed");
                let letters: Vec<DeadLetter> = letters(side, queue)
                    .await
                    .into_iter()
                    .map(|letter| DeadLetter {
                        id: String::new(),
                        original_stream_id: String::new(),
                        ..letter
                    })
                    .collect();
                view.push(format!(
                    "{queue}: {stats:?}\ndelayed {delayed:#?}\ndead {letters:#?}"
                ));
            }
            for id in &self.sent {
                let state = side.results.state(id).await.expect("state");
                let result = side.results.result(id).await.expect("result");
                view.push(format!("{id}: {state:?} {result:?}"));
            }
            (view.join("\n"), ())
        })
        .await;
    }
}

fn pick<T>(all: &[T], index: usize) -> Option<&T> {
    all.get(index.checked_rem(all.len())?)
}

/// What a call returned, in a form that must agree: its value, or the kind of its error, not the wording.
fn seen<T: Debug>(answer: Result<T, BrokerError>) -> (String, ()) {
    let view = match answer {
        Ok(value) => format!("{value:?}"),
        Err(error @ BrokerError::QueueFull { .. }) => error.to_string(),
        Err(BrokerError::Invalid(_)) => "Invalid".into(),
        Err(other) => panic!("{other}"),
    };
    (view, ())
}

/// Asks both, and panics if their answers differ.
async fn agree<T>(pair: &Pair, ask: impl AsyncFn(&Connected, usize) -> (String, T)) -> [T; 2] {
    let (sqlite, one) = ask(&pair.sides[0], 0).await;
    let (redis, other) = ask(&pair.sides[1], 1).await;
    assert!(
        sqlite == redis,
        "the brokers differ\nSQLite: {sqlite}\nRedis:  {redis}"
    );
    [one, other]
}

async fn letters(side: &Connected, queue: &str) -> Vec<DeadLetter> {
    let range = DeadLetterRange::default();
    let letters = side.inspect.dead_letters(queue, range).await;
    letters.expect("dead letters")
}

/// The id of a dead letter: its own, its task's, or one that may not be there.
async fn dead(side: &Connected, queue: usize, index: usize, sent: &[String]) -> String {
    let letters = letters(side, QUEUES[queue]).await;
    match (index % 3, pick(&letters, index / 3), pick(sent, index / 3)) {
        (0, Some(letter), _) => letter.id.clone(),
        (1, Some(letter), _) => letter.task_id.clone(),
        (_, _, Some(id)) => id.clone(),
        _ => "nobody".into(),
    }
}

fn settle(delivery: &Delivery, settlement: Settlement) -> SettleRequest<'static> {
    let id = &delivery.task_id;
    let (state, body) = match settlement {
        Settlement::Complete => (TaskState::Success, Some("SUCCESS")),
        Settlement::DeadLetter { .. } => (TaskState::Failure, Some("FAILURE")),
        Settlement::Retry { .. } | Settlement::Release => (TaskState::Retry, None),
    };
    let body = body.map(|state| format!(r#"{{"task_id":"{id}","state":"{state}","result":[1]}}"#));
    SettleRequest {
        lease: Cow::Owned(delivery.lease.clone()),
        raw: Cow::Owned(delivery.raw.to_vec()),
        task_id: id.to_string().into(),
        task_name: "suite.task".into(),
        retries: 2,
        record: (!matches!(settlement, Settlement::Release)).then(|| ResultRecord {
            tenant: chicory_queue::TenantName::default(),
            task_id: id.to_string().into(),
            state,
            body: body.map(Into::into),
            reply_to: None,
        }),
        settlement: Cow::Owned(settlement),
    }
}

#[test]
fn both_brokers_behave_alike() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = RedisServer::start();
    let cases = AtomicU32::new(0);
    let mut runner = TestRunner::new(Config {
        cases: 100,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&proptest::collection::vec(step(), 1..60), |steps| {
        let file = SqliteFile::new();
        let prefix = format!("case{}", cases.fetch_add(1, Ordering::Relaxed));
        let opens = [file.store(), server.store(&prefix)];
        runtime.block_on(async {
            let mut pair = Pair::open(opens).await;
            for step in &steps {
                pair.take(step).await;
                pair.compare().await;
            }
        });
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
