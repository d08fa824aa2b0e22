//! The machine that figures come from.

use serde::Serialize;

/// What figures depend on.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    os: String,
    cpu: String,
    cores: usize,
    redis: String,
    chicory: &'static str,
    optimised: bool,
}

impl Machine {
    pub(super) fn look() -> Self {
        Self {
            os: first_line("/proc/version").unwrap_or_else(|| std::env::consts::OS.into()),
            cpu: cpu().unwrap_or_else(|| std::env::consts::ARCH.into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            redis: redis().unwrap_or_else(|| "not found".into()),
            chicory: env!("CARGO_PKG_VERSION"),
            optimised: !cfg!(debug_assertions),
        }
    }

    /// For people, in one line.
    pub(super) fn describe(&self) -> String {
        let build = if self.optimised {
            ""
        } else {
            " (a debug build: use a release build for meaningful figures)"
        };
        format!(
            "chicory {}{build} on {} cores of {}; {}",
            self.chicory, self.cores, self.cpu, self.redis
        )
    }
}

fn first_line(path: &str) -> Option<String> {
    Some(
        std::fs::read_to_string(path)
            .ok()?
            .lines()
            .next()?
            .to_owned(),
    )
}

fn cpu() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn redis() -> Option<String> {
    let output = std::process::Command::new("redis-server")
        .arg("--version")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(
        text.split_whitespace()
            .take(3)
            .collect::<Vec<_>>()
            .join(" "),
    )
}
