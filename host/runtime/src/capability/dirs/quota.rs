//! What one call may write to its directories, and how much a directory may hold.
//!
//! Must not know WASI.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::monitor::Monitor;

/// What an entry of a directory counts, in bytes: a small file takes room as well.
pub(crate) const ENTRY: u64 = 4096;

/// How long the size of a directory is taken to change only by what is written from here.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// Entries that are looked at to measure a directory. One with more is full.
const MOST_MEASURED: usize = 100_000;

/// A granted directory, and how much it may hold.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    max: Option<u64>,
    size: Mutex<Size>,
}

#[derive(Debug, Default)]
struct Size {
    measured: Option<Instant>,
    bytes: u64,
}

impl Place {
    /// A directory that may hold `max` bytes.
    pub(super) fn new(path: PathBuf, max: Option<u64>) -> Self {
        Place {
            path,
            max,
            size: Mutex::default(),
        }
    }

    /// Whether its size has to be measured before something is written.
    pub(super) fn is_stale(&self) -> bool {
        let fresh = |at: Instant| at.elapsed() < TRUSTED_FOR;
        self.max.is_some() && !self.size().measured.is_some_and(fresh)
    }

    /// Measures it. Blocking.
    pub(super) fn measure(&self) {
        let bytes = size_of(&self.path);
        let measured = Some(Instant::now());
        *self.size() = Size { measured, bytes };
    }

    fn take(&self, bytes: u64) -> Result<(), u64> {
        let Some(max) = self.max else {
            return Ok(());
        };
        let mut size = self.size();
        let grown = size.bytes.saturating_add(bytes);
        if grown > max {
            return Err(max);
        }
        size.bytes = grown;
        Ok(())
    }

    fn size(&self) -> MutexGuard<'_, Size> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes in a directory and below, each entry counted as a block at least.
fn size_of(path: &Path) -> u64 {
    let mut bytes = 0_u64;
    let mut left = MOST_MEASURED;
    let mut below = vec![path.to_owned()];
    while let Some(directory) = below.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            left -= 1;
            if left == 0 {
                return u64::MAX;
            }
            let Ok(found) = entry.metadata() else {
                continue;
            };
            bytes = bytes.saturating_add(found.len().max(ENTRY));
            if found.is_dir() {
                below.push(entry.path());
            }
        }
    }
    bytes
}

/// One call's right to write to its directories.
#[derive(Clone)]
pub(super) struct Allowance {
    pub(super) monitor: Arc<Monitor>,
    pub(super) places: Arc<[Place]>,
    /// Which of them. Where that is not known, what is written counts for each.
    pub(super) place: Option<usize>,
}

impl Allowance {
    /// Counts bytes that are about to be written.
    pub(super) fn take(&self, bytes: u64) -> io::Result<()> {
        let refused = match self.monitor.write(bytes) {
            Err(limit) => format!(
                "a write above the {limit} bytes that one call may write to its directories; raise write_bytes in the \
                 manifest's [limits]"
            ),
            Ok(()) => match self.within().try_for_each(|place| place.take(bytes)) {
                Ok(()) => return Ok(()),
                Err(max) => format!(
                    "a write to a directory that may hold {max} bytes; raise max_bytes of [grants] dirs in the manifest"
                ),
            },
        };
        self.monitor.log().deny(refused);
        Err(Errno::ENOSPC.into())
    }

    fn within(&self) -> impl Iterator<Item = &Place> {
        match self.place {
            Some(place) => &self.places[place..=place],
            None => &self.places,
        }
        .iter()
    }

    /// Measures the directory, where that is due.
    pub(super) async fn refresh(&self) {
        if self.within().any(Place::is_stale) {
            let directory = self.clone();
            let measure = move || {
                let stale = directory.within().filter(|place| place.is_stale());
                stale.for_each(Place::measure);
            };
            // It ends by itself, and a panic in it leaves the size as it was.
            let _ = tokio::task::spawn_blocking(measure).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_counts_what_is_in_it_and_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("below/large"), vec![0; 10_000]).unwrap();
        fs::write(folder.path().join("small"), "x").unwrap();
        let place = Place::new(folder.path().to_owned(), Some(20_000));
        assert!(place.is_stale());
        place.measure();
        assert!(!place.is_stale());
        // 10,000 bytes, a small file, and a directory of at least one block.
        assert_eq!(place.take(10_000), Err(20_000));
        assert_eq!(place.take(100), Ok(()));
        assert!(!Place::new(folder.path().to_owned(), None).is_stale());
    }
}
