//! C: a compiler for WASI, and bindings where the project has WIT.
//!
//! A project with a `wit/` whose world exports functions has those as its tasks. Any other project is a program,
//! which is the task `NAME.run`. Must not know what the functions do.

use std::path::{Path, PathBuf};
use std::process::Command;

use wit_bindgen_c::Opts;

use crate::bindings::{self, Bindings};
use crate::request::Build;
use crate::{Language, ProjectError, tool};

const REMEDY: &str = "`apt-get install clang-22 lld-22 wasi-libc libclang-rt-22-dev-wasm32` on Debian, \
    or wasi-sdk (https://github.com/WebAssembly/wasi-sdk/releases) with WASI_SDK_PATH set to its folder, \
    or `python3 -m pip install ziglang`";

/// Builds the sources.
pub(crate) fn build(build: &Build<'_>) -> Result<(), ProjectError> {
    let project = build.project;
    let bindings = bindings::generate(project, Opts::default().build())?;
    let mut command = compiler()?;
    command
        .current_dir(&project.root)
        .args([
            "-Os",
            "-Wall",
            "-Wextra",
            "-std=c17",
            "-Wno-unused-command-line-argument",
        ])
        // Paths of this machine must not be in a module: the same source would not give the same bytes.
        .arg("-ffile-prefix-map=./=")
        .arg(if build.request.debug {
            "-g"
        } else {
            "-Wl,--strip-debug"
        });
    if let Some(bindings) = &bindings {
        with_bindings(&mut command, bindings);
    }
    command
        .args(sources(&project.root)?)
        .arg("-o")
        .arg(build.made);
    tool::run(&mut command)
}

/// The generated sources, and the object that says what types the module has.
fn with_bindings(command: &mut Command, bindings: &Bindings) {
    if bindings.exports {
        command.arg("-mexec-model=reactor");
    }
    command.arg("-I").arg(bindings::FOLDER);
    let compiled = |file: &&PathBuf| {
        let suffix = file.extension();
        suffix.is_some_and(|suffix| suffix == "c" || suffix == "o")
    };
    command.args(bindings.files.iter().filter(compiled));
}

/// All C files of the project's folder and of `src/`, in the order of their names.
fn sources(root: &Path) -> Result<Vec<PathBuf>, ProjectError> {
    let mut found = Vec::new();
    for folder in [".", "src"] {
        let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten();
        let names = entries.flatten().map(|entry| entry.file_name());
        let paths = names.map(|name| Path::new(folder).join(name));
        found.extend(paths.filter(|path| path.extension().is_some_and(|suffix| suffix == "c")));
    }
    found.sort();
    if found.is_empty() {
        return Err(ProjectError::NoSource {
            language: Language::C,
            dir: root.to_owned(),
        });
    }
    Ok(found)
}

/// A compiler for WASI with its arguments: the one in `WASI_CC`, wasi-sdk's, a clang that finds a library for
/// WASI, or Zig's.
fn compiler() -> Result<Command, ProjectError> {
    if let Some(command) = given_compiler() {
        return Ok(command);
    }
    if let Some(folder) = std::env::var_os("WASI_SDK_PATH") {
        let clang = Path::new(&folder).join("bin/clang");
        if clang.is_file() {
            let mut command = Command::new(clang);
            command.arg("--target=wasm32-wasip1");
            return Ok(command);
        }
    }
    let newest = (14..40).rev().map(|version| format!("clang-{version}"));
    newest
        .chain(["clang".to_owned()])
        .filter_map(|name| tool::find(&name))
        .find(|clang| compiles(clang))
        .map(|clang| with_library(&clang))
        .or_else(zig)
        .ok_or_else(|| tool::missing("a C compiler for WASI", REMEDY))
}

/// The command line in `WASI_CC`.
fn given_compiler() -> Option<Command> {
    let given = std::env::var("WASI_CC").ok()?;
    let mut words = given.split_whitespace();
    let mut command = Command::new(words.next()?);
    command.args(words);
    Some(command)
}

/// Where distributions put their library for WASI.
fn with_library(clang: &Path) -> Command {
    let mut command = Command::new(clang);
    command.args([
        "--target=wasm32-wasi",
        "-Wno-deprecated",
        "--sysroot=/usr",
        "-isystem",
        "/usr/include/wasm32-wasi",
    ]);
    command
}

fn compiles(clang: &Path) -> bool {
    let Ok(folder) = tempfile::tempdir() else {
        return false;
    };
    let program = folder.path().join("main.c");
    std::fs::write(
        &program,
        "#include <stdio.h>\nint main(void) { return 0; }\n",
    )
    .is_ok()
        && tool::ask(
            with_library(clang)
                .arg(&program)
                .arg("-o")
                .arg(folder.path().join("main.wasm")),
        )
        .is_some()
}

/// Zig, which Python's package index has, is a C compiler with its own library for WASI.
fn zig() -> Option<Command> {
    let python = tool::find("python3")?;
    tool::ask(Command::new(&python).args(["-m", "ziglang", "version"]))?;
    let mut command = Command::new(python);
    command.args(["-m", "ziglang", "cc", "--target=wasm32-wasi"]);
    Some(command)
}
