//! A planned failover while messages are enqueued at a steady rate: how many acknowledged ones are lost, and the pause.
//!
//! Must not know workers: none run.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chicory_queue::{BrokerConfig, BrokerError, Client, ScanCursor, TaskMessage, ValidationMode};
use serde::Serialize;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::fault::Fault;
use crate::ground::Kind;
use crate::task::QUEUES;

/// What is to be tried.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Where.
    pub ground: Kind,
    /// How many messages.
    pub messages: usize,
    /// How many in a second.
    pub rate: u32,
    /// The setting `wait_replicas`.
    pub wait_replicas: u32,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    messages: usize,
    rate: u32,
    wait_replicas: u32,
    /// Messages that were acknowledged and are not there.
    pub lost: usize,
    /// Messages that are there twice.
    doubled: usize,
    /// Tries that failed. Each message is tried until it is acknowledged.
    failed_tries: usize,
    /// The last error.
    last_error: String,
    /// The longest time without an acknowledgement, in seconds.
    pub pause: f64,
}

/// Clients' requests that are on their way at once.
const SENDERS: usize = 64;
/// The failover begins after this time.
const BEFORE: Duration = Duration::from_secs(2);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest pause that is allowed.
const LONGEST: f64 = 3.0;

impl Outcome {
    /// Whether it is as promised: the pause is short, and with `wait_replicas` nothing is lost.
    pub fn passed(&self) -> bool {
        (self.lost == 0 || self.wait_replicas == 0) && self.pause < LONGEST
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "planned failover at {} enqueues a second, wait_replicas = {}:",
            self.rate, self.wait_replicas
        )?;
        writeln!(
            f,
            "  {} of {} acknowledged messages lost, {} there twice",
            self.lost, self.messages, self.doubled
        )?;
        writeln!(
            f,
            "  {:.2} s without an acknowledgement, {} tries failed",
            self.pause, self.failed_tries
        )?;
        if !self.last_error.is_empty() {
            writeln!(f, "  the last of them: {}", self.last_error)?;
        }
        Ok(())
    }
}

/// Tries it.
///
/// # Errors
/// [`BrokerError`] where the queue can't be read at the end.
pub fn run(terms: Terms) -> Result<Outcome, BrokerError> {
    let runtime = Runtime::new().expect("a runtime");
    let mut ground = terms.ground.start(&runtime, &[]);
    let config = config(&ground.url(), terms.wait_replicas)?;
    let client = runtime.block_on(Client::connect(&config))?;
    let sent = runtime.spawn(send(terms, client.validation(ValidationMode::None)));
    std::thread::sleep(BEFORE);
    ground.begin(Fault::FailsOver);
    ground.end(Fault::FailsOver);
    let sent = runtime.block_on(sent).expect("no sender panics");
    ground.until_whole();
    let found = runtime.block_on(found(&config))?;
    let mut times = sent.acknowledged;
    times.sort_unstable();
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
    let lost = (0..terms.messages).filter(|number| !found.contains_key(&id(*number)));
    Ok(Outcome {
        messages: terms.messages,
        rate: terms.rate,
        wait_replicas: terms.wait_replicas,
        lost: lost.count(),
        doubled: found.values().filter(|times| **times > 1).count(),
        failed_tries: sent.failed,
        last_error: sent.last_error,
        pause: gaps.max().unwrap_or_default().as_secs_f64(),
    })
}

fn id(number: usize) -> String {
    format!("failover-{number}")
}

fn config(url: &str, wait_replicas: u32) -> Result<BrokerConfig, BrokerError> {
    let mut config = BrokerConfig::of_url(url)?;
    if let BrokerConfig::Redis(redis, _) = &mut config {
        redis.wait_replicas = wait_replicas;
    }
    Ok(config)
}

/// What a sender saw.
#[derive(Debug, Default)]
struct Sent {
    acknowledged: Vec<Instant>,
    failed: usize,
    last_error: String,
}

/// Enqueues all messages, each in its turn.
async fn send(terms: Terms, client: Client) -> Sent {
    let client = Arc::new(client);
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (client, next) = (Arc::clone(&client), Arc::clone(&next));
        senders.spawn(async move {
            let mut sent = Sent::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= terms.messages {
                    return sent;
                }
                let turn = Duration::from_secs_f64(number as f64 / f64::from(terms.rate));
                tokio::time::sleep(turn.saturating_sub(begun.elapsed())).await;
                enqueue(&client, number, &mut sent).await;
            }
        });
    }
    let mut all = Sent::default();
    for sent in senders.join_all().await {
        all.acknowledged.extend(sent.acknowledged);
        all.failed += sent.failed;
        if !sent.last_error.is_empty() {
            all.last_error = sent.last_error;
        }
    }
    all
}

/// Tries until it is acknowledged, with the same id each time.
async fn enqueue(client: &Client, number: usize, sent: &mut Sent) {
    loop {
        let mut message = TaskMessage::new("effect.get");
        message.id = id(number).into();
        match client.enqueue(QUEUES[0], message).await {
            Ok(_) => {
                sent.acknowledged.push(Instant::now());
                return;
            }
            Err(error) => {
                sent.failed += 1;
                sent.last_error = error.to_string();
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How often each message is in the queue, read over a new connection.
async fn found(config: &BrokerConfig) -> Result<HashMap<String, usize>, BrokerError> {
    let client = Client::connect(config).await?;
    let mut found = HashMap::new();
    let mut cursor = Some(ScanCursor::default());
    while let Some(at) = cursor {
        let page = client.connected().inspect.scan(QUEUES[0], at).await?;
        for message in page.messages {
            *found.entry(message.id.to_string()).or_default() += 1;
        }
        cursor = page.next;
    }
    Ok(found)
}
