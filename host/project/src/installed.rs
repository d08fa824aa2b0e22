//! Tools that Chicory installs for its own builds, once per machine, in the folder that the request names.
//!
//! Must not know what is installed, nor how.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::ProjectError;
use crate::request::{Build, Progress};

/// The folder that `install` fills, unless it exists: there is one for each text of the file `pinned`, which
/// names the versions. A folder gets its name once it is complete, so that builds may run side by side.
pub(crate) fn installed(
    build: &Build<'_>,
    pinned: &Path,
    install: impl FnOnce(&Path) -> Result<(), ProjectError>,
) -> Result<PathBuf, ProjectError> {
    let name = build.sdk_name();
    let text = std::fs::read(pinned).map_err(ProjectError::file("read", pinned))?;
    let short = hex::encode(&Sha256::digest(text)[..8]);
    let cache = cache(build)?;
    let folder = cache.join(format!("{name}-{short}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    std::fs::create_dir_all(cache).map_err(ProjectError::file("make the folder", cache))?;
    let partial = tempfile::tempdir_in(cache)
        .map_err(ProjectError::file("make a temporary folder in", cache))?;
    (build.tell)(Progress::Installing {
        name,
        folder: &folder,
    });
    install(partial.path())?;
    match std::fs::rename(partial.path(), &folder) {
        // Another build may have been faster.
        Err(_) if folder.is_dir() => Ok(folder),
        Err(error) => Err(ProjectError::file("make the folder", &folder)(error)),
        Ok(()) => {
            let _ = partial.keep();
            Ok(folder)
        }
    }
}

/// Where modules are kept that were built before: some tool chains are slow, and never make the same bytes twice.
pub(crate) fn built_before(build: &Build<'_>) -> Result<PathBuf, ProjectError> {
    Ok(cache(build)?.join("built"))
}

fn cache<'a>(build: &Build<'a>) -> Result<&'a Path, ProjectError> {
    let cache = build.request.cache.as_deref();
    cache.ok_or(ProjectError::NoCache)
}
