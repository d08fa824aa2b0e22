//! The bytes of modules by their digest: from this machine's folder, or from the registry.
//!
//! What is given out has the digest that was asked for, wherever it came from. Must not know what the
//! bytes mean.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chicory_queue::Registry;

use crate::sandbox::bundle::digest;
use crate::sandbox::error::ModuleError;

/// Bytes by digest.
pub(crate) struct Blobs {
    registry: Arc<dyn Registry>,
    folder: Option<PathBuf>,
}

impl Blobs {
    pub(crate) fn new(registry: Arc<dyn Registry>, folder: Option<PathBuf>) -> Self {
        Self { registry, folder }
    }

    /// The bytes with this digest.
    pub(crate) async fn get(&self, wanted: &str) -> Result<Vec<u8>, ModuleError> {
        let named = || wanted.to_owned();
        if !is_digest(wanted) {
            return Err(ModuleError::NotADigest { digest: named() });
        }
        let file = self
            .folder
            .as_ref()
            .map(|folder| folder.join(format!("{wanted}.wasm")));
        if let Some(bytes) = kept(file.clone(), wanted).await {
            return Ok(bytes);
        }
        let fetched = self.registry.blob(wanted).await;
        let bytes = fetched
            .map_err(ModuleError::NotFetched)?
            .ok_or_else(|| ModuleError::NoBytes { digest: named() })?;
        check(&bytes, wanted)?;
        if let Some(file) = file
            && let Err(error) = keep(&file, &bytes)
        {
            tracing::warn!(file = %file.display(), %error, "can't keep a fetched module; it is fetched again next time");
        }
        Ok(bytes.into())
    }
}

/// A digest becomes a file's name, so it must be nothing else.
fn is_digest(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn check(bytes: &[u8], wanted: &str) -> Result<(), ModuleError> {
    let found = digest(bytes);
    if found == wanted {
        return Ok(());
    }
    let wanted = wanted.to_owned();
    Err(ModuleError::Tampered { found, wanted })
}

/// The bytes in a file, if they are there and are what they should be.
async fn kept(file: Option<PathBuf>, wanted: &str) -> Option<Vec<u8>> {
    let file = file?;
    let wanted = wanted.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let bytes = std::fs::read(&file).ok()?;
        match check(&bytes, &wanted) {
            Ok(()) => Some(bytes),
            Err(_) => {
                tracing::warn!(file = %file.display(), "ignored a kept module that is not what was written");
                None
            }
        }
    });
    read.await.ok().flatten()
}

/// A reader sees all of the file, or none.
fn keep(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut written = tempfile::NamedTempFile::new_in(folder)?;
    written.write_all(bytes)?;
    written.persist(file)?;
    Ok(())
}
