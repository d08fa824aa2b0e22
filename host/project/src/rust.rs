//! Rust: cargo, with rustup's WebAssembly targets or with Debian's packages, and builds that give the same
//! bytes wherever the project is.
//!
//! Must not know what the crate exports.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::project::{Project, unparsed};
use crate::request::Build;
use crate::{ProjectError, tool};

const REMEDY: &str = "`rustup target add wasm32-unknown-unknown wasm32-wasip1` \
    (or on Debian `apt-get install rustc-web cargo-web rust-web-src lld-22 wasi-libc`)";

/// Builds the crate.
pub(crate) fn build(build: &Build<'_>) -> Result<(), ProjectError> {
    let project = build.project;
    let target = target(project)?;
    let toolchain = Toolchain::find(project, &target)?;
    let mut command = toolchain.cargo(project, &target);
    if build.request.quiet {
        command.arg("--quiet");
    }
    let wasm = artifact(&mut command)?;
    std::fs::copy(&wasm, build.made).map_err(ProjectError::file("copy", &wasm))?;
    Ok(())
}

/// The target: `[package.metadata.guest] target`. By default a program is built for WASI, and a library is not,
/// since it does not need it.
fn target(project: &Project) -> Result<String, ProjectError> {
    let file = project.root.join("Cargo.toml");
    let text = std::fs::read_to_string(&file).map_err(ProjectError::file("read", &file))?;
    let package: toml::Table =
        toml::from_str(&text).map_err(|error| unparsed("Cargo.toml", error))?;
    let named = package.get("package").and_then(|package| {
        package
            .get("metadata")?
            .get("guest")?
            .get("target")?
            .as_str()
    });
    let library = package.contains_key("lib") || project.root.join("src/lib.rs").is_file();
    let usual = if library {
        "wasm32-unknown-unknown"
    } else {
        "wasm32-wasip1"
    };
    Ok(named.unwrap_or(usual).to_owned())
}

/// A Rust that can compile guests.
enum Toolchain {
    /// The one on the PATH has the target's library.
    OnPath,
    /// Debian's `rustc-web`, which compiles the library as well.
    Debian { linker: PathBuf },
}

impl Toolchain {
    fn find(project: &Project, target: &str) -> Result<Self, ProjectError> {
        tool::need("cargo", "https://rustup.rs")?;
        let mut rustc = Command::new("rustc");
        rustc
            .current_dir(&project.root)
            .args(["--print", "target-libdir", "--target", target]);
        let libraries = tool::ask(&mut rustc).map(PathBuf::from);
        if libraries.is_some_and(|dir| has_library(&dir)) {
            return Ok(Self::OnPath);
        }
        if let Some(linker) = debian_linker() {
            return Ok(Self::Debian { linker });
        }
        let what = format!("a Rust that compiles for {target}");
        Err(tool::missing(&what, REMEDY))
    }

    fn cargo(&self, project: &Project, target: &str) -> Command {
        let mut flags = remaps(project, self);
        let mut command = match self {
            Self::OnPath => Command::new("cargo"),
            Self::Debian { .. } => Command::new("/usr/bin/cargo"),
        };
        command
            .current_dir(&project.root)
            .args(["build", "--release", "--target", target])
            .arg("--message-format=json-render-diagnostics");
        if let Self::Debian { linker } = self {
            command
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTC", "/usr/bin/rustc")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                .env("CARGO_TARGET_WASM32_WASIP1_LINKER", linker)
                .env_remove("RUSTUP_TOOLCHAIN");
            if target == "wasm32-wasip1" {
                flags.extend(DEBIAN_WASI.map(str::to_owned));
            }
        }
        command
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_BUILD_TARGET");
        command
    }
}

/// Rust brings a library for WASI; Debian's packages have another one elsewhere.
const DEBIAN_WASI: [&str; 6] = [
    "-L",
    "native=/usr/lib/wasm32-wasi",
    "-C",
    "link-self-contained=no",
    "-C",
    "link-arg=/usr/lib/wasm32-wasi/crt1-command.o",
];

fn has_library(dir: &Path) -> bool {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    files.into_iter().any(|file| {
        let name = file.file_name().to_string_lossy().into_owned();
        name.starts_with("libstd-") && Path::new(&name).extension().is_some_and(|e| e == "rlib")
    })
}

/// The linker of Debian's packages, where all of them are installed.
fn debian_linker() -> Option<PathBuf> {
    let mut rustc = Command::new("/usr/bin/rustc");
    let sysroot = tool::ask(rustc.args(["--print", "sysroot"]))?;
    let library = Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml");
    if !library.is_file() || !Path::new("/usr/bin/cargo").is_file() {
        return None;
    }
    (14..40)
        .rev()
        .find_map(|version| tool::find(&format!("wasm-ld-{version}")))
        .or_else(|| tool::find("wasm-ld"))
}

/// Paths of this machine must not be in a module: the same source would not give the same bytes.
fn remaps(project: &Project, toolchain: &Toolchain) -> Vec<String> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| {
            let home = std::env::var_os("HOME")?;
            Some(Path::new(&home).join(".cargo"))
        });
    let rustc = match toolchain {
        Toolchain::OnPath => "rustc",
        Toolchain::Debian { .. } => "/usr/bin/rustc",
    };
    let mut rustc = Command::new(rustc);
    rustc
        .current_dir(&project.root)
        .args(["--print", "sysroot"]);
    let sysroot = tool::ask(&mut rustc).map(PathBuf::from);
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    // The last match wins, so the project, which may be inside another of these folders, comes last.
    let paths = [
        (sysroot, "/rust"),
        (home, "/cargo"),
        (target, "/target"),
        (Some(project.root.clone()), "."),
    ];
    paths
        .into_iter()
        .filter_map(|(path, name)| Some(format!("--remap-path-prefix={}={name}", path?.display())))
        .collect()
}

/// Runs cargo, and finds the `.wasm` that it made of this package.
fn artifact(command: &mut Command) -> Result<PathBuf, ProjectError> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(tool::not_started(command))?;
    let stdout = child
        .stdout
        .take()
        .unwrap_or_else(|| unreachable!("it is piped"));
    let messages =
        serde_json::Deserializer::from_reader(BufReader::new(stdout)).into_iter::<Value>();
    let mut found = Vec::new();
    for message in messages {
        let message = message.map_err(|source| ProjectError::Messages { source })?;
        found.extend(modules(&message));
    }
    let status = child.wait().map_err(tool::not_started(command))?;
    tool::ended(command, status)?;
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(ProjectError::NoModule),
        _ => Err(ProjectError::SeveralModules { modules: found }),
    }
}

/// The modules that one of cargo's messages reports.
fn modules(message: &Value) -> Vec<PathBuf> {
    if message["reason"] != "compiler-artifact" {
        return Vec::new();
    }
    let files = message["filenames"].as_array().into_iter().flatten();
    files
        .filter_map(Value::as_str)
        .map(PathBuf::from)
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "wasm")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn modules_are_found_in_cargos_messages() {
        let artifact = json!({"reason": "compiler-artifact", "filenames": ["/t/a.wasm", "/t/a.d"]});
        assert_eq!(modules(&artifact), [PathBuf::from("/t/a.wasm")]);
        assert!(modules(&json!({"reason": "build-finished", "success": true})).is_empty());
    }
}
