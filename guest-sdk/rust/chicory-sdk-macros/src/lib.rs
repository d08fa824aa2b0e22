//! The macro `chicory_sdk::tasks`: a module of functions in, the same with its exports out.
//!
//! Must not know how a value is converted: wit-bindgen generates that, from the WIT written here.

mod expand;
mod kind;
mod names;
mod settings;
mod wit;

use proc_macro::TokenStream;
use syn::{ItemMod, parse_macro_input};

/// Exports every `pub fn` of the module as a task, with the types of its signature.
///
/// `#[task(…)]` on a function, or `#[tasks(…)]` on the module for all of them, sets `max_retries`,
/// `retry_delay`, `backoff`, `max_delay`, `jitter`, `retry_on`, `ignore_on`, `delivery_mode`,
/// `ignore_result`, `timeout` and the other limits. `#[flags]` makes flags of a struct of `bool`s.
#[proc_macro_attribute]
pub fn tasks(settings: TokenStream, module: TokenStream) -> TokenStream {
    let settings = parse_macro_input!(settings as settings::Settings);
    let module = parse_macro_input!(module as ItemMod);
    let expanded = expand::expand(&settings, module);
    expanded
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
