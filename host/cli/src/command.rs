//! The commands, one file each, and the way from the command line to them.
//!
//! Must not know what a command does.

pub(crate) mod call;
pub(crate) mod cleanup;
pub(crate) mod completions;
pub(crate) mod dlq;
pub(crate) mod enqueue;
pub(crate) mod enqueue_file;
pub(crate) mod queue;
pub(crate) mod result;
pub(crate) mod settings;
pub(crate) mod workers;

use std::process::ExitCode;

use chicory_queue::{BrokerError, Connected};

use crate::args::{Cli, Command};
use crate::config::{Config, Layers, Level, Raw};
use crate::connect;
use crate::output::Output;

/// What every command gets.
#[derive(Debug)]
pub(crate) struct Context {
    /// The valid settings.
    pub(crate) config: Config,
    /// How to print.
    pub(crate) output: Output,
}

impl Context {
    /// The broker, or that it can't be reached.
    pub(crate) async fn connect(&self) -> Result<Connected, BrokerError> {
        connect::once(&self.config.broker).await
    }
}

/// Runs the command.
pub(crate) fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let output = Output::new(cli.global.json);
    // These two must work where the configuration does not.
    match &cli.command {
        Command::Completions(args) => return completions::run(args),
        Command::Config(settings::ConfigCommand::Default) => return settings::print_default(),
        _ => {}
    }
    let flags = cli.global.settings();
    let raw = Layers::of_process(cli.global.config.as_deref(), flags)?.merge()?;
    let config = Config::from_raw(&raw)?;
    crate::log::start(level(&cli, &config));
    let context = Context { config, output };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(cli.command, &context, &raw))?;
    Ok(ExitCode::SUCCESS)
}

/// A command for a moment logs only what is wrong, unless it is told otherwise.
fn level(cli: &Cli, config: &Config) -> Level {
    if cli.global.log_level.is_some() {
        config.worker.log_level
    } else {
        Level::Warning
    }
}

async fn run(command: Command, context: &Context, raw: &Raw) -> anyhow::Result<()> {
    match command {
        Command::Enqueue(args) => enqueue::run(args, context).await,
        Command::Result(args) => result::run(args, context).await,
        Command::Dlq(command) => dlq::run(command, context).await,
        Command::Queue(command) => queue::run(command, context).await,
        Command::Workers(args) => workers::run(args, context).await,
        Command::Cleanup(args) => cleanup::run(args, context).await,
        Command::Config(command) => settings::run(command, raw, context.output),
        Command::Completions(args) => completions::run(&args).map(|_| ()),
    }
}
