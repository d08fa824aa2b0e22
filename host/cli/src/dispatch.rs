//! From the command line to the command: settings, logging, the threads that it runs on.
//!
//! Must not know what a command does.

use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::args::{Cli, Command};
use crate::command::{
    Context, bench, build, bundle, cleanup, client, compile, completions, demo, deploy, dev, dlq,
    doctor, enqueue, inspect, modules, new, push, queue, result, rollback, run, settings, tenant,
    test, worker, workers,
};
use crate::config::{Config, FlagValue, Layers, Level, Raw};
use crate::log;
use crate::output::Output;

/// Runs the command.
pub(crate) fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let output = Output::new(cli.global.json);
    // These must work even if the configuration is not valid.
    match &cli.command {
        Command::Compile => return Ok(compile::run()),
        Command::Completions(args) => return completions::run(args, Cli::command()),
        Command::Config(settings::ConfigCommand::Default) => return settings::print_default(),
        _ => {}
    }
    let raw = Layers::of_process(cli.global.config.as_deref(), flags(&cli))?.merge()?;
    let config = Config::from_raw(&raw)?;
    let shared = matches!(&cli.command, Command::Worker(args) if args.is_one_of_several());
    log::start(level(&cli, &config), shared);
    if let Command::Worker(args) = &cli.command {
        // Before there are other threads.
        args.confine(&config)?;
    }
    let context = Context { config, output };
    let runtime = runtime(&cli.command)?;
    let ended = runtime.block_on(run_command(cli, &context, &raw));
    // A blocked thread (a compilation that nobody waits for) must not delay the exit.
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

/// A worker logs what it does. Other commands log warnings, and `demo` and `dev`, which report failures themselves, only
/// errors, unless a level is given.
fn level(cli: &Cli, config: &Config) -> Level {
    match &cli.command {
        Command::Worker(_) => config.worker.log_level,
        _ if cli.global.log_level.is_some() => config.worker.log_level,
        Command::Demo(_) | Command::Dev(_) => Level::Error,
        _ => Level::Warning,
    }
}

/// A worker gets one thread for its duties besides the main thread; its sandboxes have their own. With a second, tasks
/// on an idle worker would take longer, since that thread would have to be woken. Other commands need none.
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

async fn run_command(cli: Cli, context: &Context, raw: &Raw) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Worker(args) => return worker::run(*args, context).await,
        Command::Bench(args) => bench::run(args, context, cli.global.broker).await,
        Command::Dev(args) => return dev::run(args, context).await,
        Command::Demo(_) => return demo::run(context, cli.global.broker.is_some()).await,
        Command::Doctor(args) => return doctor::run(args, context, raw).await,
        Command::Compile => return Ok(compile::run()),
        Command::Completions(args) => return completions::run(&args, Cli::command()),
        Command::Enqueue(args) => enqueue::run(args, context).await,
        Command::Client(args) => client::run(args, context).await,
        Command::Result(args) => result::run(args, context).await,
        Command::Dlq(command) => dlq::run(command, context).await,
        Command::Queue(command) => queue::run(command, context).await,
        Command::Modules(args) => modules::run(args, context).await,
        Command::Tenant(command) => tenant::run(command, context).await,
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
