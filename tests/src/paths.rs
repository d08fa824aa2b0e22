//! The paths in a source file, as they are written, and the names that it imports.
//!
//! Leaves out code that only tests have. Must not know where paths lead.

use std::collections::BTreeMap;

use crate::tokens::{Token, tokens};

/// The names of a path, such as `crate`, `queue`, `Lease`.
pub(crate) type Path = Vec<String>;

/// What a file says of others.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// All paths of two names or more in it, those of `use` included.
    pub(crate) used: Vec<Path>,
    /// The names that `use` imports, with their paths.
    pub(crate) imported: BTreeMap<String, Path>,
    /// Modules that only tests have.
    pub(crate) tests: Vec<String>,
}

/// Reads `text`.
pub(crate) fn paths(text: &str) -> Paths {
    let tokens = tokens(text);
    let mut found = Paths::default();
    let mut rest = &tokens[..];
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            _ if rest.starts_with(&FOR_TESTS) => skip_item(&rest[FOR_TESTS.len()..], &mut found),
            Token::Name("use") => {
                let end = position(after, ';');
                import(&after[..end], &[], &mut found);
                &after[end..]
            }
            Token::Name(_) => {
                let (path, after) = path(rest);
                if path.len() > 1 {
                    found.used.push(path);
                }
                after
            }
            _ => after,
        };
    }
    found
}

/// `#[cfg(test)]`
const FOR_TESTS: [Token<'static>; 7] = [
    Token::Sign('#'),
    Token::Sign('['),
    Token::Name("cfg"),
    Token::Sign('('),
    Token::Name("test"),
    Token::Sign(')'),
    Token::Sign(']'),
];

/// One of these starts an item. Without one it is a field or a variant.
const ITEMS: [&str; 10] = [
    "const", "enum", "fn", "impl", "mod", "static", "struct", "trait", "type", "use",
];

/// Skips an item, to its semicolon or closing brace, or a field.
fn skip_item<'a, 'b>(item: &'b [Token<'a>], found: &mut Paths) -> &'b [Token<'a>] {
    let mut depth = 0_usize;
    let mut field = true;
    for (at, token) in item.iter().enumerate() {
        match token {
            Token::Name(word) if depth == 0 && ITEMS.contains(word) => {
                field = false;
                if let ("mod", Some(Token::Name(name))) = (*word, item.get(at + 1)) {
                    found.tests.push((*name).to_owned());
                }
            }
            Token::Sign(',' | '}') if depth == 0 && field => return &item[at..],
            Token::Sign('{' | '(' | '[') => depth += 1,
            Token::Sign('}') if depth == 1 => return &item[at + 1..],
            Token::Sign('}' | ')' | ']') => depth = depth.saturating_sub(1),
            Token::Sign(';') if depth == 0 => return &item[at + 1..],
            _ => {}
        }
    }
    &[]
}

/// The path that `tokens` start with, and the rest.
fn path<'a, 'b>(tokens: &'b [Token<'a>]) -> (Path, &'b [Token<'a>]) {
    let mut names = Path::new();
    let mut rest = tokens;
    while let [Token::Name(name), after @ ..] = rest {
        names.push((*name).to_owned());
        match after {
            [Token::Inside, next @ ..] => rest = next,
            _ => return (names, after),
        }
    }
    (names, rest)
}

/// Reads one tree of a `use`, below the path `above`.
fn import(tree: &[Token<'_>], above: &[String], found: &mut Paths) {
    let (mut names, rest) = path(tree);
    names.splice(0..0, above.iter().cloned());
    match rest {
        [Token::Sign('{'), inner @ .., Token::Sign('}')] => {
            for part in split(inner) {
                import(part, &names, found);
            }
        }
        _ => {
            if names.last().is_some_and(|name| name == "self") && names.len() > 1 {
                names.pop();
            }
            let renamed = match rest {
                [Token::Name("as"), Token::Name(name)] => Some(*name),
                _ => names.last().map(String::as_str),
            };
            if let Some(name) = renamed {
                found.imported.insert(name.to_owned(), names.clone());
            }
            found.used.push(names);
        }
    }
}

/// The parts between commas outside of braces.
fn split<'a, 'b>(tokens: &'b [Token<'a>]) -> Vec<&'b [Token<'a>]> {
    let mut depth = 0_usize;
    let at_comma = |token: &Token<'_>| {
        match token {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') => depth -= 1,
            _ => {}
        }
        depth == 0 && *token == Token::Sign(',')
    };
    tokens
        .split(at_comma)
        .filter(|part| !part.is_empty())
        .collect()
}

fn position(tokens: &[Token<'_>], sign: char) -> usize {
    let found = tokens.iter().position(|token| *token == Token::Sign(sign));
    found.unwrap_or(tokens.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(text: &str) -> Vec<String> {
        let found = paths(text).used.into_iter();
        found.map(|path| path.join("::")).collect()
    }

    #[test]
    fn trees_are_read_to_their_leaves() {
        let text =
            "pub(crate) use a::{b, c::{self, D as E}, f::*}; fn g() -> super::H { i::J::new() }";
        assert_eq!(
            used(text),
            ["a::b", "a::c", "a::c::D", "a::f", "super::H", "i::J::new"]
        );
        assert_eq!(paths(text).imported["E"].join("::"), "a::c::D");
    }

    #[test]
    fn tests_are_left_out() {
        let text = "#[cfg(test)] mod tests { use a::B; fn c() { [1; 2]; } } use d::E; \
                    #[cfg(test)] #[path = \"x\"] pub(crate) mod fake; #[cfg(test)] use g::H; \
                    struct I { #[cfg(test)] j: k::L, m: n::O }";
        assert_eq!(used(text), ["d::E", "n::O"]);
        assert_eq!(paths(text).tests, ["tests", "fake"]);
    }
}
