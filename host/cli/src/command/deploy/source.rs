//! What is deployed: a file, a project that is built, or a module of an OCI registry.
//!
//! Must not know how a module is packed and checked ([`chicory_admin::prepare`]).

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chicory_admin::{Candidate, Upload, prepare};
use chicory_project::{BuildRequest, Project};
use chicory_worker::signature_file;

use crate::command::build::made;
use crate::command::{Context, in_force, module};
use crate::oci;

/// What the command line asks for.
pub(crate) struct Wanted<'a> {
    pub(crate) path: &'a Path,
    pub(crate) name: Option<&'a str>,
    pub(crate) version: Option<&'a str>,
    /// Whether a manifest inside is taken as it is.
    pub(crate) bundled: bool,
    /// Whether a registry is reached without TLS.
    pub(crate) plain_http: bool,
}

/// Builds where there is a project, packs, and checks.
pub(crate) async fn candidate(wanted: &Wanted<'_>, context: &Context) -> anyhow::Result<Candidate> {
    let module = oci::module(wanted.path, wanted.plain_http).await?;
    let file = file(&module).await?;
    let wasm = std::fs::read(&file.path).with_context(|| format!("can't read {}", file.shown))?;
    let stem = file.path.file_stem().unwrap_or_default();
    let upload = Upload {
        wasm,
        default_name: stem.to_string_lossy().into_owned(),
        manifest: text(&file.path.with_extension("toml"))?,
        signature: text(&signature_file(&file.path))?,
        source: module.source,
        name: wanted.name.map(str::to_owned),
        version: wanted.version.map(str::to_owned),
        bundled: wanted.bundled,
        shown: file.shown,
    };
    let inspector = module::inspector(&context.config)?;
    let candidate = prepare(upload, &inspector).await?;
    in_force::check(&context.config, &candidate)?;
    Ok(candidate)
}

/// A module's file.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// For messages.
    shown: String,
}

/// The module's file; a project is built.
pub(crate) async fn file(module: &oci::Module) -> anyhow::Result<File> {
    if !module.path.is_dir() {
        return Ok(File {
            path: module.path.clone(),
            shown: module.shown.clone(),
        });
    }
    let project = Project::find(&module.path)?;
    let request = BuildRequest {
        quiet: true,
        ..BuildRequest::default()
    };
    let path = made(project, request).await?.file;
    let shown = path.display().to_string();
    Ok(File { path, shown })
}

/// What the file says, where it is there.
pub(crate) fn text(file: &Path) -> anyhow::Result<Option<String>> {
    if !file.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(file);
    Ok(Some(text.with_context(|| {
        format!("can't read {}", file.display())
    })?))
}
