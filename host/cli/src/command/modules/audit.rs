//! `chicory modules audit`: who changed what.
//!
//! Must not know the modules.

use chicory_queue::AuditEntry;
use chicory_signature::short_digest;

use super::second;
use crate::output::table;

pub(super) fn human(lines: &[AuditEntry]) -> String {
    if lines.is_empty() {
        return "the audit log is empty: nothing has been deployed".into();
    }
    let rows = lines.iter().map(|line| {
        [
            second(line.at),
            line.by.clone(),
            line.action.clone(),
            line.module.clone(),
            short_digest(&line.digest).to_owned(),
            line.detail.clone(),
        ]
    });
    table(["AT", "BY", "ACTION", "MODULE", "DIGEST", "DETAIL"], rows)
}
