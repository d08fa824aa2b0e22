//! What a task's own error means: its name, its message, and its advice about retrying.
//!
//! Must not know the retry policy.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::ended::{Advice, How};
use chicory_signature::{Case, Field, MAX_NAME, MAX_TEXT, Shape, into_excerpt};

/// The name of errors without a name of their own.
const UNNAMED: &str = "TaskError";

/// The ending of a task that returned an error of this type; without details it was too long to be read.
pub(crate) fn refused(shape: Option<&Shape>, details: Option<Box<RawValue>>) -> How {
    let said = match (shape, &details) {
        (None, _) => Said::plain("the task failed without saying why".into()),
        (_, None) => Said::plain(too_long()),
        (Some(Shape::Record(fields)), Some(details)) if is_failure(fields) => failure(details),
        (Some(shape @ (Shape::Variant(_) | Shape::Enum(_))), Some(details)) => {
            chosen(shape, details)
        }
        (Some(shape), Some(details)) => {
            Said::plain(message(Some(shape), details).unwrap_or_else(|| shown(details)))
        }
    };
    let details = details.filter(|details| details.get().len() <= MAX_TEXT);
    How::Refused {
        name: said.name,
        message: said.message,
        traceback: said.traceback,
        retry: said.retry,
        details: details.unwrap_or_else(|| RawValue::NULL.to_owned()),
    }
}

/// An error for people that has no text of its own.
fn shown(details: &RawValue) -> String {
    if details.get().len() > MAX_TEXT {
        return too_long();
    }
    details.to_string()
}

fn too_long() -> String {
    format!("an error of more than {MAX_TEXT} bytes")
}

/// What a task says about its failure.
struct Said {
    name: String,
    message: String,
    traceback: Option<String>,
    retry: Advice,
}

impl Said {
    /// Nothing but a text.
    fn plain(message: String) -> Self {
        Self {
            name: UNNAMED.to_owned(),
            message,
            traceback: None,
            retry: Advice::Policy,
        }
    }
}

/// An object's entries, read no deeper.
type Entries<'a> = BTreeMap<String, &'a RawValue>;

fn entries(json: &RawValue) -> Entries<'_> {
    serde_json::from_str(json.get()).unwrap_or_default()
}

fn text(json: &RawValue) -> Option<String> {
    serde_json::from_str(json.get()).ok()
}

/// The error is a case of a variant or an enum: its name is the case's.
fn chosen(shape: &Shape, details: &RawValue) -> Said {
    let entries = entries(details);
    let (case, payload) = match (text(details), entries.into_iter().next()) {
        (Some(case), _) => (case, None),
        (None, Some((case, payload))) => (case, Some(payload)),
        (None, None) => return Said::plain(shown(details)),
    };
    let cases = match shape {
        Shape::Variant(cases) => &**cases,
        _ => &[],
    };
    let ty = cases.iter().find(|known| known.name == case);
    let ty = ty.and_then(|known| known.payload.as_ref());
    let message = payload.and_then(|payload| message(ty, payload));
    if is_task_error(cases) {
        return Said {
            retry: advice(&case, payload),
            ..Said::plain(message.unwrap_or_default())
        };
    }
    let name = into_excerpt(case, MAX_NAME);
    let whole = || payload.map_or_else(|| name.clone(), |_| shown(details));
    let message = message.unwrap_or_else(whole);
    Said {
        name,
        ..Said::plain(message)
    }
}

/// The text of an error that is a string, or a record with one called `message`.
fn message(shape: Option<&Shape>, json: &RawValue) -> Option<String> {
    match shape? {
        Shape::String => text(json),
        Shape::Record(fields) => {
            let is_message =
                |field: &&Field| field.name == "message" && field.shape == Shape::String;
            fields.iter().find(is_message)?;
            text(entries(json).get("message")?)
        }
        _ => None,
    }
}

/// Whether a record is `chicory:task/types.failure`, recognised in the same way as `task-error`.
fn is_failure(fields: &[Field]) -> bool {
    let [name, message, traceback, retry] = fields else {
        return false;
    };
    let names = [name, message, traceback, retry].map(|field| field.name.as_str());
    let Shape::Variant(advice) = &retry.shape else {
        return false;
    };
    let advice: Vec<_> = (advice.iter())
        .map(|case| (case.name.as_str(), case.payload.as_ref()))
        .collect();
    names == ["name", "message", "traceback", "retry"]
        && (&name.shape, &message.shape) == (&Shape::String, &Shape::String)
        && matches!(&traceback.shape, Shape::Option(of) if **of == Shape::String)
        && advice
            == [
                ("policy", None),
                ("after", Some(&Shape::U64)),
                ("never", None),
            ]
}

/// What a `failure` says. One with an empty name gets the default name.
fn failure(details: &RawValue) -> Said {
    let entries = entries(details);
    let said = |field: &str| entries.get(field).copied().and_then(text);
    let retry = entries.get("retry").map(|retry| {
        let after = self::entries(retry)
            .get("after")
            .and_then(|after| millis(after));
        match after {
            Some(after) => Advice::RetryAfter(Some(after)),
            None if text(retry).is_some_and(|case| case == "never") => Advice::Never,
            None => Advice::Policy,
        }
    });
    Said {
        name: (said("name").filter(|name| !name.is_empty())).unwrap_or_else(|| UNNAMED.to_owned()),
        message: said("message").unwrap_or_default(),
        traceback: said("traceback"),
        retry: retry.unwrap_or_default(),
    }
}

fn millis(json: &RawValue) -> Option<Duration> {
    serde_json::from_str(json.get())
        .ok()
        .map(Duration::from_millis)
}

/// Whether a variant is `chicory:task/types.task-error`. A component's types have no names, but no other type
/// has these cases with these payloads.
fn is_task_error(cases: &[Case]) -> bool {
    let shape = |name: &str| {
        cases
            .iter()
            .find(|case| case.name == name)
            .and_then(|case| case.payload.as_ref())
    };
    let postponed = match shape("retry-after") {
        Some(Shape::Record(fields)) => {
            let fields: Vec<_> = fields
                .iter()
                .map(|field| (field.name.as_str(), &field.shape))
                .collect();
            fields == [("message", &Shape::String), ("delay-ms", &Shape::U64)]
        }
        _ => false,
    };
    cases.len() == 3
        && postponed
        && shape("retry") == Some(&Shape::String)
        && shape("fatal") == Some(&Shape::String)
}

/// What a `task-error` says about retrying.
fn advice(case: &str, payload: Option<&RawValue>) -> Advice {
    match case {
        "fatal" => Advice::Never,
        "retry-after" => {
            let entries = payload.map(entries).unwrap_or_default();
            Advice::RetryAfter(entries.get("delay-ms").and_then(|delay| millis(delay)))
        }
        _ => Advice::RetryAfter(None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};

    use super::*;

    fn field(name: &str, shape: Shape) -> Field {
        Field {
            name: name.into(),
            shape,
        }
    }

    fn case(name: &str, payload: Option<Shape>) -> Case {
        Case {
            name: name.into(),
            payload,
        }
    }

    fn task_error() -> Shape {
        let postponed = Shape::Record(
            [
                field("message", Shape::String),
                field("delay-ms", Shape::U64),
            ]
            .into(),
        );
        let cases = [
            case("retry", Some(Shape::String)),
            case("retry-after", Some(postponed)),
            case("fatal", Some(Shape::String)),
        ];
        Shape::Variant(cases.into())
    }

    fn summary(shape: &Shape, error: &Value) -> (String, String, Advice) {
        match refused(Some(shape), to_raw_value(error).ok()) {
            How::Refused {
                name,
                message,
                retry,
                ..
            } => (name, message, retry),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_task_error_carries_advice() {
        let error = |message: &str, advice| ("TaskError".to_owned(), message.to_owned(), advice);
        let shape = task_error();
        assert_eq!(
            summary(&shape, &json!({"fatal": "no"})),
            error("no", Advice::Never)
        );
        assert_eq!(
            summary(&shape, &json!({"retry": "busy"})),
            error("busy", Advice::RetryAfter(None))
        );
        let later = json!({"retry-after": {"message": "later", "delay-ms": 1500}});
        let after = Advice::RetryAfter(Some(Duration::from_millis(1500)));
        assert_eq!(summary(&shape, &later), error("later", after));
    }

    #[test]
    fn a_failure_carries_its_class_and_where_it_happened() {
        let advice = [
            case("policy", None),
            case("after", Some(Shape::U64)),
            case("never", None),
        ];
        let shape = Shape::Record(
            [
                field("name", Shape::String),
                field("message", Shape::String),
                field("traceback", Shape::Option(Box::new(Shape::String))),
                field("retry", Shape::Variant(advice.into())),
            ]
            .into(),
        );
        let thrown = |name: &str, retry: Value| json!({"name": name, "message": "bad", "traceback": "line 7", "retry": retry});
        let said = |name: &str, advice| (name.to_owned(), "bad".to_owned(), advice);
        let policy = thrown("ValueError", json!("policy"));
        assert_eq!(summary(&shape, &policy), said("ValueError", Advice::Policy));
        assert_eq!(
            summary(&shape, &thrown("Busy", json!({"after": 40}))),
            said("Busy", Advice::RetryAfter(Some(Duration::from_millis(40))))
        );
        let never = thrown("", json!("never"));
        assert_eq!(summary(&shape, &never), said("TaskError", Advice::Never));
        let details = to_raw_value(&policy).ok();
        let How::Refused { traceback, .. } = refused(Some(&shape), details) else {
            panic!("a failure is a refusal");
        };
        assert_eq!(traceback.as_deref(), Some("line 7"));
    }

    /// Case M7: what is longer than a text may be is not repeated.
    #[test]
    fn long_errors_are_not_shown() {
        let long = "x".repeat(16 << 20);
        let shape = Shape::Variant([case(&long, Some(Shape::Bytes))].into());
        let (name, message, _) = summary(&shape, &json!({long: "AAAA".repeat(MAX_TEXT)}));
        assert!(name.len() <= MAX_NAME, "{name}");
        assert_eq!(message, "an error of more than 16384 bytes");
        let How::Refused { message, .. } = refused(Some(&shape), None) else {
            panic!("an error is a refusal");
        };
        assert_eq!(message, "an error of more than 16384 bytes");
    }

    #[test]
    fn cases_become_names() {
        let shape =
            Shape::Variant([case("not-found", Some(Shape::String)), case("broken", None)].into());
        assert_eq!(
            summary(&shape, &json!({"not-found": "page 7"})),
            ("not-found".into(), "page 7".into(), Advice::Policy)
        );
        assert_eq!(
            summary(&shape, &json!("broken")),
            ("broken".into(), "broken".into(), Advice::Policy)
        );
        let names = Shape::Enum(["too-late".to_owned()].into());
        assert_eq!(
            summary(&names, &json!("too-late")),
            ("too-late".into(), "too-late".into(), Advice::Policy)
        );
    }

    #[test]
    fn other_errors_have_a_message() {
        assert_eq!(
            summary(&Shape::String, &json!("bad")),
            ("TaskError".into(), "bad".into(), Advice::Policy)
        );
        assert_eq!(summary(&Shape::U32, &json!(7)).1, "7");
        let record =
            Shape::Record([field("code", Shape::U8), field("message", Shape::String)].into());
        assert_eq!(
            summary(&record, &json!({"code": 1, "message": "why"})).1,
            "why"
        );
    }
}
