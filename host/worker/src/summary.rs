//! What a worker did, in numbers.
//!
//! Must not know how they are counted.

/// What a worker did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Attempts that ended.
    pub processed: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Tasks released unfinished.
    pub released: usize,
    /// Tasks, finished or not, whose outcome or release the broker did not accept: their leases expire, and they run
    /// again.
    pub unsettled: usize,
}
