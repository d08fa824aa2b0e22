//! A module from a file, a project folder or a registry; all become a file.
//!
//! Must not know what a module is made of.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chicory_worker::signature_file;
use oci_client::manifest::{OciDescriptor, OciImageManifest, OciManifest};
use tempfile::TempDir;

use super::fetch::Repository;
use super::{Address, MANIFEST, Registry, SIGNATURE, WASM, fault};
use crate::exit::CommandError;

/// The maximum size of a module: the largest value that Redis accepts.
const MODULE_BYTES: u64 = 512 << 20;
/// The maximum size of a module's manifest or signature.
const TEXT_BYTES: u64 = 1 << 20;
/// The maximum size of an artifact's manifest: what registries must accept.
const ARTIFACT_BYTES: u64 = 4 << 20;

/// A module's file, next to the files that belong to it.
#[derive(Debug)]
pub(crate) struct Module {
    /// The file, or a project's folder.
    pub(crate) path: PathBuf,
    /// Where it is from, for messages.
    pub(crate) shown: String,
    /// The address that it was pulled from, with the digest that it had.
    pub(crate) source: Option<String>,
    /// Holds the file where it was pulled.
    _folder: Option<TempDir>,
}

/// Finds the module: a path as it is, an `oci://` address by pulling it.
pub(crate) async fn module(path: &Path, plain_http: bool) -> anyhow::Result<Module> {
    let Some(address) = path.to_str().and_then(Address::parse) else {
        return Ok(Module {
            path: path.to_owned(),
            shown: path.display().to_string(),
            source: None,
            _folder: None,
        });
    };
    pulled(&address?, plain_http).await
}

async fn pulled(address: &Address, plain_http: bool) -> anyhow::Result<Module> {
    let registry = Registry::of(address, plain_http)?;
    let mut repository = Repository::new(address, plain_http, registry.auth.clone())
        .map_err(|error| fault::fetching(&error, address, &registry, false))?;
    let mut source = Source {
        address,
        registry: &registry,
        repository: &mut repository,
    };
    let (manifest, digest) = source.manifest().await?;
    let folder = tempfile::tempdir().context("can't make a temporary folder")?;
    let path = folder.path().join(format!("{}.wasm", address.name()));
    let wasm = the_module(address, &manifest)?;
    let bytes = source.layer(wasm, MODULE_BYTES).await?;
    std::fs::write(&path, bytes).with_context(|| format!("can't write {}", path.display()))?;
    let beside = [
        (MANIFEST, path.with_extension("toml")),
        (SIGNATURE, signature_file(&path)),
    ];
    for (media_type, file) in beside {
        let Some(found) = manifest
            .layers
            .iter()
            .find(|layer| layer.media_type == media_type)
        else {
            continue;
        };
        let bytes = source.layer(found, TEXT_BYTES).await?;
        std::fs::write(&file, bytes).with_context(|| format!("can't write {}", file.display()))?;
    }
    Ok(Module {
        path,
        shown: address.to_string(),
        source: Some(address.pinned(&digest)),
        _folder: Some(folder),
    })
}

/// An artifact in a registry.
struct Source<'a> {
    address: &'a Address,
    registry: &'a Registry,
    repository: &'a mut Repository,
}

impl Source<'_> {
    /// The artifact's manifest, with its digest.
    async fn manifest(&mut self) -> anyhow::Result<(OciImageManifest, String)> {
        let address = self.address;
        let reference = address.reference();
        let name = reference.digest().or(reference.tag()).unwrap_or("latest");
        let fetched = self.repository.manifest(name, ARTIFACT_BYTES).await;
        let bytes =
            fetched.map_err(|error| fault::fetching(&error, address, self.registry, false))?;
        let digest = format!("sha256:{}", chicory_worker::digest(&bytes));
        if let Some(wanted) = reference.digest().filter(|wanted| *wanted != digest) {
            let why = format!("the digest of its manifest is {digest}, not {wanted}");
            return Err(CommandError::Failed(fault::tampered(address, &why)).into());
        }
        match serde_json::from_slice(&bytes) {
            Ok(OciManifest::Image(manifest)) => Ok((manifest, digest)),
            Ok(OciManifest::ImageIndex(index)) => Err(CommandError::Usage(format!(
                "{address} is an index of {} artifacts: choose one by its digest, as oci://…@sha256:…",
                index.manifests.len()
            ))
            .into()),
            Err(error) => {
                let why = format!("its manifest is none: {error}");
                Err(CommandError::Failed(fault::tampered(address, &why)).into())
            }
        }
    }

    /// A layer's bytes, checked against its digest. The `urls` that a layer may name are not followed.
    async fn layer(&mut self, layer: &OciDescriptor, most: u64) -> anyhow::Result<Vec<u8>> {
        let address = self.address;
        let size = u64::try_from(layer.size).unwrap_or(u64::MAX);
        if size > most {
            return Err(CommandError::Usage(format!(
                "{address} has a layer of {size} bytes ({}), but the limit is {most}",
                crate::output::printable(&layer.media_type)
            ))
            .into());
        }
        if !is_digest(&layer.digest) {
            let why = "a layer's digest is no sha256:…";
            return Err(CommandError::Failed(fault::tampered(address, why)).into());
        }
        let fetched = self.repository.blob(&layer.digest, size).await;
        let bytes =
            fetched.map_err(|error| fault::fetching(&error, address, self.registry, true))?;
        let digest = format!("sha256:{}", chicory_worker::digest(&bytes));
        if digest != layer.digest {
            let why = format!("its digest is {digest}, not {}", layer.digest);
            return Err(CommandError::Failed(fault::tampered(address, &why)).into());
        }
        Ok(bytes)
    }
}

/// A digest becomes part of a URL, so it must be nothing else.
fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The one layer that is WebAssembly.
fn the_module<'a>(
    address: &Address,
    manifest: &'a OciImageManifest,
) -> Result<&'a OciDescriptor, CommandError> {
    let layers = &manifest.layers;
    let mut modules = layers.iter().filter(|layer| is_wasm(&layer.media_type));
    if let (Some(only), None) = (modules.next(), modules.next()) {
        return Ok(only);
    }
    let kinds: Vec<&str> = layers
        .iter()
        .map(|layer| layer.media_type.as_str())
        .collect();
    let found = if kinds.is_empty() {
        "none".to_owned()
    } else {
        kinds.join(", ")
    };
    Err(CommandError::Usage(crate::output::printable(&format!(
        "{address} is not a WebAssembly artifact: exactly one layer must be of type {WASM} or a type that ends in +wasm; its layers are {found}"
    ))))
}

/// The types that WebAssembly tools write: `application/wasm`, and vendors' own from before it existed.
fn is_wasm(media_type: &str) -> bool {
    let kind = media_type.split(';').next().unwrap_or_default().trim();
    kind == WASM || kind.ends_with("+wasm")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        Address::parse("oci://ghcr.io/a/b").unwrap().unwrap()
    }

    fn artifact(kinds: &[&str]) -> OciImageManifest {
        let layers = kinds.iter().map(|kind| OciDescriptor {
            media_type: (*kind).to_owned(),
            ..OciDescriptor::default()
        });
        OciImageManifest {
            layers: layers.collect(),
            ..OciImageManifest::default()
        }
    }

    #[test]
    fn artifacts_of_other_tools_are_found() {
        for kind in [WASM, "application/vnd.wasm.content.layer.v1+wasm"] {
            let artifact = artifact(&[MANIFEST, kind]);
            assert_eq!(the_module(&address(), &artifact).unwrap().media_type, kind);
        }
    }

    #[test]
    fn exactly_one_module_is_taken() {
        for kinds in [&[][..], &["application/x-tar"], &[WASM, WASM]] {
            let error = the_module(&address(), &artifact(kinds))
                .unwrap_err()
                .to_string();
            assert!(kinds.iter().all(|kind| error.contains(kind)), "{error}");
        }
    }
}
