//! The bytes of modules by their digest: from a folder on this machine, or from the registry.
//!
//! What is returned has the digest that was asked for, wherever it came from. Must not know what the bytes mean.

use std::path::Path;
use std::sync::Arc;

use chicory_queue::Registry;
use chicory_runtime::PrivateFolder;

use crate::sandbox::bundle::digest;
use crate::sandbox::error::ModuleError;

/// Bytes by digest.
pub(crate) struct Blobs {
    registry: Arc<dyn Registry>,
    folder: Option<Arc<PrivateFolder>>,
}

impl Blobs {
    /// Bytes from a registry, kept in the folder, which may grow to `most` bytes. A folder that can't be used is named
    /// in the log, and not used.
    pub(crate) fn new(registry: Arc<dyn Registry>, folder: Option<&Path>, most: u64) -> Self {
        let open = |folder: &Path| {
            let opened = PrivateFolder::open(folder, most).inspect_err(|error| {
                tracing::warn!(
                    folder = %folder.display(), %error,
                    "can't use the folder in cache_dir for fetched modules: they are fetched each time they are loaded",
                );
            });
            opened.ok().map(Arc::new)
        };
        let folder = folder.and_then(open);
        Self { registry, folder }
    }

    /// The bytes with this digest.
    pub(crate) async fn get(&self, wanted: &str) -> Result<Vec<u8>, ModuleError> {
        let named = || wanted.to_owned();
        if !is_digest(wanted) {
            return Err(ModuleError::NotADigest { digest: named() });
        }
        let name = format!("{wanted}.wasm");
        if let Some(folder) = &self.folder
            && let Some(bytes) = kept(Arc::clone(folder), name.clone(), named()).await
        {
            return Ok(bytes);
        }
        let fetched = self.registry.blob(wanted).await;
        let bytes = fetched
            .map_err(ModuleError::NotFetched)?
            .ok_or_else(|| ModuleError::NoBytes { digest: named() })?;
        check(&bytes, wanted)?;
        if let Some(folder) = &self.folder
            && let Err(error) = folder.write(&name, &[&bytes])
        {
            tracing::warn!(file = %folder.path(&name).display(), %error, "can't keep a fetched module; it is fetched again next time");
        }
        Ok(bytes.into())
    }
}

/// A digest becomes a file name, so it must be nothing else.
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
async fn kept(folder: Arc<PrivateFolder>, name: String, wanted: String) -> Option<Vec<u8>> {
    let read = tokio::task::spawn_blocking(move || {
        let bytes = folder.read(&name)?;
        match check(&bytes, &wanted) {
            Ok(()) => Some(bytes),
            Err(_) => {
                let file = folder.path(&name);
                tracing::warn!(file = %file.display(), "ignored a kept module that has changed since it was written");
                None
            }
        }
    });
    read.await.ok().flatten()
}
