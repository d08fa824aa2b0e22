//! Sentinels: which server is the master, and when that changes.
//!
//! All are asked, and the answer of the latest election counts: during a planned failover, the Sentinel that leads it
//! knows first. Their announcements are followed as well, to move to a new master before the old one disconnects its
//! clients. Must not know what is done with the master.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use redis::{
    ConnectionInfo, RedisConnectionInfo, RedisError, RedisResult, Value, cmd, from_redis_value,
};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::link::Link;
use super::node::Node;
use super::socket;
use super::tls::Tls;

/// How long a Sentinel may take to answer.
const ANSWER: Duration = Duration::from_secs(1);
/// How long the others may take once one has answered.
const OTHERS: Duration = Duration::from_millis(200);
/// How often they are asked without an announcement, in case one is lost.
const LOOK: Duration = Duration::from_secs(5);
/// What they announce when a master has or gets a successor.
const ANNOUNCEMENTS: [&str; 3] = ["+switch-master", "+promoted-slave", "+failover-end"];

/// The Sentinels of a master.
pub(super) struct Sentinels {
    /// Each with the Sentinels' credentials.
    nodes: Vec<ConnectionInfo>,
    name: String,
    /// The master's credentials and database.
    settings: RedisConnectionInfo,
    named: Mutex<Option<Node>>,
    switches: watch::Sender<u64>,
    watching: OnceLock<Vec<AbortOnDropHandle<()>>>,
}

impl Sentinels {
    pub(super) fn new(
        nodes: Vec<ConnectionInfo>,
        name: String,
        settings: RedisConnectionInfo,
    ) -> Self {
        Self {
            nodes,
            name,
            settings,
            named: Mutex::default(),
            switches: watch::Sender::default(),
            watching: OnceLock::new(),
        }
    }

    /// How many times they have named another master.
    pub(super) fn switches(&self) -> u64 {
        *self.switches.borrow()
    }

    /// Returns once they have named another master since then.
    pub(super) async fn switched(&self, since: u64) {
        let mut switches = self.switches.subscribe();
        // The sender lives as long as this.
        let _ = switches.wait_for(|now| *now != since).await;
    }

    /// Asks them where the master is.
    pub(super) async fn master(&self, tls: &Tls) -> RedisResult<ConnectionInfo> {
        let mut asked: FuturesUnordered<_> =
            self.nodes.iter().map(|node| self.ask(node, tls)).collect();
        let mut end = Instant::now() + ANSWER;
        let mut best: Option<(u64, Node)> = None;
        let mut failure = None;
        while let Ok(Some(answer)) = tokio::time::timeout_at(end, asked.next()).await {
            match answer {
                Ok((election, node)) => {
                    end = end.min(Instant::now() + OTHERS);
                    if best.as_ref().is_none_or(|(before, _)| *before < election) {
                        best = Some((election, node));
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        let Some((_, node)) = best else {
            return Err(failure.unwrap_or_else(|| {
                std::io::Error::new(std::io::ErrorKind::TimedOut, "no Sentinel answers").into()
            }));
        };
        let info = node
            .like(&self.nodes[0])
            .set_redis_settings(self.settings.clone());
        self.note(node);
        Ok(info)
    }

    /// The master as one Sentinel names it, and the number of the election that made it master.
    async fn ask(&self, sentinel: &ConnectionInfo, tls: &Tls) -> RedisResult<(u64, Node)> {
        let mut link = Link::open(sentinel, tls, Some(ANSWER)).await?;
        let (mut address, mut state) = (cmd("SENTINEL"), cmd("SENTINEL"));
        address.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let address: Option<(String, u16)> = address.query_async(&mut link).await?;
        let Some((host, port)) = address else {
            let text = "the Sentinel knows no master with this name";
            return Err((redis::ErrorKind::MasterNameNotFoundBySentinel, text).into());
        };
        state.arg("MASTER").arg(&self.name);
        // Before the failover ends, the promoted replica is named here already, with the number of its election.
        let fields: Vec<Value> = state.query_async(&mut link).await.unwrap_or_default();
        let words: Vec<String> = (fields.into_iter())
            .filter_map(|field| from_redis_value(field).ok())
            .collect();
        let election = words.chunks(2).find(|pair| pair[0] == "config-epoch");
        let election = election.and_then(|pair| pair.get(1)?.parse().ok());
        Ok((election.unwrap_or_default(), Node::new(host, port)))
    }

    fn note(&self, node: Node) {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.as_ref() == Some(&node) {
            return;
        }
        if named.is_some() {
            tracing::info!(name = %self.name, master = %node, "the Sentinels name another master");
            self.switches.send_modify(|count| *count += 1);
        }
        *named = Some(node);
    }

    /// Starts to listen to what they announce. Ends with the last user.
    pub(super) fn watch(self: &Arc<Self>, tls: &Tls) {
        self.watching.get_or_init(|| {
            let listeners = self.nodes.iter().map(|node| {
                let (own, node, tls) = (Arc::downgrade(self), node.clone(), tls.clone());
                AbortOnDropHandle::new(tokio::spawn(listen(own, node, tls)))
            });
            listeners.collect()
        });
    }
}

/// Asks after each announcement, and from time to time.
async fn listen(sentinels: Weak<Sentinels>, node: ConnectionInfo, tls: Tls) {
    loop {
        let heard = hear(&sentinels, &node, &tls).await;
        if heard.is_err() {
            tokio::time::sleep(ANSWER).await;
        }
        let Some(sentinels) = sentinels.upgrade() else {
            return;
        };
        // The answer is noted. If no Sentinel answers, the next look may succeed.
        let _ = sentinels.master(&tls).await;
    }
}

/// Listens until the connection breaks. Each announcement about the master makes it ask.
async fn hear(sentinels: &Weak<Sentinels>, node: &ConnectionInfo, tls: &Tls) -> RedisResult<()> {
    let opening = async {
        let socket = socket::connect(node, tls).await?;
        let mut pubsub = redis::aio::PubSub::new(node.redis_settings(), socket).await?;
        pubsub.subscribe(&ANNOUNCEMENTS).await?;
        Ok::<_, RedisError>(pubsub)
    };
    let late = || RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let opened = tokio::time::timeout(ANSWER, opening).await;
    let mut pubsub = opened.map_err(|_| late())??;
    let mut messages = pubsub.on_message();
    loop {
        let heard = tokio::time::timeout(LOOK, messages.next()).await;
        let Some(sentinels) = sentinels.upgrade() else {
            return Ok(());
        };
        let concerns = match heard {
            Ok(None) => return Ok(()),
            Ok(Some(message)) => {
                let text = String::from_utf8_lossy(message.get_payload_bytes()).into_owned();
                text.split(' ').any(|word| word == sentinels.name)
            }
            Err(_) => true,
        };
        if concerns {
            let _ = sentinels.master(tls).await;
        }
    }
}
