//! What the author's types and signatures need so that the bindings can use them as they are.
//!
//! Must not know WIT's text.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident};
use syn::{GenericArgument, Item, ItemEnum, ItemStruct, PathArguments, Type, parse_quote};

use crate::kind;
use crate::wit::{Types, Used, is_flags, is_plain};

/// What becomes of a task's error.
pub(crate) enum Failure {
    /// It is a value of WIT.
    Typed,
    /// Its text is what the host is told.
    Shown,
}

/// The success of a `Result` whose error is none of WIT's types, but can be shown. An alias, such as
/// `anyhow::Result<T>`, leaves its error out.
pub(crate) fn shown_error<'a>(ty: &'a Type, types: &Types) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    if last.ident != "Result" {
        return None;
    }
    match kind::arguments(last).as_slice() {
        [ok] => Some(ok),
        [ok, err] if !is_known(err, types) => Some(ok),
        _ => None,
    }
}

fn is_known(err: &Type, types: &Types) -> bool {
    let mut own = |ident: &syn::Ident| types.has(ident).then(|| Ok(String::new()));
    kind::is_unit(err) || kind::of(err, &mut own).is_ok()
}

/// The type as it is named outside the author's module.
pub(crate) fn outside(ty: &Type, types: &Types) -> TokenStream {
    let mut ty = ty.clone();
    qualify(&mut ty, types);
    ty.into_token_stream()
}

fn qualify(ty: &mut Type, types: &Types) {
    match ty {
        Type::Tuple(tuple) => tuple.elems.iter_mut().for_each(|part| qualify(part, types)),
        Type::Paren(inner) => qualify(&mut inner.elem, types),
        Type::Path(path) => {
            let Some(last) = path.path.segments.last_mut() else {
                return;
            };
            if let PathArguments::AngleBracketed(arguments) = &mut last.arguments {
                for argument in &mut arguments.args {
                    if let GenericArgument::Type(ty) = argument {
                        qualify(ty, types);
                    }
                }
            }
            if last.ident == "TaskError" {
                *path = parse_quote!(::chicory_sdk::TaskError);
            } else if types.has(&last.ident) {
                let name = format_ident!("ChicoryType{}", last.ident);
                *path = parse_quote!(#name);
            }
        }
        _ => {}
    }
}

/// Adds to the used types what wit-bindgen expects of them.
pub(crate) fn prepare(items: &mut Vec<Item>, used: &[Used]) {
    let mut added = Vec::new();
    for item in items.iter_mut() {
        let is_used = |ident: &syn::Ident| used.iter().any(|used| used.ident == *ident);
        match item {
            Item::Enum(item) if is_used(&item.ident) && is_plain(item) => {
                added.extend(prepare_enum(item));
            }
            Item::Struct(item) if is_used(&item.ident) && is_flags(item) => {
                added.extend(prepare_flags(item));
            }
            _ => {}
        }
    }
    items.extend(added);
}

fn prepare_enum(item: &mut ItemEnum) -> Vec<Item> {
    if !derives_clone(item) {
        item.attrs.push(parse_quote!(#[derive(Clone, Copy)]));
    }
    let name = &item.ident;
    let cases: Vec<_> = item.variants.iter().map(|case| &case.ident).collect();
    let tag: syn::Ident = match cases.len() {
        0..=256 => format_ident!("u8"),
        _ => format_ident!("u16"),
    };
    vec![parse_quote! {
        impl #name {
            #[doc(hidden)]
            pub fn _lift(tag: #tag) -> Self {
                const CASES: &[fn() -> #name] = &[#(|| #name::#cases),*];
                CASES[usize::from(tag)]()
            }
        }
    }]
}

fn derives_clone(item: &ItemEnum) -> bool {
    let derives = item
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("derive"));
    derives.into_iter().any(|derive| {
        let text = derive.meta.to_token_stream().to_string();
        text.split(|c: char| !c.is_alphanumeric())
            .any(|word| word == "Clone")
    })
}

fn prepare_flags(item: &mut ItemStruct) -> Vec<Item> {
    item.attrs
        .retain(|attribute| !attribute.path().is_ident("flags"));
    let name = &item.ident;
    let fields: Vec<_> = item
        .fields
        .iter()
        .filter_map(|field| field.ident.as_ref())
        .collect();
    let bits: Vec<u32> = (0..).take(fields.len()).collect();
    let repr: syn::Ident = match fields.len() {
        0..=8 => format_ident!("u8"),
        9..=16 => format_ident!("u16"),
        _ => format_ident!("u32"),
    };
    vec![
        parse_quote! {
            #[doc(hidden)]
            impl #name {
                pub fn empty() -> Self { Self::from_bits_retain(0) }
                pub fn bits(&self) -> #repr { 0 #(| (#repr::from(self.#fields) << #bits))* }
                pub fn from_bits_retain(bits: #repr) -> Self {
                    Self { #(#fields: bits & (1 << #bits) != 0),* }
                }
            }
        },
        parse_quote! {
            #[doc(hidden)]
            impl ::core::ops::BitOr for #name {
                type Output = Self;
                fn bitor(self, other: Self) -> Self { Self::from_bits_retain(self.bits() | other.bits()) }
            }
        },
    ]
}
