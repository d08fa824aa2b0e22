//! What linking does to a component, and that it does the same afterwards.

use chicory_link::{LinkError, Linking, link};
use proptest::prelude::*;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store};

const DYNAMIC: &str = include_str!("dynamic.wat");

fn linked(component: &[u8]) -> (Vec<u8>, usize) {
    match link(component).unwrap() {
        Linking::Linked { component, modules } => (component, modules),
        Linking::Nothing => panic!("there is nothing to link"),
    }
}

fn refusal(text: &str) -> String {
    link(&wat::parse_str(text).unwrap())
        .unwrap_err()
        .to_string()
}

/// What each call comes to: a number, or the trap.
fn behaviour(component: &[u8]) -> Vec<Result<u32, String>> {
    let mut config = Config::new();
    config.wasm_component_model(true);
    let engine = Engine::new(&config).unwrap();
    let component = Component::new(&engine, component).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    let mut root = linker.root();
    root.func_wrap("double", |_, (x,): (u32,)| Ok((x * 2,)))
        .unwrap();
    root.func_wrap("length", |_, (text,): (String,)| {
        Ok((u32::try_from(text.len()).unwrap() * 100 + u32::from(text.as_bytes()[6]),))
    })
    .unwrap();
    let calls = (0..9).map(|entry| ("by-table", entry));
    let calls = calls.chain([("measure", 7), ("measure", 10)]);
    calls
        .map(|(name, number)| {
            // A trap ends an instance.
            let mut store = Store::new(&engine, ());
            let instance = linker.instantiate(&mut store, &component).unwrap();
            let result = if name == "measure" {
                let call = instance.get_typed_func::<(u32,), (u32,)>(&mut store, name);
                call.unwrap().call(&mut store, (number,))
            } else {
                let call = instance.get_typed_func::<(u32, u32), (u32,)>(&mut store, name);
                call.unwrap().call(&mut store, (number, 1000))
            };
            result
                .map(|(number,)| number)
                .map_err(|error| error.root_cause().to_string())
        })
        .collect()
}

#[test]
fn a_linked_component_does_what_it_did() {
    let component = wat::parse_str(DYNAMIC).unwrap();
    let before = behaviour(&component);
    let seen: Vec<_> = before.iter().map(|result| result.clone().ok()).collect();
    let less = Some(1000 - u32::from(b'b'));
    // Table entries 1 (the last module's), 3 to 5 (the library's); the rest is empty or outside.
    let expected = [
        None,
        Some(2000),
        None,
        Some(2007),
        less,
        less,
        None,
        None,
        None,
    ];
    assert_eq!(seen[..9], expected);
    assert_eq!(seen[9..], [Some(707), Some(1007)]);
    let (after, _) = linked(&component);
    assert_eq!(behaviour(&after), before);
}

#[test]
fn one_module_is_left_beside_the_one_that_needs_it() {
    let component = wat::parse_str(DYNAMIC).unwrap();
    let (after, modules) = linked(&component);
    assert_eq!(modules, 4);
    let count = |wasm: &[u8], wanted: fn(&Payload<'_>) -> u64| {
        let payloads = Parser::new(0).parse_all(wasm);
        payloads.map(|payload| wanted(&payload.unwrap())).sum()
    };
    let modules: u64 = count(&after, |payload| {
        u64::from(matches!(payload, Payload::ModuleSection { .. }))
    });
    assert_eq!(modules, 2);
    let globals: u64 = count(&after, |payload| match payload {
        Payload::GlobalSection(globals) => u64::from(globals.count()),
        _ => 0,
    });
    assert_eq!(globals, 1, "only the one that is set stays");
    assert_eq!(linked(&component).0, after, "the same bytes each time");
}

#[test]
fn where_nothing_is_filled_from_outside_there_is_nothing_to_gain() {
    for text in [
        "(module)",
        "(component)",
        "(component (core module $m (memory 1) (data (i32.const 0) \"x\")) (core instance (instantiate $m)))",
    ] {
        let linking = link(&wat::parse_str(text).unwrap()).unwrap();
        assert!(matches!(linking, Linking::Nothing), "{linking:?}");
    }
}

#[test]
fn what_cannot_be_linked_says_why() {
    let starting = DYNAMIC.replace(
        "(func $count (export \"count\")",
        "(start $start) (func $start) (func $count (export \"count\")",
    );
    assert_eq!(
        refusal(&starting),
        "one of its modules runs code when it is instantiated"
    );
    let several = DYNAMIC.replace(
        "(table (export \"$imports\")",
        "(memory 1) (table (export \"$imports\")",
    );
    assert_eq!(refusal(&several), "its modules have several memories");
    let mut component = wat::parse_str(DYNAMIC).unwrap();
    component.truncate(component.len() - 1);
    assert!(matches!(link(&component), Err(LinkError::Unreadable(_))));
}

proptest! {
    /// Whatever a toolchain may have written: the answer is a component that is valid, or a reason.
    #[test]
    fn damage_never_ends_the_linker(
        at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..4), cut in 0usize..4,
    ) {
        let mut component = wat::parse_str(DYNAMIC).unwrap();
        let at = at.index(component.len());
        let end = (at + cut).min(component.len());
        component.splice(at..end, bytes);
        if let Ok(Linking::Linked { component, .. }) = link(&component) {
            let mut validator = Validator::new_with_features(WasmFeatures::all());
            prop_assert!(validator.validate_all(&component).is_ok());
        }
    }
}
