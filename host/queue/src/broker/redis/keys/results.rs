//! The names of the keys and channels of results.
//!
//! Must not know what they hold.

use std::fmt;

use chicory_signature::TenantName;
use redis::{RedisWrite, ToRedisArgs, ToSingleRedisArg};

use super::{escape, of_tenant};

/// The names of a result backend's keys.
#[derive(Debug, Clone)]
pub(in super::super) struct ResultKeys {
    /// What the names begin with that all tenants share.
    root: String,
    prefix: String,
}

impl ResultKeys {
    pub(in super::super) fn new(prefix: &str) -> Self {
        Self {
            root: prefix.to_owned(),
            prefix: prefix.to_owned(),
        }
    }

    /// The names for what a tenant has of its own.
    pub(in super::super) fn of(&self, tenant: &TenantName) -> Self {
        Self {
            root: self.root.clone(),
            prefix: of_tenant(&self.root, tenant),
        }
    }

    /// What the default tenant's keys of results start with.
    pub(in super::super) fn result_prefix(&self) -> String {
        format!("{}:result:", self.root)
    }

    /// What its channels of [`ResultKeys::done`] start with.
    pub(in super::super) fn done_prefix(&self) -> String {
        format!("{}:done:", self.root)
    }

    /// A pattern that matches all keys that begin as these do.
    pub(in super::super) fn everything(&self) -> String {
        format!("{}:*", escape(&self.prefix))
    }

    /// A task's state.
    pub(in super::super) fn state<'a>(&'a self, task_id: &'a str) -> TaskKey<'a> {
        self.task("state", task_id)
    }

    /// A task's result.
    pub(in super::super) fn result<'a>(&'a self, task_id: &'a str) -> TaskKey<'a> {
        self.task("result", task_id)
    }

    /// The keys of the state and the result of a tenant's task.
    pub(in super::super) fn both_of<'a>(
        &'a self,
        tenant: &'a TenantName,
        task_id: &'a str,
    ) -> [TaskKey<'a>; 2] {
        ["state", "result"].map(|kind| TaskKey {
            prefix: &self.root,
            tenant: tenant.given(),
            kind,
            task_id,
        })
    }

    fn task<'a>(&'a self, kind: &'static str, task_id: &'a str) -> TaskKey<'a> {
        TaskKey {
            prefix: &self.prefix,
            tenant: None,
            kind,
            task_id,
        }
    }

    /// A large result that was written ahead of the script which settles its task.
    pub(in super::super) fn ahead(&self, id: &str) -> String {
        format!("{}:ahead:{id}", self.prefix)
    }

    /// The channel that a task's result is published on.
    pub(in super::super) fn done(&self, task_id: &str) -> String {
        format!("{}:done:{task_id}", self.prefix)
    }

    /// The channel of a process that waits for the results of tasks it has enqueued itself.
    pub(in super::super) fn reply(&self, inbox: &str) -> String {
        format!("{}:reply:{inbox}", self.prefix)
    }

    /// The same of a tenant's task.
    pub(in super::super) fn reply_of(&self, tenant: &TenantName, inbox: &str) -> String {
        match tenant.given() {
            None => format!("{}:reply:{inbox}", self.root),
            Some(tenant) => format!("{}:tenant:{tenant}:reply:{inbox}", self.root),
        }
    }

    /// The channel that every waiting client subscribes to: without subscribers, results are not published.
    pub(in super::super) fn waiting(&self) -> String {
        format!("{}:waiting", self.root)
    }

    /// A worker's heartbeat.
    pub(in super::super) fn heartbeat(&self, worker_id: &str) -> String {
        format!("{}:heartbeat:{worker_id}", self.root)
    }

    /// The set of workers' ids.
    pub(in super::super) fn workers(&self) -> String {
        format!("{}:workers", self.root)
    }

    /// The task that a channel of [`ResultKeys::done`] belongs to.
    pub(in super::super) fn task_of_done<'a>(&self, channel: &'a str) -> Option<&'a str> {
        channel.strip_prefix(&self.prefix)?.strip_prefix(":done:")
    }
}

/// A task's key, written straight into a command: each task needs two of them.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct TaskKey<'a> {
    prefix: &'a str,
    tenant: Option<&'a str>,
    kind: &'static str,
    task_id: &'a str,
}

impl fmt::Display for TaskKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.prefix)?;
        if let Some(tenant) = self.tenant {
            write!(f, ":tenant:{tenant}")?;
        }
        write!(f, ":{}:{}", self.kind, self.task_id)
    }
}

impl ToRedisArgs for TaskKey<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        out.write_arg_fmt(self);
    }
}

impl ToSingleRedisArg for TaskKey<'_> {}
