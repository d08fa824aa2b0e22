//! `chicory completions`: a completion script for a shell.
//!
//! Must work without a valid configuration.

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use crate::output::write_line;

/// Flags of `chicory completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chicory completions bash > ~/.local/share/bash-completion/completions/chicory
  chicory completions zsh > ~/.zfunc/_chicory")]
pub(crate) struct CompletionsArgs {
    /// Shell to complete for
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(args: &CompletionsArgs, mut command: clap::Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "chicory", &mut script);
    write_line(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
