//! The embedded broker: a file that all workers and producers open.
//!
//! Must not know workers or tasks. Only processes break here; the file has no server.

use tempfile::TempDir;

use super::Ground;
use crate::fault::Fault;

#[derive(Debug)]
pub(super) struct File(TempDir);

impl File {
    pub(super) fn start() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }
}

impl Ground for File {
    fn url(&self) -> String {
        format!("sqlite:{}", self.0.path().join("queue.db").display())
    }

    fn begin(&mut self, fault: Fault) {
        unreachable!("{fault} is done to processes");
    }

    fn end(&mut self, fault: Fault) {
        unreachable!("{fault} is done to processes");
    }
}
