//! The command line: global flags and the list of commands.
//!
//! Each command's own flags are in its file. Must not know what a command does.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::command::{
    bench, build, bundle, cleanup, client, completions, demo, deploy, dev, dlq, doctor, enqueue,
    inspect, modules, new, push, queue, result, rollback, run, settings, tenant, test, worker,
    workers,
};
use crate::config::FlagValue;
use crate::exit::CODES;

/// A distributed task queue whose tasks are sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "chicory", version, after_help = CODES, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Broker to use: sqlite:PATH, redis://…, rediss://…, unix://…, redis-sentinel://… or
    /// redis-cluster://… [default: redis, as configured in chicory.toml or the environment]
    #[arg(long, global = true, value_name = "URL", display_order = 1000)]
    pub(crate) broker: Option<String>,
    /// Whose queues, results and modules a command is about [default: default]
    #[arg(long, global = true, value_name = "NAME", display_order = 1000)]
    pub(crate) tenant: Option<String>,
    /// Settings file [default: chicory.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE", display_order = 1001)]
    pub(crate) config: Option<PathBuf>,
    /// Log level: DEBUG, INFO, WARNING, ERROR or CRITICAL
    #[arg(long, global = true, value_name = "LEVEL", display_order = 1002)]
    pub(crate) log_level: Option<String>,
    /// Print JSON instead of text
    #[arg(long, global = true, display_order = 1003)]
    pub(crate) json: bool,
}

impl Global {
    /// The settings among them.
    pub(crate) fn settings(&self) -> Vec<FlagValue> {
        let given = [
            ("broker.url", "--broker", &self.broker),
            ("tenant", "--tenant", &self.tenant),
            ("worker.log_level", "--log-level", &self.log_level),
        ];
        given
            .into_iter()
            .filter_map(|(path, flag, value)| Some((path, flag, value.clone()?)))
            .collect()
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run tasks from queues until stopped
    Worker(Box<worker::WorkerArgs>),
    /// Enqueue one task, or many from a file
    Enqueue(enqueue::EnqueueArgs),
    /// Generate a Rust module with a function for each task of a module
    Client(client::ClientArgs),
    /// Show how a task ended, or wait for its result
    Result(result::ResultArgs),
    /// List, replay or delete the dead letters of a queue
    #[command(subcommand)]
    Dlq(dlq::DlqCommand),
    /// Show queues, or empty one
    #[command(subcommand)]
    Queue(queue::QueueCommand),
    /// Create, change, suspend or delete the tenants that share the fleet
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// List the workers that are alive
    Workers(workers::WorkersArgs),
    /// Remove dead workers, and consumers that are idle and hold nothing
    Cleanup(cleanup::CleanupArgs),
    /// Create a project for a task module, in a language of your choice
    New(new::NewArgs),
    /// Build a project into a module, and check which grants it needs
    Build(build::BuildArgs),
    /// Write a module and its manifest to one file that can be signed and deployed
    Bundle(bundle::BundleArgs),
    /// Push a module and its manifest to an OCI registry
    Push(push::PushArgs),
    /// Deploy a new version of a module to a running fleet, without a restart
    Deploy(deploy::DeployArgs),
    /// Roll back to the previous version, or end a canary
    Rollback(rollback::RollbackArgs),
    /// List the deployed modules, or show one
    Modules(modules::ModulesArgs),
    /// Run a project's test cases, without a broker
    Test(test::TestArgs),
    /// Serve a project during development: rebuild, reload, and show what tasks do
    Dev(dev::DevArgs),
    /// Run one task of a module, without a broker
    Run(run::RunArgs),
    /// Show a module's tasks, its imports, and the grants that it needs
    Inspect(inspect::InspectArgs),
    /// Run the example modules: successes, retries, a dead letter, tasks that are stopped
    Demo(demo::DemoArgs),
    /// Measure throughput and latency on this machine
    Bench(bench::BenchArgs),
    /// Check the server, the settings, this machine and the tool chains, and say what to do
    Doctor(doctor::DoctorArgs),
    /// Print the settings
    #[command(subcommand)]
    Config(settings::ConfigCommand),
    /// Compile a module from standard input to standard output, for another command
    #[command(hide = true)]
    Compile,
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command() {
        // Of a usual width, whatever this terminal has.
        let mut root = Cli::command().term_width(80);
        root.build();
        insta::assert_snapshot!("help_chicory", root.render_long_help());
        snapshot_commands(&mut root, "chicory");
    }

    fn snapshot_commands(parent: &mut clap::Command, path: &str) {
        for command in parent.get_subcommands_mut() {
            if command.get_name() == "help" {
                continue;
            }
            let path = format!("{path}_{}", command.get_name());
            insta::assert_snapshot!(format!("help_{path}"), command.render_long_help());
            snapshot_commands(command, &path);
        }
    }
}
