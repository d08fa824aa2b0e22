//! A Redis Cluster: each request goes to the master that has its slot, and follows it when the slot moves.
//!
//! What was certainly not carried out is sent again for a while: after MOVED, ASK, TRYAGAIN or CLUSTERDOWN, and if no
//! connection could be opened. A master that does not answer is in trouble until it answers or has a successor; only
//! requests for its slots wait for that. Must not know what requests are about.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use redis::{ConnectionInfo, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value, cmd};
use tokio::sync::watch;
use tokio::time::Instant;

use super::node::Node;
use super::remedy::{Remedy, is_trouble, remedy};
use super::request::Request;
use super::shared::{Shared, Unsent};
use super::slots::{Owners, Slot};
use super::target::Target;
use super::tls::Tls;
use crate::Lasting;

/// A master that takes longer for an answer is in trouble.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// How long a request is retried. A plain client of a Cluster has recovered from a failover by then.
const PERSISTENCE: Duration = Duration::from_secs(6);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// How often a master in trouble is checked.
const LOOK: Duration = Duration::from_millis(200);
/// How long a node may take to say who has which slots.
const ANSWER: Duration = Duration::from_millis(500);

/// A Cluster, as far as it is known.
pub(super) struct Cluster(Arc<State>);

struct State {
    seeds: Vec<ConnectionInfo>,
    tls: Tls,
    known: Mutex<Known>,
    /// Counts the changes of `known`, for those who wait.
    changes: watch::Sender<u64>,
    /// Held while a node is asked who has which slots; holds when that last happened.
    asking: tokio::sync::Mutex<Option<Instant>>,
    lasting: Lasting,
}

#[derive(Default)]
struct Known {
    owners: Owners,
    nodes: HashMap<Node, Arc<Shared>>,
    /// The masters that don't answer.
    troubled: Vec<Node>,
}

impl Cluster {
    pub(super) fn new(seeds: Vec<ConnectionInfo>, tls: Tls) -> Self {
        Self(Arc::new(State {
            seeds,
            tls,
            known: Mutex::default(),
            changes: watch::Sender::default(),
            asking: tokio::sync::Mutex::default(),
            lasting: Lasting::default(),
        }))
    }

    /// Makes sure that a node answers.
    pub(super) async fn ready(&self) -> RedisResult<()> {
        self.0.learn(Instant::now()).await
    }

    /// Sends a request to the master that has its slot.
    pub(super) async fn send(&self, request: Request<'_>) -> RedisResult<Value> {
        let Some(slot) = request.slot() else {
            return self.0.send_to_any(request).await;
        };
        let until = Instant::now() + PERSISTENCE;
        let mut ask = None;
        loop {
            let failure = match ask.take() {
                Some(node) => match self.0.ask(&node, request).await {
                    Ok(answer) => return Ok(answer),
                    Err(failure) => failure,
                },
                None => match self.0.send_once(slot, request, until).await {
                    Ok(answer) => return Ok(answer),
                    Err(failure) => failure,
                },
            };
            if Instant::now() >= until {
                return Err(failure.error);
            }
            match remedy(&failure) {
                Remedy::None => return Err(failure.error),
                Remedy::Ask(node) => ask = Some(node),
                Remedy::Moved(node) => {
                    self.0.moved(slot, node);
                    // So a master whose own view is old isn't asked over and over.
                    tokio::time::sleep(PAUSE / 10).await;
                }
                Remedy::Again => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// The master that has a key's slot.
    pub(super) async fn owner(&self, key: &str) -> RedisResult<Node> {
        self.0.owner(Slot::of(key.as_bytes())).await
    }

    /// Notes that a key's slot is with another master.
    pub(super) fn moved(&self, key: &str, node: Node) {
        self.0.moved(Slot::of(key.as_bytes()), node);
    }

    /// The connection to a node.
    pub(super) fn node(&self, node: &Node) -> Arc<Shared> {
        self.0.node(node)
    }

    /// All masters.
    pub(super) async fn masters(&self) -> RedisResult<Vec<Node>> {
        self.0.learn(Instant::now()).await?;
        Ok(self.0.known().owners.masters())
    }

    /// Notes that a node doesn't answer.
    pub(super) fn trouble(&self, node: &Node) {
        self.0.trouble(node);
    }

    /// Whether this failure says that the node can't serve; if so, that is noted.
    pub(super) fn blames(&self, node: &Node, error: &RedisError) -> bool {
        let blamed = is_trouble(error);
        if blamed {
            self.0.trouble(node);
        }
        blamed
    }

    /// Whether the master that has this key is in trouble.
    pub(super) fn is_troubled(&self, key: &str) -> bool {
        self.0.known().is_troubled(Slot::of(key.as_bytes()))
    }

    /// Returns once the master that has this key is in trouble, or no longer in trouble, as requested.
    pub(super) async fn until_troubled(&self, key: &str, troubled: bool) {
        let slot = Slot::of(key.as_bytes());
        let reached = |state: &State| state.known().is_troubled(slot) == troubled;
        self.0.until(|state| reached(state).then_some(())).await;
    }
}

impl Known {
    fn is_troubled(&self, slot: Slot) -> bool {
        let owner = self.owners.of(slot);
        owner.is_some_and(|owner| self.troubled.contains(owner))
    }
}

impl State {
    /// Nothing panics under this lock.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Waits until what is known contains what `look` looks for.
    async fn until<T>(&self, look: impl Fn(&Self) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            if let Some(seen) = look(self) {
                return seen;
            }
            // The sender lives as long as this.
            let _ = changes.changed().await;
        }
    }

    fn node(&self, node: &Node) -> Arc<Shared> {
        let mut known = self.known();
        if let Some(shared) = known.nodes.get(node) {
            return Arc::clone(shared);
        }
        let target = Target::at(node.like(&self.seeds[0]), self.tls.clone());
        let shared = Arc::new(Shared::new(Arc::new(target)));
        known.nodes.insert(node.clone(), Arc::clone(&shared));
        shared
    }

    async fn owner(&self, slot: Slot) -> RedisResult<Node> {
        for asked in [true, false] {
            if let Some(node) = self.known().owners.of(slot) {
                return Ok(node.clone());
            }
            if asked {
                self.learn(Instant::now()).await?;
            }
        }
        let text = "no node of the Cluster has the slot";
        Err((ErrorKind::Server(ServerErrorKind::ClusterDown), text).into())
    }

    fn moved(&self, slot: Slot, node: Node) {
        self.known().owners.moved(slot, node);
        self.changed();
    }

    /// Sends it to the slot's master, once there is one that answers.
    async fn send_once(
        self: &Arc<Self>,
        slot: Slot,
        request: Request<'_>,
        until: Instant,
    ) -> Result<Value, Unsent> {
        let unsent = |error| Unsent { error, sent: false };
        let well = self.until(|state| (!state.known().is_troubled(slot)).then_some(()));
        if tokio::time::timeout_at(until, well).await.is_err() {
            let text = "the node of the Cluster that has the key does not answer";
            return Err(unsent(
                std::io::Error::new(std::io::ErrorKind::TimedOut, text).into(),
            ));
        }
        let node = self.owner(slot).await.map_err(unsent)?;
        let shared = self.node(&node);
        let mut answer = pin!(shared.send(request));
        let answer = match tokio::time::timeout(PATIENCE + request.wait(), &mut answer).await {
            Ok(answer) => answer,
            Err(_) => {
                self.trouble(&node);
                tokio::select! {
                    answer = &mut answer => answer,
                    () = self.until(|state| (state.known().owners.of(slot) != Some(&node)).then_some(())) => {
                        let text = "the node of the Cluster was replaced before it answered";
                        let error = std::io::Error::new(std::io::ErrorKind::TimedOut, text);
                        Err(Unsent { error: error.into(), sent: true })
                    }
                }
            }
        };
        if let Err(failure) = &answer
            && is_trouble(&failure.error)
        {
            self.trouble(&node);
        }
        answer
    }

    /// Sends it to a node that the slot is being moved to.
    async fn ask(&self, node: &Node, request: Request<'_>) -> Result<Value, Unsent> {
        let asking = request.asking();
        let answer = self.node(node).send(Request::Several(&asking)).await?;
        Ok(request.answer_of_asking(answer))
    }

    /// Sends it to whichever node answers.
    async fn send_to_any(self: &Arc<Self>, request: Request<'_>) -> RedisResult<Value> {
        if self.known().owners.is_empty() {
            self.learn(Instant::now()).await?;
        }
        let mut nodes = {
            let known = self.known();
            let mut nodes = known.owners.masters();
            nodes.sort_by_key(|node| known.troubled.contains(node));
            nodes
        };
        let last = nodes.pop();
        for node in nodes.iter().chain(&last) {
            let shared = self.node(node);
            let answer = tokio::time::timeout(PATIENCE, shared.send(request)).await;
            match answer {
                Ok(Err(failure)) if failure.error.code().is_none() => self.trouble(node),
                Ok(answer) => return answer.map_err(|failure| failure.error),
                Err(_) => self.trouble(node),
            }
        }
        let text = "no node of the Cluster answers";
        Err(std::io::Error::new(std::io::ErrorKind::TimedOut, text).into())
    }

    /// Asks all nodes who has which slots, and takes the first answer; unless that was done since `wanted`.
    async fn learn(&self, wanted: Instant) -> RedisResult<()> {
        let mut asked = self.asking.lock().await;
        if asked.is_some_and(|at| at >= wanted) {
            return Ok(());
        }
        let mut nodes = self.known().owners.masters();
        let seeds = (self.seeds.iter()).filter_map(|seed| Node::parse(&seed.addr().to_string()));
        nodes.extend(seeds);
        let slots = cmd("CLUSTER").arg("SLOTS").take();
        let ask = |node: Node| {
            let (shared, slots) = (self.node(&node), &slots);
            async move {
                let answer = tokio::time::timeout(ANSWER, shared.send(Request::One(slots))).await;
                let late = || RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
                answer.map_err(|_| late())?.map_err(|failure| failure.error)
            }
        };
        let mut answers: FuturesUnordered<_> = nodes.into_iter().map(ask).collect();
        let text = "no node of the Cluster answers";
        let mut failure: RedisError = (ErrorKind::ClusterConnectionNotFound, text).into();
        while let Some(answer) = answers.next().await {
            match answer.map(Owners::read) {
                Ok(owners) if !owners.is_empty() => {
                    *asked = Some(Instant::now());
                    let mut known = self.known();
                    if known.owners != owners {
                        known.owners = owners;
                        drop(known);
                        self.changed();
                    }
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Notes that a node doesn't answer, and watches it until it does or has a successor.
    fn trouble(self: &Arc<Self>, node: &Node) {
        let mut known = self.known();
        if known.troubled.contains(node) {
            return;
        }
        known.troubled.push(node.clone());
        drop(known);
        self.changed();
        tokio::spawn(look_after(Arc::downgrade(self), node.clone()));
    }

    fn well(&self, node: &Node) {
        self.known().troubled.retain(|troubled| troubled != node);
        self.changed();
        self.lasting.over(&node.to_string(), || {
            tracing::info!(%node, "the node of the Redis Cluster answers again, or has a successor");
        });
    }
}

/// Returns once the node answers or no longer has any slots.
async fn look_after(cluster: Weak<State>, node: Node) {
    let ping = cmd("PING");
    loop {
        let Some(state) = cluster.upgrade() else {
            return;
        };
        let shared = state.node(&node);
        let (pinged, _) = tokio::join!(
            tokio::time::timeout(PATIENCE, shared.send(Request::One(&ping))),
            state.learn(Instant::now())
        );
        let has_slots = state.known().owners.masters().contains(&node);
        if !has_slots || matches!(pinged, Ok(Ok(_))) {
            return state.well(&node);
        }
        state.lasting.on(&node.to_string(), || {
            tracing::warn!(%node, "a node of the Redis Cluster does not answer; its queues wait, the others continue");
        });
        drop(state);
        tokio::time::sleep(LOOK).await;
    }
}
