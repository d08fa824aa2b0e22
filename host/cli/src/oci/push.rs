//! Pushes a module to a registry, as a WebAssembly artifact as specified by the CNCF's TAG Runtime.
//!
//! Must not know where the files come from.

use oci_client::client::{Config, ImageLayer};
use serde_json::json;

use super::{Address, CONFIG, MANIFEST, Registry, SIGNATURE, WASM, fault};

/// What is pushed.
pub(crate) struct Content {
    pub(crate) wasm: Vec<u8>,
    /// The manifest's text.
    pub(crate) manifest: Option<String>,
    /// In minisign's format.
    pub(crate) signature: Option<String>,
}

/// Pushes it, and returns the address with its digest, which is the same for the same content.
pub(crate) async fn push(
    content: Content,
    address: &Address,
    plain_http: bool,
) -> anyhow::Result<String> {
    let registry = Registry::of(address, plain_http)?;
    let config = Config::new(config(&content.wasm).to_string(), CONFIG.to_owned(), None);
    let mut layers = vec![ImageLayer::new(content.wasm, WASM.to_owned(), None)];
    let texts = [(MANIFEST, content.manifest), (SIGNATURE, content.signature)];
    for (media_type, text) in texts {
        if let Some(text) = text {
            layers.push(ImageLayer::new(text, media_type.to_owned(), None));
        }
    }
    let told = |fault| fault::told(&fault, address, &registry);
    let (client, reference) = (&registry.client, address.reference());
    client
        .push(reference, &layers, config, &registry.auth, None)
        .await
        .map_err(told)?;
    let digest = client.fetch_manifest_digest(reference, &registry.auth);
    Ok(address.pinned(&digest.await.map_err(told)?))
}

fn config(wasm: &[u8]) -> serde_json::Value {
    let os = if wasmparser::Parser::is_component(wasm) {
        "wasip2"
    } else {
        "wasip1"
    };
    let digest = format!("sha256:{}", chicory_worker::digest(wasm));
    json!({ "architecture": "wasm", "os": os, "layerDigests": [digest] })
}
