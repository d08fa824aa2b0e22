//! `chicory modules history`: what has been active, and when.
//!
//! Must not know what is under way.

use chicory_queue::{Activation, ModuleRecord, Registry};
use serde::Serialize;

use super::{find, second, short};
use crate::output::{Output, table};

/// A version became the active one.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    #[serde(flatten)]
    activation: Activation,
    version: Option<String>,
    /// The address that it was pulled from.
    source: Option<String>,
    /// Whether the version is still kept.
    kept: bool,
}

pub(super) async fn run(
    registry: &dyn Registry,
    module: &str,
    output: Output,
) -> anyhow::Result<()> {
    let rows = rows(&find(registry, module).await?);
    output.value(&rows, |rows| human(module, rows))
}

/// The newest first.
pub(super) fn rows(record: &ModuleRecord) -> Vec<Row> {
    let rows = record.history.iter().rev().map(|activation| {
        let version = record.version(&activation.digest);
        Row {
            activation: activation.clone(),
            version: version.and_then(|version| version.version.clone()),
            source: version.and_then(|version| version.source.clone()),
            kept: version.is_some(),
        }
    });
    rows.collect()
}

pub(super) fn human(module: &str, rows: &[Row]) -> String {
    if rows.is_empty() {
        return format!("no version of module {module} has been active");
    }
    let rows = rows.iter().map(|row| {
        [
            second(row.activation.at),
            short(&row.activation.digest).to_owned(),
            row.version.clone().unwrap_or_default(),
            row.activation.how.clone(),
            row.activation.by.clone(),
            row.source.clone().unwrap_or_default(),
            if row.kept { "" } else { "forgotten" }.to_owned(),
        ]
    });
    table(
        ["ACTIVE SINCE", "DIGEST", "VERSION", "HOW", "BY", "FROM", ""],
        rows,
    )
}
