//! A shop that embeds Chicory: sandboxed modules bill its orders, and look prices up in the shop.
//!
//! Written as a stranger would: must not use anything but the public API of the crates.

use std::collections::BTreeMap;
use std::sync::Arc;

use chicory_runtime::wasmtime::StoreContextMut;
use chicory_runtime::{CallState, HostInterface};

/// The shop's own interface for modules:
///
/// ```wit
/// package acme:shop@1.0.0;
/// interface prices { price: func(article: string) -> option<u32>; }
/// ```
pub const PRICES: &str = "acme:shop/prices@1.0.0";

/// What a module must be granted to look up prices.
pub const GRANT: &str = "[grants]\ninterfaces = [\"acme:shop/prices\"]\n";

/// Answers modules from a price list.
pub fn prices(list: BTreeMap<String, u32>) -> HostInterface {
    let list = Arc::new(list);
    HostInterface::new(PRICES, move |interface| {
        let list = Arc::clone(&list);
        interface.func_wrap(
            "price",
            move |_: StoreContextMut<'_, CallState>, (article,): (String,)| {
                Ok((list.get(&article).copied(),))
            },
        )
    })
}

/// A module with the task `total(article: string, count: u32) -> u32`, which looks up the article's price and traps
/// if there is none.
pub fn billing() -> Vec<u8> {
    wat::parse_str(include_str!("billing.wat")).expect("a component")
}
