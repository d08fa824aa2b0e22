//! How large arguments are, without writing them.
//!
//! Must not know what takes them.

use serde_json::{Map, Value};

/// About how many bytes the arguments have as JSON.
pub(crate) fn weigh(args: &[Value], kwargs: &Map<String, Value>) -> u64 {
    let list = |values: &[Value]| values.iter().map(weigh_one).sum::<u64>();
    list(args) + weigh_object(kwargs)
}

fn weigh_one(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 6,
        Value::String(text) => text.len() as u64 + 3,
        Value::Array(values) => values.iter().map(weigh_one).sum::<u64>() + 2,
        Value::Object(object) => weigh_object(object),
    }
}

fn weigh_object(object: &Map<String, Value>) -> u64 {
    object
        .iter()
        .map(|(key, value)| key.len() as u64 + 4 + weigh_one(value))
        .sum::<u64>()
        + 2
}
