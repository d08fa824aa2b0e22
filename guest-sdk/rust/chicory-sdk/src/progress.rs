//! The task's progress, for clients that wait for it.
//!
//! Must not know who waits.

use crate::host;

/// Reports that `percent` (0 to 100) of the work is done.
pub fn report(percent: f64) {
    host::progress(percent, None);
}

/// Reports progress together with what the task is doing.
pub fn report_with(percent: f64, message: &str) {
    host::progress(percent, Some(message));
}
