//! Fuzz targets: one for each kind of input from outside.
//!
//! The tests run each for a few seconds, and `make fuzz` with libFuzzer for as long as it is told. What a fuzzer
//! finds is mended and kept in `found/`, which the tests run first. A target panics where a promise is broken. It may
//! write nothing outside its own process.

mod edited;
mod seeds;
mod target;

use arbitrary::{Arbitrary, Unstructured};

pub use target::{Target, all};

/// A target's input out of a fuzzer's bytes; `None` where they are too few.
fn input<'a, T: Arbitrary<'a>>(bytes: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(bytes)).ok()
}
