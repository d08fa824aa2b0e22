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
A bundle has one digest for the code and everything that it is granted, so one signature covers \
both. The same module and manifest give the same file.

Example:
  chicory bundle resize.wasm --output resize.bundle.wasm
  minisign -S -m resize.bundle.wasm
  chicory deploy resize.bundle.wasm --bundled")]
pub(crate) struct BundleArgs {
    /// Module file, oci:// address, or project folder (which is built first)
    path: PathBuf,
    /// Where to write the bundle
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Module name [default: from the manifest, the file or the repository]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Version name, for people [default: from the manifest]
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
