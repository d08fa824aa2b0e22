//! `chicory push`: a module with its manifest and signature goes to an OCI registry.
//!
//! Must not know the protocol of registries.

use std::path::PathBuf;

use anyhow::Context as _;
use chicory_worker::{Manifest, signature_file};
use clap::Args;
use serde_json::json;

use super::Context;
use super::deploy::source::{file, text};
use crate::exit::CommandError;
use crate::oci::{self, Address, Content, OciArgs};

/// Flags of `chicory push`.
#[derive(Debug, Args)]
#[command(after_help = "\
The manifest NAME.toml and the signature FILE.minisig next to the module are pushed with it. \
Credentials are read from Docker's configuration: run `docker login HOST` first.

Example:
  chicory push resize.wasm oci://ghcr.io/acme/resize:1.4.0
  chicory deploy oci://ghcr.io/acme/resize:1.4.0")]
pub(crate) struct PushArgs {
    /// Module file, or project folder (which is built first)
    path: PathBuf,
    #[arg(
        value_name = "ADDRESS",
        help = "Destination: oci://HOST[:PORT]/REPOSITORY[:TAG]"
    )]
    to: String,
    #[command(flatten)]
    oci: OciArgs,
}

/// Checks what can be checked without compiling, and pushes.
pub(crate) async fn run(args: PushArgs, context: &Context) -> anyhow::Result<()> {
    let plain_http = args.oci.plain_http;
    let to = Address::parse(&args.to).unwrap_or_else(|| {
        Err(CommandError::Usage(format!(
            "{:?} is not an address: give oci://HOST[:PORT]/REPOSITORY[:TAG]",
            args.to
        )))
    })?;
    if Address::parse(&args.path.to_string_lossy()).is_some() {
        return Err(CommandError::Usage(
            "only a file or folder on this machine can be pushed".into(),
        )
        .into());
    }
    let module = oci::module(&args.path, plain_http).await?;
    let path = file(&module).await?.path;
    let shown = path.display();
    let wasm = std::fs::read(&path).with_context(|| format!("can't read {shown}"))?;
    if !wasm.starts_with(b"\0asm") {
        return Err(CommandError::Usage(format!("{shown} is not a WebAssembly module")).into());
    }
    Manifest::beside(&path, &wasm)
        .map_err(|error| CommandError::Usage(format!("{shown}: {error}")))?;
    let artifact = Content {
        wasm,
        manifest: text(&path.with_extension("toml"))?,
        signature: text(&signature_file(&path))?,
    };
    let address = oci::push(artifact, &to, plain_http).await?;
    context
        .output
        .value(&json!({ "address": address }), |_| address.clone())
}
