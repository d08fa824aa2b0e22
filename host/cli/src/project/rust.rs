//! Rust: cargo, with rustup's WebAssembly targets or with Debian's packages, and builds that come out
//! the same wherever the project is.
//!
//! Must not know what the crate exports.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use super::{Project, tool};
use crate::exit::CommandError;

const REMEDY: &str = "`rustup target add wasm32-unknown-unknown wasm32-wasip1` \
    (or on Debian `apt-get install rustc-web cargo-web rust-web-src lld-22 wasi-libc`)";

/// Builds the crate into `made`.
pub(super) fn build(project: &Project, made: &Path, quiet: bool) -> anyhow::Result<()> {
    let target = target(project)?;
    let toolchain = Toolchain::find(project, &target)?;
    let mut command = toolchain.cargo(project, &target);
    if quiet {
        command.arg("--quiet");
    }
    let wasm = artifact(&mut command)?;
    std::fs::copy(&wasm, made).with_context(|| format!("can't copy {}", wasm.display()))?;
    Ok(())
}

/// The target: what `[package.metadata.guest] target` says. Else a library needs no WASI, and a program
/// does.
fn target(project: &Project) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(project.root.join("Cargo.toml"))?;
    let package: toml::Table = toml::from_str(&text).context("Cargo.toml")?;
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
    fn find(project: &Project, target: &str) -> anyhow::Result<Self> {
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

/// Debian's library for WASI is not Rust's own.
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

/// The linker of Debian's packages, where all of them are there.
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
    // The last one that fits holds, so the project, which may be inside another, comes last.
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
fn artifact(command: &mut Command) -> anyhow::Result<PathBuf> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("can't start {}", tool::shown(command)))?;
    let stdout = child.stdout.take().context("cargo's output")?;
    let messages =
        serde_json::Deserializer::from_reader(BufReader::new(stdout)).into_iter::<Value>();
    let mut found = Vec::new();
    for message in messages {
        found.extend(modules(&message.context("cargo's messages can't be read")?));
    }
    let status = child.wait()?;
    if !status.success() {
        let message = format!(
            "the build failed: `{}` ended with {status}",
            tool::shown(command)
        );
        return Err(CommandError::Failed(message).into());
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(CommandError::Failed(
            "cargo made no .wasm: give the library in Cargo.toml crate-type = [\"cdylib\"]".into(),
        )
        .into()),
        several => {
            let names: Vec<_> = several
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            let message = format!(
                "cargo made several modules, and a project has one: {}",
                names.join(", ")
            );
            Err(CommandError::Failed(message).into())
        }
    }
}

/// The modules that one of cargo's messages tells of.
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
