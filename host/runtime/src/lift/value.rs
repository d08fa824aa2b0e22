//! A value of a type from a guest's memory, or from core values, to JSON text.
//!
//! The guest is not trusted: each address, length, discriminant and character is checked. What is written has a limit,
//! which bounds the work as well, since every value takes a byte of text at least. Must not know functions.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chicory_signature::{MAX_TEXT, excerpt};
use serde::Serialize;
use wasmtime::component::__internal::wasmtime_environ::component::{
    ComponentTypes, StringEncoding, TypeFlags,
};
use wasmtime::component::__internal::{InterfaceType, LiftContext};
use wasmtime::{Error, ValRaw, format_err};

use super::source::{Source, region, size};

/// Why a value is not written.
pub(super) enum Unlifted {
    /// Its text would be longer than the limit.
    TooLong,
    /// The guest's memory doesn't hold one.
    Invalid(Error),
}

impl From<Error> for Unlifted {
    fn from(error: Error) -> Self {
        Self::Invalid(error)
    }
}

type Written = Result<(), Unlifted>;

/// In the length of a string in latin1+utf16: it is in UTF-16.
const UTF16_TAG: usize = 1 << 31;

/// Reads values of a component's types and writes them.
pub(super) struct Lifter<'a, 'o> {
    types: &'a ComponentTypes,
    memory: &'a [u8],
    encoding: StringEncoding,
    out: Capped<'o>,
    brief: bool,
}

impl<'a, 'o> Lifter<'a, 'o> {
    /// Writes `limit` bytes at most. Where it is to be brief, texts and lists are cut.
    pub(super) fn new(
        cx: &LiftContext<'a>,
        text: &'o mut Vec<u8>,
        limit: usize,
        brief: bool,
    ) -> Self {
        Self {
            types: cx.types,
            memory: cx.memory(),
            encoding: cx.options().string_encoding,
            out: Capped { text, left: limit },
            brief,
        }
    }

    /// Writes the value of a case, or null for one without.
    pub(super) fn payload(&mut self, ty: Option<InterfaceType>, source: Source<'a>) -> Written {
        match ty {
            Some(ty) => self.value(ty, source),
            None => self.text("null"),
        }
    }

    fn value(&mut self, ty: InterfaceType, source: Source<'a>) -> Written {
        let types = self.types;
        match ty {
            InterfaceType::String => self.string(source),
            InterfaceType::List(list) => self.list(types[list].element, source),
            InterfaceType::Record(record) => {
                let fields = types[record].fields.iter();
                let fields = fields.map(|field| (Some(field.name.as_str()), field.ty));
                self.parts("{", fields, source, "}")
            }
            InterfaceType::Tuple(tuple) => {
                let items = types[tuple].types.iter().map(|ty| (None, *ty));
                self.parts("[", items, source, "]")
            }
            InterfaceType::FixedLengthList(list) => {
                let (item, length) = (types[list].element, types[list].size);
                let items = std::iter::repeat_n((None, item), length as usize);
                self.parts("[", items, source, "]")
            }
            InterfaceType::Variant(variant) => {
                let ty = &types[variant];
                let (case, source) = source.case(&ty.info, ty.cases.len())?;
                match ty.cases.get_index(case) {
                    Some((name, Some(payload))) => self.entry(name, Some(*payload), source),
                    Some((name, None)) => self.json(name),
                    None => other_type(),
                }
            }
            InterfaceType::Enum(names) => {
                let ty = &types[names];
                let (case, _) = source.case(&ty.info, ty.names.len())?;
                self.json(&ty.names[case])
            }
            InterfaceType::Option(option) => {
                let ty = &types[option];
                let (case, source) = source.case(&ty.info, 2)?;
                match (case, ty.ty) {
                    (0, _) => self.text("null"),
                    // Null would be ambiguous.
                    (_, InterfaceType::Option(_)) => self.entry("some", Some(ty.ty), source),
                    (_, inner) => self.value(inner, source),
                }
            }
            InterfaceType::Result(result) => {
                let ty = &types[result];
                let (case, source) = source.case(&ty.info, 2)?;
                let (side, payload) = [("ok", ty.ok), ("err", ty.err)][case];
                self.entry(side, payload, source)
            }
            InterfaceType::Flags(flags) => self.flags(&types[flags], source),
            scalar => self.scalar(scalar, source),
        }
    }

    fn scalar(&mut self, ty: InterfaceType, source: Source<'a>) -> Written {
        let source = source.part(self.types.canonical_abi(&ty), &mut 0)?;
        // A guest's integers of fewer bits than its core values are the lower bits.
        #[expect(clippy::cast_possible_truncation, reason = "the lower bits are meant")]
        match ty {
            InterfaceType::Bool => self.json(&(source.word()? != 0)),
            InterfaceType::S8 => self.json(&(source.word()? as u8).cast_signed()),
            InterfaceType::U8 => self.json(&(source.word()? as u8)),
            InterfaceType::S16 => self.json(&(source.word()? as u16).cast_signed()),
            InterfaceType::U16 => self.json(&(source.word()? as u16)),
            InterfaceType::S32 => self.json(&source.word()?.cast_signed()),
            InterfaceType::U32 => self.json(&source.word()?),
            InterfaceType::S64 => self.json(&source.long()?.cast_signed()),
            InterfaceType::U64 => self.json(&source.long()?),
            InterfaceType::Float32 => {
                let float = f32::from_bits(source.word()?);
                if float.is_finite() {
                    self.json(&float)
                } else {
                    self.json(not_finite(float.into()))
                }
            }
            InterfaceType::Float64 => {
                let float = f64::from_bits(source.long()?);
                if float.is_finite() {
                    self.json(&float)
                } else {
                    self.json(not_finite(float))
                }
            }
            InterfaceType::Char => {
                let char = char::try_from(source.word()?).map_err(Error::from)?;
                self.json(&char)
            }
            _ => other_type(),
        }
    }

    fn string(&mut self, source: Source<'a>) -> Written {
        let (address, length) = source.pair()?;
        let utf16 = match self.encoding {
            StringEncoding::Utf8 => {
                let bytes = region(self.memory, "string pointer", address, length, 1)?;
                let text = std::str::from_utf8(bytes).map_err(Error::from)?;
                if self.brief {
                    return self.json(&*excerpt(text, MAX_TEXT));
                }
                self.out.reserve(text.len())?;
                return self.json(text);
            }
            StringEncoding::Utf16 => true,
            StringEncoding::CompactUtf16 => length & UTF16_TAG != 0,
        };
        let units = length
            & !if self.encoding == StringEncoding::Utf16 {
                0
            } else {
                UTF16_TAG
            };
        let length = if utf16 {
            units.saturating_mul(2)
        } else {
            units
        };
        let bytes = region(self.memory, "string pointer", address, length, 2)?;
        // Each unit is a byte of text at least.
        self.out.reserve(units)?;
        let text: String = if utf16 {
            let units = bytes
                .chunks_exact(2)
                .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
            let chars = char::decode_utf16(units).collect::<Result<_, _>>();
            chars.map_err(Error::from)?
        } else {
            bytes.iter().copied().map(char::from).collect()
        };
        self.json(&text)
    }

    fn list(&mut self, item: InterfaceType, source: Source<'a>) -> Written {
        let (address, length) = source.pair()?;
        let abi = self.types.canonical_abi(&item);
        let bytes = length.saturating_mul(size(abi));
        let bytes = region(self.memory, "list pointer", address, bytes, abi.align32)?;
        if let InterfaceType::U8 = item {
            let most = if self.brief { MAX_TEXT } else { usize::MAX };
            return self.out.base64(&bytes[..bytes.len().min(most)]);
        }
        self.text("[")?;
        for index in 0..length {
            if self.brief && self.out.text.len() > MAX_TEXT {
                break;
            }
            if index > 0 {
                self.text(",")?;
            }
            let start = index * size(abi);
            self.value(item, Source::Memory(&bytes[start..start + size(abi)]))?;
        }
        self.text("]")
    }

    /// Writes a record's fields or a tuple's items, which follow each other.
    fn parts<'n>(
        &mut self,
        open: &str,
        parts: impl Iterator<Item = (Option<&'n str>, InterfaceType)>,
        source: Source<'a>,
        close: &str,
    ) -> Written {
        self.text(open)?;
        let mut offset = 0;
        for (index, (name, ty)) in parts.enumerate() {
            if index > 0 {
                self.text(",")?;
            }
            if let Some(name) = name {
                self.json(name)?;
                self.text(":")?;
            }
            let part = source.part(self.types.canonical_abi(&ty), &mut offset)?;
            self.value(ty, part)?;
        }
        self.text(close)
    }

    /// Writes an object of one entry.
    fn entry(&mut self, key: &str, ty: Option<InterfaceType>, source: Source<'a>) -> Written {
        self.text("{")?;
        self.json(key)?;
        self.text(":")?;
        self.payload(ty, source)?;
        self.text("}")
    }

    fn flags(&mut self, ty: &TypeFlags, source: Source<'a>) -> Written {
        self.text("[")?;
        let mut first = true;
        for (index, name) in ty.names.iter().enumerate() {
            let word = match source {
                Source::Flat(values) => {
                    let word = values.get(index / 32);
                    word.map(ValRaw::get_u32)
                }
                Source::Memory(bytes) => bytes
                    .get(index / 8)
                    .map(|byte| u32::from(*byte) << (index / 8 % 4 * 8)),
            };
            let word = word.ok_or_else(|| format_err!("fewer words than flags"))?;
            if word & (1 << (index % 32)) == 0 {
                continue;
            }
            if !std::mem::take(&mut first) {
                self.text(",")?;
            }
            self.json(name)?;
        }
        self.text("]")
    }

    fn text(&mut self, text: &str) -> Written {
        self.out
            .write_all(text.as_bytes())
            .map_err(|_| Unlifted::TooLong)
    }

    /// Writes a value as serde does. Nothing fails but the limit.
    fn json(&mut self, value: &(impl Serialize + ?Sized)) -> Written {
        serde_json::to_writer(&mut self.out, value).map_err(|_| Unlifted::TooLong)
    }
}

fn not_finite(value: f64) -> &'static str {
    match value {
        value if value.is_nan() => "NaN",
        value if value > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

/// Functions with types that JSON can't express are no tasks, so this is a fault of the host.
fn other_type<V>() -> Result<V, Unlifted> {
    Err(format_err!("a value of a type that JSON has no form for").into())
}

/// A text that may not grow beyond a limit.
struct Capped<'o> {
    text: &'o mut Vec<u8>,
    left: usize,
}

impl Capped<'_> {
    /// Makes room for a string of this length at once, so that a long one is not copied as it grows.
    fn reserve(&mut self, length: usize) -> Written {
        if length > self.left {
            return Err(Unlifted::TooLong);
        }
        self.text.reserve(length.saturating_add(QUOTES));
        Ok(())
    }

    fn base64(&mut self, bytes: &[u8]) -> Written {
        let length = base64::encoded_len(bytes.len(), true).ok_or(Unlifted::TooLong)?;
        self.left = length
            .checked_add(QUOTES)
            .and_then(|length| self.left.checked_sub(length))
            .ok_or(Unlifted::TooLong)?;
        self.text.reserve(length + QUOTES);
        self.text.push(b'"');
        let start = self.text.len();
        self.text.resize(start + length, 0);
        let encoded = STANDARD.encode_slice(bytes, &mut self.text[start..]);
        encoded.map_err(Error::new)?;
        self.text.push(b'"');
        Ok(())
    }
}

const QUOTES: usize = 2;

impl Write for Capped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self
            .left
            .checked_sub(bytes.len())
            .ok_or(io::ErrorKind::FileTooLarge)?;
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
