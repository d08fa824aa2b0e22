//! From JSON text to values without others inside: numbers, booleans, characters, strings.
//!
//! Must not know where a value goes.

use std::borrow::Cow;

use crate::error::{Lowered, ValidationError, wrong};
use crate::number::{self, Misfit};
use crate::reader::Reader;
use crate::shape::Shape;
use crate::target::Scalar;

/// Reads a value without others inside.
pub(crate) fn scalar(shape: &Shape, json: &mut Reader<'_>) -> Lowered<Scalar> {
    Ok(match shape {
        Shape::Bool => Scalar::Bool(json.boolean().ok_or_else(|| mismatch(shape, json))?),
        Shape::S8 => Scalar::S8(number(shape, json, number::integer)?),
        Shape::U8 => Scalar::U8(number(shape, json, number::integer)?),
        Shape::S16 => Scalar::S16(number(shape, json, number::integer)?),
        Shape::U16 => Scalar::U16(number(shape, json, number::integer)?),
        Shape::S32 => Scalar::S32(number(shape, json, number::integer)?),
        Shape::U32 => Scalar::U32(number(shape, json, number::integer)?),
        Shape::S64 => Scalar::S64(long(shape, json)?),
        Shape::U64 => Scalar::U64(long(shape, json)?),
        Shape::F32 => Scalar::F32(float(shape, json, number::single)?),
        Shape::F64 => Scalar::F64(float(shape, json, number::double)?),
        Shape::Char => Scalar::Char(char(shape, json)?),
        _ => return Err(mismatch(shape, json)),
    })
}

/// The error for a value of another kind.
pub(crate) fn mismatch(shape: &Shape, json: &mut Reader<'_>) -> ValidationError {
    wrong(format!("expected {shape}, got {}", json.kind()))
}

fn number<N>(
    shape: &Shape,
    json: &mut Reader<'_>,
    read: impl FnOnce(&str) -> Result<N, Misfit>,
) -> Lowered<N> {
    let text = json.number().ok_or_else(|| mismatch(shape, json))?;
    read(text).map_err(|misfit| unfit(shape, text, misfit))
}

fn unfit(shape: &Shape, text: &str, misfit: Misfit) -> ValidationError {
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    wrong(format!(
        "expected {shape}, got {shown}{more}, {}",
        misfit.reason()
    ))
}

/// Digits of a number in an error.
const SHOWN: usize = 40;

/// An integer of 64 bits, which may be given as a string, because JavaScript's numbers are exact only up to 2⁵³.
fn long<N: TryFrom<i128>>(shape: &Shape, json: &mut Reader<'_>) -> Lowered<N> {
    if json.peek() != b'"' {
        return number(shape, json, number::integer);
    }
    let text = text(shape, json)?;
    if !number::is_decimal(&text) {
        let message = format!("expected {shape}, got a string that is not a whole number");
        return Err(wrong(message));
    }
    number::integer(&text).map_err(|misfit| unfit(shape, &text, misfit))
}

fn float<N: From<f32>>(
    shape: &Shape,
    json: &mut Reader<'_>,
    read: impl FnOnce(&str) -> Result<N, Misfit>,
) -> Lowered<N> {
    if json.peek() != b'"' {
        return number(shape, json, read);
    }
    // JSON has no numbers for these three.
    match &*text(shape, json)? {
        "NaN" => Ok(f32::NAN.into()),
        "Infinity" => Ok(f32::INFINITY.into()),
        "-Infinity" => Ok(f32::NEG_INFINITY.into()),
        _ => Err(wrong(format!("expected {shape}, got string"))),
    }
}

fn char(shape: &Shape, json: &mut Reader<'_>) -> Lowered<char> {
    let text = text(shape, json)?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(wrong(
            "expected char, got a string that is not one character long",
        )),
    }
}

/// Reads a string.
pub(crate) fn text<'a>(shape: &Shape, json: &mut Reader<'a>) -> Lowered<Cow<'a, str>> {
    json.string().ok_or_else(|| mismatch(shape, json))?
}
