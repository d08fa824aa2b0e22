//! How far the task is, for whoever waits for it.
//!
//! Must not know who waits.

use crate::host;

/// Says that `percent` (0 to 100) of the work is done.
pub fn report(percent: f64) {
    host::progress(percent, None);
}

/// The same with a word on what is being done.
pub fn report_with(percent: f64, message: &str) {
    host::progress(percent, Some(message));
}
