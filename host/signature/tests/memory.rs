//! Case M4: until a call has its arguments they cost what they are as text, and then what they become.

use std::alloc::System;
use std::borrow::Cow;

use chicory_signature::{Arguments, Field, RawJson, Shape, Target, bind};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// As large as a value of the sandbox.
type Cell = [u64; 4];

/// Makes one cell of each value.
struct Cells;

macro_rules! cells {
    ($($name:ident($($given:ty),+);)+) => {
        $(fn $name($(_: $given),+) -> Cell { Cell::default() })+
    };
}

impl Target for Cells {
    type Value = Cell;
    type Field = Cell;

    fn field(_: &str, value: Cell) -> Cell {
        value
    }

    cells! {
        bool(bool);
        s8(i8);
        u8(u8);
        s16(i16);
        u16(u16);
        s32(i32);
        u32(u32);
        s64(i64);
        u64(u64);
        f32(f32);
        f64(f64);
        char(char);
        string(Cow<'_, str>);
        bytes(Vec<u8>);
        list(Vec<Cell>);
        fixed_list(Vec<Cell>);
        record(Vec<Cell>);
        tuple(Vec<Cell>);
        variant(&str, Option<Cell>);
        enumeration(&str);
        option(Option<Cell>);
        result(Result<Option<Cell>, Option<Cell>>);
        flags(Vec<&str>);
    }
}

const COUNT: usize = 1_000_000;

#[test]
fn a_million_zeros_cost_what_they_become() {
    let text = format!("[[0{}]]", ",0".repeat(COUNT - 1));
    let region = Region::new(ALLOCATOR);
    let mut arguments = Arguments::default();
    arguments.set_args(RawJson::parse(text).unwrap()).unwrap();
    let received = region.change().bytes_allocated;
    assert!(received < 10_000, "{received}");
    let params = [Field {
        name: "numbers".into(),
        shape: Shape::List(Box::new(Shape::U32)),
    }];
    bind::<Cells>(&params, &arguments).unwrap();
    let bound = region.change().bytes_allocated;
    assert!(bound < COUNT * size_of::<Cell>() + 10_000, "{bound}");
}
