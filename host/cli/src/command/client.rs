//! `chicory client`: a module's tasks as functions of a Rust program.
//!
//! Must not know how they are written ([`chicory_project::client`]).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use chicory_project::client;
use chicory_signature::Signature;
use clap::Args;
use serde_json::json;

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
    let body = json!({ "module": found.name, "digest": found.digest, "source": source });
    context.output.value(&body, |_| source.clone())
}

async fn of_file(file: &Path, context: &Context) -> anyhow::Result<Found> {
    let module::FromFile { request, .. } = module::read(file)?;
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
            tasks: version.tasks.clone(),
        }),
        None => {
            let message = format!(
                "{name}: there is no such file, and no deployed module of this name; `chicory modules` lists the deployed modules"
            );
            Err(CommandError::Failed(message).into())
        }
    }
}
