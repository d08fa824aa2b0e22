//! Gives back a value of each WIT type, so that tests see both directions of the conversion. Must not
//! import anything.

use std::cell::Cell;

use exports::guests::wrong_types::echo::{self, Color, Nested, Point, Rights, Shape};
use exports::guests::wrong_types::not_tasks::{self, Counter, GuestCounter};

wit_bindgen::generate!({ path: "wit", world: "wrong-types" });

struct WrongTypes;

export!(WrongTypes);

impl Guest for WrongTypes {
    fn of_world(value: u32) -> u32 {
        value
    }
}

impl echo::Guest for WrongTypes {
    fn of_bool(value: bool) -> bool {
        value
    }

    fn of_u8(value: u8) -> u8 {
        value
    }

    fn of_u16(value: u16) -> u16 {
        value
    }

    fn of_u32(value: u32) -> u32 {
        value
    }

    fn of_u64(value: u64) -> u64 {
        value
    }

    fn of_s8(value: i8) -> i8 {
        value
    }

    fn of_s16(value: i16) -> i16 {
        value
    }

    fn of_s32(value: i32) -> i32 {
        value
    }

    fn of_s64(value: i64) -> i64 {
        value
    }

    fn of_f32(value: f32) -> f32 {
        value
    }

    fn of_f64(value: f64) -> f64 {
        value
    }

    fn of_char(value: char) -> char {
        value
    }

    fn of_string(value: String) -> String {
        value
    }

    fn of_bytes(value: Vec<u8>) -> Vec<u8> {
        value
    }

    fn of_list(value: Vec<u32>) -> Vec<u32> {
        value
    }

    fn of_lists(value: Vec<Vec<String>>) -> Vec<Vec<String>> {
        value
    }

    fn of_tuple(value: (u8, String, bool)) -> (u8, String, bool) {
        value
    }

    fn of_option(value: Option<u32>) -> Option<u32> {
        value
    }

    fn of_option_of_option(value: Option<Option<u32>>) -> Option<Option<u32>> {
        value
    }

    fn of_results(value: Vec<Result<u32, String>>) -> Vec<Result<u32, String>> {
        value
    }

    fn of_empty_results(value: Vec<Result<(), ()>>) -> Vec<Result<(), ()>> {
        value
    }

    fn of_record(value: Point) -> Point {
        value
    }

    fn of_nested(value: Nested) -> Nested {
        value
    }

    fn of_enum(value: Color) -> Color {
        value
    }

    fn of_flags(value: Rights) -> Rights {
        value
    }

    fn of_variant(value: Shape) -> Shape {
        value
    }

    fn of_several(
        first: u32,
        second_one: Option<String>,
        third: Color,
    ) -> (u32, Option<String>, Color) {
        (first, second_one, third)
    }

    fn odd_floats() -> Vec<f64> {
        vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0]
    }

    fn of_nothing() {}
}

impl not_tasks::Guest for WrongTypes {
    type Counter = Count;

    fn make() -> Counter {
        Counter::new(Count(Cell::new(0)))
    }

    fn take(counter: Counter) -> u32 {
        counter.into_inner::<Count>().0.get()
    }
}

/// What stands behind the resource.
struct Count(Cell<u32>);

impl GuestCounter for Count {
    fn new(start: u32) -> Self {
        Self(Cell::new(start))
    }

    fn next(&self) -> u32 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}
