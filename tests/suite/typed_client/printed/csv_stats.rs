//! Calls of the module `csv-stats` with their types, version f119eeda8ce0.
//!
//! Written by `chicory client`; needs the crates `chicory-queue` and `serde` (with `derive`). A float
//! that is not a number can't be sent, and a result with one can't be read.

use chicory_queue::Call;
use serde::{Deserialize, Serialize};

/// `func(table: string, group-by: string, value: string, separator: option<char>) -> result<list<record { key: string, count: u64, sum: f64, min: f64, max: f64, mean: f64 }>, variant { no-such-column(string), not-a-number(record { line: u64, text: string }), malformed(string) }>`
pub fn aggregate(
    table: &str,
    group_by: &str,
    value: &str,
    separator: Option<char>,
) -> Call<Vec<AggregateResultItem>> {
    Call::new("csv-stats.aggregate")
        .arg(table)
        .arg(group_by)
        .arg(value)
        .arg(separator)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AggregateResultItem {
    pub key: String,
    pub count: u64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
    pub mean: f64,
}
