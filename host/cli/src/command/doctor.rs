//! `chicory doctor`: whether the server, the settings, this machine and the tool chains are as they should be.
//!
//! Must not know what is right for a server: `chicory-admin` does.

mod machine;
mod tools;

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use chicory_admin::{Admin, Finding, Severity};
use chicory_queue::SystemClock;
use chicory_signature::with_causes;
use clap::Args;
use serde_json::json;

use super::Context;
use crate::config::{Raw, Source};
use crate::connect;
use crate::output::printable;

/// Flags of `chicory doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 nothing is wrong, or only warnings; 1 there is an error.

Examples:
  chicory doctor
  chicory doctor --broker redis://localhost:6379 --json")]
pub(crate) struct DoctorArgs {
    /// Skip the tool chains, which only machines that build modules need
    #[arg(long)]
    no_tools: bool,
}

/// Looks at everything, and says what it found.
pub(crate) async fn run(
    args: DoctorArgs,
    context: &Context,
    raw: &Raw,
) -> anyhow::Result<ExitCode> {
    let mut findings = vec![settings(raw)];
    findings.extend(broker(context).await);
    findings.extend(machine::findings(&context.config));
    if !args.no_tools {
        findings.extend(tools::findings().await);
    }
    let worst = findings.iter().map(|finding| finding.severity).max();
    let body = json!({ "ok": worst < Some(Severity::Error), "findings": findings });
    context.output.value(&body, |_| text(&findings))?;
    Ok(ExitCode::from(u8::from(worst >= Some(Severity::Error))))
}

fn settings(raw: &Raw) -> Finding {
    let mut files = 0;
    let mut variables = 0;
    for source in raw.all().filter_map(|(_, value)| Some(&value?.source)) {
        match source {
            Source::File(_) => files += 1,
            Source::Environment | Source::DotEnv => variables += 1,
            Source::Default | Source::Flag(_) => {}
        }
    }
    Finding::ok(
        "settings",
        format!(
            "{files} from a settings file, {variables} from variables; `chicory config show` prints all"
        ),
    )
}

async fn broker(context: &Context) -> Vec<Finding> {
    let place = connect::place(&context.config.broker);
    match context.connect().await {
        Ok(connected) => {
            let mut findings = vec![Finding::ok("broker", place)];
            findings.extend(Admin::new(connected, Arc::new(SystemClock)).checkup().await);
            findings
        }
        Err(error) => vec![Finding::error(
            "broker",
            with_causes(&error),
            "start it, or set its address with --broker or CHICORY_BROKER",
        )],
    }
}

/// The width of the lines for people.
const WIDTH: usize = 80;
/// Where the text of a finding begins.
const INDENT: usize = 23;

/// One line for each finding, continued below itself where it is long, and how many there are.
fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let level = match finding.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
            _ => "ok",
        };
        let said = if finding.advice.is_empty() {
            finding.text.clone()
        } else {
            format!("{}; {}", finding.text, finding.advice)
        };
        let said = printable(&said).replace('\n', " ");
        // Writing to a text never fails.
        let _ = writeln!(text, "{level:<9}{:<14}{}", finding.subject, wrapped(&said));
    }
    let count = |severity| {
        findings
            .iter()
            .filter(|found| found.severity == severity)
            .count()
    };
    let (warnings, errors) = (count(Severity::Warning), count(Severity::Error));
    format!("{text}{warnings} warnings, {errors} errors")
}

/// Broken between words.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut column = INDENT;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > INDENT && column + 1 + length > WIDTH {
            lines.push('\n');
            lines.push_str(&" ".repeat(INDENT));
            column = INDENT;
        } else if column > INDENT {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_lines_of_eighty_columns() {
        let findings = [
            Finding::ok("broker", "redis://localhost:6379/0"),
            Finding::error(
                "eviction",
                "maxmemory-policy is allkeys-lru: when its memory is full, the server drops messages without a word",
                "set `maxmemory-policy noeviction` in its configuration",
            ),
            Finding::warning("go", "not found", "install it to build projects in Go"),
        ];
        let text = text(&findings);
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        insta::assert_snapshot!(text);
    }
}
