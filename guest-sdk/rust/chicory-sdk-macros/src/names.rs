//! Names of Rust as names of WIT, where both can be told from each other.
//!
//! Must not know what is named.

use heck::{ToKebabCase, ToSnakeCase, ToUpperCamelCase};
use syn::{Error, Ident, Result};

/// Rust's own words, which wit-bindgen writes with a `_` behind them.
const KEYWORDS: [&str; 29] = [
    "as", "async", "await", "box", "break", "const", "continue", "do", "dyn", "else", "enum", "fn",
    "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref",
    "static", "struct", "type", "use", "where",
];

/// The WIT name of a function, a parameter or a field.
pub(crate) fn snake(ident: &Ident) -> Result<String> {
    let kebab = ident.to_string().to_kebab_case();
    check(ident, kebab.clone(), &binding(&kebab))
}

/// What wit-bindgen calls the function or field of this WIT name.
pub(crate) fn binding(kebab: &str) -> String {
    if KEYWORDS.contains(&kebab) {
        format!("{kebab}_")
    } else {
        kebab.to_snake_case()
    }
}

/// The WIT name of a type or a case.
pub(crate) fn camel(ident: &Ident) -> Result<String> {
    let kebab = ident.to_string().to_kebab_case();
    if kebab == "guest" {
        return Err(Error::new(
            ident.span(),
            "`Guest` is taken: choose another name",
        ));
    }
    check(ident, kebab.clone(), &kebab.to_upper_camel_case())
}

fn check(ident: &Ident, kebab: String, back: &str) -> Result<String> {
    let word = |word: &str| word.starts_with(|c: char| c.is_ascii_lowercase());
    if !kebab.is_ascii() || !kebab.split('-').all(word) {
        let message =
            format!("`{ident}` can't be a WIT name: its words begin with a letter of ASCII");
        return Err(Error::new(ident.span(), message));
    }
    if *ident != back {
        let message =
            format!("`{ident}` is `{kebab}` in WIT, and `{back}` back in Rust: write `{back}`");
        return Err(Error::new(ident.span(), message));
    }
    Ok(kebab)
}
