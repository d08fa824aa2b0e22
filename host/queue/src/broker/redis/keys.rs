//! The names of all keys and channels. No other code builds one.
//!
//! Must not know what the keys hold.

use std::fmt;

use redis::{RedisWrite, ToRedisArgs, ToSingleRedisArg};

use super::topology::Topology;

/// The names of a broker's keys.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
    topology: Topology,
}

impl Keys {
    pub(super) fn new(prefix: &str, topology: Topology) -> Self {
        Self {
            prefix: prefix.to_owned(),
            topology,
        }
    }

    /// The stream of ready and leased messages.
    pub(super) fn stream(&self, queue: &str) -> String {
        self.key("stream", queue)
    }

    /// The sorted set of delayed messages.
    pub(super) fn delayed(&self, queue: &str) -> String {
        self.key("delayed", queue)
    }

    /// The stream of dead letters.
    pub(super) fn dlq(&self, queue: &str) -> String {
        self.key("dlq", queue)
    }

    /// The hash that names the newest dead letter of each task that has one.
    pub(super) fn dead_index(&self, queue: &str) -> String {
        self.key("dead", queue)
    }

    /// The sorted set of the noted ids of a queue's messages.
    pub(super) fn ids(&self, queue: &str) -> String {
        self.key("ids", queue)
    }

    /// The entries of a queue that a consumer acknowledged last, before their tasks ran.
    pub(super) fn acknowledged(&self, queue: &str, consumer: &str) -> String {
        format!("{}:{consumer}", self.key("acknowledged", queue))
    }

    /// The keys that hold a queue's messages.
    pub(super) fn of_queue(&self, queue: &str) -> [String; 3] {
        KINDS.map(|kind| self.key(kind, queue))
    }

    /// The sorted set of the names of all queues, by the time they were noted.
    pub(super) fn queues(&self) -> String {
        format!("{}:queues", self.prefix)
    }

    /// The counter of reclaims: incremented whenever leases pass from one consumer to another. Its key has the older
    /// name `takeovers`.
    pub(super) fn reclaims(&self, queue: &str) -> String {
        self.key("takeovers", queue)
    }

    /// The channel that tells promoters that a message is due earlier.
    pub(super) fn wake(&self, queue: &str) -> String {
        self.key("wake", queue)
    }

    /// The queue that a wake-up's channel belongs to.
    pub(super) fn queue_of_wake<'a>(&self, channel: &'a str) -> Option<&'a str> {
        self.queue("wake", channel)
    }

    /// The queue that a key belongs to; `None` for keys of other kinds.
    pub(super) fn queue_of<'a>(&self, key: &'a str) -> Option<&'a str> {
        KINDS.iter().find_map(|kind| self.queue(kind, key))
    }

    /// Patterns that match all keys of all queues, and possibly others.
    pub(super) fn patterns(&self) -> [String; 3] {
        let prefix = escape(&self.prefix);
        KINDS.map(|kind| format!("{prefix}:{kind}:*"))
    }

    fn key(&self, kind: &str, queue: &str) -> String {
        format!("{}:{kind}:{}", self.prefix, self.topology.tag(queue))
    }

    fn queue<'a>(&self, kind: &str, key: &'a str) -> Option<&'a str> {
        let name = key
            .strip_prefix(&self.prefix)?
            .strip_prefix(':')?
            .strip_prefix(kind)?
            .strip_prefix(':')?;
        self.topology.name(name)
    }
}

const KINDS: [&str; 3] = ["stream", "delayed", "dlq"];

/// The names of a result backend's keys.
#[derive(Debug, Clone)]
pub(super) struct ResultKeys {
    prefix: String,
}

impl ResultKeys {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// The prefix of all result keys.
    pub(super) fn result_prefix(&self) -> String {
        self.result("").to_string()
    }

    /// The prefix of the channels of [`ResultKeys::done`].
    pub(super) fn done_prefix(&self) -> String {
        self.done("")
    }

    /// A task's state.
    pub(super) fn state<'a>(&'a self, task_id: &'a str) -> TaskKey<'a> {
        TaskKey {
            prefix: &self.prefix,
            kind: "state",
            task_id,
        }
    }

    /// A task's result.
    pub(super) fn result<'a>(&'a self, task_id: &'a str) -> TaskKey<'a> {
        TaskKey {
            prefix: &self.prefix,
            kind: "result",
            task_id,
        }
    }

    /// A large result that was written ahead of the script which settles its task.
    pub(super) fn ahead(&self, id: &str) -> String {
        format!("{}:ahead:{id}", self.prefix)
    }

    /// The channel that a task's result is published on.
    pub(super) fn done(&self, task_id: &str) -> String {
        format!("{}:done:{task_id}", self.prefix)
    }

    /// The channel of a process that waits for the results of tasks it has enqueued itself.
    pub(super) fn reply(&self, inbox: &str) -> String {
        format!("{}:reply:{inbox}", self.prefix)
    }

    /// The channel that every waiting client subscribes to: without subscribers, results are not published.
    pub(super) fn waiting(&self) -> String {
        format!("{}:waiting", self.prefix)
    }

    /// A worker's heartbeat.
    pub(super) fn heartbeat(&self, worker_id: &str) -> String {
        format!("{}:heartbeat:{worker_id}", self.prefix)
    }

    /// The set of workers' ids.
    pub(super) fn workers(&self) -> String {
        format!("{}:workers", self.prefix)
    }

    /// The task that a channel of [`ResultKeys::done`] belongs to.
    pub(super) fn task_of_done<'a>(&self, channel: &'a str) -> Option<&'a str> {
        channel.strip_prefix(&self.prefix)?.strip_prefix(":done:")
    }
}

/// A task's key, written straight into a command: each task needs two of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct TaskKey<'a> {
    prefix: &'a str,
    kind: &'static str,
    task_id: &'a str,
}

impl fmt::Display for TaskKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.prefix, self.kind, self.task_id)
    }
}

impl ToRedisArgs for TaskKey<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        out.write_arg_fmt(self);
    }
}

impl ToSingleRedisArg for TaskKey<'_> {}

/// The names of the registry's keys. All but the blobs' share a slot on Redis Cluster.
#[derive(Debug, Clone)]
pub(super) struct RegistryKeys {
    prefix: String,
    root: String,
}

impl RegistryKeys {
    pub(super) fn new(prefix: &str, topology: Topology) -> Self {
        Self {
            prefix: prefix.to_owned(),
            root: format!("{prefix}:{}", topology.tag("registry")),
        }
    }

    /// The hash of modules' records, by name.
    pub(super) fn records(&self) -> String {
        format!("{}:records", self.root)
    }

    /// The sorted set of modules' names, by the revision of their last change.
    pub(super) fn revisions(&self) -> String {
        format!("{}:revisions", self.root)
    }

    /// The counter of all changes.
    pub(super) fn revision(&self) -> String {
        format!("{}:revision", self.root)
    }

    /// The stream of the audit log.
    pub(super) fn audit(&self) -> String {
        format!("{}:audit", self.root)
    }

    /// The trust policy that was noted last.
    pub(super) fn policy(&self) -> String {
        format!("{}:policy", self.root)
    }

    /// The hash of what workers said about a rollout.
    pub(super) fn rollout(&self, id: &str) -> String {
        format!("{}:rollout:{id}", self.root)
    }

    /// The hash of a canary's counts.
    pub(super) fn canary(&self, id: &str) -> String {
        format!("{}:canary:{id}", self.root)
    }

    /// The channel that announces changes.
    pub(super) fn changed(&self) -> String {
        format!("{}:changed", self.root)
    }

    /// The channel that a worker listens to as long as it is alive.
    pub(super) fn present(&self, worker_id: &str) -> String {
        format!("{}:present:{worker_id}", self.root)
    }

    /// A module's bytes.
    pub(super) fn blob(&self, digest: &str) -> String {
        format!("{}:blob:{digest}", self.prefix)
    }
}

/// Turns a text into a pattern that matches only that text.
fn escape(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_the_python_systems() {
        let keys = Keys::new("chicory", Topology::Single);
        assert_eq!(keys.stream("default"), "chicory:stream:default");
        assert_eq!(keys.delayed("default"), "chicory:delayed:default");
        assert_eq!(keys.dlq("default"), "chicory:dlq:default");
        let results = ResultKeys::new("chicory");
        assert_eq!(results.state("a").to_string(), "chicory:state:a");
        assert_eq!(results.result("a").to_string(), "chicory:result:a");
        assert_eq!(results.heartbeat("w"), "chicory:heartbeat:w");
        assert_eq!(results.workers(), "chicory:workers");
    }

    #[test]
    fn on_a_cluster_a_queues_keys_share_a_slot() {
        let keys = Keys::new("chicory", Topology::Cluster);
        let kept = [keys.stream("mail"), keys.delayed("mail"), keys.dlq("mail")];
        for key in kept.iter().chain([&keys.reclaims("mail")]) {
            let tag = key
                .split_once('{')
                .and_then(|(_, rest)| rest.split_once('}'));
            assert_eq!(tag, Some(("mail", "")), "{key}");
        }
        for key in kept {
            assert_eq!(keys.queue_of(&key), Some("mail"));
        }
    }

    #[test]
    fn the_registrys_keys_are_of_no_queue() {
        for topology in [Topology::Single, Topology::Cluster] {
            let (queues, keys) = (
                Keys::new("chicory", topology),
                RegistryKeys::new("chicory", topology),
            );
            for key in [
                keys.records(),
                keys.audit(),
                keys.rollout("stream:x"),
                keys.blob("d"),
            ] {
                assert_eq!(queues.queue_of(&key), None, "{key}");
            }
        }
        let keys = RegistryKeys::new("chicory", Topology::Cluster);
        assert_eq!(keys.records(), "chicory:{registry}:records");
        assert_eq!(keys.canary("c"), "chicory:{registry}:canary:c");
    }

    #[test]
    fn a_key_tells_its_queue() {
        let keys = Keys::new("a:b", Topology::Single);
        assert_eq!(keys.queue_of(&keys.dlq("x:y")), Some("x:y"));
        assert_eq!(keys.queue_of("a:b:state:x"), None);
        assert_eq!(keys.queue_of("a:stream:x"), None);
        assert_eq!(keys.queue_of_wake(&keys.wake("q")), Some("q"));
    }

    #[test]
    fn a_prefix_with_wildcards_matches_itself_only() {
        assert_eq!(
            Keys::new("a*", Topology::Single).patterns()[0],
            "a\\*:stream:*"
        );
    }
}
