//! A component's types as shapes, and values of the sandbox from JSON.
//!
//! Must not know functions, nor whether a value is an argument.

use std::borrow::Cow;

use chicory_signature::{Case, Field, Outcome, Shape, Target};
use wasmtime::component::{Type, Val};

/// Reads a component's type. The error names the kind of type that JSON can't express.
pub(crate) fn shape(ty: &Type) -> Result<Shape, &'static str> {
    let boxed = |ty: &Type| shape(ty).map(Box::new);
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
        Type::Record(record) => {
            let fields = record.fields().map(|part| field(part.name, &part.ty));
            Shape::Record(fields.collect::<Result<_, _>>()?)
        }
        Type::Tuple(tuple) => Shape::Tuple(
            tuple
                .types()
                .map(|ty| shape(&ty))
                .collect::<Result<_, _>>()?,
        ),
        Type::Variant(variant) => {
            let cases = variant
                .cases()
                .map(|part| case(part.name, part.ty.as_ref()));
            Shape::Variant(cases.collect::<Result<_, _>>()?)
        }
        Type::Enum(names) => Shape::Enum(names.names().map(str::to_owned).collect()),
        Type::Option(option) => Shape::Option(boxed(&option.ty())?),
        Type::Result(result) => Shape::Result(Box::new(Outcome {
            ok: result.ok().map(|ty| shape(&ty)).transpose()?,
            err: result.err().map(|ty| shape(&ty)).transpose()?,
        })),
        Type::Flags(flags) => Shape::Flags(flags.names().map(str::to_owned).collect()),
        Type::Own(_) | Type::Borrow(_) => return Err("a resource"),
        Type::Stream(_) => return Err("a stream"),
        Type::Future(_) => return Err("a future"),
        Type::ErrorContext => return Err("an error-context"),
        Type::Map(_) => return Err("a map"),
    })
}

/// Reads a record's field, or a function's parameter.
pub(crate) fn field(name: &str, ty: &Type) -> Result<Field, &'static str> {
    Ok(Field {
        name: name.to_owned(),
        shape: shape(ty)?,
    })
}

fn case(name: &str, ty: Option<&Type>) -> Result<Case, &'static str> {
    Ok(Case {
        name: name.to_owned(),
        payload: ty.map(shape).transpose()?,
    })
}

/// Makes values for the sandbox from JSON.
pub(crate) struct Vals;

impl Target for Vals {
    type Value = Val;
    type Field = (String, Val);

    fn bool(value: bool) -> Val {
        Val::Bool(value)
    }
    fn s8(value: i8) -> Val {
        Val::S8(value)
    }
    fn u8(value: u8) -> Val {
        Val::U8(value)
    }
    fn s16(value: i16) -> Val {
        Val::S16(value)
    }
    fn u16(value: u16) -> Val {
        Val::U16(value)
    }
    fn s32(value: i32) -> Val {
        Val::S32(value)
    }
    fn u32(value: u32) -> Val {
        Val::U32(value)
    }
    fn s64(value: i64) -> Val {
        Val::S64(value)
    }
    fn u64(value: u64) -> Val {
        Val::U64(value)
    }
    fn f32(value: f32) -> Val {
        Val::Float32(value)
    }
    fn f64(value: f64) -> Val {
        Val::Float64(value)
    }
    fn char(value: char) -> Val {
        Val::Char(value)
    }
    fn string(value: Cow<'_, str>) -> Val {
        Val::String(value.into_owned())
    }
    fn bytes(value: Vec<u8>) -> Val {
        Val::List(value.into_iter().map(Val::U8).collect())
    }
    fn list(items: Vec<Val>) -> Val {
        Val::List(items)
    }
    fn fixed_list(items: Vec<Val>) -> Val {
        Val::FixedLengthList(items)
    }
    fn field(name: &str, value: Val) -> (String, Val) {
        (name.to_owned(), value)
    }
    fn record(fields: Vec<(String, Val)>) -> Val {
        Val::Record(fields)
    }
    fn tuple(items: Vec<Val>) -> Val {
        Val::Tuple(items)
    }
    fn variant(case: &str, payload: Option<Val>) -> Val {
        Val::Variant(case.to_owned(), payload.map(Box::new))
    }
    fn enumeration(case: &str) -> Val {
        Val::Enum(case.to_owned())
    }
    fn option(value: Option<Val>) -> Val {
        Val::Option(value.map(Box::new))
    }
    fn result(value: Result<Option<Val>, Option<Val>>) -> Val {
        let boxed = |value: Option<Val>| value.map(Box::new);
        Val::Result(value.map(boxed).map_err(boxed))
    }
    fn flags(set: Vec<&str>) -> Val {
        Val::Flags(set.into_iter().map(str::to_owned).collect())
    }
}
