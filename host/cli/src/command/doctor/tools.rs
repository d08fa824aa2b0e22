//! Which tool chains are there, for those who build modules on this machine.
//!
//! Must not build anything.

use std::process::Stdio;
use std::time::Duration;

use chicory_admin::Finding;
use futures::future::join_all;
use tokio::process::Command;

/// A language's tool, and what it prints its version for.
struct Tool {
    language: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
}

const TOOLS: [Tool; 5] = [
    tool("rust", "cargo", &["--version"]),
    tool("python", "python3", &["--version"]),
    tool("javascript", "node", &["--version"]),
    tool("c", "clang", &["--version"]),
    tool("go", "go", &["version"]),
];

const fn tool(
    language: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
) -> Tool {
    Tool {
        language,
        program,
        arguments,
    }
}

/// Longer than any of them takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// All of them are asked at once.
pub(super) async fn findings() -> Vec<Finding> {
    join_all(TOOLS.iter().map(look)).await
}

async fn look(tool: &Tool) -> Finding {
    let asked = Command::new(tool.program)
        .args(tool.arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let answer = tokio::time::timeout(PATIENCE, asked).await;
    let printed = match answer {
        Ok(Ok(output)) if output.status.success() => output.stdout,
        _ => {
            return Finding::warning(
                tool.language,
                format!("{} was not found, or does not work", tool.program),
                "install it to build projects in this language here",
            );
        }
    };
    let text = String::from_utf8_lossy(&printed);
    let first = text.lines().next().unwrap_or_default();
    Finding::ok(tool.language, format!("{}: {first}", tool.program))
}
