//! Reports changes of a project's source, but not those that a build makes.
//!
//! Must not know what is done about a change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::ProjectError;

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

/// The changes of a folder and of those below it. Made by [`watch()`].
#[derive(Debug)]
pub struct Changes {
    watcher: RecommendedWatcher,
    root: PathBuf,
    told: mpsc::Receiver<()>,
}

/// Watches the source in a project's folder from now on.
///
/// # Errors
/// [`ProjectError::Watch`] where the system can't watch the folder or one below it.
///
/// ```no_run
/// # async fn example() -> Result<(), chicory_project::ProjectError> {
/// let mut changes = chicory_project::watch("word-count".as_ref())?;
/// loop {
///     changes.changed().await;
///     println!("the source has changed");
/// }
/// # }
/// ```
pub fn watch(root: &Path) -> Result<Changes, ProjectError> {
    let (tell, told) = mpsc::channel(1);
    let top = root.to_owned();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let counts = event.map_or(true, |event| {
            !matches!(event.kind, EventKind::Access(_))
                && event.paths.iter().any(|path| is_source(&top, path))
        });
        if counts {
            // A full channel says so already.
            let _ = tell.try_send(());
        }
    });
    let mut changes = Changes {
        watcher: watcher.map_err(unwatched(root))?,
        root: root.to_owned(),
        told,
    };
    changes.cover()?;
    Ok(changes)
}

/// Editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(60);

impl Changes {
    /// Waits for a change, and until no more have come for a moment.
    pub async fn changed(&mut self) {
        if self.told.recv().await.is_none() {
            return std::future::pending().await;
        }
        while tokio::time::timeout(QUIET, self.told.recv()).await.is_ok() {}
        if let Err(error) = self.cover() {
            tracing::warn!(%error, "a new folder can't be watched");
        }
    }

    /// Watches each folder by itself, since those of builds are left out. Watching one twice is harmless.
    fn cover(&mut self) -> Result<(), ProjectError> {
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            let watched = self.watcher.watch(&folder, RecursiveMode::NonRecursive);
            watched.map_err(unwatched(&folder))?;
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let inside = entries
                .map(|entry| entry.path())
                .filter(|path| path.is_dir());
            folders.extend(inside.filter(|path| is_source(&self.root, path)));
        }
        Ok(())
    }
}

fn unwatched(folder: &Path) -> impl FnOnce(notify::Error) -> ProjectError {
    let path = folder.to_owned();
    move |error| ProjectError::Watch {
        path,
        source: error.into(),
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
        let told = tokio::time::timeout(Duration::from_secs(20), changes.changed());
        told.await.expect("a change in time");
    }
}
