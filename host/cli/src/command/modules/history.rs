//! `chicory modules history`: which versions have been active, and when.
//!
//! Must not know what is under way.

use chicory_admin::Activated;
use chicory_signature::short_digest;

use super::second;
use crate::output::table;

pub(super) fn human(module: &str, rows: &[Activated]) -> String {
    if rows.is_empty() {
        return format!("no version of module {module} has been active");
    }
    let rows = rows.iter().map(|row| {
        [
            second(row.activation.at),
            short_digest(&row.activation.digest).to_owned(),
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
