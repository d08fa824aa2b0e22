//! What conversions make of arguments.
//!
//! Must not know JSON.

use std::borrow::Cow;

/// What WIT values are made of.
#[expect(
    missing_docs,
    reason = "each makes a value of the WIT type of its name"
)]
pub trait Target {
    /// A value.
    type Value;
    /// A record's field.
    type Field;

    fn bool(value: bool) -> Self::Value;
    fn s8(value: i8) -> Self::Value;
    fn u8(value: u8) -> Self::Value;
    fn s16(value: i16) -> Self::Value;
    fn u16(value: u16) -> Self::Value;
    fn s32(value: i32) -> Self::Value;
    fn u32(value: u32) -> Self::Value;
    fn s64(value: i64) -> Self::Value;
    fn u64(value: u64) -> Self::Value;
    fn f32(value: f32) -> Self::Value;
    fn f64(value: f64) -> Self::Value;
    fn char(value: char) -> Self::Value;
    fn string(value: Cow<'_, str>) -> Self::Value;
    fn bytes(value: Vec<u8>) -> Self::Value;
    fn list(items: Vec<Self::Value>) -> Self::Value;
    fn fixed_list(items: Vec<Self::Value>) -> Self::Value;
    fn field(name: &str, value: Self::Value) -> Self::Field;
    fn record(fields: Vec<Self::Field>) -> Self::Value;
    fn tuple(items: Vec<Self::Value>) -> Self::Value;
    fn variant(case: &str, payload: Option<Self::Value>) -> Self::Value;
    fn enumeration(case: &str) -> Self::Value;
    fn option(value: Option<Self::Value>) -> Self::Value;
    fn result(value: Result<Option<Self::Value>, Option<Self::Value>>) -> Self::Value;
    fn flags(set: Vec<&str>) -> Self::Value;
}

/// Makes nothing: values are only checked.
pub(crate) struct Check;

impl Target for Check {
    type Value = ();
    type Field = ();

    fn bool(_: bool) {}
    fn s8(_: i8) {}
    fn u8(_: u8) {}
    fn s16(_: i16) {}
    fn u16(_: u16) {}
    fn s32(_: i32) {}
    fn u32(_: u32) {}
    fn s64(_: i64) {}
    fn u64(_: u64) {}
    fn f32(_: f32) {}
    fn f64(_: f64) {}
    fn char(_: char) {}
    fn string(_: Cow<'_, str>) {}
    fn bytes(_: Vec<u8>) {}
    fn list(_: Vec<()>) {}
    fn fixed_list(_: Vec<()>) {}
    fn field(_: &str, (): ()) {}
    fn record(_: Vec<()>) {}
    fn tuple(_: Vec<()>) {}
    fn variant(_: &str, _: Option<()>) {}
    fn enumeration(_: &str) {}
    fn option(_: Option<()>) {}
    fn result(_: Result<Option<()>, Option<()>>) {}
    fn flags(_: Vec<&str>) {}
}
