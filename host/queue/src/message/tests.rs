//! What is written can be read again, and what came in is written unchanged.

use bytes::Bytes;

use super::*;
use crate::{Advice, DecideContext, Failure, Outcome, Settlement, decide};
use proptest::prelude::*;
use serde_json::{Map, json};

fn decode(data: &[u8]) -> Result<TaskMessage, UnreadableMessage> {
    TaskMessage::decode(&Bytes::copy_from_slice(data))
}

#[test]
fn what_came_is_written_as_it_came() {
    let text = br#"{"id":"a","name":"m.f","args":[ 1.0, 12345678901234567890123 ],"kwargs":{"a" : "\u00e9"},"trace":{"id": 98765432109876543210987}}"#;
    let written = decode(text).unwrap().encode();
    for part in [
        "[ 1.0, 12345678901234567890123 ]",
        r#"{"a" : "\u00e9"}"#,
        r#""trace":{"id": 98765432109876543210987}"#,
    ] {
        assert!(written.contains(part), "{written}");
    }
}

#[test]
fn arguments_are_slices_of_what_came() {
    let data = Bytes::from(r#"{"id":"a","name":"m.f","args":[1]}"#);
    let message = TaskMessage::decode(&data).unwrap();
    let args: &[u8] = message.arguments.args().as_ref();
    assert_eq!(args.as_ptr(), data[30..].as_ptr());
}

#[test]
fn a_message_written_by_hand_is_enough() {
    let message = decode(br#"{"id":"a","name":"m.f","args":[1]}"#).unwrap();
    assert_eq!(
        (
            message.id.as_str(),
            message.arguments.args().as_str(),
            message.retries
        ),
        ("a", "[1]", 0)
    );
}

#[test]
fn a_pickle_is_refused_by_name() {
    let error = decode(b"\x80\x05\x95\x10\x00").unwrap_err();
    assert_eq!(error, UnreadableMessage::Pickle);
    assert!(error.to_string().starts_with("a Python pickle"));
}

#[test]
fn a_newer_format_is_named_whatever_else_it_changed() {
    let error = decode(br#"{"name":{"new":1},"format":7}"#).unwrap_err();
    assert_eq!(error, UnreadableMessage::Format(7));
}

#[test]
fn what_is_wrong_is_said() {
    for (data, part) in [
        (&b"{}"[..], "`id`"),
        (br#"{"id":"a"}"#, "`name`"),
        (
            br#"{"id":"a","name":"b","args":3}"#,
            "args: expected an array, got number",
        ),
        (
            br#"{"id":"a","name":"b","kwargs":[]}"#,
            "kwargs: expected an object, got array",
        ),
        (b"{\"id\":\"\xff\"}", "utf-8"),
        (b"hello", "expected value"),
        (b"", "EOF"),
        (b"[]", "a task message"),
    ] {
        let error = decode(data).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_seeds_fields_are_always_written() {
    let text = TaskMessage::new("m.f").encode();
    for field in [
        "id",
        "name",
        "args",
        "kwargs",
        "retries",
        "eta",
        "priority",
        "first_failure_at",
        "last_error",
    ] {
        assert!(text.contains(&format!("\"{field}\":")), "{field} in {text}");
    }
}

/// Case M5: numbers that nothing could mean.
#[test]
fn a_number_out_of_range_is_named_with_its_range() {
    for (field, number, said) in [
        (
            "retries",
            "4294967295",
            "retries = 4294967295 is not allowed; give a whole number from 0 to 1000000",
        ),
        ("retries", "-1", "retries = -1 "),
        ("retries", "0.5", "retries = 0.5 "),
        ("priority", "256", "priority = 256 "),
        ("eta", "1e308", "eta = 1e308 "),
        ("eta", "1e999", "eta: number out of range"),
        ("eta", "true", "eta: expected a time"),
        (
            "first_failure_at",
            "-1e12",
            "first_failure_at = -1000000000000 ",
        ),
        ("format", "0", "format = 0 "),
        ("retry", r#"{"retry_delay": -1}"#, "retry_delay = -1 "),
        ("retry", r#"{"max_delay": 1e300}"#, "max_delay = 1e300 "),
    ] {
        let text = format!(r#"{{"id":"a","name":"m.f","{field}":{number}}}"#);
        let error = decode(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn an_error_does_not_repeat_a_long_value() {
    let text = format!(
        r#"{{"id":"a","name":"m.f","ignore_result":"{}"}}"#,
        "x".repeat(100_000)
    );
    assert!(decode(text.as_bytes()).unwrap_err().to_string().len() < 2000);
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<f64>().prop_map(|number| format!("{number:e}")),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        (0..300u64).prop_map(|number| number.to_string()),
        Just("1e999".to_owned()),
        Just("null".to_owned()),
        Just(r#""2026-01-31T09:00:00Z""#.to_owned()),
    ]
}

proptest! {
    /// Case M5: whatever is in the place of a number, either the message is refused with that number's name, or each of
    /// its failures leads to a retry within the next years or to its end, and what is written can be read.
    #[test]
    fn a_number_is_in_range_or_an_error_names_it(
        field in prop::sample::select(vec![
            "retries", "priority", "eta", "first_failure_at", "max_retries", "retry_delay", "max_delay",
        ]),
        number in number(),
        after in prop_oneof![Just(None), any::<Duration>().prop_map(Some)],
    ) {
        let place = match field {
            "max_retries" | "retry_delay" | "max_delay" => format!(r#""retry":{{"{field}":{number}}}"#),
            _ => format!(r#""{field}":{number}"#),
        };
        let text = format!(r#"{{"id":"a","name":"m.f",{place}}}"#);
        let message = match decode(text.as_bytes()) {
            Ok(message) => message,
            Err(error) => {
                let said = error.to_string();
                prop_assert!(said.contains(field) || number == "1e999", "{said}");
                return Ok(());
            }
        };
        let policy = RetryPolicy::default();
        let now = Timestamp::from_micros(1_900_000_000_000_000);
        let context = DecideContext { policy: &policy, dead_letters: true, canary: false, now };
        let failure = Failure {
            advice: after.map_or(Advice::Policy, Advice::After),
            ..Failure::new("E", "no")
        };
        if let Settlement::Retry { at, message: next } = decide(&Outcome::Failed(failure), &message, context) {
            prop_assert!(at >= now && at.since(now) <= Duration::from_hours(24 * 366 * 2));
            prop_assert_eq!(next.retries, message.retries + 1);
            prop_assert_eq!(decode(next.encode().as_bytes()), Ok(*next));
        }
    }

    #[test]
    fn decoding_never_panics(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&data);
    }

    #[test]
    fn what_is_written_is_read_again(
        id in "[a-z]{1,8}", name in ".{1,12}", retries in 0..=1_000_000u32, micros in proptest::option::of(0i64..4_000_000_000_000_000),
        priority in any::<Option<u8>>(), last_error in any::<Option<String>>(), digest in any::<Option<String>>(), ignore in any::<bool>(), arg in any::<i64>(), extra in "x-[a-z]{0,5}",
    ) {
        let message = TaskMessage {
            id: id.into(), name: name.into(), retries, priority, last_error,
            arguments: Arguments::new(
                &[json!(arg), json!({"deep": [arg]})],
                &Map::from_iter([("k".to_owned(), json!(null))]),
            ),
            eta: micros.map(Timestamp::from_micros),
            first_failure_at: micros.map(Timestamp::from_micros),
            retry: ignore.then(RetryPolicy::default),
            ignore_result: ignore,
            reply_to: digest.clone(),
            pin: digest.clone(),
            checked_against: digest,
            no_canary: ignore,
            noted: ignore,
            delay: None,
            extra: vec![(extra, RawJson::from(&json!("kept")))],
        };
        prop_assert_eq!(decode(message.encode().as_bytes()).unwrap(), message);
    }
}
