//! JavaScript and TypeScript: npm for the author's packages, then the SDK's own builder.
//!
//! Must not know how it derives types.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::project::{Project, unparsed};
use crate::request::Build;
use crate::{ProjectError, installed, template, tool};

const REMEDY: &str = "`apt-get install nodejs npm`, or https://nodejs.org";

/// The package that every project contains: the builder knows where.
const SDK_PACKAGE: &str = "@chicory/sdk";

/// Builds the package.
pub(crate) fn build(build: &Build<'_>) -> Result<(), ProjectError> {
    let project = build.project;
    let node = tool::need("node", REMEDY)?;
    let builder = template::sdk(project)?.join("tool");
    link(&builder.join("node_modules"), &packages(build, &builder)?)?;
    if has_dependencies(project)? && !is_installed(&project.root) {
        let mut install = Command::new(tool::need("npm", REMEDY)?);
        install.current_dir(&project.root).arg("install");
        tool::run(install.args(QUIETLY))?;
    }
    let mut command = Command::new(node);
    command
        .current_dir(&project.root)
        .arg(builder.join("chicory-build.js"))
        .arg(".")
        .arg("--output")
        .arg(build.made)
        .arg("--cache")
        .arg(installed::built_before(build)?);
    tool::run(&mut command)
}

const QUIETLY: [&str; 4] = [
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--loglevel=error",
];

/// The packages that the builder needs, in the versions that its lock file names.
fn packages(build: &Build<'_>, builder: &Path) -> Result<PathBuf, ProjectError> {
    let lock = builder.join("package-lock.json");
    let folder = installed::installed(build, &lock, |folder| {
        for name in ["package.json", "package-lock.json"] {
            let from = builder.join(name);
            std::fs::copy(&from, folder.join(name)).map_err(ProjectError::file("copy", &from))?;
        }
        let mut install = Command::new(tool::need("npm", REMEDY)?);
        install
            .current_dir(folder)
            .args(["ci", "--ignore-scripts"])
            .args(QUIETLY);
        tool::run(&mut install)
    })?;
    Ok(folder.join("node_modules"))
}

/// Makes `place` a link to `target`, unless it is one.
fn link(place: &Path, target: &Path) -> Result<(), ProjectError> {
    if std::fs::read_link(place).is_ok_and(|found| found == target) || place.join(".bin").is_dir() {
        return Ok(());
    }
    let _ = std::fs::remove_file(place);
    std::os::unix::fs::symlink(target, place).map_err(ProjectError::file("make the link", place))
}

/// Whether the author uses packages other than the SDK.
fn has_dependencies(project: &Project) -> Result<bool, ProjectError> {
    let path = project.root.join("package.json");
    let text = std::fs::read_to_string(&path).map_err(ProjectError::file("read", &path))?;
    let package: Value =
        serde_json::from_str(&text).map_err(|error| unparsed("package.json", error))?;
    let named = package["dependencies"].as_object();
    Ok(named.is_some_and(|named| named.keys().any(|name| name != SDK_PACKAGE)))
}

/// Whether npm has run since package.json was changed, by the note that it leaves.
fn is_installed(root: &Path) -> bool {
    let changed = |path: &str| std::fs::metadata(root.join(path)).and_then(|file| file.modified());
    match (
        changed("package.json"),
        changed("node_modules/.package-lock.json"),
    ) {
        (Ok(wanted), Ok(done)) => wanted <= done,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn packages_are_installed_once_after_each_change() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::write(root.join("package.json"), "{}").unwrap();
        assert!(!is_installed(root));
        fs::create_dir(root.join("node_modules")).unwrap();
        let note = fs::File::create(root.join("node_modules/.package-lock.json")).unwrap();
        assert!(is_installed(root));
        note.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert!(!is_installed(root));
    }
}
