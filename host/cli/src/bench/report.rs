//! The figures: runs, medians and spread, as a table for people and JSON for machines.

use comfy_table::Table;
use serde::Serialize;

use super::BenchArgs;
use super::machine::Machine;

/// All measures so far.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: Machine,
    tasks: usize,
    workers: usize,
    concurrency: usize,
    measures: Vec<Series>,
}

/// One measure's runs.
#[derive(Debug, Serialize)]
struct Series {
    name: &'static str,
    unit: &'static str,
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
            measures: Vec::new(),
        }
    }

    /// Adds a run to a measure.
    pub(super) fn add(&mut self, name: &'static str, unit: &'static str, value: f64) {
        match self.measures.iter_mut().find(|series| series.name == name) {
            Some(series) => series.add(value),
            None => self.measures.push(Series { name, unit, median: value, min: value, max: value, runs: vec![value] }),
        }
    }

    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        println!("{}", self.machine.describe());
        println!("{} tasks a run, {} worker process(es), concurrency {}", self.tasks, self.workers, self.concurrency);
        let mut table = Table::new();
        table.set_header(["measure", "unit", "median", "min", "max", "runs"]);
        for series in &self.measures {
            let show = |value: f64| if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") };
            table.add_row([
                series.name.to_owned(), series.unit.to_owned(), show(series.median),
                show(series.min), show(series.max), series.runs.len().to_string(),
            ]);
        }
        println!("{table}");
        Ok(())
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
        let mut series = Series { name: "x", unit: "y", median: 4.0, min: 4.0, max: 4.0, runs: vec![4.0] };
        series.add(1.0);
        assert_eq!((series.median, series.min, series.max), (2.5, 1.0, 4.0));
        series.add(9.0);
        assert_eq!((series.median, series.min, series.max), (4.0, 1.0, 9.0));
    }
}
