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
use crate::project::{Project, Request};

/// What the command line asks for.
pub(crate) struct Wanted<'a> {
    pub(crate) path: &'a Path,
    pub(crate) name: Option<&'a str>,
    pub(crate) version: Option<&'a str>,
    /// Whether a manifest inside is taken as it is.
    pub(crate) bundled: bool,
}

/// A version, ready to be sent.
pub(crate) struct Packed {
    /// The module's name.
    pub(crate) name: String,
    pub(crate) bundle: Bundle,
    pub(crate) tasks: BTreeMap<String, Signature>,
    /// In minisign's format.
    pub(crate) signature: Option<String>,
}

/// Builds where there is a project, packs, and checks.
pub(crate) async fn pack(wanted: &Wanted<'_>, context: &Context) -> anyhow::Result<Packed> {
    let file = file(wanted.path).await?;
    let wasm = std::fs::read(&file).with_context(|| format!("can't read {}", file.display()))?;
    let signed = signature_file(&file);
    let signature = if signed.is_file() {
        let text = std::fs::read_to_string(&signed);
        Some(text.with_context(|| format!("can't read {}", signed.display()))?)
    } else {
        None
    };
    let bundle = if Bundle::is_packed(&wasm) {
        opened(wanted, &file, wasm)?
    } else if signature.is_some() {
        return Err(undeployable(format!(
            "{} signs the module without its manifest, which would leave open what it is granted; run `chicory bundle {}`, sign what that writes, and deploy it with --bundled",
            signed.display(),
            file.display()
        )));
    } else {
        packed(wanted, &file, &wasm)?
    };
    let Some(name) = bundle.manifest.name.clone() else {
        return Err(undeployable(format!(
            "{} has no name inside",
            file.display()
        )));
    };
    let tasks = check(&name, &bundle, context).await?;
    Ok(Packed {
        name,
        bundle,
        tasks,
        signature,
    })
}

/// The module's file; a project is built.
async fn file(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let project = Project::find(path)?;
    let request = Request {
        output: None,
        quiet: true,
        debug: false,
    };
    Ok(made(project, request).await?.file)
}

fn signature_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

/// A module that has its manifest inside.
fn opened(wanted: &Wanted<'_>, file: &Path, wasm: Vec<u8>) -> anyhow::Result<Bundle> {
    let bundle =
        Bundle::open(wasm).map_err(|error| undeployable(format!("{}: {error}", file.display())))?;
    if !wanted.bundled {
        return Err(undeployable(format!(
            "{} has a manifest inside, which says what it is granted: look at it by `chicory inspect {}`, and deploy it with --bundled if that is what you want",
            file.display(),
            file.display()
        )));
    }
    if wanted.name.is_some() || wanted.version.is_some() {
        return Err(undeployable(format!(
            "{} has its name and version inside: leave out --name and --version",
            file.display()
        )));
    }
    Ok(bundle)
}

fn packed(wanted: &Wanted<'_>, file: &Path, wasm: &[u8]) -> anyhow::Result<Bundle> {
    if wanted.bundled {
        return Err(undeployable(format!(
            "{} has no manifest inside: `chicory bundle` writes one with it",
            file.display()
        )));
    }
    let beside = file.with_extension("toml");
    let text = if beside.is_file() {
        let text = std::fs::read_to_string(&beside);
        text.with_context(|| format!("can't read the manifest {}", beside.display()))?
    } else {
        String::new()
    };
    let mut table: toml::Table = text.parse().map_err(|error| {
        undeployable(format!(
            "the manifest {} is not valid:\n{error}",
            beside.display()
        ))
    })?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = wanted.name.map(str::to_owned);
    if let Some(name) = name.or_else(|| (!table.contains_key("name")).then(|| stem.into_owned())) {
        table.insert("name".into(), name.into());
    }
    if let Some(version) = wanted.version {
        table.insert("version".into(), version.into());
    }
    Bundle::pack(wasm, &table.to_string())
        .map_err(|error| undeployable(format!("{}: {error}", file.display())))
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
        .map_err(|error| undeployable(error.to_string()))?;
    let tasks = module.tasks();
    Ok(tasks
        .map(|task| (task.name().to_owned(), task.signature().clone()))
        .collect())
}
