//! The recorded budget: reading, comparing, writing.
//!
//! Must not know how a cost is measured.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

/// What is recorded for one cost.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    /// What was measured when it was recorded.
    cost: f64,
    /// The fraction by which a measurement may exceed it.
    tolerance: f64,
}

/// All budgets, by their costs' names.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Recorded(BTreeMap<String, Budget>);

const HEAD: &str = "\
# What a task costs, in counts that don't depend on the machine's speed, for tests/budget.
# `cost` was measured in the profile that tests are built in; `tolerance` is the fraction by which a
# measurement may exceed it. Recorded by `make budget`, which keeps tolerances.
";

/// For a cost that was not recorded before.
const TOLERANCE: f64 = 0.1;

impl Recorded {
    /// The file's budgets.
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(file()).expect("tests/budget.toml can be read");
        toml::from_str(&text).expect("tests/budget.toml is as `make budget` writes it")
    }

    /// Whether all costs are within their budgets; prints each of them.
    pub(crate) fn holds(&self, costs: &[(&str, f64)]) -> bool {
        let mut holds = true;
        for (name, cost) in costs {
            let budget = self.0.get(*name);
            let verdict = budget.map_or("not recorded", |budget| budget.verdict(*cost));
            holds &= budget.is_some_and(|budget| *cost <= budget.most());
            let recorded = budget.map_or(f64::NAN, |budget| budget.cost);
            println!("{name:<24} {cost:>12.2}   recorded {recorded:>12.2}   {verdict}");
        }
        holds
    }

    /// Writes what was measured, and keeps the rest.
    pub(crate) fn write(costs: &[(&str, f64)]) {
        let mut budgets = fs::read_to_string(file()).map_or_else(
            |_| BTreeMap::new(),
            |text| toml::from_str::<Self>(&text).map_or_else(|_| BTreeMap::new(), |read| read.0),
        );
        for (name, cost) in costs {
            let tolerance = budgets
                .get(*name)
                .map_or(TOLERANCE, |budget| budget.tolerance);
            let cost = (cost * 100.0).round() / 100.0;
            budgets.insert((*name).to_owned(), Budget { cost, tolerance });
        }
        let mut text = HEAD.to_owned();
        for (name, Budget { cost, tolerance }) in budgets {
            let line = format!("\n[{name}]\ncost = {cost:?}\ntolerance = {tolerance:?}\n");
            text.write_str(&line).expect("a text takes text");
        }
        fs::write(file(), &text).expect("tests/budget.toml can be written");
        print!("{text}");
    }
}

impl Budget {
    fn most(self) -> f64 {
        self.cost * (1.0 + self.tolerance)
    }

    fn verdict(self, cost: f64) -> &'static str {
        if cost > self.most() {
            "TOO MUCH"
        } else if cost < self.cost * (1.0 - self.tolerance) {
            "less: record it"
        } else {
            "ok"
        }
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("budget.toml")
}
