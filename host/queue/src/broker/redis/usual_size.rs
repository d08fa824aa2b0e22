//! How large messages usually are, so a read asks for no more than there is room for.
//!
//! Must not know what is read.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The size of the messages read last, which limits the next read.
#[derive(Debug, Default)]
pub(super) struct UsualSize(AtomicUsize);

impl UsualSize {
    /// How many messages like the last ones fit into this many bytes.
    pub(super) fn fitting(&self, bytes: usize) -> usize {
        let fitting = bytes.checked_div(self.0.load(Ordering::Relaxed));
        fitting.unwrap_or(usize::MAX).max(1)
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
