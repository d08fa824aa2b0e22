//! Tells of changes in a project's source, and not of those that a build makes.
//!
//! Must not know what a change leads to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Folders whose changes are a tool's own.
const BUILT: [&str; 8] = [
    "target",
    "build",
    "dist",
    "node_modules",
    "__pycache__",
    ".venv",
    ".git",
    ".chicory",
];

/// Changes of one folder and those below it.
pub(super) struct Changes {
    watcher: RecommendedWatcher,
    root: PathBuf,
    told: mpsc::Receiver<()>,
}

/// Watches from now on.
pub(super) fn watch(root: &Path) -> anyhow::Result<Changes> {
    let (tell, told) = mpsc::channel(1);
    let top = root.to_owned();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let counts = event.map_or(true, |event| {
            !matches!(event.kind, EventKind::Access(_))
                && event.paths.iter().any(|path| is_source(&top, path))
        });
        if counts {
            // A full channel says already that something has changed.
            let _ = tell.try_send(());
        }
    });
    let mut changes = Changes {
        watcher: watcher.context("can't be told of changed files")?,
        root: root.to_owned(),
        told,
    };
    changes.cover()?;
    Ok(changes)
}

/// Waits for a change, and until the files have been quiet for a moment.
pub(super) async fn changed(changes: &mut Changes) {
    if changes.told.recv().await.is_none() {
        return std::future::pending().await;
    }
    while tokio::time::timeout(QUIET, changes.told.recv())
        .await
        .is_ok()
    {}
    if let Err(error) = changes.cover() {
        tracing::warn!(%error, "a new folder can't be watched");
    }
}

/// Editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(60);

impl Changes {
    /// Each folder by itself, since those of builds are left out. Watching one again changes nothing.
    fn cover(&mut self) -> anyhow::Result<()> {
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            let watched = self.watcher.watch(&folder, RecursiveMode::NonRecursive);
            watched.with_context(|| format!("can't watch {}", folder.display()))?;
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let inside = entries
                .map(|entry| entry.path())
                .filter(|path| path.is_dir());
            folders.extend(inside.filter(|path| is_source(&self.root, path)));
        }
        Ok(())
    }
}

/// Whether a path is the author's rather than a tool's.
fn is_source(root: &Path, path: &Path) -> bool {
    let below = path.strip_prefix(root).unwrap_or(path);
    let built = below
        .components()
        .any(|part| BUILT.contains(&part.as_os_str().to_string_lossy().as_ref()));
    // Cargo and npm write their locks while they build.
    let lock = ["Cargo.lock", "package-lock.json"]
        .map(Path::new)
        .contains(&below);
    !built && !lock && below != Path::new("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_writes_is_no_source() {
        let root = Path::new("/p");
        for (path, source) in [
            ("/p/src/lib.rs", true),
            ("/p/sdk/src/lib.rs", true),
            ("/p/cases.toml", true),
            ("/p/target/debug/x", false),
            ("/p/Cargo.lock", false),
            ("/p/.chicory/dev.db", false),
            ("/p", false),
        ] {
            assert_eq!(is_source(root, Path::new(path)), source, "{path}");
        }
    }

    #[tokio::test]
    async fn a_changed_file_is_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("src")).unwrap();
        let mut changes = watch(&root).unwrap();
        std::fs::write(root.join("src/a.rs"), "a").unwrap();
        let told = tokio::time::timeout(Duration::from_secs(20), changed(&mut changes));
        told.await.expect("a change in time");
    }
}
