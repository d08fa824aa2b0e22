//! Components of a few lines in the text format.
//!
//! Must not know what runs them.

/// The binary form of a component in the text format.
pub fn assemble(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// A module whose task `answer` returns this number.
pub fn answering(number: u32) -> String {
    format!(
        r#"(component
  (core module $m (func (export "answer") (result i32) i32.const {number}))
  (core instance $i (instantiate $m))
  (func (export "answer") (result u32) (canon lift (core func $i "answer"))))"#
    )
}

/// A module whose task `double` traps.
pub fn trapping() -> String {
    multiplying("u32", 0).replace("local.get 0", "unreachable local.get 0")
}

/// A module whose task `double` takes a number of this type, such as `u32`, and returns `factor` times it.
pub fn multiplying(kind: &str, factor: u32) -> String {
    format!(
        r#"(component
  (core module $m (func (export "double") (param i32) (result i32) local.get 0 i32.const {factor} i32.mul))
  (core instance $i (instantiate $m))
  (func (export "double") (param "n" {kind}) (result u32) (canon lift (core func $i "double"))))"#
    )
}

/// A module whose task `double` takes a text in place of a number, and returns its length.
pub fn measuring() -> String {
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
