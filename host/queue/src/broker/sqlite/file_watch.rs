//! Checks the file for changes that other processes made, while anyone waits for one.
//!
//! Must not change anything in the file.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::wakes::Wakes;

/// How often the file is checked while someone waits, and after a long time without a change.
const LOOK: Duration = Duration::from_millis(4);
const LOOK_RARELY: Duration = Duration::from_millis(20);
const QUIET: Duration = Duration::from_secs(30);

/// Looks for changes that other processes made. On the writer's connection, only commits by others change the file's
/// data version.
#[derive(Debug)]
pub(super) struct FileWatch {
    wakes: Arc<Wakes>,
    version: i64,
    looked: Option<Instant>,
    quiet_since: Instant,
}

impl FileWatch {
    /// Watches the file for these waits.
    pub(super) fn new(wakes: Arc<Wakes>) -> Self {
        Self {
            wakes,
            version: 0,
            looked: None,
            quiet_since: Instant::now(),
        }
    }

    /// Checks the file if it is time to. Returns when to check again, or `None` while nobody waits.
    pub(super) fn look(&mut self, connection: &Connection) -> Option<Duration> {
        if !self.wakes.somebody_waits() {
            self.quiet_since = Instant::now();
            return None;
        }
        let pause = if self.quiet_since.elapsed() > QUIET {
            LOOK_RARELY
        } else {
            LOOK
        };
        if let Some(passed) = self.looked.map(|looked| looked.elapsed())
            && passed < pause
        {
            return pause.checked_sub(passed);
        }
        self.looked = Some(Instant::now());
        if self.version_changed(connection) {
            self.quiet_since = Instant::now();
            self.wakes.tell_all(connection);
        }
        Some(pause)
    }

    fn version_changed(&mut self, connection: &Connection) -> bool {
        let version = connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        match version {
            Ok(version) => std::mem::replace(&mut self.version, version) != version,
            // The waits read the file themselves, and get the error.
            Err(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_left_alone_while_nobody_waits() {
        let wakes = Arc::new(Wakes::default());
        let file = Connection::open_in_memory().expect("a file");
        let mut watch = FileWatch::new(wakes.clone());
        assert_eq!(watch.look(&file), None);
        let waiting = wakes.waiting();
        let promoter = wakes.promoter(&["q".into()]);
        let watcher = wakes.watcher();
        assert!(watch.look(&file).is_some());
        drop(waiting);
        assert!(watch.look(&file).is_some());
        drop(promoter);
        assert!(watch.look(&file).is_some());
        drop(watcher);
        assert_eq!(watch.look(&file), None);
    }
}
