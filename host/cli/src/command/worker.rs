//! `chicory worker`: one worker process, or several under a supervisor.
//!
//! Must not know how a worker works: `chicory-worker` does.

mod confine;
mod fleet;
pub(crate) mod serve;
pub(crate) mod signals;
mod supervise;

use std::process::ExitCode;

use clap::{ArgAction, Args};

use super::Context;
use crate::config::{Config, FlagValue};
use crate::machine;

/// Flags of `chicory worker`. Those that are settings are kept as text: the configuration checks
/// them, wherever they come from.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WorkerArgs {
    /// Number of worker processes; with more than one, a supervisor restarts those that crash
    #[arg(
        long,
        short = 'w',
        value_name = "N",
        default_value_t = 1,
        overrides_with = "workers"
    )]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,
    /// Maximum number of tasks that each process runs at once
    #[arg(long, short, value_name = "N")]
    concurrency: Option<String>,
    /// Queue to serve; can be repeated
    #[arg(long, short, value_name = "QUEUE")]
    queue: Vec<String>,
    /// Folder with modules: NAME.wasm files, each with an optional manifest NAME.toml
    #[arg(long, short, value_name = "DIR")]
    modules: Option<String>,
    /// Keep messages that are given up on as dead letters (the default)
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "no_dlq")]
    dlq: bool,
    /// Don't keep dead letters
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "dlq")]
    no_dlq: bool,
    /// Delivery mode: `at_least_once` or `at_most_once`
    #[arg(long, value_name = "MODE")]
    delivery_mode: Option<String>,
    /// Give up on a message after this number of deliveries without an outcome
    #[arg(long, value_name = "N")]
    max_deliveries: Option<String>,
    /// Number of tasks that may compute at a time in each process
    #[arg(long, value_name = "N")]
    threads: Option<String>,
    /// Maximum memory of a task, such as 256MiB
    #[arg(long, value_name = "SIZE")]
    max_memory: Option<String>,
    /// Time between heartbeats
    #[arg(long, value_name = "SECONDS")]
    heartbeat_interval: Option<String>,
    /// How long a heartbeat lasts; must be longer than the interval
    #[arg(long, value_name = "SECONDS")]
    heartbeat_ttl: Option<String>,
    /// Time between removals of stale workers and consumers
    #[arg(long, value_name = "SECONDS")]
    cleanup_interval: Option<String>,
    /// Idle time after which a consumer that holds nothing is removed
    #[arg(long, value_name = "SECONDS")]
    stale_workers_timeout: Option<String>,
    /// How long running tasks may continue after the first SIGTERM, SIGINT or SIGHUP
    #[arg(long, value_name = "SECONDS")]
    shutdown_timeout: Option<String>,
    /// Process id of the supervisor, with which this process ends
    #[arg(long, hide = true, value_name = "PID")]
    supervised_by: Option<u32>,
    /// How many processes there are, which divide the machine's memory
    #[arg(long, hide = true, value_name = "N", default_value_t = 1)]
    one_of: u16,
}

const EXAMPLES: &str = "\
Each flag is also a setting: --concurrency is CHICORY_WORKER_CONCURRENCY in the environment, and \
concurrency in section [worker] of the settings file. `chicory config default` prints all settings \
with their defaults.

Signals: after the first SIGTERM, SIGINT or SIGHUP, the worker takes no new tasks and lets running tasks \
end. After the second, it stops at once and gives running tasks back to other workers.

Examples:
  chicory worker --modules ./modules
  chicory worker --workers 4 --concurrency 128 --queue images --queue default
  chicory worker --broker redis://localhost:6379/0 --no-dlq";

impl WorkerArgs {
    /// The settings among the flags.
    pub(crate) fn settings(&self) -> Vec<FlagValue> {
        let dead_letters = (self.dlq || self.no_dlq).then(|| self.dlq.to_string());
        let dead_letters_flag = if self.dlq { "--dlq" } else { "--no-dlq" };
        let queues = (!self.queue.is_empty()).then(|| self.queue.join(","));
        let given: [(&'static str, &'static str, Option<String>); 13] = [
            (
                "worker.concurrency",
                "--concurrency",
                self.concurrency.clone(),
            ),
            ("worker.queue", "--queue", queues),
            ("worker.modules", "--modules", self.modules.clone()),
            (
                "worker.use_dead_letter_queue",
                dead_letters_flag,
                dead_letters,
            ),
            (
                "delivery_mode",
                "--delivery-mode",
                self.delivery_mode.clone(),
            ),
            (
                "worker.max_deliveries",
                "--max-deliveries",
                self.max_deliveries.clone(),
            ),
            ("worker.threads", "--threads", self.threads.clone()),
            ("worker.max_memory", "--max-memory", self.max_memory.clone()),
            (
                "worker.heartbeat_interval",
                "--heartbeat-interval",
                self.heartbeat_interval.clone(),
            ),
            (
                "worker.heartbeat_ttl",
                "--heartbeat-ttl",
                self.heartbeat_ttl.clone(),
            ),
            (
                "worker.cleanup_interval",
                "--cleanup-interval",
                self.cleanup_interval.clone(),
            ),
            (
                "worker.stale_workers_timeout",
                "--stale-workers-timeout",
                self.stale_workers_timeout.clone(),
            ),
            (
                "worker.shutdown_timeout",
                "--shutdown-timeout",
                self.shutdown_timeout.clone(),
            ),
        ];
        given
            .into_iter()
            .filter_map(|(path, flag, value)| Some((path, flag, value?)))
            .collect()
    }

    /// Confines this process as the settings say, if it is to run tasks. Only before there are other threads.
    pub(crate) fn confine(&self, config: &Config) -> anyhow::Result<()> {
        if self.supervises() {
            return Ok(());
        }
        confine::confine(config)
    }

    /// Whether other processes write to the same log.
    pub(crate) fn is_one_of_several(&self) -> bool {
        self.supervises() || self.supervised_by.is_some()
    }

    /// Whether this process only looks after others.
    pub(crate) fn supervises(&self) -> bool {
        self.workers > 1
    }
}

/// Serves until it is told to stop.
pub(crate) async fn run(args: WorkerArgs, context: &Context) -> anyhow::Result<ExitCode> {
    if args.supervises() {
        return supervise::supervise(args.workers).await;
    }
    if let Some(supervisor) = args.supervised_by {
        supervise::end_with(supervisor)?;
    }
    let mut config = context.config.clone();
    if config.worker.process_memory.is_none() {
        let left = |all: u64| all / 8 * 7 / u64::from(args.one_of.max(1));
        config.worker.process_memory = machine::memory().map(left);
    }
    serve::serve(&config).await
}

#[cfg(test)]
mod tests {
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    fn settings(line: &[&str]) -> Vec<(&'static str, &'static str, String)> {
        let line = ["chicory", "worker"].iter().chain(line);
        match Cli::try_parse_from(line).unwrap().command {
            Command::Worker(args) => args.settings(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_become_settings() {
        assert_eq!(settings(&[]), []);
        let given = settings(&["-q", "a", "--queue", "b", "--no-dlq", "-c", "7"]);
        assert_eq!(
            given,
            [
                ("worker.concurrency", "--concurrency", "7".into()),
                ("worker.queue", "--queue", "a,b".into()),
                ("worker.use_dead_letter_queue", "--no-dlq", "false".into()),
            ]
        );
    }

    #[test]
    fn the_last_of_opposites_holds() {
        assert_eq!(settings(&["--no-dlq", "--dlq"])[0].2, "true");
        assert_eq!(settings(&["--dlq", "--no-dlq"])[0].2, "false");
    }
}
