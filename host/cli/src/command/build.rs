//! `chicory build`: builds a project, checks the module as a worker would, and describes it.
//!
//! Must not know tool chains ([`chicory_project`]).

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chicory_project::{BuildRequest, Built, Linked, Progress, Project, build};
use chicory_runtime::{Description, LoadError, Need, Sandbox, Signature};
use chicory_signature::{shown_names, with_causes};
use clap::Args;
use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::{Context, module};
use crate::config::user_cache;
use crate::exit::CommandError;
use crate::output::{printable, tell};

/// Flags of `chicory build`.
#[derive(Debug, Args)]
#[command(after_help = "\
The language is detected from the files in the folder: Cargo.toml, pyproject.toml, package.json, \
go.mod or main.c. The same source gives the same digest, wherever the project is. The project's \
manifest, NAME.toml, is copied next to the module.

Exit code 1: the build failed, or a worker would refuse the module; the output says which grants \
are missing.

Examples:
  chicory build
  chicory build word-count --output modules/word-count.wasm")]
pub(crate) struct BuildArgs {
    /// Project folder [default: the current folder]
    #[arg(default_value = ".", hide_default_value = true)]
    dir: PathBuf,
    /// Where to write the module [default: DIR/build/NAME.wasm]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Keep source lines for backtraces; the module becomes several times larger
    #[arg(long)]
    debug: bool,
}

/// The outcome of a build.
pub(crate) struct Report {
    project: Project,
    file: PathBuf,
    linked: Linked,
    description: Description,
    /// What the module needs and the manifest does not grant.
    missing: Vec<Need>,
    took: Duration,
}

/// Builds, and reports.
pub(crate) async fn run(args: BuildArgs, context: &Context) -> anyhow::Result<()> {
    let project = Project::find(&args.dir)?;
    let request = BuildRequest {
        output: args.output,
        debug: args.debug,
        ..BuildRequest::default()
    };
    let begun = Instant::now();
    let built = made(project.clone(), request).await?;
    let took = begun.elapsed();
    let sandbox = module::sandbox(&context.config)?;
    let report = check(&sandbox, project, built, took).await?;
    context.output.value(&report.body(), |_| report.human())?;
    if report.missing.is_empty() {
        return Ok(());
    }
    let message = "the module is built, but a worker would refuse it: grants are missing";
    Err(CommandError::Failed(message.into()).into())
}

/// Builds on a thread that may block, with tools in the user's cache.
pub(crate) async fn made(project: Project, request: BuildRequest) -> anyhow::Result<Built> {
    let request = BuildRequest {
        cache: user_cache(),
        ..request
    };
    let built = tokio::task::spawn_blocking(move || build(&project, &request, &say)).await?;
    Ok(built?)
}

fn say(progress: Progress<'_>) {
    if let Progress::Installing { name, folder } = progress {
        let folder = folder.display();
        tell(&format!(
            "installing what builds {name} into {folder} (once)"
        ));
    }
}

/// Loads the module as a worker would.
async fn check(
    sandbox: &Sandbox,
    project: Project,
    built: Built,
    took: Duration,
) -> anyhow::Result<Report> {
    let file = built.file;
    let (description, missing) = match sandbox.load(module::read(&file)?.request).await {
        Ok(module) => (module.description().clone(), Vec::new()),
        Err(LoadError::Ungranted { needs, .. }) => {
            (sandbox.inspect(module::read(&file)?.request).await?, needs)
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Report {
        project,
        file,
        linked: built.linked,
        description,
        missing,
        took,
    })
}

impl Report {
    fn body(&self) -> Value {
        let module = &self.description;
        let tasks = self.tasks();
        let need = |need: &Need| json!({ "interface": need.interface, "manifest": need.lines });
        json!({
            "name": module.name,
            "language": self.project.language.name(),
            "file": self.file,
            "digest": format!("sha256:{}", module.digest),
            "size": module.size,
            "linked_modules": if let Linked::Modules(count) = self.linked { count } else { 0 },
            "not_linked": if let Linked::Not(error) = &self.linked { Some(with_causes(&**error)) } else { None },
            "tasks": tasks.map(|(name, signature)| json!({ "name": name, "signature": signature.to_string() })).collect::<Vec<_>>(),
            "needs": module.needs.iter().map(need).collect::<Vec<_>>(),
            "missing": self.missing.iter().map(need).collect::<Vec<_>>(),
        })
    }

    /// The tasks, by their names for people.
    fn tasks(&self) -> impl Iterator<Item = (Cow<'_, str>, &Signature)> {
        let tasks = &self.description.tasks;
        let shown = shown_names(tasks.iter().map(|(full, _)| full.as_str()));
        let signatures = tasks.iter().map(|(_, signature)| signature);
        shown.into_iter().zip(signatures)
    }

    /// What is shown after the size.
    fn linked(&self) -> String {
        match &self.linked {
            Linked::Modules(count) => format!(", {count} core modules linked into one"),
            Linked::Nothing => String::new(),
            Linked::Not(error) => {
                let reason = with_causes(&**error);
                format!("\n  core modules not linked, so the module starts slowly: {reason}")
            }
        }
    }

    fn human(&self) -> String {
        let module = &self.description;
        let mut text = format!(
            "built {} ({}) in {:.1} s\n  {}{}\n  sha256:{}\n\ntasks\n",
            relative(&self.file).display(),
            self.project.language,
            self.took.as_secs_f64(),
            HumanBytes(module.size as u64),
            self.linked(),
            module.digest,
        );
        for (name, signature) in self.tasks() {
            let _ = writeln!(text, "  {}.{name}: {signature}", module.name);
        }
        for (name, reason) in &module.not_tasks {
            let _ = writeln!(text, "  not a task: {name}: {reason}");
        }
        let granted = module
            .needs
            .iter()
            .filter(|need| !self.missing.contains(need));
        let granted: Vec<_> = granted.map(|need| need.interface.as_str()).collect();
        let _ = writeln!(
            text,
            "\nneeds\n  {}",
            if module.needs.is_empty() {
                "nothing".to_owned()
            } else {
                granted.join(", ")
            }
        );
        if !self.missing.is_empty() {
            let _ = writeln!(text, "\nmissing: add to {}.toml", self.project.name);
            for (lines, interfaces) in by_lines(&self.missing) {
                let _ = writeln!(text, "  {lines}    # for {}", interfaces.join(", "));
            }
        }
        printable(text.trim_end())
    }
}

/// The lines that would grant them, each once, with the interfaces that need it.
fn by_lines(missing: &[Need]) -> Vec<(&str, Vec<&str>)> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for need in missing {
        match found.iter_mut().find(|(lines, _)| *lines == need.lines) {
            Some((_, interfaces)) => interfaces.push(&need.interface),
            None => found.push((&need.lines, vec![&need.interface])),
        }
    }
    found
}

/// The path relative to the current folder, if it is below that.
pub(crate) fn relative(file: &Path) -> PathBuf {
    let here = std::env::current_dir().and_then(|dir| dir.canonicalize());
    let below = here
        .ok()
        .and_then(|here| file.strip_prefix(here).ok().map(Path::to_owned));
    below.unwrap_or_else(|| file.to_owned())
}
