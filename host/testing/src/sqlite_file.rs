//! A broker's file for one test, in a folder of its own.
//!
//! Must not know what is queued in it.

use std::path::PathBuf;

use chicory_queue::{BrokerConfig, Connected, SqliteConfig};
use tempfile::TempDir;

/// The file of an embedded broker, deleted with this value.
#[derive(Debug)]
pub struct SqliteFile(TempDir);

impl SqliteFile {
    /// A file that doesn't exist yet: the first broker to open it creates it.
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    /// Its path.
    pub fn path(&self) -> PathBuf {
        self.0.path().join("queue.db")
    }

    /// Its address, as `--broker` and `Client::open` take it.
    pub fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }

    /// The broker's settings for this file, all else by default.
    pub fn config(&self) -> SqliteConfig {
        SqliteConfig::new(self.path())
    }

    /// A broker on this file.
    pub async fn connect(&self) -> Connected {
        crate::connect(&BrokerConfig::Sqlite(self.config()))
            .await
            .expect("the file can be opened")
    }
}

impl Default for SqliteFile {
    fn default() -> Self {
        Self::new()
    }
}
