//! What can't be a task is refused at the place where it is written, in words that help.
//!
//! `TRYBUILD=overwrite cargo test` writes the expected words anew. Must not know WebAssembly.

#[test]
fn what_is_no_task_is_refused_where_it_is_written() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
