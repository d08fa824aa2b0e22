//! C: the SDK's build script, which needs a compiler for WASI.
//!
//! Must not know which compiler it finds.

use std::path::Path;
use std::process::Command;

use super::{Project, tool};

/// Builds the sources into `made`.
pub(super) fn build(project: &Project, made: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(tool::need("bash", "`apt-get install bash`")?);
    command
        .current_dir(&project.root)
        .args(["sdk/build.sh", "."])
        .arg(made);
    tool::run(&mut command)
}
