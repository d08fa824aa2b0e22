//! A component's types as shapes, and values of the sandbox from JSON.
//!
//! Must not know functions, nor whether a value is an argument.

use std::borrow::Cow;

use chicory_signature::{
    Case, Field, Outcome, Shape, Target, TypeBudget, TypeLimitError, check_members,
};
use wasmtime::component::{Type, Val};

/// Why a type has no shape.
#[derive(Debug)]
pub(crate) enum NoShape {
    /// JSON can't express this kind of type.
    Kind(&'static str),
    /// It is too large.
    Limit(TypeLimitError),
}

impl From<TypeLimitError> for NoShape {
    fn from(error: TypeLimitError) -> Self {
        Self::Limit(error)
    }
}

/// Reads a component's type, and counts it: a graph of types can be of any size when it is written out.
pub(crate) fn shape(ty: &Type, budget: &mut TypeBudget) -> Result<Shape, NoShape> {
    budget.enter()?;
    let shape = match ty {
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
        Type::Own(_) | Type::Borrow(_) => return Err(NoShape::Kind("a resource")),
        Type::Stream(_) => return Err(NoShape::Kind("a stream")),
        Type::Future(_) => return Err(NoShape::Kind("a future")),
        Type::ErrorContext => return Err(NoShape::Kind("an error-context")),
        Type::Map(_) => return Err(NoShape::Kind("a map")),
        compound => compound_shape(compound, budget)?,
    };
    budget.leave();
    Ok(shape)
}

fn compound_shape(ty: &Type, budget: &mut TypeBudget) -> Result<Shape, NoShape> {
    Ok(match ty {
        Type::List(list) if list.ty() == Type::U8 => Shape::Bytes,
        Type::List(list) => Shape::List(Box::new(shape(&list.ty(), budget)?)),
        Type::FixedLengthList(list) => {
            Shape::FixedList(Box::new(shape(&list.ty(), budget)?), list.len())
        }
        Type::Option(option) => Shape::Option(Box::new(shape(&option.ty(), budget)?)),
        Type::Record(record) => {
            check_members("fields", record.fields().len())?;
            let fields = record.fields();
            let fields = fields.map(|part| field(part.name, &part.ty, budget));
            Shape::Record(fields.collect::<Result<_, _>>()?)
        }
        Type::Tuple(tuple) => {
            check_members("items", tuple.types().len())?;
            let items = tuple.types().map(|ty| shape(&ty, budget));
            Shape::Tuple(items.collect::<Result<_, _>>()?)
        }
        Type::Variant(variant) => {
            check_members("cases", variant.cases().len())?;
            let cases = variant.cases();
            let cases = cases.map(|part| case(part.name, part.ty.as_ref(), budget));
            Shape::Variant(cases.collect::<Result<_, _>>()?)
        }
        Type::Enum(names) => Shape::Enum(labels(names.names(), budget)?),
        Type::Flags(flags) => Shape::Flags(labels(flags.names(), budget)?),
        Type::Result(result) => Shape::Result(Box::new(Outcome {
            ok: result.ok().map(|ty| shape(&ty, budget)).transpose()?,
            err: result.err().map(|ty| shape(&ty, budget)).transpose()?,
        })),
        _ => unreachable!("all other types are simple"),
    })
}

/// Reads a record's field, or a function's parameter.
pub(crate) fn field(name: &str, ty: &Type, budget: &mut TypeBudget) -> Result<Field, NoShape> {
    budget.name(name)?;
    Ok(Field {
        name: name.to_owned(),
        shape: shape(ty, budget)?,
    })
}

fn case(name: &str, ty: Option<&Type>, budget: &mut TypeBudget) -> Result<Case, NoShape> {
    budget.name(name)?;
    Ok(Case {
        name: name.to_owned(),
        payload: ty.map(|ty| shape(ty, budget)).transpose()?,
    })
}

fn labels<'a>(
    names: impl ExactSizeIterator<Item = &'a str>,
    budget: &mut TypeBudget,
) -> Result<Box<[String]>, TypeLimitError> {
    check_members("cases", names.len())?;
    let names = names.map(|name| budget.name(name).map(|()| name.to_owned()));
    names.collect()
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
