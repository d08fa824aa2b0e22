//! Reads well-formed JSON from its text, forward and value by value: nothing is kept that the caller does not keep.
//!
//! Must not know types.

use std::borrow::Cow;

use crate::error::{Lowered, wrong};
use crate::json::{RawJson, kind};

/// How often a text may be looked at to count items, as a multiple of its length.
const COUNTED: usize = 4;

/// A place in a text.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Bytes that [`Reader::count`] may still look at.
    countable: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(json: &'a RawJson) -> Self {
        Self::of(json.as_str())
    }

    /// Reads `null`, which stands for a value that is left out.
    pub(crate) fn null() -> Self {
        Self::of("null")
    }

    fn of(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            countable: text.len().saturating_mul(COUNTED),
        }
    }

    /// The next value's kind, for an error.
    pub(crate) fn kind(&mut self) -> &'static str {
        kind(self.peek())
    }

    /// The first byte of what comes next; 0 at the end.
    pub(crate) fn peek(&mut self) -> u8 {
        let rest = &self.text.as_bytes()[self.at..];
        let space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        self.at += rest.iter().take_while(|byte| space(byte)).count();
        self.byte()
    }

    /// Takes the opening bracket of an array or object; false where something else comes.
    pub(crate) fn open(&mut self, bracket: u8) -> bool {
        self.takes(bracket)
    }

    /// Whether the array or object that was opened has another item, which comes next then.
    pub(crate) fn more(&mut self) -> bool {
        self.takes(b',');
        match self.peek() {
            0 => false,
            b']' | b'}' => {
                self.at += 1;
                false
            }
            _ => true,
        }
    }

    /// How many items the array has that was opened, so that there is room for all of them. Arrays in arrays
    /// are looked at more than once, so there is a bound on it; beyond that it answers 0.
    pub(crate) fn count(&mut self) -> usize {
        if self.countable == 0 {
            return 0;
        }
        let mut ahead = self.clone();
        let items = ahead.rest();
        self.countable = self.countable.saturating_sub(ahead.at - self.at);
        items
    }

    /// Takes what is left of the array that was opened; says how many items that were.
    pub(crate) fn rest(&mut self) -> usize {
        let mut items = 0;
        while self.more() {
            self.skip();
            items += 1;
        }
        items
    }

    /// Takes a null.
    pub(crate) fn is_null(&mut self) -> bool {
        self.peek() == b'n' && !self.scalar().is_empty()
    }

    /// Takes a boolean; none where something else comes.
    pub(crate) fn boolean(&mut self) -> Option<bool> {
        match self.peek() {
            b't' | b'f' => Some(self.scalar() == "true"),
            _ => None,
        }
    }

    /// Takes a number, as it is written; none where something else comes.
    pub(crate) fn number(&mut self) -> Option<&'a str> {
        match self.peek() {
            b'-' | b'0'..=b'9' => Some(self.scalar()),
            _ => None,
        }
    }

    /// Takes a string; none where something else comes. A string may stand for no text, which is an error.
    pub(crate) fn string(&mut self) -> Option<Lowered<Cow<'a, str>>> {
        (self.peek() == b'"').then(|| unquoted(self.quoted()))
    }

    /// Takes an object's key and the colon behind it.
    pub(crate) fn key(&mut self) -> Lowered<Cow<'a, str>> {
        self.peek();
        let key = self.quoted();
        self.takes(b':');
        unquoted(key)
    }

    /// Takes a value of any kind, as it is written.
    pub(crate) fn skip(&mut self) -> &'a str {
        self.peek();
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                0 => break,
                b'[' | b'{' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                b',' | b':' => self.at += 1,
                b'"' => {
                    self.quoted();
                }
                _ => {
                    self.scalar();
                }
            }
            if depth == 0 {
                break;
            }
        }
        &self.text[start..self.at]
    }

    /// The entries of the object that comes next; none where something else comes.
    pub(crate) fn entries(mut self) -> impl Iterator<Item = Entry<'a>> {
        let is_object = self.open(b'{');
        std::iter::from_fn(move || {
            (is_object && self.more()).then(|| {
                let start = self.at;
                let key = self.quoted();
                self.takes(b':');
                self.skip();
                Entry {
                    key,
                    text: &self.text[start..self.at],
                }
            })
        })
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == byte;
        self.at += usize::from(is_next);
        is_next
    }

    /// Takes a string with its quotes.
    fn quoted(&mut self) -> &'a str {
        let (start, bytes) = (self.at, self.text.as_bytes());
        self.at += 1;
        let mark = |byte: &u8| matches!(byte, b'"' | b'\\');
        while let Some(found) = bytes[self.at..].iter().position(mark) {
            self.at += found + 1;
            if bytes[self.at - 1] == b'"' {
                break;
            }
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// Takes a number or a word.
    fn scalar(&mut self) -> &'a str {
        let (start, bytes) = (self.at, self.text.as_bytes());
        let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
        let length = bytes[start..].iter().position(ends);
        self.at += length.unwrap_or(bytes.len() - start);
        &self.text[start..self.at]
    }
}

/// An entry of an object.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    key: &'a str,
    /// Its key, the colon and its value, as they are written.
    pub(crate) text: &'a str,
}

impl<'a> Entry<'a> {
    pub(crate) fn key(&self) -> Lowered<Cow<'a, str>> {
        unquoted(self.key)
    }
}

/// What a string stands for.
fn unquoted(quoted: &str) -> Lowered<Cow<'_, str>> {
    let inside = &quoted[1..quoted.len() - 1];
    if !inside.contains('\\') {
        return Ok(Cow::Borrowed(inside));
    }
    let text = serde_json::from_str(quoted).map(Cow::Owned);
    text.map_err(|_| wrong("a string with half of a surrogate pair, which is not text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> RawJson {
        RawJson::parse(text.to_owned()).unwrap()
    }

    #[test]
    fn values_come_in_their_order() {
        let list = json(r#" [ true,null , -1.5e3,"a\"]\u00e9" ,[[],{"b":[2]}], {} ] "#);
        let mut reader = Reader::new(&list);
        assert!(reader.open(b'['));
        assert_eq!(reader.count(), 6);
        assert!(reader.more() && reader.boolean() == Some(true));
        assert!(reader.more() && reader.is_null());
        assert!(reader.more() && reader.number() == Some("-1.5e3"));
        assert!(reader.more());
        assert_eq!(reader.string().unwrap().unwrap(), "a\"]é");
        assert!(reader.more());
        assert_eq!(reader.skip(), r#"[[],{"b":[2]}]"#);
        assert!(reader.more() && reader.kind() == "object" && reader.skip() == "{}");
        assert!(!reader.more());
    }

    #[test]
    fn entries_have_their_text() {
        let object = json(r#"{"a" : [1], "\u0062":"}"}"#);
        let entries: Vec<_> = Reader::new(&object).entries().collect();
        assert_eq!(entries[0].text, r#""a" : [1]"#);
        assert_eq!(entries[1].key().unwrap(), "b");
        assert_eq!(entries.len(), 2);
    }

    #[test]
    fn half_of_a_surrogate_pair_is_not_text() {
        let text = json(r#""\ud800""#);
        assert!(Reader::new(&text).string().unwrap().is_err());
    }

    #[test]
    fn counting_has_a_bound() {
        let nested = json(&("[".repeat(100) + &"]".repeat(100)));
        let mut reader = Reader::new(&nested);
        let counted = std::iter::from_fn(|| reader.open(b'[').then(|| reader.count()));
        let counted: Vec<usize> = counted.collect();
        assert_eq!((counted.len(), counted[0], counted[50]), (100, 1, 0));
    }
}
