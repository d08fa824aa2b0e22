//! Sentinels: which server is the master, when that changes, and when another is being chosen.
//!
//! All are asked, and the answer of the latest election counts: during a planned failover, the Sentinel that leads it
//! knows first. Their announcements are followed as well, to move to a new master before the old one disconnects its
//! clients, and to send nothing to a master that is about to be replaced. Must not know what is done with the master.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use redis::{ConnectionInfo, RedisConnectionInfo, RedisError, RedisResult};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::node::Node;
use super::sentinel::{ANSWER, Said, Sentinel};
use super::socket;
use super::tls::Tls;

/// How long the others may take once one has answered.
const OTHERS: Duration = Duration::from_millis(200);
/// How often they are asked without an announcement, in case one is lost.
const LOOK: Duration = Duration::from_secs(5);
/// How often they are asked while a master is being chosen.
const SOON: Duration = Duration::from_millis(100);
/// The longest wait for the end of a failover. A Sentinel promotes a replica and sees it within little more than a second.
const HOLD: Duration = Duration::from_secs(3);
/// What they announce when they choose another master, when there is one, and when they give up on that.
const ANNOUNCEMENTS: [&str; 7] = [
    "+elected-leader",
    "+failover-state-select-slave",
    "+promoted-slave",
    "+switch-master",
    "+failover-end",
    "-failover-abort-no-good-slave",
    "-failover-abort-slave-timeout",
];

/// The Sentinels of a master.
pub(super) struct Sentinels {
    all: Vec<Sentinel>,
    name: String,
    /// The master's credentials and database.
    settings: RedisConnectionInfo,
    named: Mutex<Option<Node>>,
    switches: watch::Sender<u64>,
    /// Since when they have been choosing another master.
    failing: watch::Sender<Option<Instant>>,
    rounds: Rounds,
    watching: OnceLock<Vec<AbortOnDropHandle<()>>>,
}

/// Rounds of questions to all of them. Callers that arrive during one share the next.
#[derive(Default)]
struct Rounds {
    begun: AtomicU64,
    last: tokio::sync::Mutex<(u64, Option<RedisResult<Round>>)>,
}

/// The outcome of a round.
#[derive(Debug, Clone)]
struct Round {
    master: Node,
    /// More than half of them answered.
    by_most: bool,
}

impl Sentinels {
    pub(super) fn new(
        nodes: Vec<ConnectionInfo>,
        name: String,
        settings: RedisConnectionInfo,
    ) -> Self {
        Self {
            all: nodes.into_iter().map(Sentinel::new).collect(),
            name,
            settings,
            named: Mutex::default(),
            switches: watch::Sender::default(),
            failing: watch::Sender::default(),
            rounds: Rounds::default(),
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

    /// Waits while they choose another master, up to [`HOLD`]: the new one would not have what is sent to the old one now.
    pub(super) async fn decided(&self) {
        let Some(since) = *self.failing.borrow() else {
            return;
        };
        let mut failing = self.failing.subscribe();
        let over = failing.wait_for(Option::is_none);
        let _ = tokio::time::timeout_at(since + HOLD, over).await;
    }

    /// Whether most of them say that the master after this number of switches is still the master, and none is choosing another.
    pub(super) async fn still_name(&self, switches: u64, tls: &Tls) -> bool {
        let round = self.look(tls).await;
        round.is_ok_and(|round| round.by_most)
            && self.failing.borrow().is_none()
            && self.switches() == switches
    }

    /// Asks them where the master is.
    pub(super) async fn master(&self, tls: &Tls) -> RedisResult<ConnectionInfo> {
        let round = self.look(tls).await?;
        let info = round.master.like(self.all[0].info());
        Ok(info.set_redis_settings(self.settings.clone()))
    }

    /// The outcome of a round that began after this was called.
    async fn look(&self, tls: &Tls) -> RedisResult<Round> {
        let before = self.rounds.begun.load(Ordering::SeqCst);
        let mut last = self.rounds.last.lock().await;
        if let (number, Some(outcome)) = &*last
            && *number > before
        {
            return outcome.clone();
        }
        // One that was given up has its number, but no outcome.
        let number = self.rounds.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let outcome = self.ask_all(tls).await;
        *last = (number, Some(outcome.clone()));
        outcome
    }

    async fn ask_all(&self, tls: &Tls) -> RedisResult<Round> {
        let asked = self.all.iter().map(|one| one.ask(&self.name, tls));
        let mut asked: FuturesUnordered<_> = asked.collect();
        let mut end = Instant::now() + ANSWER;
        let (mut answers, mut failure) = (Vec::new(), None);
        while let Ok(Some(answer)) = tokio::time::timeout_at(end, asked.next()).await {
            match answer {
                Ok(said) => {
                    end = end.min(Instant::now() + OTHERS);
                    answers.push(said);
                }
                Err(error) => failure = Some(error),
            }
        }
        let Some((master, is_failing)) = believed(&answers) else {
            return Err(failure.unwrap_or_else(|| {
                std::io::Error::new(std::io::ErrorKind::TimedOut, "no Sentinel answers").into()
            }));
        };
        self.note(&master);
        self.failing.send_if_modified(|since| {
            let changes = since.is_some() != is_failing;
            if changes {
                *since = is_failing.then(Instant::now);
            }
            changes
        });
        Ok(Round {
            master,
            by_most: 2 * answers.len() > self.all.len(),
        })
    }

    fn note(&self, node: &Node) {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.as_ref() == Some(node) {
            return;
        }
        if named.is_some() {
            tracing::info!(name = %self.name, master = %node, "the Sentinels name another master");
            self.switches.send_modify(|count| *count += 1);
        }
        *named = Some(node.clone());
    }

    /// Starts to listen to what they announce. Ends with the last user.
    pub(super) fn watch(self: &Arc<Self>, tls: &Tls) {
        self.watching.get_or_init(|| {
            let listeners = self.all.iter().map(|one| {
                let (own, node, tls) = (Arc::downgrade(self), one.info().clone(), tls.clone());
                AbortOnDropHandle::new(tokio::spawn(listen(own, node, tls)))
            });
            listeners.collect()
        });
    }
}

/// The master that the latest election made, and whether it is about to be replaced.
fn believed(answers: &[Said]) -> Option<(Node, bool)> {
    let best = answers.iter().reduce(|best, one| {
        if one.election > best.election {
            one
        } else {
            best
        }
    })?;
    let of_best = answers.iter().filter(|one| one.master == best.master);
    let is_failing = of_best.into_iter().any(|one| one.is_failing);
    Some((best.master.clone(), is_failing))
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
        let _ = sentinels.look(&tls).await;
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
    let mut pause = LOOK;
    loop {
        let heard = tokio::time::timeout(pause, messages.next()).await;
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
            let _ = sentinels.look(tls).await;
        }
        let is_failing = sentinels.failing.borrow().is_some();
        pause = if is_failing { SOON } else { LOOK };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(election: u64, port: u16, is_failing: bool) -> Said {
        Said {
            election,
            master: Node::new("h".into(), port),
            is_failing,
        }
    }

    #[test]
    fn one_that_leads_a_failover_is_believed_about_the_master_of_the_latest_election() {
        let old = |is_failing| said(1, 1, is_failing);
        assert_eq!(believed(&[]), None);
        for (answers, port, is_failing) in [
            (vec![old(false), old(false)], 1, false),
            (vec![old(false), old(true)], 1, true),
            (vec![old(false), said(2, 2, false)], 2, false),
            (vec![old(true), said(2, 2, false)], 2, false),
        ] {
            let expected = Some((Node::new("h".into(), port), is_failing));
            assert_eq!(believed(&answers), expected, "{answers:?}");
        }
    }
}
