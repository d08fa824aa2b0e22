//! `chicory test`: the project's cases, run on the built module without a broker.
//!
//! Must not know how cases are written or judged ([`chicory_project::Cases`]).

mod report;

use std::path::PathBuf;

use chicory_project::{BuildRequest, Cases, Project, RunOptions, record};
use clap::Args;

use super::{Context, build, module};
use crate::exit::CommandError;

/// More than any test uses: with it fuel is counted.
const UNBOUNDED: u64 = u64::MAX / 2;

/// Flags of `chicory test`.
#[derive(Debug, Args)]
#[command(after_help = "\
A case has a `task`, `args` and `kwargs`; `result`, or `error` (a name) and `message` (a part of it);
`limits` as in a manifest, `max_fuel`. Fuel is about one unit per instruction, so it says what a task
costs on any machine. With --update-usage the file keeps what each case uses, and from then on a
case that uses more than that by over 10 % (`tolerance` in the file) fails.
Exit code 1: a case failed.
Examples:
  chicory test
  chicory test word-count --update-usage")]
pub(crate) struct TestArgs {
    /// The project's folder
    #[arg(default_value = ".", hide_default_value = true)]
    dir: PathBuf,
    /// The file with the cases [default: DIR/cases.toml]
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    /// Run the module that is built, as it is
    #[arg(long)]
    no_build: bool,
    /// Fail each case that uses more fuel, unless it has a `max_fuel` of its own
    #[arg(long, value_name = "UNITS")]
    max_fuel: Option<u64>,
    /// Write what each case used into the file, in place of what is there
    #[arg(long)]
    update_usage: bool,
}

/// Runs all cases; one that fails is an error of the command.
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
