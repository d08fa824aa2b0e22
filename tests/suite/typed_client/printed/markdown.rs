//! Calls of the module `markdown` with their types, version a6d7ffb3c99b.
//!
//! Written by `chicory client`; needs the crates `chicory-queue` and `serde` (with `derive`). A float
//! that is not a number can't be sent, and a result with one can't be read.

use chicory_queue::Call;
use serde::{Deserialize, Serialize};

/// `func(source: string) -> list<record { level: u8, text: string }>`
pub fn outline(source: &str) -> Call<Vec<OutlineResultItem>> {
    Call::new("markdown.outline").arg(source)
}

/// `func(source: string, options: option<record { extensions: option<flags { tables, footnotes, strikethrough, task-lists, smart-punctuation }>, raw-html: option<bool> }>) -> string`
pub fn render(source: &str, options: Option<RenderOptions>) -> Call<String> {
    Call::new("markdown.render").arg(source).arg(options)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutlineResultItem {
    pub level: u8,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RenderOptionsExtensions {
    #[serde(rename = "tables")]
    Tables,
    #[serde(rename = "footnotes")]
    Footnotes,
    #[serde(rename = "strikethrough")]
    Strikethrough,
    #[serde(rename = "task-lists")]
    TaskLists,
    #[serde(rename = "smart-punctuation")]
    SmartPunctuation,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RenderOptions {
    pub extensions: Option<Vec<RenderOptionsExtensions>>,
    #[serde(rename = "raw-html")]
    pub raw_html: Option<bool>,
}
