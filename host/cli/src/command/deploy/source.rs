//! What is deployed: a file or a built project, packed with its manifest, and checked as a worker would.
//!
//! Must not know the registry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chicory_runtime::LoadRequest;
use chicory_signature::Signature;
use chicory_worker::Bundle;

use super::undeployable;
use crate::command::build::made;
use crate::command::{Context, module};
use crate::oci;
use crate::project::{Project, Request};

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

/// A version, ready to be sent.
pub(crate) struct Packed {
    /// The module's name.
    pub(crate) name: String,
    pub(crate) bundle: Bundle,
    pub(crate) tasks: BTreeMap<String, Signature>,
    /// In minisign's format.
    pub(crate) signature: Option<String>,
    /// The address that it was pulled from.
    pub(crate) source: Option<String>,
}

/// Builds where there is a project, packs, and checks.
pub(crate) async fn pack(wanted: &Wanted<'_>, context: &Context) -> anyhow::Result<Packed> {
    let module = oci::module(wanted.path, wanted.plain_http).await?;
    let file = file(&module).await?;
    let wasm = std::fs::read(&file.path).with_context(|| format!("can't read {}", file.shown))?;
    let signature = text(&signature_file(&file.path))?;
    let bundle = if Bundle::is_packed(&wasm) {
        opened(wanted, &file, wasm)?
    } else if signature.is_some() {
        return Err(undeployable(format!(
            "the signature of {0} is of the module without its manifest, which would leave open what it is granted; run `chicory bundle {0}`, sign what that writes, and deploy it with --bundled",
            file.shown
        )));
    } else {
        packed(wanted, &file, &wasm)?
    };
    let Some(name) = bundle.manifest.name.clone() else {
        return Err(undeployable(format!("{} has no name inside", file.shown)));
    };
    let tasks = check(&name, &bundle, context).await?;
    Ok(Packed {
        name,
        bundle,
        tasks,
        signature,
        source: module.source,
    })
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
    let request = Request {
        output: None,
        quiet: true,
        debug: false,
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

/// Where a module's signature is.
pub(crate) fn signature_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

/// A module that has its manifest inside.
fn opened(wanted: &Wanted<'_>, file: &File, wasm: Vec<u8>) -> anyhow::Result<Bundle> {
    let bundle =
        Bundle::open(wasm).map_err(|error| undeployable(format!("{}: {error}", file.shown)))?;
    if !wanted.bundled {
        return Err(undeployable(format!(
            "{} has a manifest inside, which says what it is granted: look at it by `chicory inspect {}`, and deploy it with --bundled if that is what you want",
            file.shown, file.shown
        )));
    }
    if wanted.name.is_some() || wanted.version.is_some() {
        return Err(undeployable(format!(
            "{} has its name and version inside: leave out --name and --version",
            file.shown
        )));
    }
    Ok(bundle)
}

fn packed(wanted: &Wanted<'_>, file: &File, wasm: &[u8]) -> anyhow::Result<Bundle> {
    if wanted.bundled {
        return Err(undeployable(format!(
            "{} has no manifest inside: `chicory bundle` writes one with it",
            file.shown
        )));
    }
    let manifest = text(&file.path.with_extension("toml"))?.unwrap_or_default();
    let mut table: toml::Table = manifest.parse().map_err(|error| {
        undeployable(format!(
            "the manifest of {} is not valid:\n{error}",
            file.shown
        ))
    })?;
    let stem = file.path.file_stem().unwrap_or_default().to_string_lossy();
    let name = wanted.name.map(str::to_owned);
    if let Some(name) = name.or_else(|| (!table.contains_key("name")).then(|| stem.into_owned())) {
        table.insert("name".into(), name.into());
    }
    if let Some(version) = wanted.version {
        table.insert("version".into(), version.into());
    }
    Bundle::pack(wasm, &table.to_string())
        .map_err(|error| undeployable(format!("{}: {error}", file.shown)))
}

/// Loads it as a worker would.
async fn check(
    name: &str,
    bundle: &Bundle,
    context: &Context,
) -> anyhow::Result<BTreeMap<String, Signature>> {
    let sandbox = module::sandbox(&context.config)?;
    let request = LoadRequest {
        name: name.to_owned(),
        wasm: bundle.bytes.clone(),
        settings: bundle.manifest.settings(),
    };
    let module = sandbox
        .load(request)
        .await
        .map_err(|error| undeployable(chicory_signature::with_causes(&error)))?;
    let tasks = module.tasks();
    Ok(tasks
        .map(|task| (task.name().to_owned(), task.signature().clone()))
        .collect())
}
