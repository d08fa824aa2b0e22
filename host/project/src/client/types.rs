//! Rust types for WIT's, which serde reads and writes as the JSON that tasks take and return.
//!
//! Must not know tasks.

use std::fmt::Write as _;

use chicory_signature::{Case, Field, Shape};

use super::names::{Names, pascal, snake};

/// The types of a module.
#[derive(Debug, Default)]
pub(super) struct Types {
    names: Names,
    known: Vec<(Shape, String)>,
    definitions: String,
    bytes: bool,
    nested: bool,
}

const DERIVE: &str = "#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]\n";

impl Types {
    /// What defines them.
    pub(super) fn definitions(&self) -> &str {
        &self.definitions
    }

    /// Whether any of them, or any task, has bytes.
    pub(super) fn has_bytes(&self) -> bool {
        self.bytes
    }

    /// Whether any of them, or any task, has an option in an option.
    pub(super) fn has_nested(&self) -> bool {
        self.nested
    }

    /// A task has bytes.
    pub(super) fn uses_bytes(&mut self) {
        self.bytes = true;
    }

    /// The Rust type; one that has to be defined is called by `hint`.
    pub(super) fn name(&mut self, shape: &Shape, hint: &str) -> String {
        match shape {
            Shape::Bool => "bool".into(),
            Shape::S8 => "i8".into(),
            Shape::U8 => "u8".into(),
            Shape::S16 => "i16".into(),
            Shape::U16 => "u16".into(),
            Shape::S32 => "i32".into(),
            Shape::U32 => "u32".into(),
            Shape::S64 => "i64".into(),
            Shape::U64 => "u64".into(),
            Shape::F32 => "f32".into(),
            Shape::F64 => "f64".into(),
            Shape::Char => "char".into(),
            Shape::String => "String".into(),
            Shape::Bytes => {
                self.uses_bytes();
                "Base64".into()
            }
            Shape::List(item) | Shape::FixedList(item, _) => {
                format!("Vec<{}>", self.name(item, &format!("{hint}Item")))
            }
            Shape::Option(inner) if matches!(**inner, Shape::Option(_)) => {
                self.nested = true;
                format!("Option<Nested<{}>>", self.name(inner, hint))
            }
            Shape::Option(inner) => format!("Option<{}>", self.name(inner, hint)),
            Shape::Tuple(items) => self.tuple(items, hint),
            // An array of names.
            Shape::Flags(names) => format!(
                "Vec<{}>",
                self.defined(shape, hint, |types, name| {
                    types.enumeration(name, &plain(names));
                })
            ),
            Shape::Record(fields) => {
                self.defined(shape, hint, |types, name| types.record(name, fields))
            }
            Shape::Variant(cases) => {
                self.defined(shape, hint, |types, name| types.enumeration(name, cases))
            }
            Shape::Enum(names) => self.defined(shape, hint, |types, name| {
                types.enumeration(name, &plain(names));
            }),
            Shape::Result(outcome) => {
                let side = |name: &str, payload: Option<&Shape>| Case {
                    name: name.into(),
                    // A side without a value is written with null.
                    payload: Some(payload.cloned().unwrap_or(Shape::Tuple([].into()))),
                };
                let sides = [
                    side("ok", outcome.ok.as_ref()),
                    side("err", outcome.err.as_ref()),
                ];
                self.defined(shape, hint, |types, name| types.enumeration(name, &sides))
            }
        }
    }

    /// Serde has tuples of up to sixteen.
    fn tuple(&mut self, items: &[Shape], hint: &str) -> String {
        let named = items.iter().enumerate();
        let items: Vec<_> = named
            .map(|(index, item)| self.name(item, &format!("{hint}{}", index + 1)))
            .collect();
        match &items[..] {
            [only] => format!("({only},)"),
            items if items.len() > 16 => "Vec<serde_json::Value>".into(),
            items => format!("({})", items.join(", ")),
        }
    }

    /// The type of this shape; `define` writes it where there is none yet.
    fn defined(
        &mut self,
        shape: &Shape,
        hint: &str,
        define: impl FnOnce(&mut Self, &str),
    ) -> String {
        if let Some((_, name)) = self.known.iter().find(|(known, _)| known == shape) {
            return name.clone();
        }
        let name = self.names.free(hint);
        self.known.push((shape.clone(), name.clone()));
        define(self, &name);
        name
    }

    fn record(&mut self, name: &str, fields: &[Field]) {
        let mut names = Names::default();
        let mut text = format!("\n{DERIVE}pub struct {name} {{\n");
        for field in fields {
            let field_name = names.free(&snake(&field.name));
            let ty = self.name(&field.shape, &format!("{name}{}", pascal(&field.name)));
            if field_name.trim_start_matches("r#") != field.name {
                let _ = writeln!(text, "    #[serde(rename = {:?})]", field.name);
            }
            let _ = writeln!(text, "    pub {field_name}: {ty},");
        }
        text.push_str("}\n");
        self.definitions.push_str(&text);
    }

    fn enumeration(&mut self, name: &str, cases: &[Case]) {
        let mut names = Names::default();
        let mut text = format!("\n{DERIVE}pub enum {name} {{\n");
        for case in cases {
            let case_name = names.free(&pascal(&case.name));
            let payload = match &case.payload {
                None => String::new(),
                Some(shape) => format!(
                    "({})",
                    self.name(shape, &format!("{name}{}", pascal(&case.name)))
                ),
            };
            if case_name != case.name {
                let _ = writeln!(text, "    #[serde(rename = {:?})]", case.name);
            }
            let _ = writeln!(text, "    {case_name}{payload},");
        }
        text.push_str("}\n");
        self.definitions.push_str(&text);
    }
}

fn plain(names: &[String]) -> Vec<Case> {
    let case = |name: &String| Case {
        name: name.clone(),
        payload: None,
    };
    names.iter().map(case).collect()
}
