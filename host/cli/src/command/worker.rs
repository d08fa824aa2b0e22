//! `chicory worker`: one worker process, or several under a supervisor.
//!
//! Must not know how a worker works: `chicory-worker` does.

mod fleet;
pub(crate) mod serve;
pub(crate) mod signals;
mod supervise;

use std::process::ExitCode;

use clap::{ArgAction, Args};

use super::Context;
use crate::config::FlagValue;

/// Flags of `chicory worker`. Those that are settings are texts here: the configuration checks them,
/// wherever they come from.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WorkerArgs {
    /// Worker processes; with more than one, a supervisor starts them and restarts one that crashes
    #[arg(
        long,
        short = 'w',
        value_name = "N",
        default_value_t = 1,
        overrides_with = "workers"
    )]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,
    /// Tasks that each process runs at once
    #[arg(long, short, value_name = "N")]
    concurrency: Option<String>,
    /// A queue to serve; may be given several times
    #[arg(long, short, value_name = "QUEUE")]
    queue: Vec<String>,
    /// The folder with modules: each NAME.wasm, with NAME.toml beside it where it needs one
    #[arg(long, short, value_name = "DIR")]
    modules: Option<String>,
    /// Keep messages given up on as dead letters (the default)
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "no_dlq")]
    dlq: bool,
    /// Keep no dead letters
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "dlq")]
    no_dlq: bool,
    /// `at_least_once` or `at_most_once`
    #[arg(long, value_name = "MODE")]
    delivery_mode: Option<String>,
    /// Give up on a message after so many deliveries without an end
    #[arg(long, value_name = "N")]
    max_deliveries: Option<String>,
    /// Threads that run sandboxes, in each process
    #[arg(long, value_name = "N")]
    threads: Option<String>,
    /// The most memory that a task can have, such as 256MiB
    #[arg(long, value_name = "SIZE")]
    max_memory: Option<String>,
    /// Time between heartbeats
    #[arg(long, value_name = "SECONDS")]
    heartbeat_interval: Option<String>,
    /// How long a heartbeat lasts; more than the interval
    #[arg(long, value_name = "SECONDS")]
    heartbeat_ttl: Option<String>,
    /// Time between clean-ups of stale workers and consumers
    #[arg(long, value_name = "SECONDS")]
    cleanup_interval: Option<String>,
    /// Idle time after which a consumer that holds nothing is forgotten
    #[arg(long, value_name = "SECONDS")]
    stale_workers_timeout: Option<String>,
    /// Time that running tasks have to end after the first SIGTERM or SIGINT
    #[arg(long, value_name = "SECONDS")]
    shutdown_timeout: Option<String>,
    /// The supervisor's process id: this process ends with it
    #[arg(long, hide = true, value_name = "PID")]
    supervised_by: Option<u32>,
}

const EXAMPLES: &str = "\
Every flag is a setting, too: --concurrency is CHICORY_WORKER_CONCURRENCY and [worker] concurrency.
`chicory config default` prints them with their defaults.

Signals: the first SIGTERM or SIGINT lets running tasks end and takes no new ones; the second stops
at once, and gives running tasks back to other workers.

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
    serve::serve(&context.config).await
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
