//! JavaScript and TypeScript: npm for the packages, then the SDK's own builder.
//!
//! Must not know how it derives types.

use std::path::Path;
use std::process::Command;

use super::{Project, tool};

/// Builds the package into `made`.
pub(super) fn build(project: &Project, made: &Path) -> anyhow::Result<()> {
    let remedy = "`apt-get install nodejs npm`, or https://nodejs.org";
    let (npm, npx) = (tool::need("npm", remedy)?, tool::need("npx", remedy)?);
    if !project.root.join("node_modules").is_dir() {
        let mut install = Command::new(npm);
        install.current_dir(&project.root).args([
            "install",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]);
        tool::run(&mut install)?;
    }
    let mut command = Command::new(npx);
    command
        .current_dir(&project.root)
        // Without this, npx would look for a package of that name in the registry.
        .args(["--no-install", "chicory-build", "."])
        .arg("--output")
        .arg(made);
    tool::run(&mut command)
}
