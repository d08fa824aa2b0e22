//! `chicory modules list`: a line for each module.
//!
//! Must not know one module's versions but for the active one.

use chicory_queue::{ModuleRecord, Registry, Timestamp};
use serde::Serialize;

use super::{second, short, sorted, state};
use crate::output::{Output, table};

/// A module in a line.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    module: String,
    version: Option<String>,
    digest: Option<String>,
    tasks: usize,
    since: Option<Timestamp>,
    by: Option<String>,
    versions: usize,
    state: String,
}

pub(super) async fn run(registry: &dyn Registry, output: Output) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let records = sorted(registry).await?;
    let rows: Vec<_> = records.into_iter().map(|record| row(record, now)).collect();
    output.value(&rows, |rows| human(rows))
}

pub(super) fn row(record: ModuleRecord, now: Timestamp) -> Row {
    let state = state(&record, now);
    let active = record.active_version();
    let since = record.history.last().filter(|_| active.is_some());
    Row {
        version: active.and_then(|version| version.version.clone()),
        tasks: active.map_or(0, |version| version.tasks.len()),
        since: since.map(|activation| activation.at),
        by: since.map(|activation| activation.by.clone()),
        versions: record.versions.len(),
        state,
        module: record.name,
        digest: record.active,
    }
}

pub(super) fn human(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "no module is deployed; `chicory deploy PATH` deploys one".into();
    }
    let header = [
        "MODULE", "VERSION", "DIGEST", "TASKS", "SINCE", "BY", "STATE",
    ];
    let rows = rows.iter().map(|row| {
        [
            row.module.clone(),
            row.version.clone().unwrap_or_default(),
            row.digest.as_deref().map(short).unwrap_or_default().into(),
            row.tasks.to_string(),
            row.since.map(second).unwrap_or_default(),
            row.by.clone().unwrap_or_default(),
            row.state.clone(),
        ]
    });
    table(header, rows)
}
