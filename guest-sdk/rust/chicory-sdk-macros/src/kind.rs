//! Types of Rust as types of WIT, and why the others are none.
//!
//! Must not know how a definition is written.

use quote::ToTokens;
use syn::{Error, GenericArgument, PathArguments, PathSegment, Result, Type};

/// A type by its use, in WIT's words; names of the module's own types are given to `own`, which says
/// what they are called.
pub(crate) fn of(
    ty: &Type,
    own: &mut dyn FnMut(&syn::Ident) -> Option<Result<String>>,
) -> Result<String> {
    match ty {
        Type::Paren(inner) => of(&inner.elem, own),
        Type::Group(inner) => of(&inner.elem, own),
        Type::Tuple(tuple) if !tuple.elems.is_empty() => {
            let parts = tuple
                .elems
                .iter()
                .map(|part| of(part, own))
                .collect::<Result<Vec<_>>>()?;
            Ok(format!("tuple<{}>", parts.join(", ")))
        }
        Type::Tuple(unit) => Err(Error::new_spanned(
            unit,
            "`()` is no value in WIT: leave it out",
        )),
        Type::Path(path) if path.qself.is_none() => {
            let last = path.path.segments.last().expect("a path has a segment");
            named(ty, last, own)
        }
        Type::Reference(_) => Err(Error::new_spanned(
            ty,
            "a task owns its values: write `String` for `&str`, `Vec<T>` for `&[T]`, `T` for `&T`",
        )),
        Type::ImplTrait(_) => Err(Error::new_spanned(
            ty,
            "`impl Trait` is no type that a producer could send: name it",
        )),
        Type::Array(_) | Type::Slice(_) => Err(Error::new_spanned(ty, "write `Vec<T>` for a list")),
        _ => Err(Error::new_spanned(ty, "not a type that WIT has")),
    }
}

fn named(
    ty: &Type,
    last: &PathSegment,
    own: &mut dyn FnMut(&syn::Ident) -> Option<Result<String>>,
) -> Result<String> {
    let arguments = arguments(last);
    let name = last.ident.to_string();
    match (name.as_str(), arguments.as_slice()) {
        ("Vec", [item]) => Ok(format!("list<{}>", of(item, own)?)),
        ("Option", [item]) => Ok(format!("option<{}>", of(item, own)?)),
        ("Result", [ok, err]) => result(ok, err, own),
        ("TaskError", []) => Ok("task-error".into()),
        (_, []) => match plain(&name) {
            Some(plain) => Ok(plain.into()),
            None => own(&last.ident).unwrap_or_else(|| Err(unknown(ty, &name))),
        },
        _ => Err(unknown(ty, &name)),
    }
}

/// `result<…>`, either side of which may be nothing.
fn result(
    ok: &Type,
    err: &Type,
    own: &mut dyn FnMut(&syn::Ident) -> Option<Result<String>>,
) -> Result<String> {
    Ok(match (is_unit(ok), is_unit(err)) {
        (true, true) => "result".into(),
        (true, false) => format!("result<_, {}>", of(err, own)?),
        (false, true) => format!("result<{}>", of(ok, own)?),
        (false, false) => format!("result<{}, {}>", of(ok, own)?, of(err, own)?),
    })
}

pub(crate) fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// The types between the angle brackets.
pub(crate) fn arguments(segment: &PathSegment) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return Vec::new();
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}

fn plain(name: &str) -> Option<&'static str> {
    Some(match name {
        "bool" => "bool",
        "u8" => "u8",
        "u16" => "u16",
        "u32" => "u32",
        "u64" => "u64",
        "i8" => "s8",
        "i16" => "s16",
        "i32" => "s32",
        "i64" => "s64",
        "f32" => "f32",
        "f64" => "f64",
        "char" => "char",
        "String" => "string",
        _ => return None,
    })
}

fn unknown(ty: &Type, name: &str) -> Error {
    let message = match name {
        "usize" | "isize" | "u128" | "i128" => {
            "WIT's integers have 8, 16, 32 or 64 bits: write `u32` or `u64`".to_owned()
        }
        "HashMap" | "BTreeMap" => "a map is a list of pairs in WIT: write `Vec<(K, V)>`".to_owned(),
        "HashSet" | "BTreeSet" | "VecDeque" => "write `Vec<T>` for a list".to_owned(),
        "Box" | "Rc" | "Arc" | "Cow" => "a task owns its values: write the type itself".to_owned(),
        _ => format!(
            "`{}` is no type that WIT has, and no struct or enum of this module: define it here",
            ty.to_token_stream().to_string().replace(' ', "")
        ),
    };
    Error::new_spanned(ty, message)
}
