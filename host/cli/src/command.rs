//! The commands, one file each, and the way from the command line to them.
//!
//! Must not know what a command does.

pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod bundle;
mod call;
pub(crate) mod cleanup;
pub(crate) mod client;
mod compile;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod dev;
pub(crate) mod dlq;
pub(crate) mod enqueue;
mod enqueue_file;
pub(crate) mod inspect;
mod module;
pub(crate) mod modules;
pub(crate) mod new;
pub(crate) mod push;
pub(crate) mod queue;
pub(crate) mod result;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod settings;
pub(crate) mod test;
pub(crate) mod worker;
pub(crate) mod workers;

use std::process::ExitCode;
use std::sync::Arc;

use chicory_admin::Admin;
use chicory_queue::{BrokerError, Connected, SystemClock};

use crate::args::{Cli, Command};
use crate::config::{Config, FlagValue, Layers, Level, Raw};
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
    /// The operators' view of the broker, or that it can't be reached.
    pub(crate) async fn admin(&self) -> Result<Admin, BrokerError> {
        Ok(Admin::new(self.connect().await?, Arc::new(SystemClock)))
    }

    /// The broker, or that it can't be reached.
    pub(crate) async fn connect(&self) -> Result<Connected, BrokerError> {
        connect::once(&self.config.broker).await
    }
}

/// Runs the command.
pub(crate) fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let output = Output::new(cli.global.json);
    // These must work where the configuration does not.
    match &cli.command {
        Command::Compile => return Ok(compile::run()),
        Command::Completions(args) => return completions::run(args),
        Command::Config(settings::ConfigCommand::Default) => return settings::print_default(),
        _ => {}
    }
    let raw = Layers::of_process(cli.global.config.as_deref(), flags(&cli))?.merge()?;
    let config = Config::from_raw(&raw)?;
    crate::log::start(level(&cli, &config));
    let context = Context { config, output };
    let runtime = runtime(&cli.command)?;
    let ended = runtime.block_on(run(cli, &context, &raw));
    // What still blocks (a compilation that nobody waits for) must not hold up the end.
    runtime.shutdown_background();
    ended
}

fn flags(cli: &Cli) -> Vec<FlagValue> {
    let mut flags = cli.global.settings();
    match &cli.command {
        Command::Worker(args) => flags.extend(args.settings()),
        Command::Demo(args) => flags.extend(args.settings()),
        Command::Enqueue(args) => flags.extend(args.settings()),
        _ => {}
    }
    flags
}

/// A worker logs what it does. Other commands log only what is wrong, and the demo and dev, which tell
/// of failures themselves, only errors; unless they are told otherwise.
fn level(cli: &Cli, config: &Config) -> Level {
    match &cli.command {
        Command::Worker(_) => config.worker.log_level,
        _ if cli.global.log_level.is_some() => config.worker.log_level,
        Command::Demo(_) | Command::Dev(_) => Level::Error,
        _ => Level::Warning,
    }
}

/// A thread for a worker's duties beside the main one; its sandboxes have their own. A second would only
/// have to be woken: a task on an idle worker then takes longer. Anything else needs none.
fn runtime(command: &Command) -> std::io::Result<tokio::runtime::Runtime> {
    let serves = match command {
        Command::Worker(args) => !args.supervises(),
        Command::Demo(_) | Command::Dev(_) => true,
        _ => false,
    };
    if serves {
        return tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("duties")
            .enable_all()
            .build();
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

async fn run(cli: Cli, context: &Context, raw: &Raw) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Worker(args) => return worker::run(*args, context).await,
        Command::Bench(args) => bench::run(args, context, cli.global.broker).await,
        Command::Dev(args) => return dev::run(args, context).await,
        Command::Demo(_) => return demo::run(context, cli.global.broker.is_some()).await,
        Command::Compile => return Ok(compile::run()),
        Command::Completions(args) => return completions::run(&args),
        Command::Enqueue(args) => enqueue::run(args, context).await,
        Command::Client(args) => client::run(args, context).await,
        Command::Result(args) => result::run(args, context).await,
        Command::Dlq(command) => dlq::run(command, context).await,
        Command::Queue(command) => queue::run(command, context).await,
        Command::Modules(args) => modules::run(args, context).await,
        Command::Workers(args) => workers::run(args, context).await,
        Command::Cleanup(args) => cleanup::run(args, context).await,
        Command::New(args) => new::run(&args, context),
        Command::Build(args) => build::run(args, context).await,
        Command::Test(args) => test::run(args, context).await,
        Command::Bundle(args) => bundle::run(args, context).await,
        Command::Push(args) => push::run(args, context).await,
        Command::Deploy(args) => deploy::run(args, context).await,
        Command::Rollback(args) => rollback::run(args, context).await,
        Command::Run(args) => run::run(args, context).await,
        Command::Inspect(args) => inspect::run(args, context).await,
        Command::Config(command) => settings::run(command, raw, context.output),
    }
    .map(|()| ExitCode::SUCCESS)
}
