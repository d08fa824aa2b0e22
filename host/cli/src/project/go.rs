//! Go: the SDK's build script, which needs the Go toolchain.
//!
//! Must not know which flags it takes.

use std::path::Path;
use std::process::Command;

use super::{Project, tool};

/// Builds the module into `made`.
pub(super) fn build(project: &Project, made: &Path) -> anyhow::Result<()> {
    tool::need("bash", "`apt-get install bash`")?;
    let mut command = Command::new("bash");
    command
        .current_dir(&project.root)
        .args(["sdk/build.sh", "."])
        .arg(made);
    tool::run(&mut command)
}
