//! Puts the templates of `chicory new` and the SDKs' sources into the program.
//!
//! `sdk` and `wit` are links to the sources, which `cargo package` follows. It packs no folder with a Cargo.toml, so
//! these are called Cargo.toml.in here. Must not know what is in the files: it leaves out what is built, and what only
//! the SDKs' own tests need.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Where SDKs have the contract with the host, of which there is one source.
const CONTRACTS: [&str; 2] = ["javascript/wit/task.wit", "python/chicory_sdk/wit/task.wit"];

/// Folders that are built, or that a project does not need.
const LEFT_OUT: [&str; 12] = [
    "target",
    "node_modules",
    "build",
    "dist",
    "example",
    "examples",
    "tests",
    "test",
    "conformance",
    "__pycache__",
    ".venv",
    ".git",
];

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let contract = here.join("wit/task.wit");
    println!("cargo:rerun-if-changed={}", contract.display());
    let mut text = String::new();
    for (name, folder, left_out, contracts) in [
        ("TEMPLATES", "templates", &[][..], &[][..]),
        ("SDKS", "sdk", &LEFT_OUT[..], &CONTRACTS[..]),
    ] {
        let folder = here.join(folder);
        let mut files = Vec::new();
        collect(&folder, left_out, &mut files);
        files.sort();
        let _ = writeln!(text, "static {name}: &[File] = &[");
        let found = files.iter().map(|file| {
            let below = file.strip_prefix(&folder).expect("it was found there");
            (unpacked(below), file)
        });
        let given = contracts
            .iter()
            .map(|place| (PathBuf::from(place), &contract));
        for (below, file) in found.chain(given) {
            let _ = writeln!(
                text,
                "    (r\"{}\", include_bytes!(r\"{}\")),",
                below.display(),
                file.display()
            );
        }
        text.push_str("];\n");
    }
    fs::write(out.join("embedded.rs"), text).expect("OUT_DIR can be written to");
}

/// The name that a file has in a project.
fn unpacked(below: &Path) -> PathBuf {
    match below.file_name() {
        Some(name) if name == "Cargo.toml.in" => below.with_file_name("Cargo.toml"),
        _ => below.to_owned(),
    }
}

fn collect(folder: &Path, left_out: &[&str], files: &mut Vec<PathBuf>) {
    println!("cargo:rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            if !left_out.contains(&name.as_str()) {
                collect(&entry.path(), left_out, files);
            }
        } else {
            files.push(entry.path());
        }
    }
}
