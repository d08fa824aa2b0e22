//! A module together with the manifest that it is deployed with: one piece that is signed, hashed and sent.
//!
//! The manifest becomes the custom section `chicory-deployment` at the end of the module, as JSON. One digest thus
//! stands for the code and for what it is granted. Must not know files or registries.

use std::error::Error;

use chicory_runtime::{own_custom_section, with_custom_section, without_custom_section};
use chicory_signature::with_causes;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::manifest::{DEPLOYMENT_SECTION as SECTION, Manifest, ManifestError};

/// A module and its manifest in one piece.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// The module, with the manifest as its last section.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes, in lowercase hexadecimal.
    pub digest: String,
    /// The manifest in force: the one inside, over what the module says about itself.
    pub manifest: Manifest,
}

impl Bundle {
    /// Packs a module with a manifest's text, replacing a manifest that is already inside.
    ///
    /// # Errors
    /// Says what is wrong with the manifest, or with what the module says about itself.
    pub fn pack(wasm: &[u8], manifest: &str) -> Result<Self, ManifestError> {
        Manifest::of(wasm, manifest)?;
        let bytes = without_custom_section(wasm, SECTION).map_err(ManifestError::Damaged)?;
        let table: Map<String, Value> =
            toml::from_str(manifest).map_err(|error| deployment(&error))?;
        let json = Value::Object(table).to_string();
        Self::open(with_custom_section(bytes, SECTION, json.as_bytes()))
    }

    /// Opens what [`Bundle::pack`] made. A module without a packed manifest has only what it says about itself.
    ///
    /// # Errors
    /// Says what is wrong with one of the manifests.
    pub fn open(bytes: Vec<u8>) -> Result<Self, ManifestError> {
        let own = own_custom_section(&bytes, SECTION).map_err(ManifestError::Damaged)?;
        let above = match own {
            None => Map::new(),
            Some(json) => serde_json::from_slice(&json).map_err(|error| deployment(&error))?,
        };
        Ok(Self {
            manifest: Manifest::over(&bytes, above)?,
            digest: digest(&bytes),
            bytes,
        })
    }

    /// Whether a manifest is already inside.
    pub fn is_packed(wasm: &[u8]) -> bool {
        own_custom_section(wasm, SECTION).is_ok_and(|section| section.is_some())
    }
}

fn deployment(error: &dyn Error) -> ManifestError {
    ManifestError::Deployment {
        message: with_causes(error),
    }
}

/// SHA-256 in lowercase hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(text: &str) -> Vec<u8> {
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn what_is_packed_is_opened_again() {
        let wasm = module("(component)");
        let packed =
            Bundle::pack(&wasm, "version = \"2\"\n[grants]\nhttp = [\"a.example\"]").unwrap();
        assert_eq!(Bundle::open(packed.bytes.clone()).unwrap(), packed);
        assert_eq!(packed.manifest.grants.http, ["a.example"]);
        assert!(Bundle::is_packed(&packed.bytes) && !Bundle::is_packed(&wasm));
        assert_eq!(packed.digest.len(), 64);
    }

    #[test]
    fn packing_again_replaces_what_was_inside() {
        let wasm = module("(component)");
        let greedy = Bundle::pack(&wasm, "[grants]\nhttp = [\"*\"]").unwrap();
        let modest = Bundle::pack(&greedy.bytes, "").unwrap();
        assert_eq!(modest, Bundle::pack(&wasm, "").unwrap());
        assert!(modest.manifest.grants.http.is_empty());
    }

    #[test]
    fn the_manifest_is_part_of_the_digest() {
        let wasm = module("(module)");
        let digests =
            ["", "ignore_result = true"].map(|text| Bundle::pack(&wasm, text).unwrap().digest);
        assert_ne!(digests[0], digests[1]);
    }

    #[test]
    fn a_module_inside_can_not_bring_a_manifest_for_the_outside() {
        let inner = format!("(component (core module (@custom {SECTION:?} \"no JSON\")))");
        let wasm = module(&inner);
        assert!(!Bundle::is_packed(&wasm));
        assert_eq!(Bundle::open(wasm).unwrap().manifest, Manifest::default());
    }
}
