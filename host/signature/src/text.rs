//! Text for people: what comes from guests, messages and servers made safe to show on a terminal, and an
//! error with its causes.
//!
//! Both halves show such text, so the rule is here, in the crate that they share. Must not know what
//! the text says.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

const ESCAPE: char = '\u{1b}';
const BELL: char = '\u{7}';
/// Ends a control string, like `ESC \`.
const STRING_TERMINATOR: char = '\u{9c}';

/// Removes whatever could control a terminal or make text look like something else: escape sequences,
/// control characters except line feed and tab, and characters that change the direction of text.
///
/// ```
/// use chicory_signature::printable;
///
/// assert_eq!(printable("\u{1b}[31mred\u{1b}[0m, \u{202e}backwards\r\n"), "red, backwards\n");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ESCAPE => skip_escape(&mut rest),
            '\u{9b}' => skip_control_sequence(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_control_string(&mut rest),
            c if is_harmful(c) => {}
            c => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

/// The same for text of unknown length: at most `limit` bytes of it, with an ellipsis where text is
/// missing.
pub fn printable_up_to(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return printable(text);
    }
    let cut = printable(&text[..text.floor_char_boundary(limit)]).into_owned();
    Cow::Owned(cut + "…")
}

/// JSON text with the characters that [`printable`] would remove written as `\\u` and four digits: the same
/// values, safe to show on a terminal.
///
/// ```
/// use chicory_signature::printable_json;
///
/// assert_eq!(printable_json("[\"\u{202e}a\u{9b}\"]"), r#"["\u202ea\u009b"]"#);
/// ```
pub fn printable_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_harmful) {
        return Cow::Borrowed(json);
    }
    // Only strings have such characters, and all of them have four digits.
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_harmful(c) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// The first characters of a digest, enough to tell versions apart.
pub fn short_digest(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// An error with all its causes, in one line. A cause that the error before it ends with is not repeated: many
/// libraries say it in both.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            let _ = write!(text, ": {said}");
        }
        cause = error.source();
    }
    text
}

fn is_harmful(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Skips what follows an escape character and belongs to it.
fn skip_escape(rest: &mut Peekable<Chars<'_>>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_control_sequence(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            skip_control_string(rest);
        }
        // Intermediate bytes and a final one, such as `ESC ( B`; often only the final one.
        Some(' '..='~') => {
            while rest.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            rest.next_if(|c| matches!(c, '0'..='~'));
        }
        _ => {}
    }
}

/// Parameters, intermediate bytes, and a final byte.
fn skip_control_sequence(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| matches!(c, '0'..='?')).is_some() {}
    while rest.next_if(|c| matches!(c, ' '..='/')).is_some() {}
    rest.next_if(|c| matches!(c, '@'..='~'));
}

/// A title, a link or the like, which has an end of its own. Without one it is shown: otherwise a single
/// character could hide all that follows.
fn skip_control_string(rest: &mut Peekable<Chars<'_>>) {
    let mut ahead = rest.clone();
    while let Some(c) = ahead.next() {
        match c {
            BELL | STRING_TERMINATOR => {
                *rest = ahead;
                return;
            }
            ESCAPE if ahead.next_if_eq(&'\\').is_some() => {
                *rest = ahead;
                return;
            }
            '\n' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Outer(&'static str, #[source] Inner);
        #[derive(Debug, thiserror::Error)]
        #[error("connection refused")]
        struct Inner;

        let said = "the broker is away";
        assert_eq!(
            with_causes(&Outer(said, Inner)),
            "the broker is away: connection refused"
        );
        assert_eq!(
            with_causes(&Outer("connection refused", Inner)),
            "connection refused"
        );
    }

    #[test]
    fn escape_sequences_go_as_a_whole() {
        for (text, clean) in [
            ("a\x1b[31mb\x1b[0m", "ab"),
            ("a\u{9b}1;31mb", "ab"),
            ("a\x1b[?25lb", "ab"),
            ("a\x1b]0;title\x07b", "ab"),
            (
                "a\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\",
                "alink",
            ),
            ("a\u{9d}title\u{9c}b", "ab"),
            ("a\x1bPq data\x1b\\b", "ab"),
            ("a\x1b(Bb\x1bcd", "abd"),
            ("a\x1b", "a"),
            ("a\x1b[", "a"),
        ] {
            assert_eq!(printable(text), clean, "{text:?}");
        }
    }

    #[test]
    fn a_control_string_without_an_end_hides_nothing() {
        assert_eq!(printable("a\x1b]0;b\nc\x07"), "a0;b\nc");
        assert_eq!(printable("a\x1bPb"), "ab");
    }

    #[test]
    fn control_characters_and_changes_of_direction_are_removed() {
        assert_eq!(printable("a\r\x07\0b\u{85}\n\tc"), "ab\n\tc");
        assert_eq!(printable("a\u{202e}b\u{2066}c\u{2069}\u{2028}d"), "abcd");
    }

    #[test]
    fn plain_text_is_not_copied() {
        let text = "naïve 🦀\n\tשלום";
        assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(printable_up_to("äöü", 6), "äöü");
        assert_eq!(printable_up_to("äöü", 5), "äö…");
        assert_eq!(printable_up_to("\x1b[31mäöü", 5), "…");
    }
}
