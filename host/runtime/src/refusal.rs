//! What a task's own error means: its name, its message, and its advice about retrying.
//!
//! Must not know the retry policy.

use std::time::Duration;

use serde_json::value::RawValue;
use wasmtime::component::Val;

use crate::ended::{Advice, How};
use crate::lift::lift;
use chicory_signature::{Case, Field, MAX_NAME, MAX_TEXT, Shape, excerpt};

/// The name of errors without a name of their own.
const UNNAMED: &str = "TaskError";

/// The ending of a task that returned `err`.
pub(crate) fn refused(shape: Option<&Shape>, err: Option<&Val>, limit: u64) -> How {
    let (Some(shape), Some(val)) = (shape, err) else {
        let message = "the task failed without saying why".into();
        return How::Refused {
            name: UNNAMED.into(),
            message,
            traceback: None,
            retry: Advice::Policy,
            details: RawValue::NULL.to_owned(),
        };
    };
    let details = lift(shape, val, limit.min(MAX_TEXT as u64));
    let shown = || match &details {
        Some(details) => details.get().to_owned(),
        None => format!("an error of more than {MAX_TEXT} bytes"),
    };
    let mut traceback = None;
    let (name, message, retry) = match (shape, val) {
        (Shape::Record(fields), Val::Record(values)) if is_failure(fields) => {
            traceback = text_at(values, "traceback");
            failure(values)
        }
        (Shape::Variant(cases), Val::Variant(case, payload)) if is_task_error(cases) => {
            let (message, retry) = advice(case, payload.as_deref());
            (UNNAMED.to_owned(), message, retry)
        }
        (Shape::Variant(_), Val::Variant(case, payload)) => {
            let message = payload
                .as_deref()
                .map(|val| message(val).unwrap_or_else(shown));
            let name = kept(case, MAX_NAME);
            (name.clone(), message.unwrap_or(name), Advice::Policy)
        }
        (_, Val::Enum(case)) => {
            let name = kept(case, MAX_NAME);
            (name.clone(), name, Advice::Policy)
        }
        (_, val) => (
            UNNAMED.to_owned(),
            message(val).unwrap_or_else(shown),
            Advice::Policy,
        ),
    };
    How::Refused {
        name,
        message,
        traceback,
        retry,
        details: details.unwrap_or_else(|| RawValue::NULL.to_owned()),
    }
}

/// What is kept of a guest's text: it is as long as the guest likes.
fn kept(text: &str, limit: usize) -> String {
    excerpt(text, limit).into_owned()
}

/// The text of an error that is a string, or a record with one called `message`.
fn message(val: &Val) -> Option<String> {
    match val {
        Val::String(text) => Some(kept(text, MAX_TEXT)),
        Val::Record(fields) => fields.iter().find_map(|(name, val)| match val {
            Val::String(text) if name == "message" => Some(kept(text, MAX_TEXT)),
            _ => None,
        }),
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

/// Name, message and advice of a `failure`. One with an empty name gets the default name.
fn failure(fields: &[(String, Val)]) -> (String, String, Advice) {
    let name = text_at(fields, "name").filter(|name| !name.is_empty());
    let retry = fields.iter().find_map(|(_, val)| match val {
        Val::Variant(case, payload) => Some((case.as_str(), payload.as_deref())),
        _ => None,
    });
    let advice = match retry {
        Some(("after", Some(Val::U64(ms)))) => Advice::RetryAfter(Some(Duration::from_millis(*ms))),
        Some(("never", _)) => Advice::Never,
        _ => Advice::Policy,
    };
    (
        name.unwrap_or_else(|| UNNAMED.to_owned()),
        text_at(fields, "message").unwrap_or_default(),
        advice,
    )
}

/// The text in a record's field, which may be optional.
fn text_at(fields: &[(String, Val)], name: &str) -> Option<String> {
    let (_, val) = fields.iter().find(|(field, _)| field == name)?;
    match val {
        Val::String(text) => Some(kept(text, MAX_TEXT)),
        Val::Option(Some(inner)) => match &**inner {
            Val::String(text) => Some(kept(text, MAX_TEXT)),
            _ => None,
        },
        _ => None,
    }
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

fn advice(case: &str, payload: Option<&Val>) -> (String, Advice) {
    let text = payload.and_then(message).unwrap_or_default();
    let advice = match (case, payload) {
        ("fatal", _) => Advice::Never,
        ("retry-after", Some(Val::Record(fields))) => {
            Advice::RetryAfter(fields.iter().find_map(|(_, val)| match val {
                Val::U64(ms) => Some(Duration::from_millis(*ms)),
                _ => None,
            }))
        }
        _ => Advice::RetryAfter(None),
    };
    (text, advice)
}

#[cfg(test)]
mod tests {
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

    fn summary(shape: &Shape, val: &Val) -> (String, String, Advice) {
        match refused(Some(shape), Some(val), 1 << 30) {
            How::Refused {
                name,
                message,
                retry,
                ..
            } => (name, message, retry),
            other => panic!("{other:?}"),
        }
    }

    fn text(text: &str) -> Val {
        Val::String(text.into())
    }

    #[test]
    fn a_task_error_carries_advice() {
        let variant = |case: &str, val| Val::Variant(case.into(), Some(Box::new(val)));
        let error = |message: &str, advice| ("TaskError".to_owned(), message.to_owned(), advice);
        let shape = task_error();
        assert_eq!(
            summary(&shape, &variant("fatal", text("no"))),
            error("no", Advice::Never)
        );
        assert_eq!(
            summary(&shape, &variant("retry", text("busy"))),
            error("busy", Advice::RetryAfter(None))
        );
        let later = Val::Record(vec![
            ("message".into(), text("later")),
            ("delay-ms".into(), Val::U64(1500)),
        ]);
        let after = Advice::RetryAfter(Some(Duration::from_millis(1500)));
        assert_eq!(
            summary(&shape, &variant("retry-after", later)),
            error("later", after)
        );
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
        let thrown = |name: &str, retry| {
            Val::Record(vec![
                ("name".into(), text(name)),
                ("message".into(), text("bad")),
                (
                    "traceback".into(),
                    Val::Option(Some(Box::new(text("line 7")))),
                ),
                ("retry".into(), retry),
            ])
        };
        let said = |name: &str, advice| (name.to_owned(), "bad".to_owned(), advice);
        let policy = thrown("ValueError", Val::Variant("policy".into(), None));
        assert_eq!(summary(&shape, &policy), said("ValueError", Advice::Policy));
        let after = Val::Variant("after".into(), Some(Box::new(Val::U64(40))));
        assert_eq!(
            summary(&shape, &thrown("Busy", after)),
            said("Busy", Advice::RetryAfter(Some(Duration::from_millis(40))))
        );
        let never = thrown("", Val::Variant("never".into(), None));
        assert_eq!(summary(&shape, &never), said("TaskError", Advice::Never));
        let How::Refused { traceback, .. } = refused(Some(&shape), Some(&policy), 1000) else {
            panic!("a failure is a refusal");
        };
        assert_eq!(traceback.as_deref(), Some("line 7"));
    }

    /// Case M7: an error of 16 MB.
    #[test]
    fn long_errors_are_cut_where_they_are_read() {
        let long = "x".repeat(16 << 20);
        let (name, message, _) = summary(&Shape::String, &text(&long));
        assert_eq!(name, UNNAMED);
        assert!(message.len() <= MAX_TEXT && message.ends_with("x… (16777216 bytes)"));
        let shape = Shape::Variant([case(&long, Some(Shape::Bytes))].into());
        let bytes = Val::List(vec![Val::U8(7); MAX_TEXT]);
        let (name, message, _) = summary(&shape, &Val::Variant(long, Some(Box::new(bytes))));
        assert!(name.len() <= MAX_NAME, "{name}");
        assert_eq!(message, "an error of more than 16384 bytes");
    }

    #[test]
    fn cases_become_names() {
        let shape =
            Shape::Variant([case("not-found", Some(Shape::String)), case("broken", None)].into());
        let not_found = Val::Variant("not-found".into(), Some(Box::new(text("page 7"))));
        assert_eq!(
            summary(&shape, &not_found),
            ("not-found".into(), "page 7".into(), Advice::Policy)
        );
        let broken = Val::Variant("broken".into(), None);
        assert_eq!(
            summary(&shape, &broken),
            ("broken".into(), "broken".into(), Advice::Policy)
        );
        let names = Shape::Enum(["too-late".to_owned()].into());
        let late = Val::Enum("too-late".into());
        assert_eq!(
            summary(&names, &late),
            ("too-late".into(), "too-late".into(), Advice::Policy)
        );
    }

    #[test]
    fn other_errors_have_a_message() {
        assert_eq!(
            summary(&Shape::String, &text("bad")),
            ("TaskError".into(), "bad".into(), Advice::Policy)
        );
        assert_eq!(summary(&Shape::U32, &Val::U32(7)).1, "7");
        let record =
            Shape::Record([field("code", Shape::U8), field("message", Shape::String)].into());
        let val = Val::Record(vec![
            ("code".into(), Val::U8(1)),
            ("message".into(), text("why")),
        ]);
        assert_eq!(summary(&record, &val).1, "why");
    }
}
