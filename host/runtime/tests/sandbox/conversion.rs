//! Conversions beside wasmtime's own: for random types, values and memories, a guest sees the same bytes and gives the same
//! result as when wasmtime converts its `Val`s.
//!
//! Must not know how the runtime converts.

mod component;
mod edges;
mod large;
mod oracle;
mod random;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chicory_runtime::wasmtime::component::Val;
use chicory_runtime::{Arguments, How, Invocation, Module, RawJson, Sandbox};
use chicory_signature::Shape;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::guests::{load, sandbox};
use oracle::Oracle;

/// Enough for each kind of type to be in each kind; more with `PROPTEST_CASES`.
const CASES: u32 = 64;

/// The same component in the sandbox and in wasmtime alone.
struct Both {
    runtime: Runtime,
    sandbox: Sandbox,
    module: Arc<Module>,
    oracle: Oracle,
}

impl Both {
    fn new(text: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let sandbox = runtime.block_on(async { sandbox() });
        let module = runtime.block_on(load(&sandbox, text, json!({})));
        Self {
            module: module.unwrap_or_else(|error| panic!("{error}\n{text}")),
            oracle: Oracle::new(text),
            runtime,
            sandbox,
        }
    }

    /// Calls a task with one argument, as JSON text.
    fn call(&self, task: &str, argument: &str) -> How {
        let mut arguments = Arguments::default();
        let list = RawJson::parse(format!("[{argument}]")).unwrap();
        arguments.set_args(list).unwrap();
        let task = self.module.task(task).unwrap();
        let invocation = Invocation::new(Arc::clone(task), arguments);
        self.runtime.block_on(self.sandbox.run(invocation)).how
    }
}

fn returned(how: &How) -> &str {
    match how {
        How::Returned(json) => json.get(),
        other => panic!("{other}"),
    }
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").map_or(CASES, |cases| cases.parse().unwrap()),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// What a guest is given, as core values and in its memory.
fn sends_the_same(shape: &Shape, val: &Val) -> TestCaseResult {
    let both = Both::new(&component::sender(shape));
    let text = oracle::json(shape, val);
    let how = both.call("sent", &text);
    let memory: String = serde_json::from_str(returned(&how)).unwrap();
    let memory = STANDARD.decode(memory).unwrap();
    let expected = both.oracle.call("sent", val).unwrap();
    prop_assert_eq!(&oracle::bytes(&expected), &memory, "{} of {}", text, shape);
    Ok(())
}

/// What a guest gives back of what it was given.
fn comes_back_the_same(shape: &Shape, val: &Val) -> TestCaseResult {
    let list = Shape::List(Box::new(shape.clone()));
    let list = if *shape == Shape::U8 {
        Shape::Bytes
    } else {
        list
    };
    let both = Both::new(&component::echo(&list));
    let text = oracle::json(&list, &Val::List(vec![val.clone(), val.clone()]));
    let how = both.call("echo", &text);
    prop_assert_eq!(returned(&how), text, "{}", list);
    Ok(())
}

/// What is read from a memory of arbitrary bytes.
fn reads_the_same(shape: &Shape, memory: &[u8], at: u32) -> TestCaseResult {
    let both = Both::new(&component::reader(shape, memory));
    match (
        both.call("read", &at.to_string()),
        both.oracle.call("read", &Val::U32(at)),
    ) {
        // Values of wasmtime's take much more memory than text.
        (How::TooLarge { .. }, _) | (How::Trapped { .. }, Err(_)) => {}
        (How::Returned(json), Err(error)) => {
            let reason = format!("{error:?}");
            prop_assert!(
                reason.contains("fuel"),
                "{}: {}, but {}",
                shape,
                json,
                reason
            );
        }
        (How::Returned(json), Ok(val)) => prop_assert_eq!(json.get(), oracle::json(shape, &val)),
        (How::Trapped { message }, Ok(val)) => {
            prop_assert!(false, "{}: {:?}, but {}", shape, val, message);
        }
        (other, _) => prop_assert!(false, "{}", other),
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_guest_is_given_the_same((shape, val) in random::typed()) {
        sends_the_same(&shape, &val)?;
    }

    #[test]
    fn a_value_comes_back_the_same((shape, val) in random::typed()) {
        comes_back_the_same(&shape, &val)?;
    }

    #[test]
    fn arbitrary_memory_is_read_the_same((shape, _) in random::typed(), memory in random::memory(), at in 0..80_u32) {
        // A `result` at the top would be an ending of another kind.
        let shape = Shape::Tuple([shape].into());
        reads_the_same(&shape, &memory, at & !7)?;
        reads_the_same(&shape, &memory, at)?;
    }
}
