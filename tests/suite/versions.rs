//! Modules of a few lines, in several versions, to be deployed one after the other.
//!
//! Must not know how they are deployed.

use std::path::PathBuf;

use crate::site::Site;

/// A module whose task `answer` returns this number.
pub(crate) fn answering(number: u32) -> String {
    format!(
        r#"(component
  (core module $m (func (export "answer") (result i32) i32.const {number}))
  (core instance $i (instantiate $m))
  (func (export "answer") (result u32) (canon lift (core func $i "answer"))))"#
    )
}

/// A module whose task `double` traps.
pub(crate) fn trapping() -> String {
    multiplying("u32", 0).replace("local.get 0", "unreachable local.get 0")
}

/// A module whose task `double` takes a number of this type, such as `u32`, and returns `factor` times it.
pub(crate) fn multiplying(kind: &str, factor: u32) -> String {
    format!(
        r#"(component
  (core module $m (func (export "double") (param i32) (result i32) local.get 0 i32.const {factor} i32.mul))
  (core instance $i (instantiate $m))
  (func (export "double") (param "n" {kind}) (result u32) (canon lift (core func $i "double"))))"#
    )
}

/// A module whose task `double` takes a text in place of a number, and returns its length.
pub(crate) fn measuring() -> String {
    r#"(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 16)
    (func (export "double") (param i32 i32) (result i32) local.get 1))
  (core instance $i (instantiate $m))
  (func (export "double") (param "text" string) (result u32)
    (canon lift (core func $i "double") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#
        .to_owned()
}

/// Writes a version as the file of the module `name`, with this manifest.
pub(crate) fn write(site: &Site, name: &str, text: &str, manifest: &str) -> PathBuf {
    site.write(&format!("{name}.toml"), manifest);
    let wasm = wat::parse_str(text).expect("the text is a component");
    site.write(&format!("{name}.wasm"), wasm)
}

/// Writes a version, and deploys it with these flags.
pub(crate) fn deploy(site: &Site, name: &str, text: &str, flags: &[&str]) -> crate::ran::Ran {
    write(site, name, text, "");
    let file = format!("{name}.wasm");
    let args: Vec<&str> = ["deploy", &file].iter().chain(flags).copied().collect();
    site.run(&args)
}
