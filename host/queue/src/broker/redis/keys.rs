//! The names of all keys and channels. No other code builds one.
//!
//! Must not know what the keys hold.

mod registry;
mod results;

use chicory_signature::TenantName;

pub(super) use self::registry::RegistryKeys;
pub(super) use self::results::{ResultKeys, TaskKey};
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

    /// The names for what a tenant has of its own.
    pub(super) fn of(&self, tenant: &TenantName) -> Self {
        Self {
            prefix: of_tenant(&self.prefix, tenant),
            topology: self.topology,
        }
    }

    /// The stream of ready and leased messages of the default tenant.
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

    /// The stream of other tenants' messages that may start, and of leased ones.
    pub(super) fn admitted(&self, queue: &str) -> String {
        self.key("admitted", queue)
    }

    /// The stream that a part of a queue's ready messages is in.
    pub(super) fn ready(&self, part: Part, queue: &str) -> String {
        match part {
            Part::Own => self.stream(queue),
            Part::Admitted => self.admitted(queue),
        }
    }

    /// The list of a tenant's messages that are not admitted yet: among the names of [`Keys::of`] a tenant.
    pub(super) fn waiting(&self, queue: &str) -> String {
        self.key("waiting", queue)
    }

    /// The sorted set of the tenants that have delayed messages, by when the first of them is due.
    pub(super) fn due(&self, queue: &str) -> String {
        self.key("due", queue)
    }

    /// The hash of the numbers of tenants' messages that are admitted and have not ended.
    pub(super) fn slots(&self, queue: &str) -> String {
        self.key("slots", queue)
    }

    /// The hash of what is set for the tenants in a queue.
    pub(super) fn limits(&self, queue: &str) -> String {
        self.key("limits", queue)
    }

    /// The hash of the records of all tenants.
    pub(super) fn tenants(&self) -> String {
        format!("{}:tenants", self.prefix)
    }

    /// What all keys begin with, and what those of a queue end in, for scripts that build names themselves.
    pub(super) fn parts(&self, queue: &str) -> (&str, String) {
        (&self.prefix, self.topology.tag(queue))
    }

    /// The keys that a tenant's messages in a queue are under: among the names of [`Keys::of`] a tenant.
    pub(super) fn of_tenants_queue(&self, queue: &str) -> [String; 3] {
        [self.waiting(queue), self.delayed(queue), self.dlq(queue)]
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

    /// A pattern that matches all keys that begin as these do.
    pub(super) fn everything(&self) -> String {
        format!("{}:*", escape(&self.prefix))
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

/// Where a queue's ready messages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The default tenant's stream.
    Own,
    /// The stream of the other tenants' messages.
    Admitted,
}

impl Part {
    /// Where a tenant's messages are.
    pub(super) fn of(tenant: &TenantName) -> Self {
        if tenant.is_default() {
            Self::Own
        } else {
            Self::Admitted
        }
    }
}

/// What the keys begin with that a tenant has of its own.
fn of_tenant(prefix: &str, tenant: &TenantName) -> String {
    match tenant.given() {
        None => prefix.to_owned(),
        Some(tenant) => format!("{prefix}:tenant:{tenant}"),
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
    fn a_tenants_keys_have_its_name_before_anything_that_others_choose() {
        let acme: TenantName = "acme".parse().expect("a name");
        let keys = Keys::new("chicory", Topology::Single);
        assert_eq!(
            keys.of(&acme).waiting("a:b"),
            "chicory:tenant:acme:waiting:a:b"
        );
        assert_eq!(keys.of(&TenantName::default()).dlq("a"), "chicory:dlq:a");
        assert_eq!(keys.queue_of(&keys.of(&acme).dlq("a")), None);
        let results = ResultKeys::new("chicory");
        let [state, result] = results.both_of(&acme, "x").map(|key| key.to_string());
        assert_eq!(state, "chicory:tenant:acme:state:x");
        assert_eq!(result, results.of(&acme).result("x").to_string());
        assert_eq!(results.of(&acme).waiting(), results.waiting());
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
