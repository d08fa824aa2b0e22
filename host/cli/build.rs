//! Puts the templates of `chicory new` and the SDKs' sources into the program.
//!
//! Must not know what is in them: it leaves out what is built, and what only the SDKs' own tests need.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

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
    let mut text = String::new();
    for (name, folder, left_out) in [
        ("TEMPLATES", here.join("templates"), &[][..]),
        ("SDKS", here.join("../../guest-sdk"), &LEFT_OUT[..]),
    ] {
        let mut files = Vec::new();
        collect(&folder, left_out, &mut files);
        files.sort();
        let _ = writeln!(
            text,
            "/// Files of `{}`.",
            folder.file_name().expect("a name").display()
        );
        let _ = writeln!(text, "static {name}: &[File] = &[");
        for file in files {
            let below = file.strip_prefix(&folder).expect("it was found there");
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
