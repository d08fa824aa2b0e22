//! Strings into a guest, in the guest's encoding.
//!
//! Must not know where the pointer to one goes.

use wasmtime::component::__internal::LowerContext;
use wasmtime::component::__internal::wasmtime_environ::component::StringEncoding;
use wasmtime::{Result, bail, format_err};

/// In the length of a string in latin1+utf16: it is in UTF-16.
const UTF16_TAG: usize = 1 << 31;

/// The longest string of the canonical ABI, in bytes.
const MOST: usize = UTF16_TAG - 1;

/// Writes a string; answers where it is, and its length in units of the encoding.
pub(super) fn write<T>(cx: &mut LowerContext<'_, T>, text: &str) -> Result<(usize, usize)> {
    match cx.options().string_encoding {
        StringEncoding::Utf8 => {
            let (pointer, bytes) = room(cx, text.len(), 1)?;
            bytes.copy_from_slice(text.as_bytes());
            Ok((pointer, text.len()))
        }
        StringEncoding::Utf16 => utf16(cx, text),
        StringEncoding::CompactUtf16 => {
            let latin1 = text.chars().map(|char| u8::try_from(char).ok());
            let Some(length) = latin1
                .clone()
                .try_fold(0, |count, byte| byte.map(|_| count + 1))
            else {
                let (pointer, units) = utf16(cx, text)?;
                return Ok((pointer, units | UTF16_TAG));
            };
            let (pointer, bytes) = room(cx, length, 2)?;
            for (slot, byte) in bytes.iter_mut().zip(latin1.flatten()) {
                *slot = byte;
            }
            Ok((pointer, length))
        }
    }
}

fn utf16<T>(cx: &mut LowerContext<'_, T>, text: &str) -> Result<(usize, usize)> {
    let units = text.encode_utf16().count();
    let (pointer, bytes) = room(cx, units * 2, 2)?;
    for (slot, unit) in bytes.chunks_exact_mut(2).zip(text.encode_utf16()) {
        slot.copy_from_slice(&unit.to_le_bytes());
    }
    Ok((pointer, units))
}

/// Room in the guest's memory.
fn room<'c, T>(
    cx: &'c mut LowerContext<'_, T>,
    length: usize,
    align: u32,
) -> Result<(usize, &'c mut [u8])> {
    if length > MOST {
        bail!("a string of {length} bytes, of which the most is {MOST}");
    }
    let pointer = cx.realloc(0, 0, align, length)?;
    let bytes = cx.as_slice_mut().get_mut(pointer..);
    let bytes = bytes.and_then(|bytes| bytes.get_mut(..length));
    let bytes = bytes.ok_or_else(|| format_err!("a string beyond the end of memory"))?;
    Ok((pointer, bytes))
}
