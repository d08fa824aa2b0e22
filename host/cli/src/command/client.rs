//! `chicory client`: a module's tasks as functions of a Rust program.
//!
//! Must not know how they are written ([`chicory_project::client`]).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use chicory_admin::Inspector as _;
use chicory_project::client;
use chicory_queue::{Registry, Version};
use chicory_signature::{Signature, qualified};
use chicory_worker::signature_file;
use clap::Args;
use serde_json::json;

use super::deploy::source::text;
use super::{Context, module};
use crate::exit::CommandError;

/// Flags of `chicory client`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each task becomes a function that returns its call; records, variants, enums and flags become types:
  let sum: u32 = client.call(\"default\", demo::add(1, 2), None).await?;

The generated code needs the crates chicory-queue and serde (with its derive feature).

Examples:
  chicory client demo.wasm > src/demo.rs
  chicory client demo > src/demo.rs")]
pub(crate) struct ClientArgs {
    /// Module file, or name of a deployed module (its active version is used)
    module: String,
}

/// A module's tasks.
struct Found {
    name: String,
    digest: String,
    tasks: BTreeMap<String, Signature>,
}

/// Prints the Rust module.
pub(crate) async fn run(args: ClientArgs, context: &Context) -> anyhow::Result<()> {
    let path = Path::new(&args.module);
    let found = if path.is_file() {
        of_file(path, context).await?
    } else {
        of_registry(&args.module, context).await?
    };
    let source = client(&found.name, &found.digest, &found.tasks);
    let source = source.with_context(|| format!("module {:?}", found.name))?;
    let body = json!({ "module": found.name, "digest": found.digest, "source": source });
    context.output.value(&body, |_| source.clone())
}

async fn of_file(file: &Path, context: &Context) -> anyhow::Result<Found> {
    let module::FromFile { request, .. } = module::read(file)?;
    let signature = text(&signature_file(file))?;
    let trust = &context.config.admission.trust;
    let trusted = trust.check(
        &qualified(&context.config.tenant, &request.name),
        &request.wasm,
        signature.as_deref(),
    );
    trusted.with_context(|| file.display().to_string())?;
    let sandbox = module::sandbox(&context.config)?;
    let described = sandbox.inspect(request).await;
    let described = described.with_context(|| file.display().to_string())?;
    Ok(Found {
        name: described.name,
        digest: described.digest,
        tasks: described.tasks.into_iter().collect(),
    })
}

async fn of_registry(name: &str, context: &Context) -> anyhow::Result<Found> {
    let registry = context.connect().await?.registry;
    let record = registry.find_module(name).await?.unwrap_or_default();
    match record.active_version() {
        Some(version) => Ok(Found {
            name: record.name.clone(),
            digest: version.digest.clone(),
            tasks: tasks(registry.as_ref(), &record.name, version, context).await?,
        }),
        None => {
            let message = format!(
                "{name}: there is no such file, and no deployed module of this name; `chicory modules` lists the deployed modules"
            );
            Err(CommandError::Failed(message).into())
        }
    }
}

/// The tasks of a deployed version: what the registry says of them, or, where modules must be signed, what is in the
/// signed bytes. The signature doesn't cover the registry.
async fn tasks(
    registry: &dyn Registry,
    name: &str,
    version: &Version,
    context: &Context,
) -> anyhow::Result<BTreeMap<String, Signature>> {
    let trust = &context.config.admission.trust;
    if trust.is_open() {
        return Ok(version.tasks.clone());
    }
    let shown = || format!("version {} of module {name:?}", version.digest);
    let bytes = registry.blob(&version.digest).await?;
    let bytes = bytes.with_context(|| format!("{}: its bytes are not in the registry", shown()))?;
    let inspector = module::inspector(&context.config)?;
    let packed = inspector.open(&bytes);
    let packed = packed
        .map_err(anyhow::Error::from_boxed)
        .with_context(shown)?;
    let packed = packed.with_context(|| format!("{}: it has no manifest inside", shown()))?;
    let signature = version.signature.as_deref();
    (trust.check(
        &qualified(&context.config.tenant, name),
        &packed.bytes,
        signature,
    ))
    .with_context(shown)?;
    if packed.digest != version.digest || packed.name.as_deref() != Some(name) {
        let message = format!("{}: its bytes are those of another module", shown());
        return Err(CommandError::Failed(message).into());
    }
    let tasks = inspector.tasks(name, &packed).await;
    tasks.map_err(anyhow::Error::from_boxed).with_context(shown)
}
