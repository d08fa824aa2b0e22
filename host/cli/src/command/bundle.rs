//! `chicory bundle`: a module and its manifest in one file, which can be signed and deployed as it is.
//!
//! Must not know the registry.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::Context;
use super::deploy::source::{Wanted, candidate};
use crate::oci::OciArgs;

/// Flags of `chicory bundle`.
#[derive(Debug, Args)]
#[command(after_help = "\
What is written has one digest for the code and for all that it is granted, so that a signature covers
both. The same module and manifest give the same file.
Example:
  chicory bundle resize.wasm --output resize.bundle.wasm
  minisign -S -m resize.bundle.wasm
  chicory deploy resize.bundle.wasm --bundled")]
pub(crate) struct BundleArgs {
    /// A module, its oci:// address, or the folder of a project, which is built first
    path: PathBuf,
    /// Where the bundle goes
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// The module's name [default: the manifest's, or the file's or repository's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The version's name, for people [default: the manifest's]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    oci: OciArgs,
}

/// Packs, checks, writes.
pub(crate) async fn run(args: BundleArgs, context: &Context) -> anyhow::Result<()> {
    let wanted = Wanted {
        path: &args.path,
        name: args.name.as_deref(),
        version: args.version.as_deref(),
        bundled: false,
        plain_http: args.oci.plain_http,
    };
    let candidate = candidate(&wanted, context).await?;
    let packed = &candidate.packed;
    std::fs::write(&args.output, &packed.bytes)
        .with_context(|| format!("can't write {}", args.output.display()))?;
    let digest = &packed.digest;
    context.output.value(
        &json!({ "module": candidate.name, "digest": digest, "file": args.output }),
        |_| format!("{} sha256:{digest}", args.output.display()),
    )
}
