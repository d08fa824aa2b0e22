//! A component's types as shapes.
//!
//! Must not know functions, nor values.

use chicory_signature::{Case, Field, Outcome, Shape, TypeBudget, TypeLimitError, check_members};
use wasmtime::component::Type;

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
