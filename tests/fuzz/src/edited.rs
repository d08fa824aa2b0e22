//! Inputs for fuzz targets: a seed that is right, with a few edits.
//!
//! Random bytes alone hardly ever get past a parser's first line. Edits of a seed do, and libFuzzer can mutate them as
//! well as bytes. Must not know what the targets read.

use arbitrary::{Arbitrary, Result, Unstructured};

/// Maximum number of bytes of an edited input: a copy of a copy doubles it.
const MAX_BYTES: usize = 64 << 10;
/// With more, little of the seed is left.
const MAX_EDITS: usize = 8;

/// Texts that parsers and converters get wrong.
const TOKENS: &[&str] = &[
    "0",
    "-0",
    "-1",
    "1e308",
    "1e999",
    "-1e-999",
    "0.1",
    "nan",
    "inf",
    "-inf",
    "255",
    "256",
    "65536",
    "4294967295",
    "4294967296",
    "2147483648",
    "9007199254740993",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "1e19",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\u{202e}",
    "\u{1b}[2J",
    "\n",
    "\r",
    "\0",
    "\u{feff}",
    "é",
    ".",
    "..",
    "/",
    ":",
    "@1.0.0",
    "-",
    "%",
    "s",
    "ms",
    "99999999999h",
    "GiB",
    "*",
    "#",
    "=",
    ",",
];

/// A seed with edits. Read from a fuzzer's bytes, so that it finds out which edits lead further.
#[derive(Debug)]
pub(crate) struct Edited {
    seed: u8,
    edits: Vec<Edit>,
}

/// One change. Positions are taken modulo the length.
#[derive(Debug)]
enum Edit {
    /// Another byte.
    Byte { at: u16, value: u8 },
    /// Another bit.
    Bit { at: u16, bit: u8 },
    /// Bytes out.
    Remove { at: u16, len: u8 },
    /// Bytes of the same input once more, somewhere else.
    Copy { from: u16, len: u8, to: u16 },
    /// Bytes of another seed.
    Graft {
        seed: u8,
        from: u16,
        len: u8,
        to: u16,
    },
    /// A token that isn't expected there.
    Token { at: u16, token: u8 },
    /// A token in place of a number, a word, or whatever stands there up to the next punctuation.
    Word { at: u16, token: u8 },
    /// Everything from there on is missing.
    Cut { at: u16 },
}

impl<'a> Arbitrary<'a> for Edited {
    fn arbitrary(from: &mut Unstructured<'a>) -> Result<Self> {
        let seed = u8::arbitrary(from)?;
        let edits = (0..from.int_in_range(0..=MAX_EDITS)?).map(|_| Edit::arbitrary(from));
        Ok(Self {
            seed,
            edits: edits.collect::<Result<_>>()?,
        })
    }
}

impl<'a> Arbitrary<'a> for Edit {
    fn arbitrary(from: &mut Unstructured<'a>) -> Result<Self> {
        let kind = from.int_in_range(0..=7u8)?;
        let (at, other): (u16, u16) = Arbitrary::arbitrary(from)?;
        let byte = u8::arbitrary(from)?;
        Ok(match kind {
            0 => Self::Byte { at, value: byte },
            1 => Self::Bit { at, bit: byte },
            2 => Self::Remove { at, len: byte },
            3 => Self::Copy {
                from: other,
                len: byte,
                to: at,
            },
            4 => Self::Graft {
                seed: u8::arbitrary(from)?,
                from: other,
                len: byte,
                to: at,
            },
            5 => Self::Token { at, token: byte },
            6 => Self::Word { at, token: byte },
            _ => Self::Cut { at },
        })
    }
}

impl Edited {
    /// The input's bytes.
    ///
    /// # Panics
    /// Panics where there are no seeds.
    pub(crate) fn bytes(&self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = pick(seeds, self.seed).clone();
        for edit in &self.edits {
            edit.apply(&mut bytes, seeds);
            bytes.truncate(MAX_BYTES);
        }
        bytes
    }

    /// The same as text, with what is no UTF-8 replaced.
    pub(crate) fn text(&self, seeds: &[Vec<u8>]) -> String {
        String::from_utf8_lossy(&self.bytes(seeds)).into_owned()
    }
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let place = |at: u16, bytes: &[u8]| usize::from(at) % (bytes.len() + 1);
        match *self {
            Self::Byte { at, value } => {
                let at = place(at, bytes);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            Self::Bit { at, bit } => {
                let at = place(at, bytes);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Remove { at, len } => {
                let from = place(at, bytes);
                let to = (from + usize::from(len)).min(bytes.len());
                bytes.drain(from..to);
            }
            Self::Copy { from, len, to } => {
                let part = part(bytes, from, len);
                let to = place(to, bytes);
                bytes.splice(to..to, part);
            }
            Self::Graft {
                seed,
                from,
                len,
                to,
            } => {
                let part = part(pick(seeds, seed), from, len);
                let to = place(to, bytes);
                bytes.splice(to..to, part);
            }
            Self::Token { at, token } => {
                let at = place(at, bytes);
                bytes.splice(at..at, token_of(token));
            }
            Self::Word { at, token } => {
                let at = place(at, bytes);
                let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._".contains(byte);
                let from = bytes[..at]
                    .iter()
                    .rposition(|byte| !is_word(byte))
                    .map_or(0, |before| before + 1);
                let len = bytes[from..]
                    .iter()
                    .take_while(|byte| is_word(byte))
                    .count();
                bytes.splice(from..from + len, token_of(token));
            }
            Self::Cut { at } => bytes.truncate(place(at, bytes)),
        }
    }
}

fn pick(seeds: &[Vec<u8>], index: u8) -> &Vec<u8> {
    &seeds[usize::from(index) % seeds.len()]
}

fn part(bytes: &[u8], from: u16, len: u8) -> Vec<u8> {
    let from = usize::from(from) % (bytes.len() + 1);
    let to = (from + usize::from(len)).min(bytes.len());
    bytes[from..to].to_vec()
}

fn token_of(index: u8) -> Vec<u8> {
    TOKENS[usize::from(index) % TOKENS.len()]
        .as_bytes()
        .to_vec()
}
