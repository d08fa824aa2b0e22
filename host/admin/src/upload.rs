//! What is deployed: a module packed with its manifest, and checked as a worker would check it.
//!
//! Must not know the registry, nor how a module is packed or compiled ([`Inspector`]).

use std::collections::BTreeMap;

use async_trait::async_trait;
use chicory_signature::Signature;
use serde_json::Value;

/// The tasks of a module by their names, with what they take and return.
pub type Tasks = BTreeMap<String, Signature>;

/// An error of an [`Inspector`].
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What the program knows about modules, and this crate does not: it has the runtime.
#[async_trait]
pub trait Inspector: Send + Sync {
    /// Opens a module that has its manifest inside; none where it has not.
    ///
    /// # Errors
    /// If the bytes are no module, or the manifest inside can't be read.
    fn open(&self, wasm: &[u8]) -> Result<Option<Packed>, Cause>;

    /// Packs a module with the text of its manifest.
    ///
    /// # Errors
    /// If the bytes are no module, or the manifest is refused.
    fn pack(&self, wasm: &[u8], manifest: &str) -> Result<Packed, Cause>;

    /// Loads a packed module as a worker would, and returns its tasks.
    ///
    /// # Errors
    /// If a worker would refuse the module; says why.
    async fn tasks(&self, name: &str, packed: &Packed) -> Result<Tasks, Cause>;
}

/// A module and its manifest in one piece.
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    /// The module, with its manifest inside.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes, in lower-case hexadecimal.
    pub digest: String,
    /// The module's name, where the manifest gives one.
    pub name: Option<String>,
    /// The version's name for people, where the manifest gives one.
    pub version: Option<String>,
    /// The manifest.
    pub manifest: Value,
}

/// A module that somebody wants to deploy.
#[derive(Debug, Clone, Default)]
pub struct Upload {
    /// Where it is from, for errors.
    pub shown: String,
    /// The module.
    pub wasm: Vec<u8>,
    /// The name that it has unless it or its manifest gives one.
    pub default_name: String,
    /// The text of the manifest that belongs to it.
    pub manifest: Option<String>,
    /// A detached signature, in minisign's format.
    pub signature: Option<String>,
    /// The address that it was pulled from.
    pub source: Option<String>,
    /// In place of the manifest's name.
    pub name: Option<String>,
    /// In place of the manifest's version.
    pub version: Option<String>,
    /// Whether the module is known to have its manifest inside, which is then taken with what it grants.
    pub bundled: bool,
}

/// A version that can be deployed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Candidate {
    /// The module's name.
    pub name: String,
    /// The module.
    pub packed: Packed,
    /// Its tasks.
    pub tasks: Tasks,
    /// A detached signature, in minisign's format.
    pub signature: Option<String>,
    /// The address that it was pulled from.
    pub source: Option<String>,
}

/// Why a module can't be deployed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The module is not in WebAssembly's binary format.
    #[error(
        "{shown} is {}, and modules are in the binary format of WebAssembly",
        if *is_text { "in WebAssembly's text format" } else { "not WebAssembly" }
    )]
    NotWebAssembly {
        /// The module.
        shown: String,
        /// Whether it looks like the text format.
        is_text: bool,
    },
    /// The signature does not cover the manifest.
    #[error(
        "the signature of {shown} covers the module without its manifest, which would leave open what it is granted"
    )]
    SignatureWithoutManifest {
        /// The module.
        shown: String,
    },
    /// The module has a manifest inside, and [`Upload::bundled`] is not set.
    #[error("{shown} has a manifest inside, which says what it is granted")]
    ManifestInside {
        /// The module.
        shown: String,
    },
    /// The module has no manifest inside, but [`Upload::bundled`] is set.
    #[error("{shown} has no manifest inside")]
    NoManifestInside {
        /// The module.
        shown: String,
    },
    /// A module with its manifest inside can't be given another name or version.
    #[error("{shown} has its name and version inside")]
    NameInside {
        /// The module.
        shown: String,
    },
    /// The manifest inside gives no name.
    #[error("{shown} has no name inside")]
    NoName {
        /// The module.
        shown: String,
    },
    /// The manifest can't be parsed.
    #[error("the manifest of {shown} is not valid")]
    Manifest {
        /// The module.
        shown: String,
        /// What is wrong with it.
        source: toml::de::Error,
    },
    /// The module or its manifest is not valid.
    #[error("{shown}")]
    Invalid {
        /// The module.
        shown: String,
        /// What is wrong with it.
        source: Cause,
    },
    /// A worker would refuse the module.
    #[error("a worker would refuse {shown}")]
    Refused {
        /// The module.
        shown: String,
        /// Why.
        source: Cause,
    },
}

/// Packs a module with its manifest, and checks it as a worker would.
///
/// # Errors
/// Says why the module can't be deployed.
pub async fn prepare(upload: Upload, inspector: &dyn Inspector) -> Result<Candidate, UploadError> {
    let shown = upload.shown.clone();
    if !upload.wasm.starts_with(b"\0asm") {
        let is_text = upload.wasm.trim_ascii_start().starts_with(b"(");
        return Err(UploadError::NotWebAssembly { shown, is_text });
    }
    let invalid = |source| UploadError::Invalid {
        shown: shown.clone(),
        source,
    };
    let packed = match inspector.open(&upload.wasm).map_err(invalid)? {
        Some(packed) => opened(&upload, packed)?,
        None if upload.signature.is_some() => {
            return Err(UploadError::SignatureWithoutManifest { shown });
        }
        None if upload.bundled => return Err(UploadError::NoManifestInside { shown }),
        None => {
            let manifest = manifest(&upload)?;
            inspector.pack(&upload.wasm, &manifest).map_err(invalid)?
        }
    };
    let Some(name) = packed.name.clone() else {
        return Err(UploadError::NoName { shown });
    };
    let tasks = inspector.tasks(&name, &packed).await;
    Ok(Candidate {
        tasks: tasks.map_err(|source| UploadError::Refused { shown, source })?,
        name,
        packed,
        signature: upload.signature,
        source: upload.source,
    })
}

/// A module that has its manifest inside is taken as it is, by somebody who knows that.
fn opened(upload: &Upload, packed: Packed) -> Result<Packed, UploadError> {
    let shown = upload.shown.clone();
    if !upload.bundled {
        return Err(UploadError::ManifestInside { shown });
    }
    if upload.name.is_some() || upload.version.is_some() {
        return Err(UploadError::NameInside { shown });
    }
    Ok(packed)
}

/// The manifest's text with the name and the version that the module is to have.
fn manifest(upload: &Upload) -> Result<String, UploadError> {
    let text = upload.manifest.as_deref().unwrap_or_default();
    let mut table: toml::Table = text.parse().map_err(|source| UploadError::Manifest {
        shown: upload.shown.clone(),
        source,
    })?;
    let default = (!table.contains_key("name")).then(|| upload.default_name.clone());
    if let Some(name) = upload.name.clone().or(default) {
        table.insert("name".into(), name.into());
    }
    if let Some(version) = upload.version.clone() {
        table.insert("version".into(), version.into());
    }
    Ok(table.to_string())
}
