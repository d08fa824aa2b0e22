//! The types of the module that its tasks use, as WIT definitions.
//!
//! Must not know functions, nor what becomes of the Rust side.

use std::collections::BTreeMap;

use syn::{Error, Fields, Ident, Item, ItemEnum, ItemStruct, Result, Type};

use crate::{kind, names};

/// The types that may be used, and those that are.
pub(crate) struct Types<'a> {
    items: BTreeMap<String, &'a Item>,
    /// WIT names of the used ones, with their definitions, in the order of their use.
    pub(crate) used: Vec<Used>,
    /// Those being defined at the moment: to find a type within itself.
    open: Vec<String>,
}

/// A type that a task uses.
pub(crate) struct Used {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) definition: String,
}

impl<'a> Types<'a> {
    pub(crate) fn of(items: &'a [Item]) -> Self {
        let items = items.iter().filter_map(|item| match item {
            Item::Struct(ItemStruct { ident, .. }) | Item::Enum(ItemEnum { ident, .. }) => {
                Some((ident.to_string(), item))
            }
            _ => None,
        });
        Self {
            items: items.collect(),
            used: Vec::new(),
            open: Vec::new(),
        }
    }

    /// A type in WIT's words; what it is made of is defined on the way.
    pub(crate) fn refer(&mut self, ty: &Type) -> Result<String> {
        kind::of(ty, &mut |ident| self.own(ident))
    }

    /// Whether `ident` is a type of the module.
    pub(crate) fn has(&self, ident: &Ident) -> bool {
        self.items.contains_key(&ident.to_string())
    }

    fn own(&mut self, ident: &Ident) -> Option<Result<String>> {
        let item = *self.items.get(&ident.to_string())?;
        Some(self.define(ident, item))
    }

    fn define(&mut self, at: &Ident, item: &Item) -> Result<String> {
        let name = names::camel(at)?;
        if self.open.contains(&name) {
            return Err(Error::new(
                at.span(),
                format!("`{at}` contains itself, which WIT can't have"),
            ));
        }
        if self.used.iter().any(|used| used.name == name) {
            return Ok(format!("%{name}"));
        }
        self.open.push(name.clone());
        let (ident, definition) = match item {
            Item::Struct(item) => (&item.ident, self.structure(item, &name)?),
            Item::Enum(item) => (&item.ident, self.enumeration(item, &name)?),
            _ => unreachable!("only structs and enums are kept"),
        };
        self.open.pop();
        self.used.push(Used {
            ident: ident.clone(),
            name: name.clone(),
            definition,
        });
        Ok(format!("%{name}"))
    }

    fn structure(&mut self, item: &ItemStruct, name: &str) -> Result<String> {
        not_generic(&item.generics)?;
        let Fields::Named(fields) = &item.fields else {
            return Err(Error::new_spanned(
                item,
                "WIT's records have named fields: name these",
            ));
        };
        if fields.named.is_empty() {
            return Err(Error::new_spanned(item, "WIT has no record without fields"));
        }
        let flags = is_flags(item);
        let mut lines = String::new();
        for field in &fields.named {
            let ident = field.ident.as_ref().expect("its fields are named");
            let own = names::snake(ident)?;
            if ident != &names::binding(&own) {
                return Err(Error::new(
                    ident.span(),
                    format!("write `{}`", names::binding(&own)),
                ));
            }
            let ty = self.refer(&field.ty)?;
            lines += &match (flags, ty.as_str()) {
                (false, _) => format!("%{own}: {ty}, "),
                (true, "bool") => format!("%{own}, "),
                (true, _) => return Err(Error::new_spanned(&field.ty, "a flag is a `bool`")),
            };
        }
        if flags && fields.named.len() > 32 {
            return Err(Error::new_spanned(
                item,
                "up to 32 flags go into one struct",
            ));
        }
        let what = if flags { "flags" } else { "record" };
        Ok(format!("{what} %{name} {{ {lines}}}\n"))
    }

    fn enumeration(&mut self, item: &ItemEnum, name: &str) -> Result<String> {
        not_generic(&item.generics)?;
        if item.variants.is_empty() {
            return Err(Error::new_spanned(item, "WIT has no enum without cases"));
        }
        let mut lines = String::new();
        for case in &item.variants {
            if let Some((_, number)) = &case.discriminant {
                return Err(Error::new_spanned(number, "cases have no numbers in WIT"));
            }
            let own = names::camel(&case.ident)?;
            lines += &match &case.fields {
                Fields::Unit => format!("%{own}, "),
                Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                    format!("%{own}({}), ", self.refer(&fields.unnamed[0].ty)?)
                }
                other => {
                    let hint = "a case of WIT carries one value: make it a struct, or a tuple in parentheses";
                    return Err(Error::new_spanned(other, hint));
                }
            };
        }
        let what = if is_plain(item) { "enum" } else { "variant" };
        Ok(format!("{what} %{name} {{ {lines}}}\n"))
    }
}

/// Whether no case carries a value.
pub(crate) fn is_plain(item: &ItemEnum) -> bool {
    item.variants
        .iter()
        .all(|case| matches!(case.fields, Fields::Unit))
}

/// Whether the struct is marked as flags.
pub(crate) fn is_flags(item: &ItemStruct) -> bool {
    item.attrs
        .iter()
        .any(|attribute| attribute.path().is_ident("flags"))
}

pub(crate) fn not_generic(generics: &syn::Generics) -> Result<()> {
    if generics.params.is_empty() {
        return Ok(());
    }
    Err(Error::new_spanned(
        generics,
        "WIT has no type parameters and no lifetimes: a task's types are concrete",
    ))
}
