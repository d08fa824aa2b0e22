//! `chicory new`: a project that builds, tests and runs as it is.
//!
//! Must not know what is in a template.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::Context;
use crate::exit::CommandError;
use crate::project::{self, Language};

/// Flags of `chicory new`.
#[derive(Debug, Args)]
#[command(after_help = "\
The project has a task, test cases for it in cases.toml, and a manifest that says what the module may
touch.
Example: chicory new word-count --lang rust")]
pub(crate) struct NewArgs {
    /// The module's name: small letters, digits, `-` and `_`
    name: String,
    /// The language that tasks are written in
    #[arg(long, short, value_enum)]
    lang: Language,
    /// The folder to write into [default: NAME]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Writes the project.
pub(crate) fn run(args: &NewArgs, context: &Context) -> anyhow::Result<()> {
    project::check_name(&args.name)?;
    let dir = args.dir.clone().unwrap_or_else(|| args.name.clone().into());
    check_empty(&dir)?;
    project::write_template(&dir, &args.name, args.lang)?;
    let body = json!({ "project": dir, "name": args.name, "language": args.lang.folder() });
    let (shown, name) = (dir.display(), &args.name);
    // Go's tasks are programs.
    let task = match args.lang {
        Language::Go => "run",
        _ => "summarize",
    };
    context.output.value(&body, |_| {
        format!(
            "wrote the {} project {name} to {shown}\n\n\
             next:\n  cd {shown}\n  chicory build\n  chicory test\n  \
             chicory run build/{name}.wasm {task} \"to be or not to be\" 2\n  chicory dev",
            args.lang,
        )
    })
}

fn check_empty(dir: &Path) -> Result<(), CommandError> {
    let wrong = if dir.is_file() {
        "it is a file"
    } else if std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        "it is there and not empty"
    } else {
        return Ok(());
    };
    Err(CommandError::Usage(format!(
        "can't write a project to {}: {wrong}; name another folder by --dir",
        dir.display()
    )))
}
