//! The cases' reports as a table, with what is wrong below it.
//!
//! Must not know how outcomes are judged.

use std::fmt::Write as _;

use chicory_project::{CaseReport, Problem};
use indicatif::HumanBytes;
use serde_json::{Value, json};

use crate::output::{printable, table};

/// A problem, with the flag that helps.
fn told(problem: &Problem) -> String {
    match problem {
        Problem::Growth { .. } => {
            format!("{problem}; if that is right, --update-usage records it")
        }
        _ => problem.to_string(),
    }
}

fn milliseconds(report: &CaseReport) -> f64 {
    report.wall.as_secs_f64() * 1000.0
}

pub(super) fn body(reports: &[CaseReport]) -> Value {
    let cases = reports.iter().map(|report| {
        let problems: Vec<_> = report.problems.iter().map(told).collect();
        json!({
            "name": report.name, "task": report.task, "passed": report.passed(), "problems": problems,
            "usage": report.usage, "wall_ms": milliseconds(report), "log": report.log,
        })
    });
    json!({ "passed": reports.iter().all(CaseReport::passed), "cases": cases.collect::<Vec<_>>() })
}

pub(super) fn human(reports: &[CaseReport]) -> String {
    let cells = reports.iter().map(|report| {
        [
            if report.passed() { "passed" } else { "FAILED" }.to_owned(),
            report.name.clone(),
            report.task.clone(),
            report.usage.fuel.to_string(),
            HumanBytes(report.usage.peak_memory).to_string(),
            format!("{:.1} ms", milliseconds(report)),
        ]
    });
    let mut text = table(["", "case", "task", "fuel", "memory", "time"], cells);
    for report in reports.iter().filter(|report| !report.passed()) {
        let _ = write!(text, "\n\nFAILED {}", report.name);
        for problem in &report.problems {
            let problem = told(problem);
            let _ = write!(text, "\n  {}", problem.trim_end().replace('\n', "\n  "));
        }
        for line in &report.log {
            let _ = write!(text, "\n  log: {}", line.message);
        }
    }
    let passed = reports.iter().filter(|report| report.passed()).count();
    let _ = write!(text, "\n\n{passed} of {} cases passed", reports.len());
    printable(&text)
}
