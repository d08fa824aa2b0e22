//! Splits Rust source into the tokens that a reader of its paths needs: names, `::` and other signs.
//!
//! Comments, strings and numbers are left out. Must not know what the tokens mean.

/// A token of a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Name(&'a str),
    /// `::`
    Inside,
    Sign(char),
}

/// The tokens of `text`.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => until(rest, "\n"),
            '/' if rest.starts_with("/*") => until(rest, "*/"),
            '"' => 1 + string(&rest[1..]),
            '\'' => character(rest),
            'r' | 'b' | 'c' if raw(rest).is_some() => raw(rest).unwrap_or(1),
            ':' if rest.starts_with("::") => {
                found.push(Token::Inside);
                2
            }
            first if first.is_ascii_digit() => word(rest),
            first if first.is_alphabetic() || first == '_' => {
                found.push(Token::Name(&rest[..word(rest)]));
                word(rest)
            }
            first => {
                if !first.is_whitespace() {
                    found.push(Token::Sign(first));
                }
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    found
}

/// The length up to the end of `sign`.
fn until(text: &str, sign: &str) -> usize {
    text.find(sign).map_or(text.len(), |at| at + sign.len())
}

fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

/// The length of a string after its opening quotation mark.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of a character, or of the mark of a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => 2 + until(&text[2..].replacen('\'', " ", 1), "'"),
        Some(_) if chars.next().is_some_and(|(_, c)| c == '\'') => until(&text[1..], "'") + 1,
        _ => 1,
    }
}

/// The length of a raw string, such as `r#"…"#` or `br"…"`.
fn raw(text: &str) -> Option<usize> {
    let prefix = text.find('r').filter(|at| *at <= 1)? + 1;
    let marks = text[prefix..].chars().take_while(|c| *c == '#').count();
    let begin = prefix + marks;
    text[begin..].starts_with('"').then(|| {
        let end = format!("\"{}", "#".repeat(marks));
        begin + 1 + until(&text[begin + 1..], &end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_texts_are_not() {
        let text = "/* a */ use b::c; // d\nlet e = \"f\\\"\"; r#\"g\"\"#; 'h'; '\\''; &'i j; b\"k\"; 0x1l";
        let names: Vec<_> = tokens(text)
            .into_iter()
            .filter_map(|token| match token {
                Token::Name(name) => Some(name),
                _ => None,
            })
            .collect();
        assert_eq!(names, ["use", "b", "c", "let", "e", "i", "j", "b"]);
        assert_eq!(
            tokens("a::b;"),
            [
                Token::Name("a"),
                Token::Inside,
                Token::Name("b"),
                Token::Sign(';')
            ]
        );
    }
}
