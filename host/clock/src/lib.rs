//! Points in time as messages and stores have them, and the clocks that tell them.
//!
//! The queue and the registry share this crate. Must not know what a time is used for.

mod clock;
mod timestamp;

pub use clock::{Clock, ManualClock, SystemClock};
pub use timestamp::{InvalidTime, Timestamp};
