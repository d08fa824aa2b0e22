//! `chicory test`: the project's cases, run on the built module without a broker.
//!
//! Must not know how cases are written or judged ([`chicory_project::Cases`]).

mod report;

use std::path::PathBuf;

use chicory_project::{BuildRequest, Cases, Project, RunOptions, record};
use chicory_signature::{Bounded, Unit};
use clap::Args;

use super::{Context, build, module};
use crate::config::parse;
use crate::exit::CommandError;

/// More than any test uses. Fuel is counted only if there is a limit.
const UNBOUNDED: u64 = 1_000_000_000_000_000;
/// What a case's fuel may be.
const MAX_FUEL: Bounded = Bounded::new("max_fuel", 1.0, 1e15, Unit::Count);

/// Flags of `chicory test`.
#[derive(Debug, Args)]
#[command(after_help = "\
A case has a `task`, its `args` and `kwargs`, and either the expected `result` or the expected \
`error` (a name) and `message` (a part of it). It may also set `limits`, as in a manifest, and \
`max_fuel`.

Fuel is about one unit per instruction, so it measures what a task costs on any machine. With \
--update-usage, the file records what each case uses; from then on, a case that uses over 10 % more \
(`tolerance` in the file) fails.

Exit code 1: a case failed.

Examples:
  chicory test
  chicory test word-count --update-usage")]
pub(crate) struct TestArgs {
    /// Project folder [default: the current folder]
    #[arg(default_value = ".", hide_default_value = true)]
    dir: PathBuf,
    /// File with the test cases [default: DIR/cases.toml]
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    /// Run the module as it was last built
    #[arg(long)]
    no_build: bool,
    /// Fail cases that use more fuel than this, unless they set their own `max_fuel`
    #[arg(long, value_name = "UNITS", value_parser = parse::whole_number::<u64>(MAX_FUEL))]
    max_fuel: Option<u64>,
    /// Record in the file what each case used, replacing earlier records
    #[arg(long)]
    update_usage: bool,
}

/// Runs all cases; if one fails, the command fails.
pub(crate) async fn run(args: TestArgs, context: &Context) -> anyhow::Result<()> {
    let project = Project::find(&args.dir)?;
    let file = args
        .cases
        .clone()
        .unwrap_or_else(|| project.root.join("cases.toml"));
    let cases = Cases::read(&file)?;
    let built = if args.no_build {
        project.module()
    } else {
        let request = BuildRequest {
            quiet: true,
            ..BuildRequest::default()
        };
        build::made(project, request).await?.file
    };
    let sandbox = module::sandbox_with_source_lines(&context.config)?;
    let mut request = module::read(&built)?.request;
    request.settings.limits.fuel.get_or_insert(UNBOUNDED);
    let module = sandbox.load(request).await?;
    let options = RunOptions {
        max_fuel: args.max_fuel,
        ignore_recorded: args.update_usage,
    };
    let reports = cases.run(&sandbox, &module, options).await?;
    context
        .output
        .value(&report::body(&reports), |_| report::human(&reports))?;
    if args.update_usage {
        record(&file, &reports)?;
    }
    match reports.iter().filter(|report| !report.passed()).count() {
        0 => Ok(()),
        failed => {
            Err(CommandError::Failed(format!("{failed} of {} cases failed", reports.len())).into())
        }
    }
}
