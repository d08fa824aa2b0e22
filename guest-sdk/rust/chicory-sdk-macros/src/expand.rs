//! The expansion: the author's module, its bindings, and its line in the section `chicory-manifest`.
//!
//! Must not know how a type is written in WIT.

mod glue;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::{Map, Value, json};
use syn::{Error, FnArg, Item, ItemFn, ItemMod, Pat, Result, ReturnType, Visibility};

use crate::settings::Settings;
use crate::wit::{Types, Used, not_generic};
use crate::{kind, names};
use glue::Failure;

/// The package whose types signatures may name.
const TASK: &str = include_str!("../wit/task.wit");

/// A task on its way.
struct Task {
    wit: String,
    glue: TokenStream,
    line: Option<String>,
}

pub(crate) fn expand(settings: &Settings, mut module: ItemMod) -> Result<TokenStream> {
    let Some((_, items)) = &mut module.content else {
        return Err(Error::new_spanned(
            &module,
            "the tasks are in the module's own braces: `mod tasks { … }`",
        ));
    };
    let mut own = Vec::new();
    for item in items.iter_mut() {
        if let Item::Fn(function) = item {
            own.push(task_settings(function)?);
        }
    }
    let mut types = Types::of(items);
    let mut tasks = Vec::new();
    let functions = items.iter().filter_map(|item| match item {
        Item::Fn(function) => Some(function),
        _ => None,
    });
    for (function, own) in functions.zip(own) {
        match (&function.vis, own) {
            (Visibility::Public(_), own) => {
                tasks.push(task(function, own, &mut types, &module.ident)?);
            }
            (_, Some(_)) => return Err(Error::new_spanned(&function.sig, "a task is `pub`")),
            _ => {}
        }
    }
    if tasks.is_empty() {
        return Err(Error::new_spanned(
            &module.ident,
            "there is no `pub fn` in it that could be a task",
        ));
    }
    let used = types.used;
    glue::prepare(items, &used);
    let hidden = format_ident!("__chicory_{}", module.ident);
    let exports = exports(&module.ident, &used, &tasks);
    let section = section(settings, &tasks);
    Ok(quote! {
        #module
        #[cfg(target_arch = "wasm32")]
        #[doc(hidden)]
        #[allow(warnings, clippy::all, clippy::pedantic)]
        mod #hidden { #exports #section }
    })
}

/// Takes `#[task(…)]` off a function, if it is there.
fn task_settings(function: &mut ItemFn) -> Result<Option<Settings>> {
    let Some(at) = function
        .attrs
        .iter()
        .position(|attribute| attribute.path().is_ident("task"))
    else {
        return Ok(None);
    };
    let attribute = function.attrs.remove(at);
    match attribute.meta {
        syn::Meta::Path(_) => Ok(Some(Settings::default())),
        _ => attribute.parse_args().map(Some),
    }
}

fn task(
    function: &ItemFn,
    own: Option<Settings>,
    types: &mut Types,
    module: &syn::Ident,
) -> Result<Task> {
    let signature = &function.sig;
    not_generic(&signature.generics)?;
    let name = names::snake(&signature.ident)?;
    let mut params = Vec::new();
    let (mut idents, mut rust) = (Vec::new(), Vec::new());
    for param in &signature.inputs {
        let FnArg::Typed(param) = param else {
            return Err(Error::new_spanned(param, "a task is a function, no method"));
        };
        let Pat::Ident(ident) = &*param.pat else {
            return Err(Error::new_spanned(
                &param.pat,
                "a producer gives arguments by name: give it one",
            ));
        };
        params.push(format!(
            "%{}: {}",
            names::snake(&ident.ident)?,
            types.refer(&param.ty)?
        ));
        idents.push(format_ident!("a{}", idents.len()));
        rust.push(glue::outside(&param.ty, types));
    }
    let (result, output, failure) = output(&signature.output, types)?;
    let method = format_ident!("{}", names::binding(&name));
    let (path, call) = (&signature.ident, quote!((#(#idents),*)));
    let mut call = quote!(super::#module::#path #call);
    if signature.asyncness.is_some() {
        call = quote!(::chicory_sdk::block_on(#call));
    }
    if let Failure::Shown = failure {
        call = quote!(#call.map_err(|error| format!("{error:#}")));
    }
    let line = own.map(|own| own.0).unwrap_or_default();
    let line = (!line.is_empty()).then(|| json!({ "tasks": { name.clone(): line } }).to_string());
    Ok(Task {
        wit: format!("export %{name}: func({}){result};\n", params.join(", ")),
        glue: quote! {
            fn #method(#(#idents: #rust),*) #output {
                ::chicory_sdk::__private::start();
                #call
            }
        },
        line,
    })
}

/// The result in WIT, in Rust, and what is done about a failure.
fn output(output: &ReturnType, types: &mut Types) -> Result<(String, TokenStream, Failure)> {
    let ReturnType::Type(_, ty) = output else {
        return Ok((String::new(), quote!(), Failure::Typed));
    };
    if kind::is_unit(ty) {
        return Ok((String::new(), quote!(), Failure::Typed));
    }
    if let Some(ok) = glue::shown_error(ty, types) {
        let wit = if kind::is_unit(ok) {
            "_".into()
        } else {
            types.refer(ok)?
        };
        let rust = glue::outside(ok, types);
        return Ok((
            format!(" -> result<{wit}, string>"),
            quote!(-> ::core::result::Result<#rust, String>),
            Failure::Shown,
        ));
    }
    let wit = types.refer(ty)?;
    let rust = glue::outside(ty, types);
    Ok((format!(" -> {wit}"), quote!(-> #rust), Failure::Typed))
}

/// The bindings of the world that the tasks make.
fn exports(module: &syn::Ident, used: &[Used], tasks: &[Task]) -> TokenStream {
    let definitions: String = used.iter().map(|used| used.definition.as_str()).collect();
    let functions: String = tasks.iter().map(|task| task.wit.as_str()).collect();
    let use_error = "use chicory:task/types@0.1.0.{task-error};\n";
    let error = |text: &str| {
        if text.contains("task-error") {
            use_error
        } else {
            ""
        }
    };
    let mut wit = String::from("package guest:tasks;\n");
    let mut world = error(&functions).to_owned();
    let mut with = TokenStream::new();
    if !used.is_empty() {
        wit += &format!(
            "interface types {{\n{}{definitions}}}\n",
            error(&definitions)
        );
        // Under another name, since a task may have the type's own.
        let renamed: Vec<_> = used
            .iter()
            .map(|used| format!("%{0} as %chicory-type-{0}", used.name))
            .collect();
        world += &format!("use types.{{{}}};\n", renamed.join(", "));
        with.extend(quote!("guest:tasks/types": super::#module,));
    }
    if functions.contains("task-error") || definitions.contains("task-error") {
        with.extend(quote!("chicory:task/types@0.1.0": ::chicory_sdk::__private::types,));
    }
    let named = rename(&functions, used);
    wit += &format!(
        "world tasks {{\n{world}{named}}}\n{}",
        nested_task_package()
    );
    let glue = tasks.iter().map(|task| &task.glue);
    quote! {
        ::chicory_sdk::__private::wit_bindgen::generate!({
            inline: #wit,
            world: "guest:tasks/tasks",
            runtime_path: "::chicory_sdk::__private::wit_bindgen::rt",
            with: { #with },
        });
        struct Tasks;
        impl Guest for Tasks { #(#glue)* }
        export!(Tasks);
    }
}

/// A package inside another's text has braces, in place of a line that begins the file.
fn nested_task_package() -> String {
    const BEGIN: &str = "package chicory:task@0.1.0";
    TASK.replacen(&format!("{BEGIN};"), &format!("{BEGIN} {{"), 1) + "}\n"
}

/// Functions name the module's types as the world does.
fn rename(functions: &str, used: &[Used]) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut text = String::new();
    let mut parts = functions.split('%');
    text += parts.next().unwrap_or_default();
    for part in parts {
        let end = part.find(|c| !is_word(c)).unwrap_or(part.len());
        let is_type =
            !part[end..].starts_with(':') && used.iter().any(|used| used.name == part[..end]);
        text += if is_type { "%chicory-type-" } else { "%" };
        text += part;
    }
    text
}

/// What the module says about itself to the host.
fn section(settings: &Settings, tasks: &[Task]) -> TokenStream {
    let mut module = Map::new();
    for (key, variable) in [
        ("version", "CARGO_PKG_VERSION"),
        ("description", "CARGO_PKG_DESCRIPTION"),
    ] {
        if let Some(text) = std::env::var(variable).ok().filter(|text| !text.is_empty()) {
            module.insert(key.into(), text.into());
        }
    }
    module.extend(settings.0.clone());
    let mut text = format!("{}\n", Value::Object(module));
    for line in tasks.iter().filter_map(|task| task.line.as_ref()) {
        text += &format!("{line}\n");
    }
    let (length, bytes) = (
        text.len(),
        syn::LitByteStr::new(text.as_bytes(), proc_macro2::Span::call_site()),
    );
    quote! {
        #[used]
        #[unsafe(link_section = "chicory-manifest")]
        static MANIFEST: [u8; #length] = *#bytes;
    }
}
