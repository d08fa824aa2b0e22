//! How long a turn lasts.
//!
//! Must not know what is done in it.

use std::time::Duration;

/// How long a call or a batch of calls has a thread before others get their turn: as long as a guest computes before it
/// yields.
pub(crate) const TURN: Duration = Duration::from_millis(2);
