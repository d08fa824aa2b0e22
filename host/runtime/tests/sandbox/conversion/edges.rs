//! Single values at the edges of their types, and what is refused.

use chicory_runtime::How;
use chicory_signature::{Field, Outcome, Shape};
use serde_json::json;

use super::{Both, component, returned};
use crate::guests::{call, load, sandbox};

/// A list of values that goes to the guest and back.
fn round_trip(item: Shape, given: &str) -> String {
    let both = Both::new(&component::echo(&Shape::List(Box::new(item))));
    let how = both.call("echo", &format!("[{given}]"));
    let list = returned(&how);
    list[1..list.len() - 1].to_owned()
}

fn refused(item: Shape, given: &str) -> String {
    let both = Both::new(&component::echo(&Shape::List(Box::new(item))));
    match both.call("echo", &format!("[{given}]")) {
        How::Invalid(error) => error.message,
        other => panic!("{other}"),
    }
}

/// Case M15: integers are exact, and one of 64 bits may be given as a string.
#[test]
fn integers_of_64_bits_are_exact_as_numbers_and_as_strings() {
    for (shape, given, back) in [
        (
            Shape::U64,
            r#""18446744073709551615",18446744073709551615"#,
            "18446744073709551615,18446744073709551615",
        ),
        (
            Shape::S64,
            r#""-9223372036854775808","7""#,
            "-9223372036854775808,7",
        ),
    ] {
        assert_eq!(round_trip(shape, given), back);
    }
    for (shape, given, reason) in [
        (Shape::S64, "-9223372036854775809", "out of range"),
        (Shape::S64, r#""-9223372036854775809""#, "out of range"),
        (Shape::U64, r#""18446744073709551616""#, "out of range"),
        (Shape::U64, r#""1e3""#, "not a whole number"),
        (Shape::U64, r#""""#, "not a whole number"),
        (Shape::U64, r#""+1""#, "not a whole number"),
        (Shape::U32, r#""7""#, "got string"),
    ] {
        let said = refused(shape, given);
        assert!(said.contains(reason), "{given}: {said}");
    }
}

/// Case M15: `none`, `some(none)` and `some(some(…))` differ, both ways, however deep.
#[test]
fn an_option_in_an_option_has_a_form_of_its_own() {
    let option = |inner| Shape::Option(Box::new(inner));
    let two = option(option(Shape::U8));
    let forms = r#"null,{"some":null},{"some":7}"#;
    assert_eq!(round_trip(two.clone(), forms), forms);
    let forms = r#"null,{"some":null},{"some":{"some":null}},{"some":{"some":7}}"#;
    assert_eq!(round_trip(option(two.clone()), forms), forms);
    for given in ["7", "{}", r#"{"none":null}"#, r#"{"some":7,"more":7}"#] {
        let said = refused(two.clone(), given);
        assert!(
            said.contains(r#"as null or {"some": …}"#),
            "{given}: {said}"
        );
    }
}

/// Strings of every encoding that a component may ask for.
#[test]
fn strings_are_converted_to_the_guests_encoding() {
    for encoding in ["utf8", "utf16", "latin1+utf16"] {
        for text in ["", "plain", "naïve", "🦀 \n \"quoted\" \\ \u{1}", "ÿĀ"] {
            let both = Both::new(&component::echo_in(&Shape::String, encoding));
            let given = json!(text).to_string();
            assert_eq!(returned(&both.call("echo", &given)), given, "{encoding}");
        }
    }
}

/// Fields come in any order, and each is written to its own place; options may be left out.
#[test]
fn fields_go_to_their_places_in_any_order() {
    let field = |name: &str, shape| Field {
        name: name.into(),
        shape,
    };
    let record = Shape::Record(
        [
            field("a", Shape::U8),
            field("b", Shape::U64),
            field("c", Shape::Option(Box::new(Shape::U16))),
            field("d", Shape::String),
        ]
        .into(),
    );
    assert_eq!(
        round_trip(
            record,
            r#"{"d":"x","b":2,"a":1},{"c":3,"a":1,"d":"y","b":2}"#
        ),
        r#"{"a":1,"b":2,"c":null,"d":"x"},{"a":1,"b":2,"c":3,"d":"y"}"#
    );
}

/// Lists in lists are counted only so often; beyond that they grow as they are read.
#[test]
fn lists_grow_where_they_were_not_counted() {
    let mut shape = Shape::List(Box::new(Shape::U32));
    for _ in 0..8 {
        shape = Shape::List(Box::new(shape));
    }
    let given = "[".repeat(8) + "[" + &["1"; 40].join(",") + "]" + &",[]]".repeat(8);
    assert_eq!(round_trip(shape, &given), given);
}

/// A list that claims four billion items of a page is no work.
#[test]
fn a_list_with_a_huge_length_is_refused() {
    let item = Shape::Result(Box::new(Outcome {
        ok: None,
        err: None,
    }));
    let list = Shape::List(Box::new(item));
    let both = Both::new(&component::reader(&list, &[0, 0, 0, 0, 255, 255, 255, 255]));
    let how = both.call("read", "0");
    assert!(how.message().contains("out of bounds"), "{how}");
}

/// Functions that are lifted as async hand over all core values of their results.
#[tokio::test]
async fn results_of_async_functions_come_as_core_values() {
    let text = r#"(component
    (core module $memory (memory (export "memory") 1) (data (i32.const 64) "four") (data (i32.const 304) "\40\00\00\00\04\00\00\00"))
    (core instance $memory (instantiate $memory))
    (core func $number (canon task.return (result u32)))
    (core func $string (canon task.return (result string) (memory $memory "memory")))
    (core func $tuple (canon task.return (result (tuple u8 f32 s64 string)) (memory $memory "memory")))
    (core func $nothing (canon task.return))
    (core func $seventeen (canon task.return (result (tuple string string string string string string string string u8)) (memory $memory "memory")))
    (core module $m
        (import "" "number" (func $number (param i32)))
        (import "" "string" (func $string (param i32 i32)))
        (import "" "tuple" (func $tuple (param i32 f32 i64 i32 i32)))
        (import "" "nothing" (func $nothing))
        (import "" "seventeen" (func $seventeen (param i32)))
        (func (export "number") (result i32) (call $number (i32.const 7)) (i32.const 0))
        (func (export "string") (param i32 i32) (result i32) (call $string (local.get 0) (local.get 1)) (i32.const 0))
        (func (export "tuple") (result i32)
            (call $tuple (i32.const 1) (f32.const 2.5) (i64.const -3) (i32.const 64) (i32.const 4)) (i32.const 0))
        (func (export "nothing") (result i32) (call $nothing) (i32.const 0))
        (func (export "seventeen") (result i32) (call $seventeen (i32.const 128)) (i32.const 0))
        (func (export "plain") (result i32) (i32.const 304))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
        (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
    (core instance $i (instantiate $m (with "" (instance
        (export "number" (func $number)) (export "string" (func $string)) (export "tuple" (func $tuple))
        (export "nothing" (func $nothing)) (export "seventeen" (func $seventeen))))))
    (func (export "number") async (result u32) (canon lift (core func $i "number") async (callback (core func $i "callback"))))
    (func (export "string") async (param "v" string) (result string)
        (canon lift (core func $i "string") (memory $memory "memory") (realloc (core func $i "realloc")) async (callback (core func $i "callback"))))
    (func (export "tuple") async (result (tuple u8 f32 s64 string))
        (canon lift (core func $i "tuple") (memory $memory "memory") async (callback (core func $i "callback"))))
    (func (export "plain") (result string) (canon lift (core func $i "plain") (memory $memory "memory")))
    (func (export "nothing") async (canon lift (core func $i "nothing") async (callback (core func $i "callback"))))
    (func (export "seventeen") async (result (tuple string string string string string string string string u8))
        (canon lift (core func $i "seventeen") (memory $memory "memory") async (callback (core func $i "callback")))))"#;
    let text = text.replace(
        "(memory $memory \"memory\")",
        "(memory (core memory $memory \"memory\"))",
    );
    let sandbox = sandbox();
    let module = load(&sandbox, &text, json!({})).await.unwrap();
    for (task, args, expected) in [
        ("number", json!([]), "7"),
        ("string", json!(["five!"]), "\"five!\""),
        ("tuple", json!([]), "[1,2.5,-3,\"four\"]"),
        ("nothing", json!([]), "null"),
        // The same engine takes the pointer of a function that is not async.
        ("plain", json!([]), "\"four\""),
        ("seventeen", json!([]), r#"["","","","","","","","",0]"#),
    ] {
        let ended = call(&sandbox, &module, task, args, json!({})).await;
        assert_eq!(returned(&ended.how), expected, "{task}");
    }
}
