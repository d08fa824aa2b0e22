//! A module from a file, a project's folder or a registry: in the end, a file.
//!
//! Must not know what a module is made of.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use futures::TryStreamExt as _;
use oci_client::manifest::{OciDescriptor, OciImageManifest, OciManifest};
use tempfile::TempDir;

use super::{Address, MANIFEST, Registry, SIGNATURE, WASM, fault};
use crate::exit::CommandError;

/// Most bytes of a module: what Redis takes as one value.
const MODULE_BYTES: u64 = 512 << 20;
/// Most bytes of a manifest or signature.
const TEXT_BYTES: u64 = 1 << 20;

/// A module's file, with what belongs to it beside.
#[derive(Debug)]
pub(crate) struct Module {
    /// The file, or a project's folder.
    pub(crate) path: PathBuf,
    /// Where it is from, for messages.
    pub(crate) shown: String,
    /// The address that it was pulled from, with the digest it stood for.
    pub(crate) source: Option<String>,
    /// Holds the file where it was pulled.
    _folder: Option<TempDir>,
}

/// Finds what is named: a path as it is, an `oci://` address pulled.
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
    let (manifest, digest) = manifest(address, &registry).await?;
    let folder = tempfile::tempdir().context("can't make a temporary folder")?;
    let path = folder.path().join(format!("{}.wasm", address.name()));
    let wasm = the_module(address, &manifest)?;
    let bytes = layer(address, &registry, wasm, MODULE_BYTES).await?;
    std::fs::write(&path, bytes).with_context(|| format!("can't write {}", path.display()))?;
    let mut beside_signature = path.clone().into_os_string();
    beside_signature.push(".minisig");
    let beside = [
        (MANIFEST, path.with_extension("toml")),
        (SIGNATURE, beside_signature.into()),
    ];
    for (media_type, file) in beside {
        let Some(found) = manifest
            .layers
            .iter()
            .find(|layer| layer.media_type == media_type)
        else {
            continue;
        };
        let bytes = layer(address, &registry, found, TEXT_BYTES).await?;
        std::fs::write(&file, bytes).with_context(|| format!("can't write {}", file.display()))?;
    }
    Ok(Module {
        path,
        shown: address.to_string(),
        source: Some(address.pinned(&digest)),
        _folder: Some(folder),
    })
}

async fn manifest(
    address: &Address,
    registry: &Registry,
) -> anyhow::Result<(OciImageManifest, String)> {
    let pulled = registry
        .client
        .pull_manifest(address.reference(), &registry.auth);
    match pulled
        .await
        .map_err(|fault| fault::told(&fault, address, registry))?
    {
        (OciManifest::Image(manifest), digest) => Ok((manifest, digest)),
        (OciManifest::ImageIndex(index), _) => Err(CommandError::Usage(format!(
            "{address} is a list of {} artifacts: name one by its digest, as oci://…@sha256:…",
            index.manifests.len()
        ))
        .into()),
    }
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
        "{address} is no WebAssembly artifact: exactly one layer must be {WASM}, or of a type that ends in +wasm; its layers are {found}"
    ))))
}

/// What the tools around WebAssembly write: `application/wasm`, and vendors' types before there was that one.
fn is_wasm(media_type: &str) -> bool {
    let kind = media_type.split(';').next().unwrap_or_default().trim();
    kind == WASM || kind.ends_with("+wasm")
}

/// A layer's bytes, which are what its digest says.
async fn layer(
    address: &Address,
    registry: &Registry,
    layer: &OciDescriptor,
    most: u64,
) -> anyhow::Result<Vec<u8>> {
    let size = u64::try_from(layer.size).unwrap_or(u64::MAX);
    if size > most {
        return Err(CommandError::Usage(format!(
            "{address} has a layer of {size} bytes ({}), and at most {most} are taken",
            layer.media_type
        ))
        .into());
    }
    let stream = registry
        .client
        .pull_blob_stream(address.reference(), layer)
        .await;
    let mut stream = stream
        .map_err(|fault| fault::told(&fault, address, registry))?
        .stream;
    let mut bytes = Vec::new();
    loop {
        let more = stream.try_next().await;
        let Some(more) = more
            .map_err(|error| CommandError::Failed(fault::tampered(address, &error.to_string())))?
        else {
            break;
        };
        bytes.extend_from_slice(&more);
        if bytes.len() as u64 > size {
            let why = format!("more than the {size} bytes that its manifest names");
            return Err(CommandError::Failed(fault::tampered(address, &why)).into());
        }
    }
    let digest = format!("sha256:{}", chicory_worker::digest(&bytes));
    if digest != layer.digest {
        let why = format!("its digest is {digest}, not {}", layer.digest);
        return Err(CommandError::Failed(fault::tampered(address, &why)).into());
    }
    Ok(bytes)
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
    fn what_others_write_is_found() {
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
