//! How large messages usually are, so a read asks for no more than there is room for.
//!
//! Must not know what is read.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Messages in a page of a listing.
const PAGE: usize = 500;
/// Bytes in such a page, roughly.
const PAGE_BYTES: usize = 16 << 20;
/// Messages in a page before any size is known.
const FIRST_PAGE: usize = 8;

/// The size of the messages read last, which limits the next read.
#[derive(Debug, Default)]
pub(super) struct UsualSize(AtomicUsize);

impl UsualSize {
    /// How many messages like the last ones fit into this many bytes.
    pub(super) fn fitting(&self, bytes: usize) -> usize {
        let fitting = bytes.checked_div(self.0.load(Ordering::Relaxed));
        fitting.unwrap_or(usize::MAX).max(1)
    }

    /// How many messages the next page of a listing has: few as long as nothing is known of them.
    pub(super) fn page(&self) -> usize {
        match self.fitting(PAGE_BYTES) {
            usize::MAX => FIRST_PAGE,
            fitting => fitting.min(PAGE),
        }
    }

    /// Notes the largest message of a read. Its size counts for less with each read after it.
    pub(super) fn note(&self, largest: usize) {
        let before = self.0.load(Ordering::Relaxed);
        if largest > 0 {
            self.0.store(largest.max(before / 2), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_small_while_messages_may_be_large() {
        let size = UsualSize::default();
        assert_eq!(size.page(), FIRST_PAGE);
        for (largest, page) in [(1000, PAGE), (32 << 20, 1), (1000, 1), (4 << 20, 2)] {
            size.note(largest);
            assert_eq!(size.page(), page, "{largest}");
        }
    }

    #[test]
    fn fewer_messages_are_asked_for_while_they_are_large() {
        let usual = UsualSize::default();
        assert_eq!(usual.fitting(1000), usize::MAX);
        usual.note(400);
        assert_eq!((usual.fitting(1000), usual.fitting(100)), (2, 1));
        usual.note(0);
        usual.note(10);
        assert_eq!(usual.fitting(1000), 5);
        usual.note(10);
        assert_eq!(usual.fitting(1000), 10);
    }
}
