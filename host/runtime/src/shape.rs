//! WIT types as the conversions need them: read once at load, names resolved, nothing to look up
//! per call; and written as WIT text.
//!
//! Must not know values.

use std::fmt::{self, Display};

use wasmtime::component::Type;

/// A WIT value type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    /// `list<u8>`, which is base64 in JSON.
    Bytes,
    List(Box<Shape>),
    FixedList(Box<Shape>, u32),
    Record(Box<[Field]>),
    Tuple(Box<[Shape]>),
    Variant(Box<[Case]>),
    Enum(Box<[String]>),
    Option(Box<Shape>),
    Result(Box<Outcome>),
    Flags(Box<[String]>),
}

/// A named part of a record, or a named parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) shape: Shape,
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) payload: Option<Shape>,
}

/// The two sides of a result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) ok: Option<Shape>,
    pub(crate) err: Option<Shape>,
}

impl Shape {
    /// Reads a component's type. The error names the kind of type that JSON can't carry.
    pub(crate) fn read(ty: &Type) -> Result<Shape, &'static str> {
        let boxed = |ty: &Type| Shape::read(ty).map(Box::new);
        Ok(match ty {
            Type::Bool => Shape::Bool,
            Type::S8 => Shape::S8,
            Type::U8 => Shape::U8,
            Type::S16 => Shape::S16,
            Type::U16 => Shape::U16,
            Type::S32 => Shape::S32,
            Type::U32 => Shape::U32,
            Type::S64 => Shape::S64,
            Type::U64 => Shape::U64,
            Type::Float32 => Shape::F32,
            Type::Float64 => Shape::F64,
            Type::Char => Shape::Char,
            Type::String => Shape::String,
            Type::List(list) if list.ty() == Type::U8 => Shape::Bytes,
            Type::List(list) => Shape::List(boxed(&list.ty())?),
            Type::FixedLengthList(list) => Shape::FixedList(boxed(&list.ty())?, list.len()),
            Type::Record(record) => Shape::Record(
                record
                    .fields()
                    .map(|field| Field::read(field.name, &field.ty))
                    .collect::<Result<_, _>>()?,
            ),
            Type::Tuple(tuple) => Shape::Tuple(
                tuple
                    .types()
                    .map(|ty| Shape::read(&ty))
                    .collect::<Result<_, _>>()?,
            ),
            Type::Variant(variant) => Shape::Variant(
                variant
                    .cases()
                    .map(|case| Case::read(case.name, case.ty.as_ref()))
                    .collect::<Result<_, _>>()?,
            ),
            Type::Enum(names) => Shape::Enum(names.names().map(str::to_owned).collect()),
            Type::Option(option) => Shape::Option(boxed(&option.ty())?),
            Type::Result(result) => Shape::Result(Box::new(Outcome {
                ok: result.ok().map(|ty| Shape::read(&ty)).transpose()?,
                err: result.err().map(|ty| Shape::read(&ty)).transpose()?,
            })),
            Type::Flags(flags) => Shape::Flags(flags.names().map(str::to_owned).collect()),
            Type::Own(_) | Type::Borrow(_) => return Err("a resource"),
            Type::Stream(_) => return Err("a stream"),
            Type::Future(_) => return Err("a future"),
            Type::ErrorContext => return Err("an error-context"),
            Type::Map(_) => return Err("a map"),
        })
    }
}

impl Field {
    /// Reads a record's field, or a function's parameter.
    pub(crate) fn read(name: &str, ty: &Type) -> Result<Field, &'static str> {
        Ok(Field {
            name: name.to_owned(),
            shape: Shape::read(ty)?,
        })
    }
}

impl Case {
    fn read(name: &str, ty: Option<&Type>) -> Result<Case, &'static str> {
        Ok(Case {
            name: name.to_owned(),
            payload: ty.map(Shape::read).transpose()?,
        })
    }
}

/// Whether `given` is WIT's name `wit`, in kebab-case or `snake_case`. WIT tells names apart without
/// regard to case, so this does as well.
pub(crate) fn names(wit: &str, given: &str) -> bool {
    wit.len() == given.len()
        && wit
            .bytes()
            .zip(given.bytes())
            .all(|(wit, given)| wit.eq_ignore_ascii_case(&given) || (wit == b'-' && given == b'_'))
}

impl Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Bool => f.write_str("bool"),
            Shape::S8 => f.write_str("s8"),
            Shape::U8 => f.write_str("u8"),
            Shape::S16 => f.write_str("s16"),
            Shape::U16 => f.write_str("u16"),
            Shape::S32 => f.write_str("s32"),
            Shape::U32 => f.write_str("u32"),
            Shape::S64 => f.write_str("s64"),
            Shape::U64 => f.write_str("u64"),
            Shape::F32 => f.write_str("f32"),
            Shape::F64 => f.write_str("f64"),
            Shape::Char => f.write_str("char"),
            Shape::String => f.write_str("string"),
            Shape::Bytes => f.write_str("list<u8>"),
            Shape::List(item) => write!(f, "list<{item}>"),
            Shape::FixedList(item, length) => write!(f, "list<{item}, {length}>"),
            Shape::Record(fields) => braced(f, "record", fields),
            Shape::Tuple(items) => listed(f, "tuple<", items, ">"),
            Shape::Variant(cases) => braced(f, "variant", cases),
            Shape::Enum(names) => braced(f, "enum", names),
            Shape::Option(inner) => write!(f, "option<{inner}>"),
            Shape::Result(outcome) => outcome.fmt(f),
            Shape::Flags(names) => braced(f, "flags", names),
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.shape)
    }
}

impl Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.payload
            .as_ref()
            .map_or(Ok(()), |payload| write!(f, "({payload})"))
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.ok, &self.err) {
            (None, None) => f.write_str("result"),
            (Some(ok), None) => write!(f, "result<{ok}>"),
            (None, Some(err)) => write!(f, "result<_, {err}>"),
            (Some(ok), Some(err)) => write!(f, "result<{ok}, {err}>"),
        }
    }
}

/// Writes `items` between `open` and `close`, with commas.
pub(crate) fn listed(
    f: &mut fmt::Formatter<'_>,
    open: &str,
    items: &[impl Display],
    close: &str,
) -> fmt::Result {
    f.write_str(open)?;
    for (index, item) in items.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{item}")?;
    }
    f.write_str(close)
}

fn braced(f: &mut fmt::Formatter<'_>, keyword: &str, items: &[impl Display]) -> fmt::Result {
    f.write_str(keyword)?;
    listed(f, " { ", items, " }")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_written_as_wit() {
        let record = Shape::Record(
            [
                Field {
                    name: "max-width".into(),
                    shape: Shape::U32,
                },
                Field {
                    name: "tags".into(),
                    shape: Shape::List(Box::new(Shape::String)),
                },
            ]
            .into(),
        );
        let result = Shape::Result(Box::new(Outcome {
            ok: Some(record),
            err: Some(Shape::Bytes),
        }));
        assert_eq!(
            result.to_string(),
            "result<record { max-width: u32, tags: list<string> }, list<u8>>"
        );
        let variant = Shape::Variant(
            [
                Case {
                    name: "none".into(),
                    payload: None,
                },
                Case {
                    name: "some".into(),
                    payload: Some(Shape::Tuple([Shape::F32, Shape::Char].into())),
                },
            ]
            .into(),
        );
        assert_eq!(
            variant.to_string(),
            "variant { none, some(tuple<f32, char>) }"
        );
        let unit = Shape::Result(Box::new(Outcome {
            ok: None,
            err: Some(Shape::Bool),
        }));
        assert_eq!(unit.to_string(), "result<_, bool>");
    }

    #[test]
    fn names_may_be_kebab_or_snake() {
        assert!(names("max-width", "max-width") && names("max-width", "max_width"));
        assert!(!names("max-width", "maxwidth") && !names("maxwidth", "max_width"));
    }
}
