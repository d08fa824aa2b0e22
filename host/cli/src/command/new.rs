//! `chicory new`: writes a project that builds, passes its tests and runs.
//!
//! Must not know what is in a template.

use std::path::PathBuf;

use chicory_project::{Language, create};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::Context;

/// Flags of `chicory new`.
#[derive(Debug, Args)]
#[command(after_help = "\
The project contains a task, test cases for it (cases.toml), and a manifest that says what the \
module may access.

Example: chicory new word-count --lang rust")]
pub(crate) struct NewArgs {
    /// Module name: lower-case letters, digits, `-` and `_`
    name: String,
    /// Language of the project
    #[arg(long, short, value_enum)]
    lang: LanguageArg,
    /// Folder to write to [default: NAME]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// [`Language`] as a flag's value.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum LanguageArg {
    /// Cargo and rustc
    Rust,
    /// componentize-py
    Python,
    /// componentize-js
    Javascript,
    /// componentize-js
    Typescript,
    /// clang with a library for WASI
    C,
    /// The Go tool chain
    Go,
}

impl From<LanguageArg> for Language {
    fn from(arg: LanguageArg) -> Self {
        match arg {
            LanguageArg::Rust => Self::Rust,
            LanguageArg::Python => Self::Python,
            LanguageArg::Javascript => Self::Javascript,
            LanguageArg::Typescript => Self::Typescript,
            LanguageArg::C => Self::C,
            LanguageArg::Go => Self::Go,
        }
    }
}

/// Writes the project.
pub(crate) fn run(args: &NewArgs, context: &Context) -> anyhow::Result<()> {
    let language = Language::from(args.lang);
    let dir = args.dir.clone().unwrap_or_else(|| args.name.clone().into());
    create(&dir, &args.name, language)?;
    let body = json!({ "project": dir, "name": args.name, "language": language.name() });
    let (shown, name) = (dir.display(), &args.name);
    // Go's tasks are programs.
    let task = match language {
        Language::Go => "run",
        _ => "summarize",
    };
    context.output.value(&body, |_| {
        format!(
            "wrote the {language} project {name} to {shown}\n\n\
             next:\n  cd {shown}\n  chicory build\n  chicory test\n  \
             chicory run build/{name}.wasm {task} \"to be or not to be\" 2\n  chicory dev",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_can_be_chosen() {
        let choices = LanguageArg::value_variants().iter().copied();
        assert!(choices.map(Language::from).eq(Language::ALL));
    }
}
