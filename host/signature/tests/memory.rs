//! Case M4: arguments that are checked cost what they are as text, and nothing more.

use std::alloc::System;

use chicory_signature::{Arguments, Field, Kind, RawJson, Shape, Signature};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const COUNT: usize = 1_000_000;

/// What it allocates to take and to check one argument.
fn allocated(shape: Shape, text: String) -> usize {
    let signature = Signature {
        kind: Kind::Function,
        params: [Field {
            name: "v".into(),
            shape,
        }]
        .into(),
        result: None,
    };
    let region = Region::new(ALLOCATOR);
    let mut arguments = Arguments::default();
    arguments.set_args(RawJson::parse(text).unwrap()).unwrap();
    signature.check(&arguments).unwrap();
    region.change().bytes_allocated
}

/// One test, because allocations of others would count.
#[test]
fn a_million_values_cost_nothing() {
    let zeros = format!("[[0{}]]", ",0".repeat(COUNT - 1));
    let base64 = format!("[\"{}\"]", "AAAA".repeat(COUNT));
    let points = format!("[[{}{{\"x\":1}}]]", "{\"x\":1},".repeat(COUNT - 1));
    let point = Shape::Record(
        [Field {
            name: "x".into(),
            shape: Shape::U8,
        }]
        .into(),
    );
    for (shape, text) in [
        (Shape::List(Box::new(Shape::U32)), zeros.clone()),
        (Shape::Bytes, zeros),
        (Shape::Bytes, base64),
        (Shape::List(Box::new(point)), points),
    ] {
        let name = shape.to_string();
        let allocated = allocated(shape, text);
        assert!(allocated < 10_000, "{name}: {allocated}");
    }
}
