//! The cases' ends as a table, with what is wrong below it.
//!
//! Must not know how ends are judged.

use std::fmt::Write as _;

use chicory_runtime::{Ended, LogLine};
use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::cases::{Case, Usage};
use super::check::Verdict;
use crate::output::{printable, table};

/// One case's end.
pub(super) struct Row {
    name: String,
    task: String,
    verdict: Verdict,
    /// What it used.
    pub(super) usage: Usage,
    milliseconds: f64,
    log: Vec<LogLine>,
}

impl Row {
    pub(super) fn new(case: &Case, verdict: Verdict, usage: Usage, ended: Ended) -> Self {
        Self {
            name: case.name.clone(),
            task: case.task.clone(),
            verdict,
            usage,
            milliseconds: ended.usage.wall.as_secs_f64() * 1000.0,
            log: ended.log,
        }
    }

    pub(super) fn passed(&self) -> bool {
        self.verdict.problems.is_empty()
    }
}

pub(super) fn body(rows: &[Row]) -> Value {
    let cases = rows.iter().map(|row| {
        json!({
            "name": row.name, "task": row.task, "passed": row.passed(), "problems": row.verdict.problems,
            "usage": row.usage, "wall_ms": row.milliseconds, "log": row.log,
        })
    });
    json!({ "passed": rows.iter().all(Row::passed), "cases": cases.collect::<Vec<_>>() })
}

pub(super) fn human(rows: &[Row]) -> String {
    let cells = rows.iter().map(|row| {
        [
            if row.passed() { "passed" } else { "FAILED" }.to_owned(),
            row.name.clone(),
            row.task.clone(),
            row.usage.fuel.to_string(),
            HumanBytes(row.usage.peak_memory).to_string(),
            format!("{:.1} ms", row.milliseconds),
        ]
    });
    let mut text = table(["", "case", "task", "fuel", "memory", "time"], cells);
    for row in rows.iter().filter(|row| !row.passed()) {
        let _ = write!(text, "\n\nFAILED {}", row.name);
        for problem in &row.verdict.problems {
            let _ = write!(text, "\n  {}", problem.trim_end().replace('\n', "\n  "));
        }
        for line in &row.log {
            let _ = write!(text, "\n  log: {}", line.message);
        }
    }
    let passed = rows.iter().filter(|row| row.passed()).count();
    let _ = write!(text, "\n\n{passed} of {} cases passed", rows.len());
    printable(&text)
}
