//! The Lua scripts: each is one state change, atomic on the server. What a script takes and returns is
//! documented at the top of its file.
//!
//! Must not know when they are run.

use std::sync::LazyLock;

use redis::{Arg, Cmd, cmd};

/// A script, and the name the server knows it by.
pub(super) struct Script {
    code: &'static str,
    sha: String,
}

impl Script {
    fn new(code: &'static str) -> Self {
        let sha = redis::Script::new(code).get_hash().to_owned();
        Self { code, sha }
    }

    /// A command that runs the script on these keys. The arguments follow with [`Cmd::arg`].
    pub(super) fn command(&self, keys: &[&str]) -> Cmd {
        let mut command = self.command_on(keys.len());
        command.arg(keys);
        command
    }

    /// A command that runs the script on this number of keys. The keys follow with [`Cmd::arg`], and then
    /// the arguments.
    pub(super) fn command_on(&self, keys: usize) -> Cmd {
        let mut command = cmd("EVALSHA");
        command.arg(&self.sha).arg(keys);
        command
    }

    /// The same command for a server that doesn't know the script: it carries the script's code, which the server then
    /// keeps.
    pub(super) fn with_code(&self, command: &Cmd) -> Cmd {
        let mut whole = cmd("EVAL");
        whole.arg(self.code);
        // The name of the command and of the script come first.
        for argument in command.args_iter().skip(2) {
            if let Arg::Simple(argument) = argument {
                whole.arg(argument);
            }
        }
        whole
    }
}

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)+) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!($(include_str!($file)),+)));)+
    };
}

scripts! {
    ENQUEUE = "hint.lua" "due.lua" "ids.lua" "add_stream.lua" "enqueue.lua";
    ENQUEUE_WAITING = "hint.lua" "due.lua" "ids.lua" "fair.lua" "add_waiting.lua" "enqueue.lua";
    ADMIT = "fair.lua" "admit.lua";
    EXTEND = "held.lua" "extend.lua";
    ACKNOWLEDGE = "held.lua" "ids.lua" "slots.lua" "acknowledge.lua";
    SETTLE = "held.lua" "hint.lua" "results.lua" "due.lua" "ids.lua" "slots.lua" "settle/complete.lua" "settle/retry.lua"
        "settle/dead_letter.lua" "settle/release.lua" "settle.lua";
    GIVE_BACK = "held.lua" "give_back.lua";
    PROMOTE = "fair.lua" "promote.lua";
    RECLAIM = "reclaim.lua";
    STORE = "hint.lua" "results.lua" "store.lua";
    STATS = "stats.lua";
    TENANT_STATS = "tenant_stats.lua";
    SET_TENANT = "fair.lua" "set_tenant.lua";
    REPLACE_TENANT = "replace_tenant.lua";
    PURGE_ADMITTED = "slots.lua" "fair.lua" "purge_admitted.lua";
    TRIM = "trim.lua";
    TRIM_LIST = "trim_list.lua";
    REMOVE_EMPTY = "ids.lua" "remove_empty.lua";
    NOTE_QUEUES = "note_queues.lua";
    FORGET_QUEUES = "forget_queues.lua";
    DELETE_DEAD_LETTER = "delete_dead_letter.lua";
    REPLAY = "ids.lua" "add_stream.lua" "replay.lua";
    REPLAY_WAITING = "ids.lua" "fair.lua" "add_waiting.lua" "replay.lua";
    REPLACE = "hint.lua" "replace.lua";
    CHANGED = "changed.lua";
    MODULE = "module.lua";
    REPORT = "report.lua";
    COUNT = "count.lua";
    NOTE_POLICY = "note_policy.lua";
    REMOVE_CONSUMERS = "consumers.lua" "remove_consumers.lua";
    REMOVE_STALE_CONSUMERS = "consumers.lua" "remove_stale_consumers.lua";
}
