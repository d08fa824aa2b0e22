//! `chicory config`: the documented defaults, and the effective settings with their sources.
//!
//! Must not show secrets.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::config::{DEFAULTS, Raw};
use crate::output::{Output, table, write_line};

/// Commands of `chicory config`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print a settings file with all defaults and their meaning
    Default,
    /// Print the effective settings and where each comes from; secrets are masked
    Show,
}

/// Prints `chicory.default.toml`.
pub(crate) fn print_default() -> anyhow::Result<ExitCode> {
    write_line(DEFAULTS)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the effective settings.
pub(crate) fn run(command: ConfigCommand, raw: &Raw, output: Output) -> anyhow::Result<()> {
    if matches!(command, ConfigCommand::Default) {
        return print_default().map(|_| ());
    }
    let rows: Vec<[String; 4]> = raw
        .all()
        .map(|(setting, value)| {
            let (text, source) = value.map_or_else(Default::default, |value| {
                (setting.shown(&value.text), value.source.to_string())
            });
            [setting.in_file(), setting.variable(), text, source]
        })
        .collect();
    let body: Vec<_> = rows
        .iter()
        .map(|[name, variable, value, source]| {
            json!({ "name": name, "variable": variable, "value": value, "source": source })
        })
        .collect();
    output.value(&body, |_| {
        table(["SETTING", "VARIABLE", "VALUE", "FROM"], rows)
    })
}
