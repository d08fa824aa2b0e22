//! What `chicory client` prints for examples and guests, as it was printed.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::pedantic)]

#[rustfmt::skip]
pub(crate) mod csv_stats;
#[rustfmt::skip]
pub(crate) mod demo;
#[rustfmt::skip]
pub(crate) mod markdown;
#[rustfmt::skip]
pub(crate) mod wordcount;
#[rustfmt::skip]
pub(crate) mod wrong_types;
