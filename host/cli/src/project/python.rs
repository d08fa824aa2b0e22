//! Python: the SDK's own builder, which needs componentize-py.
//!
//! Must not know how it derives types from annotations.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Project, tool};

/// Builds the package into `made`.
pub(super) fn build(project: &Project, made: &Path) -> anyhow::Result<()> {
    let python = interpreter(project)?;
    let mut asked = Command::new(&python);
    let asked = asked.args(["-c", "import componentize_py; print(1)"]);
    if tool::ask(asked.env("PYTHONPATH", search_path(project))).is_none() {
        let what = format!("the package componentize-py (for {})", python.display());
        return Err(tool::missing(
            &what,
            "`python3 -m pip install componentize-py`",
        ));
    }
    let mut command = Command::new(&python);
    command
        .current_dir(&project.root)
        .args(["-m", "chicory_sdk", "build", "."])
        .arg("--output")
        .arg(made)
        .env("PYTHONPATH", search_path(project))
        // The same source gives the same bytes.
        .env("PYTHONHASHSEED", "0")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SOURCE_DATE_EPOCH", "0");
    tool::run(&mut command)
}

/// The project's own virtual environment goes before what is on the PATH.
fn interpreter(project: &Project) -> anyhow::Result<PathBuf> {
    let own = project.root.join(".venv/bin/python");
    if own.is_file() {
        return Ok(own);
    }
    tool::need(
        "python3",
        "`apt-get install python3`, or https://www.python.org/downloads",
    )
}

/// The SDK in the project, then what the user has set.
fn search_path(project: &Project) -> std::ffi::OsString {
    let mut paths = vec![project.root.join("sdk")];
    if let Some(given) = std::env::var_os("PYTHONPATH") {
        paths.extend(std::env::split_paths(&given));
    }
    // Only a path with a colon in it can't be joined, and Python could not find anything there.
    std::env::join_paths(paths).unwrap_or_default()
}
