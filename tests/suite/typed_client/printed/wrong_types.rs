//! Calls of the module `wrong-types` with their types, version ea70e467f32a.
//!
//! Written by `chicory client`; needs the crates `chicory-queue` and `serde` (with `derive`). A float
//! that is not a number can't be sent, and a result with one can't be read.

use chicory_queue::{Base64, Call, Nested};
use serde::{Deserialize, Serialize};

/// `func() -> list<f64>`
pub fn echo_odd_floats() -> Call<Vec<f64>> {
    Call::new("wrong-types.echo.odd-floats")
}

/// `func(value: bool) -> bool`
pub fn echo_of_bool(value: bool) -> Call<bool> {
    Call::new("wrong-types.echo.of-bool").arg(value)
}

/// `func(value: list<u8>) -> list<u8>`
pub fn echo_of_bytes(value: &[u8]) -> Call<Base64> {
    Call::new("wrong-types.echo.of-bytes").arg(Base64::from(value))
}

/// `func(value: char) -> char`
pub fn echo_of_char(value: char) -> Call<char> {
    Call::new("wrong-types.echo.of-char").arg(value)
}

/// `func(value: list<result>) -> list<result>`
pub fn echo_of_empty_results(
    value: Vec<EchoOfEmptyResultsValueItem>,
) -> Call<Vec<EchoOfEmptyResultsValueItem>> {
    Call::new("wrong-types.echo.of-empty-results").arg(value)
}

/// `func(value: enum { red, dark-green, blue }) -> enum { red, dark-green, blue }`
pub fn echo_of_enum(value: EchoOfEnumValue) -> Call<EchoOfEnumValue> {
    Call::new("wrong-types.echo.of-enum").arg(value)
}

/// `func(value: f32) -> f32`
pub fn echo_of_f32(value: f32) -> Call<f32> {
    Call::new("wrong-types.echo.of-f32").arg(value)
}

/// `func(value: f64) -> f64`
pub fn echo_of_f64(value: f64) -> Call<f64> {
    Call::new("wrong-types.echo.of-f64").arg(value)
}

/// `func(value: flags { read, write, run-it }) -> flags { read, write, run-it }`
pub fn echo_of_flags(
    value: Vec<EchoOfFlagsValue>,
) -> Call<Vec<EchoOfFlagsValue>> {
    Call::new("wrong-types.echo.of-flags").arg(value)
}

/// `func(value: list<u32>) -> list<u32>`
pub fn echo_of_list(value: Vec<u32>) -> Call<Vec<u32>> {
    Call::new("wrong-types.echo.of-list").arg(value)
}

/// `func(value: list<list<string>>) -> list<list<string>>`
pub fn echo_of_lists(value: Vec<Vec<String>>) -> Call<Vec<Vec<String>>> {
    Call::new("wrong-types.echo.of-lists").arg(value)
}

/// `func(value: record { points: list<record { x: s32, y-axis: s32, label: option<string> }>, by-name: list<tuple<string, record { x: s32, y-axis: s32, label: option<string> }>>, color: enum { red, dark-green, blue } }) -> record { points: list<record { x: s32, y-axis: s32, label: option<string> }>, by-name: list<tuple<string, record { x: s32, y-axis: s32, label: option<string> }>>, color: enum { red, dark-green, blue } }`
pub fn echo_of_nested(value: EchoOfNestedValue) -> Call<EchoOfNestedValue> {
    Call::new("wrong-types.echo.of-nested").arg(value)
}

/// `func()`
pub fn echo_of_nothing() -> Call<()> {
    Call::new("wrong-types.echo.of-nothing")
}

/// `func(value: option<u32>) -> option<u32>`
pub fn echo_of_option(value: Option<u32>) -> Call<Option<u32>> {
    Call::new("wrong-types.echo.of-option").arg(value)
}

/// `func(value: option<option<u32>>) -> option<option<u32>>`
pub fn echo_of_option_of_option(
    value: Option<Nested<Option<u32>>>,
) -> Call<Option<Nested<Option<u32>>>> {
    Call::new("wrong-types.echo.of-option-of-option").arg(value)
}

/// `func(value: record { x: s32, y-axis: s32, label: option<string> }) -> record { x: s32, y-axis: s32, label: option<string> }`
pub fn echo_of_record(
    value: EchoOfNestedValuePointsItem,
) -> Call<EchoOfNestedValuePointsItem> {
    Call::new("wrong-types.echo.of-record").arg(value)
}

/// `func(value: list<result<u32, string>>) -> list<result<u32, string>>`
pub fn echo_of_results(
    value: Vec<EchoOfResultsValueItem>,
) -> Call<Vec<EchoOfResultsValueItem>> {
    Call::new("wrong-types.echo.of-results").arg(value)
}

/// `func(value: s16) -> s16`
pub fn echo_of_s16(value: i16) -> Call<i16> {
    Call::new("wrong-types.echo.of-s16").arg(value)
}

/// `func(value: s32) -> s32`
pub fn echo_of_s32(value: i32) -> Call<i32> {
    Call::new("wrong-types.echo.of-s32").arg(value)
}

/// `func(value: s64) -> s64`
pub fn echo_of_s64(value: i64) -> Call<i64> {
    Call::new("wrong-types.echo.of-s64").arg(value)
}

/// `func(value: s8) -> s8`
pub fn echo_of_s8(value: i8) -> Call<i8> {
    Call::new("wrong-types.echo.of-s8").arg(value)
}

/// `func(first: u32, second-one: option<string>, third: enum { red, dark-green, blue }) -> tuple<u32, option<string>, enum { red, dark-green, blue }>`
pub fn echo_of_several(
    first: u32,
    second_one: Option<String>,
    third: EchoOfEnumValue,
) -> Call<(u32, Option<String>, EchoOfEnumValue)> {
    Call::new("wrong-types.echo.of-several")
        .arg(first)
        .arg(second_one)
        .arg(third)
}

/// `func(value: string) -> string`
pub fn echo_of_string(value: &str) -> Call<String> {
    Call::new("wrong-types.echo.of-string").arg(value)
}

/// `func(value: tuple<u8, string, bool>) -> tuple<u8, string, bool>`
pub fn echo_of_tuple(value: (u8, String, bool)) -> Call<(u8, String, bool)> {
    Call::new("wrong-types.echo.of-tuple").arg(value)
}

/// `func(value: u16) -> u16`
pub fn echo_of_u16(value: u16) -> Call<u16> {
    Call::new("wrong-types.echo.of-u16").arg(value)
}

/// `func(value: u32) -> u32`
pub fn echo_of_u32(value: u32) -> Call<u32> {
    Call::new("wrong-types.echo.of-u32").arg(value)
}

/// `func(value: u64) -> u64`
pub fn echo_of_u64(value: u64) -> Call<u64> {
    Call::new("wrong-types.echo.of-u64").arg(value)
}

/// `func(value: u8) -> u8`
pub fn echo_of_u8(value: u8) -> Call<u8> {
    Call::new("wrong-types.echo.of-u8").arg(value)
}

/// `func(value: variant { nothing, circle(f64), polygon(list<record { x: s32, y-axis: s32, label: option<string> }>) }) -> variant { nothing, circle(f64), polygon(list<record { x: s32, y-axis: s32, label: option<string> }>) }`
pub fn echo_of_variant(value: EchoOfVariantValue) -> Call<EchoOfVariantValue> {
    Call::new("wrong-types.echo.of-variant").arg(value)
}

/// `func(value: u32) -> u32`
pub fn of_world(value: u32) -> Call<u32> {
    Call::new("wrong-types.of-world").arg(value)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EchoOfEmptyResultsValueItem {
    #[serde(rename = "ok")]
    Ok(()),
    #[serde(rename = "err")]
    Err(()),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EchoOfEnumValue {
    #[serde(rename = "red")]
    Red,
    #[serde(rename = "dark-green")]
    DarkGreen,
    #[serde(rename = "blue")]
    Blue,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EchoOfFlagsValue {
    #[serde(rename = "read")]
    Read,
    #[serde(rename = "write")]
    Write,
    #[serde(rename = "run-it")]
    RunIt,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EchoOfNestedValuePointsItem {
    pub x: i32,
    #[serde(rename = "y-axis")]
    pub y_axis: i32,
    pub label: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EchoOfNestedValue {
    pub points: Vec<EchoOfNestedValuePointsItem>,
    #[serde(rename = "by-name")]
    pub by_name: Vec<(String, EchoOfNestedValuePointsItem)>,
    pub color: EchoOfEnumValue,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EchoOfResultsValueItem {
    #[serde(rename = "ok")]
    Ok(u32),
    #[serde(rename = "err")]
    Err(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EchoOfVariantValue {
    #[serde(rename = "nothing")]
    Nothing,
    #[serde(rename = "circle")]
    Circle(f64),
    #[serde(rename = "polygon")]
    Polygon(Vec<EchoOfNestedValuePointsItem>),
}
