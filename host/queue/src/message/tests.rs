//! What is written is read again, and what came is written as it came.

use bytes::Bytes;

use super::*;
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

proptest! {
    #[test]
    fn decoding_never_panics(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&data);
    }

    #[test]
    fn what_is_written_is_read_again(
        id in "[a-z]{1,8}", name in ".{1,12}", retries in any::<u32>(), micros in proptest::option::of(0i64..4_000_000_000_000_000),
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
            extra: vec![(extra, RawJson::from(&json!("kept")))],
        };
        prop_assert_eq!(decode(message.encode().as_bytes()).unwrap(), message);
    }
}
