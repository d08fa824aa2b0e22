//! WIT's names as Rust's identifiers.
//!
//! Must not know what is named.

use std::collections::BTreeSet;

/// The identifiers of one scope.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// The name, or the name with a number where it is taken.
    pub(super) fn free(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut number = 2;
        while !self.0.insert(free.clone()) {
            free = format!("{}_{number}", name.trim_start_matches("r#"));
            number += 1;
        }
        free
    }
}

/// As a function, a variable or a field is called.
pub(super) fn snake(name: &str) -> String {
    let name = words(name).collect::<Vec<_>>().join("_");
    match name.as_str() {
        // These can't be raw.
        "self" | "super" | "crate" => format!("{name}_"),
        other if KEYWORDS.contains(&other) => format!("r#{name}"),
        _ => name,
    }
}

/// As a type or a case is called.
pub(super) fn pascal(name: &str) -> String {
    let capital = |word: String| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    match words(name).map(capital).collect::<String>() {
        name if name == "Self" => "Self_".into(),
        name => name,
    }
}

/// WIT's words have letters and digits, and begin with a letter.
fn words(name: &str) -> impl Iterator<Item = String> {
    name.split(['-', '_', '.', ':', '/', '@', '+'])
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
}

const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_in_rust() {
        assert_eq!(snake("max-HTTP2"), "max_http2");
        assert_eq!(snake("images.resize-to"), "images_resize_to");
        assert_eq!(
            (snake("type"), snake("self")),
            ("r#type".into(), "self_".into())
        );
        assert_eq!(
            snake("acme:store/api@1.0.0.get"),
            "acme_store_api_1_0_0_get"
        );
        assert_eq!(pascal("resize-error"), "ResizeError");
        assert_eq!(pascal("self"), "Self_");
    }

    #[test]
    fn a_name_is_given_once() {
        let mut names = Names::default();
        let given = [(); 3].map(|()| names.free("r#type"));
        assert_eq!(given, ["r#type", "type_2", "type_3"]);
    }
}
