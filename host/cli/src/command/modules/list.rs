//! `chicory modules list`: one line per module.
//!
//! Must not know versions other than the active one.

use chicory_admin::ModuleRow;
use chicory_signature::short_digest;

use super::second;
use crate::output::table;

pub(super) fn human(rows: &[ModuleRow]) -> String {
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
            row.digest
                .as_deref()
                .map(short_digest)
                .unwrap_or_default()
                .into(),
            row.tasks.to_string(),
            row.since.map(second).unwrap_or_default(),
            row.by.clone().unwrap_or_default(),
            row.state.to_string(),
        ]
    });
    table(header, rows)
}
