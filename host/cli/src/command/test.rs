//! `chicory test`: the project's cases, run on the built module without a broker.
//!
//! Must not know how the file of cases is written, nor how an end is compared with what was expected.

mod cases;
mod check;
mod record;
mod report;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use chicory_runtime::{Invocation, Module, Sandbox};
use clap::Args;

use super::{Context, build, module};
use crate::exit::CommandError;
use crate::project::{Built, Linked, Project, Request};
use cases::{Case, Cases, Usage};
use check::Verdict;
use report::Row;

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
        Built {
            file: project.module(),
            linked: Linked::Nothing,
        }
    } else {
        let request = Request {
            output: None,
            quiet: true,
            debug: false,
        };
        build::made(project.clone(), request).await?
    };
    let sandbox = module::sandbox_with_source_lines(&context.config)?;
    let mut request = module::read(&built.file)?.request;
    request.settings.limits.fuel.get_or_insert(UNBOUNDED);
    let module = sandbox.load(request).await?;
    let mut rows = Vec::new();
    for case in &cases.all {
        let bound = case.max_fuel.or(args.max_fuel).or(cases.max_fuel);
        rows.push(try_case(&sandbox, &module, case, bound, &cases, args.update_usage).await?);
    }
    context
        .output
        .value(&report::body(&rows), |_| report::human(&rows))?;
    if args.update_usage {
        record::write(&file, &rows)?;
    }
    match rows.iter().filter(|row| !row.passed()).count() {
        0 => Ok(()),
        failed => {
            Err(CommandError::Failed(format!("{failed} of {} cases failed", rows.len())).into())
        }
    }
}

/// Runs one case. The error is for a case that can't be run as it is written.
async fn try_case(
    sandbox: &Sandbox,
    module: &Module,
    case: &Case,
    max_fuel: Option<u64>,
    cases: &Cases,
    updating: bool,
) -> anyhow::Result<Row> {
    let wrong = |reason: String| CommandError::Usage(format!("case {:?}: {reason}", case.name));
    let Some(task) = module.task(&case.task) else {
        let names: Vec<_> = module.tasks().map(|task| task.name()).collect();
        let reason = format!(
            "the module has no task {:?}; it has {}",
            case.task,
            names.join(", ")
        );
        return Err(wrong(reason).into());
    };
    let task = task
        .limited(&case.limits)
        .map_err(|error| wrong(error.to_string()))?;
    let arguments = case.arguments().map_err(wrong)?;
    let mut invocation = Invocation::new(Arc::clone(&task), arguments);
    invocation.context.id = "test".into();
    let ended = sandbox.run(invocation).await;
    let used = Usage {
        fuel: ended.usage.fuel.unwrap_or_default(),
        peak_memory: ended.usage.peak_memory,
    };
    let mut problems = check::end(case, &ended.how).context(case.name.clone())?;
    problems.extend(check::fuel(max_fuel, used));
    if !updating {
        problems.extend(check::growth(case.usage, used, cases.tolerance));
    }
    let verdict = Verdict { problems };
    Ok(Row::new(case, verdict, used, ended))
}
