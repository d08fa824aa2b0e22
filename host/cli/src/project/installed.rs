//! Tools that Chicory installs for its own builds, once a machine, in the user's cache folder.
//!
//! Must not know what is installed, nor how.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::config::user_cache;
use crate::exit::CommandError;

/// The folder that `install` fills, unless it is there: one for each text of the file `pinned`, which
/// names the versions. Only a whole one gets its name, so that builds may run side by side.
pub(super) fn installed(
    name: &str,
    pinned: &Path,
    install: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let text = std::fs::read(pinned).with_context(|| format!("can't read {}", pinned.display()))?;
    let short = hex::encode(&Sha256::digest(text)[..8]);
    let cache = cache()?;
    let folder = cache.join(format!("{name}-{short}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    std::fs::create_dir_all(&cache)
        .with_context(|| format!("can't make the folder {}", cache.display()))?;
    let partial = tempfile::tempdir_in(&cache).context("can't make a temporary folder")?;
    eprintln!(
        "installing what builds {name} into {} (once)",
        folder.display()
    );
    install(partial.path())?;
    match std::fs::rename(partial.path(), &folder) {
        // Another build may have been quicker.
        Err(_) if folder.is_dir() => Ok(folder),
        Err(error) => {
            Err(error).with_context(|| format!("can't make the folder {}", folder.display()))
        }
        Ok(()) => {
            let _ = partial.keep();
            Ok(folder)
        }
    }
}

/// Where modules are kept that were built before: their toolchains take long, and never make the same
/// bytes twice.
pub(super) fn built_before() -> anyhow::Result<PathBuf> {
    Ok(cache()?.join("built"))
}

fn cache() -> anyhow::Result<PathBuf> {
    user_cache().ok_or_else(|| {
        let message = "there is no folder to install tools in: set HOME or XDG_CACHE_HOME";
        CommandError::Failed(message.into()).into()
    })
}
