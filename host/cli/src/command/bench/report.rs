//! The figures: runs, medians and spread, as a table for people and JSON for machines.

use std::fmt;

use serde::Serialize;

use super::BenchArgs;
use super::machine::Machine;
use crate::output::{Output, table};

/// What a figure counts.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) enum Unit {
    #[serde(rename = "1/s")]
    PerSecond,
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "µs/task")]
    MicrosecondsPerTask,
    #[serde(rename = "1/task")]
    PerTask,
    #[serde(rename = "MiB")]
    Mebibytes,
    #[serde(rename = "% of a core")]
    PercentOfCore,
    #[serde(rename = "times")]
    Times,
}

/// All measures so far.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: Machine,
    tasks: usize,
    workers: usize,
    concurrency: usize,
    threads: Option<usize>,
    aof: bool,
    measures: Vec<Series>,
}

/// One measure's runs.
#[derive(Debug, Serialize)]
struct Series {
    name: String,
    unit: Unit,
    median: f64,
    min: f64,
    max: f64,
    runs: Vec<f64>,
}

impl Report {
    pub(super) fn new(args: &BenchArgs) -> Self {
        Self {
            machine: Machine::look(),
            tasks: args.tasks,
            workers: args.workers,
            concurrency: args.concurrency,
            threads: args.threads,
            aof: args.aof,
            measures: Vec::new(),
        }
    }

    /// Adds a run to a measure.
    pub(super) fn add(&mut self, name: impl Into<String>, unit: Unit, value: f64) {
        let name = name.into();
        match self.measures.iter_mut().find(|series| series.name == name) {
            Some(series) => series.add(value),
            None => self.measures.push(Series {
                name,
                unit,
                median: value,
                min: value,
                max: value,
                runs: vec![value],
            }),
        }
    }

    /// Adds a run to a measure that not every machine or broker has.
    pub(super) fn add_some(&mut self, name: &str, unit: Unit, value: Option<f64>) {
        if let Some(value) = value {
            self.add(name, unit, value);
        }
    }

    /// As a table for people, or JSON for machines.
    pub(super) fn print(&self, output: Output) -> anyhow::Result<()> {
        output.value(self, Self::describe)
    }

    fn describe(&self) -> String {
        let rows = self.measures.iter().map(|series| {
            [
                series.name.clone(),
                series.unit.to_string(),
                rounded(series.median),
                rounded(series.min),
                rounded(series.max),
                series.runs.len().to_string(),
            ]
        });
        format!(
            "{}\n{} tasks per run, {} worker process(es), concurrency {}\n{}",
            self.machine.describe(),
            self.tasks,
            self.workers,
            self.concurrency,
            table(["measure", "unit", "median", "min", "max", "runs"], rows)
        )
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

fn rounded(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}

impl Series {
    fn add(&mut self, value: f64) {
        self.runs.push(value);
        let mut sorted = self.runs.clone();
        sorted.sort_by(f64::total_cmp);
        self.min = sorted[0];
        self.max = sorted[sorted.len() - 1];
        self.median = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        let mut series = Series {
            name: "x".into(),
            unit: Unit::Times,
            median: 4.0,
            min: 4.0,
            max: 4.0,
            runs: vec![4.0],
        };
        series.add(1.0);
        assert_eq!((series.median, series.min, series.max), (2.5, 1.0, 4.0));
        series.add(9.0);
        assert_eq!((series.median, series.min, series.max), (4.0, 1.0, 9.0));
    }
}
