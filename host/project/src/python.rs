//! Python: the SDK's own builder, which needs componentize-py.
//!
//! Must not know how it derives types from annotations.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::project::Project;
use crate::request::Build;
use crate::{ProjectError, installed, template, tool};

const REMEDY: &str = "`apt-get install python3 python3-pip`, or https://www.python.org/downloads";

/// Builds the package.
pub(crate) fn build(build: &Build<'_>) -> Result<(), ProjectError> {
    let project = build.project;
    let sdk = template::sdk(project)?;
    let python = interpreter(project)?;
    let mut paths = vec![sdk.clone()];
    if !has_builder(&python) {
        paths.push(componentize_py(build, &sdk)?);
    }
    let mut command = Command::new(&python);
    command
        .current_dir(&project.root)
        .args(["-m", "chicory_sdk", "build", "."])
        .arg("--output")
        .arg(build.made)
        .arg("--cache")
        .arg(installed::built_before(build)?)
        .env("PYTHONPATH", joined(paths))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    tool::run(&mut command)
}

/// The project's own virtual environment takes precedence over the PATH.
fn interpreter(project: &Project) -> Result<PathBuf, ProjectError> {
    let own = project.root.join(".venv/bin/python");
    let python = if own.is_file() {
        own
    } else {
        tool::need("python3", REMEDY)?
    };
    let asks = "import sys; print(1 / (sys.version_info >= (3, 11)))";
    if tool::ask(Command::new(&python).args(["-c", asks])).is_none() {
        let what = format!("Python 3.11 or later (in place of {})", python.display());
        return Err(tool::missing(&what, REMEDY));
    }
    Ok(python)
}

/// Whether the author's virtual environment has a componentize-py.
fn has_builder(python: &Path) -> bool {
    let asks = "import sys, componentize_py; print(1 / (sys.prefix != sys.base_prefix))";
    tool::ask(Command::new(python).args(["-c", asks])).is_some()
}

/// The folder with the componentize-py that the SDK is made for.
fn componentize_py(build: &Build<'_>, sdk: &Path) -> Result<PathBuf, ProjectError> {
    let wanted = sdk.join("build-requirements.txt");
    installed::installed(build, &wanted, |folder| {
        let python = tool::need("python3", REMEDY)?;
        if tool::ask(Command::new(&python).args(["-m", "pip", "--version"])).is_none() {
            return Err(tool::missing(
                "Python's pip",
                "`apt-get install python3-pip`",
            ));
        }
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--no-input"])
            .args(["--disable-pip-version-check", "--root-user-action=ignore"])
            .arg("--target")
            .arg(folder)
            .arg("--requirement")
            .arg(&wanted);
        tool::run(&mut pip)
    })
}

/// A search path: these folders, then what the user has set.
fn joined(mut paths: Vec<PathBuf>) -> OsString {
    if let Some(given) = std::env::var_os("PYTHONPATH") {
        paths.extend(std::env::split_paths(&given));
    }
    // Only a path with a colon can't be joined, and Python would find nothing there.
    std::env::join_paths(paths).unwrap_or_default()
}
